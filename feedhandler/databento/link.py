"""Databento's own client as a connection: a thread reads its records, and a queue has them for the feed.

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

from feedhandler.databento.records import ERROR, MAPPING, REPLAY_COMPLETED, SYSTEM, kind_of, time_of
from feedhandler.databento.replay import Seen
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.seam import Note, note_of
from plant.transport.connection_state import ConnectionState, Pauses
from plant.transport.secret import Secret

MOST_WAITING = 100_000
MOST_FRAMES = 5_000
PORT = 13_000


class DatabentoLink:
    """A `Link` (feedhandler/venue/line.py) whose messages are JSON and whose frames are DBN records."""

    def __init__(
        self, settings: DatabentoFeedSettings, key: Secret, clock: Callable[[], float], pauses: Pauses
    ) -> None:
        self.state = ConnectionState(pauses)
        self.received_ns: list[int] = []
        self._settings, self._key, self._clock = settings, key, clock
        self._client: Any = None
        self._records: deque[tuple[int, bytes]] = deque()
        self._ended = ""  # why the session is over
        self._begun = False
        self.notes: list[Note] = []  # what became of holes, the caller's to take
        self._seen: dict[int, Seen] = {}  # by type of record
        self._holes: dict[int, Hole] = {}
        # The gateway says of each schema when its replay is over: so many are still to come, and to be read here.
        self._replaying = self._unhealed = 0
        self._waker = os.eventfd(0, os.EFD_NONBLOCK)

    @property
    def connected(self) -> bool:
        return self._client is not None

    @property
    def retry_in_s(self) -> float:
        return self.state.retry_in_s(self._clock())

    def open(self, messages: Sequence[str], url: str = "") -> bool:
        host, _, port = self._settings.url.rpartition(":")
        self._records.clear()
        self._ended, self._begun = "", False
        self._replaying = self._unhealed = 0
        self._client = library().Live(
            key=self._key.reveal(),
            gateway=host or None,
            port=int(port or PORT),
            heartbeat_interval_s=int(self._settings.heartbeat_s),
        )
        self.state.opened(self._clock())
        return True

    def send(self, message: str) -> bool:
        """Subscribe, or begin the session; the first subscription connects, which takes 30 s at worst."""
        if self._client is None:
            return False
        said = json.loads(message)
        try:
            if "start" in said:
                self._begun = True
                threading.Thread(target=self._read, args=(self._client,), name="databento", daemon=True).start()
            else:
                self._subscribe(said["schema"], said["symbols"])
        except Exception as error:  # of the client, which has its own kinds for the network and the key
            text = f"{type(error).__name__}: {error}"
            self.drop(text, refused="uthentication" in text and "timed out" not in text)
            return False
        return True

    def receive(self, timeout_s: float) -> list[bytes]:
        self.received_ns = []
        if not self._records and not self._ended and self._client is not None:
            select.select([self._waker], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._waker)
        frames: list[bytes] = []
        while self._records and len(frames) < MOST_FRAMES:
            at, record = self._records.popleft()
            self.received_ns.append(at)
            frames.append(record)
            if record[1] == SYSTEM and record[-1] == REPLAY_COMPLETED:
                self._unhealed -= 1
                if self._unhealed <= 0:
                    self._end_holes("healed", "replayed")
        if self._records:
            os.eventfd_write(self._waker, 1)
        elif self._ended and not frames and self._client is not None:
            self.drop(self._ended)
        return frames

    def fileno(self) -> int:
        return self._waker

    def drop(self, reason: str, refused: bool = False, wait_s: float = 0.0, ended: bool = False) -> None:
        if self._client is not None:
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

    def _subscribe(self, schema: str, symbols: list[str]) -> None:
        start = None
        kind = _TYPE_OF[schema]
        seen = self._seen.get(kind)
        if seen is not None and not self._begun:  # what is new has nothing to go on from
            start = seen.begin(time.time_ns()) if self._settings.backfill else None
            self._begin_hole(kind, start)
            if start is not None:
                self._replaying, self._unhealed = self._replaying + 1, self._unhealed + 1
        self._client.subscribe(
            dataset=self._settings.dataset,
            schema=schema,
            symbols=symbols,
            stype_in=self._settings.stype_in,
            start=start,
        )

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

    def _read(self, client: Any) -> None:
        """Read records until the session ends; runs in a thread."""
        reason = "the gateway ended the session"
        try:
            for record in client:
                if self._client is not client:
                    return
                self._take(bytes(record))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if self._client is client:
            self._ended = reason
            os.eventfd_write(self._waker, 1)

    def _take(self, record: bytes) -> None:
        kind = kind_of(record)
        if kind == SYSTEM and record[-1] == REPLAY_COMPLETED:
            self._replaying -= 1
            for seen in self._seen.values() if self._replaying <= 0 else ():
                seen.completed()
        elif kind not in (SYSTEM, ERROR, MAPPING) and self._seen.setdefault(kind, Seen()).repeated(
            record, time_of(record)
        ):
            return
        while len(self._records) >= MOST_WAITING and self._client is not None:
            time.sleep(0.005)
        self._records.append((time.time_ns(), record))
        if len(self._records) == 1:
            os.eventfd_write(self._waker, 1)

    def _stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                client.terminate()
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
