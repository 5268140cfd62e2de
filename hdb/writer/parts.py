"""Rows on their way to disk: what came is handed to a thread every few seconds, which makes a part of it."""

import threading
from collections import deque
from dataclasses import dataclass

import pyarrow as pa

from hdb.writer.store import Store
from plant.errors import PlantError
from plant.history.catalogue import End
from plant.rows.batch import Batch, arrow_of
from plant.runtime.lifecycle import Timer, log

RETRY_S = 5.0
"""Pause after a part that could not be written (disk full, say)."""

QUEUED_PARTS = 4
"""So many parts may wait to be written; then the stream has to wait, too."""


class Waiting:
    """Batches that are in no part yet, of any tables."""

    def __init__(self) -> None:
        self.rows = 0
        self._batches: dict[str, list[Batch]] = {}

    def add(self, batch: Batch) -> None:
        """Add a batch, which is not copied."""
        self._batches.setdefault(batch.table, []).append(batch)
        self.rows += len(batch)

    def tables(self) -> dict[str, pa.Table]:
        """Return the rows of each table in the order they came, with seq and received."""
        return {name: arrow_of(batches) for name, batches in self._batches.items()}


@dataclass(frozen=True, slots=True)
class _Job:
    waiting: Waiting
    last: int
    end: End | None
    record_crc: int
    ended_day: str


class Parts:
    """Makes parts of `store`: every `part_s` seconds, after `part_rows` rows, and at each end of day.

    A part that cannot be written is kept and tried again; `error` says why, "" if all is well.
    """

    def __init__(self, store: Store, part_s: float, part_rows: int) -> None:
        self.error = ""
        self._store = store
        self._part_rows = part_rows
        self._timer = Timer(part_s)
        self._waiting = Waiting()
        self._jobs: deque[_Job] = deque()
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parts", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether no more rows may be added, until some are on disk."""
        return len(self._jobs) >= QUEUED_PARTS

    @property
    def idle(self) -> bool:
        """Whether everything that was cut is on disk."""
        return not self._jobs

    def add(self, batch: Batch) -> None:
        """Add a batch to the next part."""
        self._waiting.add(batch)

    def cut_if_due(self, last: int, record_crc: int, ended_day: str) -> None:
        """Make a part of what there is if it is time; `last` is the seq up to which everything was added."""
        due = self._timer.due()
        if self._waiting.rows >= self._part_rows or (due and self._waiting.rows):
            self.cut(last, None, record_crc, ended_day)

    def cut(self, last: int, end: End | None, record_crc: int, ended_day: str) -> None:
        """Make a part of what there is."""
        waiting, self._waiting = self._waiting, Waiting()
        self._jobs.append(_Job(waiting, last, end, record_crc, ended_day))
        self._work.set()

    def close(self) -> None:
        """Finish the part being written; what is not on disk is read from the journal again."""
        self._stopping.set()
        self._work.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._work.wait(1.0)
            self._work.clear()
            try:
                while self._jobs and not self._stopping.is_set():
                    self._write(self._jobs[0])
                    self._jobs.popleft()
                    self._note("")
                while not self._jobs and not self._stopping.is_set() and self._store.join_parts():
                    pass
                self._note("")
            except (PlantError, OSError, pa.ArrowException) as error:
                self._note(f"{type(error).__name__}: {error}")
                self._stopping.wait(RETRY_S)
                self._work.set()

    def _write(self, job: _Job) -> None:
        self._store.write_part(job.waiting.tables(), job.last, job.end, job.record_crc, job.ended_day)

    def _note(self, error: str) -> None:
        if error != self.error:
            self.error = error
            (log.error if error else log.info)("history", parts=error or "written again")
