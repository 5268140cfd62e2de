"""A stream of NATS JetStream read in a thread (nats-py is for asyncio only), from behind a record that is known.

Its place is found by bisection, some ten questions to the leader of the stream; then an ordered consumer is sent what
follows. Messages of a stream are numbered without holes, so one that is missing is noticed. After every lost connection
the place is found again: nothing is taken to be there that was there before.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy, RawStreamMsg, StreamInfo

from plant.errors import JournalDiverged, JournalError, WireError
from plant.runtime.lifecycle import log
from plant.runtime.sections import UpstreamSettings
from plant.stream.mirrored import (
    journal_subject,
    last_record,
    login_of,
    stream_of,
    tables_subject,
    unpacked_records,
)
from plant.stream.stream import Mark
from plant.wire.envelope import header_at
from plant.wire.record import records

CONNECT_S, ANSWER_S = 2.0, 5.0
"""Longest a server may take to be connected to, and to answer."""

PAUSE_S = 0.25
"""Pause before it is tried again."""

SILENT_S = 2.0
"""With no message for so long the leader is asked whether there is more: a consumer may be gone with its server."""

DOUBT_S = 15.0
"""A stream that ends before what is known, and does not grow, is looked at again for so long: a new leader may not have
all of it yet."""

PENDING_MESSAGES, PENDING_BYTES = 2**20, 256 * 2**20
"""About so much the client may hold; the server's flow control keeps it well below."""

_OPTIONS: dict[str, Any] = {"allow_reconnect": False, "connect_timeout": CONNECT_S, "name": "tickplant"}

_PASSING = (nats.errors.Error, asyncio.TimeoutError, OSError, EOFError)


class Came(NamedTuple):
    """A message: its number in the stream, its bytes, whether they are records (else they declare tables).

    `trimmed`: the beginning of the stream is not there any more.
    """

    js_seq: int
    body: bytes
    of_records: bool
    trimmed: bool


class Anew(Exception):
    """The stream is to be looked at again, from the beginning."""


