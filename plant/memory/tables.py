"""The tables that a process keeps in memory, and the thread that tidies them."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from plant.memory.table import MemoryTable
from plant.rows.batch import Batch
from plant.rows.schema import Schema

READING_S = 30.0
"""A process that reads the journal sorts nothing for so long, so that it has caught up sooner."""

IDLE_S = 0.05
"""Pause between two looks for something to tidy."""


class MemoryTables(Mapping[str, MemoryTable]):
    """Tables by their names; batches of others are passed over."""

    def __init__(self, schema: Schema, names: Iterable[str]) -> None:
        self._tables = {name: MemoryTable(schema[name]) for name in names}

    def __getitem__(self, name: str) -> MemoryTable:
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    @property
    def nbytes(self) -> int:
        """Bytes that the rows take."""
        return sum(table.nbytes for table in self._tables.values())

    def append(self, batch: Batch) -> None:
        """Take a batch."""
        if (table := self._tables.get(batch.table)) is not None:
            table.append(batch)

    def reach(self, seq: int) -> None:
        """Note that all rows with seq <= `seq` were taken: answers say so, as `seq`."""
        for table in self._tables.values():
            table.reach(seq)

    def release(self, seq: int) -> None:
        """Let go of the rows with seq <= `seq`."""
        for table in self._tables.values():
            table.release(seq)


class Tidying:
    """A thread that sorts and merges what tables have taken, a step of each in turn; while the journal is read, later.

    `caught_up` tells whether the journal has been read.
    """

    def __init__(self, tables: MemoryTables, caught_up: Callable[[], bool]) -> None:
        self._tables = tables
        self._caught_up = caught_up
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidying", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the step under way."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        behind_since: float | None = None
        while not self._stopping.is_set():
            behind_since = None if self._caught_up() else behind_since or time.monotonic()
            reading = behind_since is not None and time.monotonic() - behind_since < READING_S
            if reading or not sum([table.tidy() for table in self._tables.values()]):
                self._stopping.wait(IDLE_S)
