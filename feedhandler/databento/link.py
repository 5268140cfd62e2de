"""Databento's own client as a connection: a thread of it reads records, and a queue has them for the feed.

The client is the extra `databento`, imported when a session begins. While the queue is full nothing is read, and the
gateway waits, or says that we are too slow.
"""

import contextlib
import importlib
import json
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from feedhandler.databento.records import (
    AGED_OUT,
    BARS,
    ERROR,
    MAPPING,
    REPLAY_COMPLETED,
    SKIPPED,
    SYSTEM,
    error_code,
    kind_of,
    time_of,
)
from feedhandler.databento.replay import Seen
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.past.later import SINCE_NEWEST
from feedhandler.venue.dialogue import Hole, Unreadable
from feedhandler.venue.seam import Note, note_of
from plant.rows.intervals import interval_ns
from plant.transport.connection_state import ConnectionState, Pauses
from plant.transport.secret import Secret

MOST_WAITING = 100_000
MOST_FRAMES = 5_000
PORT = 13_000


class _Session:
    """One session: `records` that came, and when; `ended` says why it is over.

    What of an old one is not handed out by the end goes with it: the replay of the next one has it.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.records: deque[tuple[int, bytes]] = deque()
        self.ended = ""
        self.over = False


class DatabentoLink:
    """A `Link` (feedhandler/venue/line.py) whose messages are JSON and whose frames are DBN records."""

    def __init__(
        self, settings: DatabentoFeedSettings, key: Secret, clock: Callable[[], float], pauses: Pauses
    ) -> None:
        self.state = ConnectionState(pauses)
        self.received_ns: list[int] = []
        self._settings, self._key, self._clock = settings, key, clock
        self._session: _Session | None = None
        self._begun = False
        self.replaying = False  # what came since the plant's newest rows; the frames of the last `receive` are of it
        self._replayed = False
        self.notes: list[Note] = []  # what became of holes, the caller's to take
        self._seen: dict[int, Seen] = {}  # by type of record
        self._holes: dict[int, Hole] = {}
        self._replays = 0  # the gateway says of each schema when its replay is over: so many have still to end
        self._waker = os.eventfd(0, os.EFD_NONBLOCK)

    @property
    def connected(self) -> bool:
        return self._session is not None

    @property
    def retry_in_s(self) -> float:
        return self.state.retry_in_s(self._clock())

    def open(self, messages: Sequence[str], url: str = "") -> bool:
        host, _, port = self._settings.url.rpartition(":")
        self._begun, self._replays = False, 0
        self._session = _Session(
            library().Live(
                key=self._key.reveal(),
                gateway=host or None,
                port=int(port or PORT),
                heartbeat_interval_s=int(self._settings.heartbeat_s),
            )
        )
        self.state.opened(self._clock())
        return True

    def send(self, message: str) -> bool:
        """Subscribe, or begin the session; the first subscription connects, which takes 30 s at worst."""
        if self._session is None:
            return False
        said = json.loads(message)
        try:
            if "start" in said:
                self._begun = True
                threading.Thread(target=self._read, args=(self._session,), name="databento", daemon=True).start()
            else:
                self._subscribe(self._session.client, said["schema"], said["symbols"])
        except Exception as error:  # of the client, which has its own kinds for the network and the key
            text = f"{type(error).__name__}: {error}"
            self.drop(text, refused="uthentication" in text and "timed out" not in text)
            return False
        return True

    def receive(self, timeout_s: float) -> list[bytes]:
        self.received_ns = []
        session = self._session
        if session is None:
            return []
        if not session.records and not session.ended:
            select.select([self._waker], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._waker)
        frames: list[bytes] = []
        ended = session.ended  # what is there by then is all there is
        self.replaying, self._replayed = self.replaying and not self._replayed, False
        while session.records and len(frames) < MOST_FRAMES and not self._replayed:
            at, record = session.records.popleft()
            if self._is_new(record):
                self.received_ns.append(at)
                frames.append(record)
            if error_code(record) == SKIPPED:  # what comes behind it comes again, together with what is missing
                self.drop("we read too slowly, and the gateway left records out")
                return frames
        if session.records:
            os.eventfd_write(self._waker, 1)
        elif ended and not frames:
            self.drop(ended)
        return frames

    def fileno(self) -> int:
        return self._waker

    def drop(self, reason: str, refused: bool = False, wait_s: float = 0.0, ended: bool = False) -> None:
        if self._session is not None:
            self._open_holes()
        self._stop()
        reason, now = self._key.redact(reason), self._clock()
        if refused:
            self.state.refused(reason, now)
        elif wait_s:
            self.state.told_to_wait(reason, wait_s, now)
        elif ended:
            self.state.ended(reason, now)
        else:
            self.state.lost(reason, now)

    def close(self) -> None:
        self._stop()
        os.close(self._waker)

    def catch_up(self, table: str, newest_ns: int, earliest_ns: int) -> None:
        """Have the first session replay a table from the plant's newest row on, but not from before `earliest_ns`."""
        kind = _TYPE_OF[self._settings.schemas[table]]
        self._seen.setdefault(kind, Seen()).newest = max(newest_ns, earliest_ns)
        hole = self._holes[kind] = Hole(table, self._settings.dataset, start=newest_ns)
        self.notes.append(note_of(hole, "opened", SINCE_NEWEST))
        self.replaying = True

    def _subscribe(self, client: Any, schema: str, symbols: list[str]) -> None:
        start = None
        kind = _TYPE_OF[schema]
        seen = self._seen.get(kind)
        if seen is not None and not self._begun:  # what is new has nothing to go on from
            start = seen.begin(time.time_ns()) if self._settings.backfill else None
            self._begin_hole(kind, start)
            self._replays += start is not None
        client.subscribe(
            dataset=self._settings.dataset,
            schema=schema,
            symbols=symbols,
            stype_in=self._settings.stype_in,
            start=start,
        )
        if seen is None:  # a session that is cut before the first record is replayed from here on
            self._seen[kind] = Seen()
            length_ns = interval_ns(BARS[kind]) if kind in BARS else 0
            self._seen[kind].subscribed(time.time_ns() - length_ns)

    def _open_holes(self) -> None:
        """Note from when on records are missing, once for each kind of them."""
        for kind, seen in self._seen.items():
            table = _TABLE_OF.get(kind)
            if table is not None and seen.newest and kind not in self._holes:
                hole = self._holes[kind] = Hole(table, self._settings.dataset, start=seen.newest)
                self.notes.append(note_of(hole, "opened", "there is no connection"))

    def _begin_hole(self, kind: int, start: int | None) -> None:
        """Note what the replay from `start` on will not have; None: there is none."""
        hole = self._holes.get(kind)
        if hole is None or (start is not None and start <= hole.start):
            return
        end = start if start is not None else time.time_ns()
        why = "older than what the gateway replays" if start is not None else "backfill is false"
        self.notes.append(note_of(hole._replace(end=end), "lost", f"{why}; plant backfill has it"))
        if start is None:
            del self._holes[kind]
        else:
            self._holes[kind] = hole._replace(start=start)

    def _end_holes(self, state: str, detail: str) -> None:
        for hole in self._holes.values():
            self.notes.append(note_of(hole._replace(end=time.time_ns()), state, detail))
        self._holes.clear()

    def _is_new(self, record: bytes) -> bool:
        """Return whether a record is to be handed out: it did not come before."""
        try:
            kind = kind_of(record)
        except Unreadable:  # whoever parses it says so
            return True
        if kind == SYSTEM and record[-1] == REPLAY_COMPLETED:
            self._replays -= 1
            if self._replays <= 0:
                for seen in self._seen.values():
                    seen.completed()
                self._end_holes("healed", "replayed")
                self._replayed = True
        if error_code(record) == AGED_OUT:
            self._end_holes("lost", "the gateway replays no longer what is so old; plant backfill has it")
        if kind in (SYSTEM, ERROR, MAPPING):
            return True
        return not self._seen.setdefault(kind, Seen()).repeated(record, time_of(record))

    def _read(self, session: _Session) -> None:
        """Have records queued until the session ends; runs in a thread.

        By a callback: the client's iteration begins after the session did, and loses what came between.
        """

        def take(record: Any) -> None:
            while len(session.records) >= MOST_WAITING and not session.over:
                time.sleep(0.005)
            if session.over:
                return
            session.records.append((time.time_ns(), bytes(record)))
            if len(session.records) == 1:
                os.eventfd_write(self._waker, 1)

        reason = "the gateway ended the session"
        try:
            session.client.add_callback(take)
            session.client.start()
            session.client.block_for_close()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        session.ended = reason
        if not session.over:
            os.eventfd_write(self._waker, 1)

    def _stop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.over = True
            try:
                session.client.terminate()
            except Exception:  # it was never connected
                return


_TABLE_OF = {0: "trades", 1: "quotes", 32: "bars", 33: "bars", 34: "bars"}
_TYPE_OF = {"trades": 0, "mbp-1": 1, "status": 18, "ohlcv-1s": 32, "ohlcv-1m": 33, "ohlcv-1h": 34}


def library() -> Any:
    """Return Databento's client. Raises ValueError if it is not installed."""
    try:
        return importlib.import_module("databento")
    except ImportError as error:
        raise ValueError(f"Databento's client is not installed ({error}): pip install 'tickplant[databento]'") from None
