"""The stream in NATS JetStream: opened, read and written in a thread of its own (nats-py is for asyncio only).

What cannot be used as it is raises SettingsError, what may pass (no leader yet, no answer, another one wrote) raises
Unavailable: then the stream's last message is read again. Nothing is sent a second time by itself: a connection that
broke is not taken up by nats-py, which would send what waited in it.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg, RetentionPolicy, StorageType, StreamConfig, StreamInfo

from mirror.copying import Place
from mirror.syncing import unchecked
from plant.errors import SettingsError, Unavailable, WireError
from plant.runtime.sections import MirrorSettings
from plant.stream.mirrored import (
    OWNER,
    PLANT_SEQ,
    Declared,
    journal_subject,
    last_record,
    login_of,
    packed_records,
    stream_of,
    tables_subject,
    unpacked_records,
    unpacked_tables,
)
from plant.stream.stream import Mark
from plant.wire.envelope import HEADER_BYTES

CONNECT_S, ANSWER_S = 2.0, 5.0
"""Longest a server may take to be connected to, and to answer."""

OVERHEAD_BYTES = 4096
"""What a message has beside the records: its headers."""

LEAST_PAYLOAD = 8 * 2**20 + HEADER_BYTES + OVERHEAD_BYTES
"""The longest record of a journal must fit in a message."""

_NO_PEERS, _NO_CLUSTER = 10005, 10074
"""Codes of errors (server/errors.json): not enough servers in the cluster by now; a server that is in none."""

_EXPECTED = "Nats-Expected-Last-Sequence"

_OPTIONS: dict[str, Any] = {"allow_reconnect": False, "connect_timeout": CONNECT_S, "name": "tickplant mirror"}

_PASSING = (nats.errors.Error, asyncio.TimeoutError, OSError, EOFError)

Result = TypeVar("Result")


class Standing(NamedTuple):
    """The stream as its leader has it.

    owner       of its last message, "" if there is none
    plant_seq   how far the writer of that message knew its journal to be
    declared    how tables are declared, None if nobody has said so yet, and the message that says it
    first, messages, replicas   of the stream: its first message, how many there are, how many servers keep them
    unchecked   what is not known of whether the servers sync, "" if they do
    """

    place: Place
    owner: str
    plant_seq: int
    declared: Declared | None
    declared_at: int
    first: int
    messages: int
    replicas: int
    unchecked: str


class Written(NamedTuple):
    """A message as it is in the stream: its number, its body, and the headers that say how to read that."""

    js_seq: int
    body: bytes
    headers: dict[str, str]


class Link:
    """A connection to the servers of `[mirror]`, opened when it is needed."""

    def __init__(self, settings: MirrorSettings) -> None:
        self.stream = stream_of(settings.name)
        self.most = 0  # bytes of records that a message may have, known once it was connected
        self._settings = settings
        self._client: Client | None = None
        self._next_server = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()

    def standing(self) -> "Future[Standing]":
        """Open the stream, made if there is none, and read its last message."""
        return self._begun(self._standing(True))

    def present(self) -> "Future[Standing]":
        """Read the last message of a stream that must be there."""
        return self._begun(self._standing(False))

    def publish(self, data: bytes, after: int, owner: str, plant_seq: int) -> "Future[int]":
        """Write records behind message `after` of the stream; its number once a majority of its servers has it."""
        body, packing = packed_records(data) if self._settings.compress else (data, {})
        headers = {_EXPECTED: str(after), OWNER: owner, PLANT_SEQ: str(plant_seq), **packing}
        return self._begun(self._publish(journal_subject(self._settings.name), body, headers))

    def declare(self, data: bytes, after: int, owner: str, plant_seq: int) -> "Future[int]":
        """Write how tables are declared, likewise."""
        headers = {_EXPECTED: str(after), OWNER: owner, PLANT_SEQ: str(plant_seq)}
        return self._begun(self._publish(tables_subject(self._settings.name), data, headers))

    def message(self, js_seq: int) -> "Future[Written]":
        """Read the first message of the journal from this number on; its number is 0 behind the last."""
        return self._begun(self._message(js_seq))

    def close(self) -> None:
        """Disconnect."""
        with contextlib.suppress(Exception):
            asyncio.run_coroutine_threadsafe(self._ended(), self._loop).result(CONNECT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CONNECT_S)
        if not self._thread.is_alive():
            self._loop.close()

    def _begun(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        return asyncio.run_coroutine_threadsafe(self._explained(work), self._loop)

    async def _explained(self, work: Coroutine[Any, Any, Result]) -> Result:
        try:
            return await work
        except _PASSING as error:
            await self._disconnect()
            said = str(error).removeprefix("nats: ") or type(error).__name__
            raise Unavailable(f"{self.stream} at {', '.join(self._settings.servers)}: {said}") from None

    async def _connected(self) -> JetStreamContext:
        if self._client is None or not self._client.is_connected:
            await self._disconnect()
            self._client = await self._opened()
            self.most = self._client.max_payload - OVERHEAD_BYTES
            if self._client.max_payload < LEAST_PAYLOAD:
                raise SettingsError(
                    f"the server {self._client.connected_url.netloc if self._client.connected_url else ''} takes "
                    f"messages of {self._client.max_payload:,} bytes, and a record of the journal may need "
                    f"{LEAST_PAYLOAD:,}: set max_payload: 9MB in the configuration of each server"
                )
        return self._client.jetstream(timeout=ANSWER_S)

    async def _opened(self) -> Client:
        """Return a connection to the first server that answers, beginning behind the one that was tried last."""
        servers, last = self._settings.servers, Exception("no server")
        for _ in servers:
            server = servers[self._next_server % len(servers)]
            self._next_server += 1
            try:
                return await asyncio.wait_for(
                    nats.connect(server, error_cb=_quiet, **_OPTIONS, **login_of()), 2 * CONNECT_S
                )
            except (*_PASSING, ValueError) as error:
                last = error
        raise ConnectionError(f"no server can be connected to: {str(last) or type(last).__name__}")

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await client.close()

    async def _ended(self) -> None:
        """Give up on what is under way: whether it was kept, the stream's last message tells."""
        await self._disconnect()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _standing(self, make: bool) -> Standing:
        context = await self._connected()
        info = await self._info(context, make)
        state, last = info.state, Place(info.state.last_seq, Mark(0))
        not_known = await asyncio.to_thread(unchecked, self._settings.monitor)
        declared, declared_at = await self._declared(context)
        if not last.js_seq:
            return Standing(last, "", 0, declared, declared_at, 0, 0, info.config.num_replicas or 1, not_known)
        found = await self._last(context, info)
        headers = found.headers or {}
        mark, data = Mark(0), found.data or b""
        try:
            if found.subject == journal_subject(self._settings.name):
                header = last_record(unpacked_records(data, headers))
                mark = Mark(header.seq, header.seq, header.header_crc)
            else:
                told = unpacked_tables(data)
                mark = Mark(told.seq, told.seq, told.crc)
        except WireError as error:
            raise SettingsError(f"{self.stream}, message {last.js_seq}: {error}") from None
        place = Place(last.js_seq, mark)
        plant_seq = int(headers.get(PLANT_SEQ, mark.seq))
        return Standing(
            place, headers.get(OWNER, ""), plant_seq, declared, declared_at, state.first_seq, state.messages,
            info.config.num_replicas or 1, not_known,
        )  # fmt: skip

    async def _last(self, context: JetStreamContext, info: StreamInfo) -> RawStreamMsg:
        """Return the last message; its number is the leader's, so a message that is missing there is an older state."""
        try:
            return await context.get_msg(self.stream, seq=info.state.last_seq)
        except nats.js.errors.NotFoundError:
            if info.state.messages:
                raise
            raise SettingsError(
                f"{self.stream} had {info.state.last_seq} messages, and its retention has removed all of them: nobody "
                f"knows where to go on. Remove it (nats stream rm {self.stream}); it is made again from the journal"
            ) from None

    async def _declared(self, context: JetStreamContext) -> tuple[Declared | None, int]:
        try:
            found = await context.get_msg(self.stream, subject=tables_subject(self._settings.name))
        except nats.js.errors.NotFoundError:
            return None, 0
        return unpacked_tables(found.data or b""), found.seq or 0

    async def _info(self, context: JetStreamContext, make: bool) -> StreamInfo:
        """Return what the leader says of the stream. Raises SettingsError for one that keeps less than asked for."""
        own = self._settings
        subjects = [journal_subject(own.name), tables_subject(own.name)]
        try:
            info = await context.stream_info(self.stream)
        except nats.js.errors.NotFoundError:
            if not make:
                raise SettingsError(
                    f"there is no {self.stream} at {', '.join(own.servers)}: no plant has mirrored its journal there "
                    "under this name"
                ) from None
            info = await self._made(context, subjects)
        config = info.config
        if (config.num_replicas or 1) < own.replicas:
            raise SettingsError(
                f"{self.stream} is kept by {config.num_replicas or 1} of the servers, [mirror] replicas says "
                f"{own.replicas}: set it there (nats stream edit {self.stream} --replicas {own.replicas}), or here"
            )
        wrong = (
            "it is in memory" if config.storage != StorageType.FILE
            else f"it has the subjects {config.subjects}, expected {subjects}"
            if set(config.subjects or ()) != set(subjects)
            else "it forgets what was read" if config.retention not in (None, RetentionPolicy.LIMITS)
            else ""
        )  # fmt: skip
        if wrong:
            raise SettingsError(f"{self.stream} cannot be used: {wrong}. Remove it, and it is made as it has to be")
        return info

    async def _made(self, context: JetStreamContext, subjects: list[str]) -> StreamInfo:
        config = StreamConfig(
            name=self.stream,
            subjects=subjects,
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            num_replicas=self._settings.replicas,
        )
        try:
            return await context.add_stream(config)
        except nats.js.errors.APIError as error:
            if error.err_code not in (_NO_PEERS, _NO_CLUSTER):
                raise
            refusal = (
                f"{self.stream} cannot be kept by {self._settings.replicas} servers: {error.description}; start that "
                "many, in one cluster, or set [mirror] replicas = 1 to do without"
            )
            raise (Unavailable if error.err_code == _NO_PEERS else SettingsError)(refusal) from None

    async def _publish(self, subject: str, data: bytes, headers: dict[str, str]) -> int:
        context = await self._connected()
        ack = await context.publish(subject, data, timeout=ANSWER_S, stream=self.stream, headers=headers)
        return int(ack.seq)

    async def _message(self, js_seq: int) -> Written:
        context = await self._connected()
        try:
            found = await context.get_msg(
                self.stream, seq=js_seq, subject=journal_subject(self._settings.name), next=True
            )
        except nats.js.errors.NotFoundError:
            return Written(0, b"", {})
        return Written(found.seq or 0, found.data or b"", found.headers or {})


async def _connect(server: str) -> Client:
    return await nats.connect(server, error_cb=_quiet, **_OPTIONS, **login_of())


async def _quiet(_error: Exception) -> None:
    """Pass over what nats-py would print: each of it comes back as the error of what was asked."""
