"""When a checkpoint is made: now and then, at a moment when all that was given out has come back.

Then what is in memory is what follows from the rows up to there, and a restart neither misses a row that was under way
nor gives it out twice. The state is copied, and written by a thread of its own.
"""

import threading
import time
from collections.abc import Callable

from plant.runtime.lifecycle import log
from plant.stream.publisher import Publisher
from plant.stream.stream import Stream
from processor.checkpoints.hold import Hold
from processor.checkpoints.store import Checkpoint, Store

AGAIN_S = 5.0
"""Pause after a moment that did not come."""

JOIN_S = 5.0
"""Longest the end waits for a checkpoint that is being written."""


class Keeper:
    """Makes a checkpoint every `every_s` (0: never by itself) of what `make` returns, None where it has to be later."""

    def __init__(self, store: Store, every_s: float, make: Callable[[], Checkpoint | None]) -> None:
        self._store, self._every_s, self._make = store, every_s, make
        self._next = time.monotonic() + every_s
        self._hold = Hold()
        self._written = -1  # the newest record that the one on disk knows of
        self._thread: threading.Thread | None = None

    def holds(self, publisher: Publisher, stream: Stream) -> bool:
        """Make a checkpoint if one is due; return whether nothing is to be given out now."""
        if not self._every_s or time.monotonic() < self._next or (self._thread and self._thread.is_alive()):
            return False
        if stream.mark.seq == self._written:
            self._next = time.monotonic() + self._every_s
            return False
        over = self._hold.over(publisher, stream)
        if over is False:
            return True
        self._next = time.monotonic() + (self._every_s if over else min(AGAIN_S, self._every_s))
        if over and (checkpoint := self._made()) is not None:
            self._thread = threading.Thread(target=self._write, args=(checkpoint,), name="checkpoint", daemon=True)
            self._thread.start()
        return False

    def finish(self, publisher: Publisher, stream: Stream, step: Callable[[], None], within_s: float) -> None:
        """Make a last checkpoint, at a clean end; `step` takes what comes meanwhile."""
        self.close()
        if stream.mark.seq == self._written:
            return
        self._hold.reset()
        while (over := self._hold.over(publisher, stream, within_s)) is False:
            step()
        if over is None:
            log.warning("no checkpoint at the end", reason=f"not all that was given out came back in {within_s:g} s")
        elif (checkpoint := self._made()) is not None:
            self._write(checkpoint)

    def close(self) -> None:
        """Wait for what is being written."""
        if self._thread is not None:
            self._thread.join(JOIN_S)

    def _made(self) -> Checkpoint | None:
        started = time.perf_counter()
        checkpoint = self._make()
        log.debug("checkpoint made", ms=round((time.perf_counter() - started) * 1e3, 1))
        return checkpoint

    def _write(self, checkpoint: Checkpoint) -> None:
        started = time.perf_counter()
        try:
            size = self._store.write(checkpoint)
        except OSError as error:
            log.warning("checkpoint not written", path=str(self._store.path), reason=str(error))
            return
        self._written = checkpoint.mark.seq
        ms = round((time.perf_counter() - started) * 1e3, 1)
        log.info("checkpoint", seq=checkpoint.mark.complete, bytes=size, ms=ms)