class StreamThread:
    """Hands each message behind `mark` (0: all of them) to `hand`, the declarations of tables in force first.

    `hand` returns whether there is room for more. `ended` is told why the thread cannot go on: JournalDiverged if the
    stream has another record in the mark's place, JournalError if messages that are wanted are gone.
    """

    def __init__(
        self, upstream: UpstreamSettings, mark: Mark, hand: Callable[[Came], bool], ended: Callable[[Exception], None]
    ) -> None:
        self.connected = False
        self.stream = stream_of(upstream.name)
        self._upstream, self._hand, self._end = upstream, hand, ended
        self._mark = mark
        self._last: Came | None = None  # what was handed on last of the journal; its last record is where we are
        self._next = 0
        self._trimmed = False
        self._doubted: tuple[float, int] | None = None  # since when, and how far the stream was when last looked at
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(2 * CONNECT_S)

    def _cancel(self) -> None:
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._follow())
        except asyncio.CancelledError:
            pass
        except Exception as error:  # whatever it is, who polls is to know
            self._end(error)
        finally:
            self._cancel()
            self._loop.run_until_complete(_ended())
            self._loop.close()

    async def _follow(self) -> None:
        """Follow the stream until something is wrong with it, connecting anew as often as needed."""
        said, turn, servers = "", 0, self._upstream.stream
        while True:
            client: Client | None = None
            try:
                server, turn = servers[turn % len(servers)], turn + 1
                client = await asyncio.wait_for(
                    nats.connect(server, error_cb=_quiet, **_OPTIONS, **login_of()), 2 * CONNECT_S
                )
                await self._read(client)
            except (*_PASSING, Anew) as error:
                reason = str(error).removeprefix("nats: ") or type(error).__name__
                if self.connected or reason != said:
                    said = reason
                    log.warning("stream", stream=self.stream, state="begins anew", reason=reason)
            finally:
                self.connected = False
                if client is not None:
                    with contextlib.suppress(Exception):
                        await client.close()
            await asyncio.sleep(PAUSE_S)

    async def _read(self, client: Client) -> None:
        context = client.jetstream(timeout=ANSWER_S)
        info = await context.stream_info(self.stream)
        self._trimmed = info.state.first_seq > 1
        await self._find(context, info)
        config = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=self._next)
        subscription = await context.subscribe(
            f"plant.{self._upstream.name}.>", stream=self.stream, config=config, ordered_consumer=True,
            idle_heartbeat=SILENT_S / 2, pending_msgs_limit=PENDING_MESSAGES, pending_bytes_limit=PENDING_BYTES,
        )  # fmt: skip
        if not self.connected:
            self.connected = True
            log.info("stream", stream=self.stream, state="ok", message=self._next, of=info.state.last_seq)
        while True:
            try:
                message = await subscription.next_msg(timeout=SILENT_S)
            except (TimeoutError, nats.errors.TimeoutError):
                if (await context.stream_info(self.stream)).state.last_seq >= self._next:
                    raise Anew("the server sends no more of what the stream has") from None
                continue
            js_seq = message.metadata.sequence.stream
            if js_seq < self._next:
                continue
            if js_seq > self._next:
                await self._missing(context, js_seq)
            body = self._plain(js_seq, message.data, message.headers)
            await self._take(js_seq, message.subject, body)

    async def _take(self, js_seq: int, subject: str, body: bytes) -> None:
        came = Came(js_seq, body, subject == journal_subject(self._upstream.name), self._trimmed)
        self._next = js_seq + 1
        if came.of_records:
            self._last = came
        while not self._hand(came):
            await asyncio.sleep(0.005)

    def _plain(self, js_seq: int, body: bytes, headers: Mapping[str, str] | None) -> bytes:
        """Return what a message's body is. Raises JournalError for one that is damaged."""
        try:
            return unpacked_records(body, headers)
        except WireError as error:
            raise JournalError(
                f"message {js_seq} of the stream is damaged: {error}; `plant mirror verify` tells"
            ) from None

    @property
    def _wanted(self) -> int:
        """The seq that is known; only its number if our journal has removed the record."""
        return self._mark.seq or self._mark.complete

    async def _find(self, context: JetStreamContext, info: StreamInfo) -> None:
        """Find the message to go on with. Raises JournalDiverged, JournalError."""
        if self._last is not None:
            header = last_record(self._last.body)
            self._mark = Mark(header.seq, header.seq, header.header_crc)
        await self._declarations(context)
        if not self._wanted:
            self._next = max(info.state.first_seq, 1)
            return
        place = await self._place(context, info)
        if place is None:
            return
        found, body = place
        for header, start in records(body):
            if header.seq < self._wanted:
                continue
            if header.seq > self._wanted or (self._mark.seq and header.header_crc != self._mark.checksum):
                raise JournalDiverged(
                    f"{self.stream} has no longer what was read as {self._wanted}: it is the journal of another plant"
                )
            self._doubted = None
            self._next = found + 1
            if rest := body[start + header.length :]:  # of another message than that was: the stream was made again
                await self._take(found, journal_subject(self._upstream.name), rest)
            return
        now = time.monotonic()
        since, reached = self._doubted or (now, 0)
        since = now if info.state.last_seq > reached else since  # it grows: it is made again, say
        self._doubted = since, info.state.last_seq
        ends = f"{self.stream} ends before seq {self._wanted}, which was read of it"
        if now - since > DOUBT_S:
            raise JournalDiverged(f"{ends}: it lost its tail, or is the journal of another plant")
        raise Anew(ends)

    async def _place(self, context: JetStreamContext, info: StreamInfo) -> tuple[int, bytes] | None:
        """Return the last message that begins with the mark's record or before; None if the stream begins behind it."""
        wanted, low, high = self._wanted, info.state.first_seq, info.state.last_seq + 1
        if self._last is not None:  # most likely it is still where it was
            low = max(low, self._last.js_seq)
        best: tuple[int, bytes] | None = None
        beyond = 0
        while low < high:
            middle = low if best is None and self._last is not None else (low + high) // 2
            found = await self._message(context, middle)
            if found is None or (first := _first_seq(found[1])) > wanted:
                high = middle
                beyond = first if found is not None else beyond
            else:
                best, low = found, found[0] + 1
        if best is None and self._last is not None:
            self._last = None  # the stream was made again, with other messages: looked for in all of it
            raise Anew("the stream has not what was read of it, where it was")
        if best is None and beyond > wanted + 1:
            raise JournalError(
                f"{self.stream} begins at seq {beyond} by now, and this journal ends at {wanted}: what is between was "
                "removed by its retention. Move the journal's folder away and put a copy of another follower's there"
            )
        if best is None and beyond:
            self._next = low
        elif best is None:
            raise Anew("the stream is empty")
        return best

    async def _message(self, context: JetStreamContext, js_seq: int) -> tuple[int, bytes] | None:
        """Return the first message of records from this number on, None if there is none."""
        try:
            subject = journal_subject(self._upstream.name)
            found: RawStreamMsg = await context.get_msg(self.stream, seq=js_seq, subject=subject, next=True)
        except nats.js.errors.NotFoundError:
            return None
        js_seq = found.seq or 0
        return js_seq, self._plain(js_seq, found.data or b"", found.headers)

    async def _declarations(self, context: JetStreamContext) -> None:
        try:
            found = await context.get_msg(self.stream, subject=tables_subject(self._upstream.name))
        except nats.js.errors.NotFoundError:
            return
        while not self._hand(Came(found.seq or 0, found.data or b"", False, self._trimmed)):
            await asyncio.sleep(0.005)

    async def _missing(self, context: JetStreamContext, came: int) -> None:
        """Raise JournalError if the messages before `came` are gone, Anew if they only did not come."""
        try:
            await context.get_msg(self.stream, seq=self._next)
        except nats.js.errors.NotFoundError:
            raise JournalError(
                f"{self.stream} has no message {self._next} any more, {came} is the next: its retention (or somebody) "
                "removed it before this plant had read it. Move the folder of the journal away and put a copy of "
                "another follower's there"
            ) from None
        raise Anew(f"message {came} came, expected {self._next}")


async def _ended() -> None:
    """Wait for what was cancelled."""
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)


def _first_seq(body: bytes) -> int:
    try:
        return header_at(body, 0).seq
    except WireError as error:
        raise JournalError(f"the stream has a message that does not begin with a record: {error}") from None


async def _connect(server: str) -> Client:
    return await nats.connect(server, error_cb=_quiet, **_OPTIONS, **login_of())


async def _quiet(_error: Exception) -> None:
    """Pass over what nats-py would print: what of it matters comes as the error of what was asked."""
