"""What the processor serves: all rows since the last closed day, of which those behind a checkpoint come first.

After a restart from a checkpoint the state is there at once, the rows that came before it are not: they are read from
the journal once more, beside the work. What comes meanwhile waits, so that rows lie in the order of the journal.
"""

import time
from collections.abc import Callable, Mapping

from plant.memory.tables import MemoryTables
from plant.rows.batch import Batch
from plant.stream.subscriber import Subscriber
from processor.checkpoints.parts import behind, up_to

READ_S = 0.1
"""So long a step reads earlier rows, while there are such."""

_WAIT_S = 0.02


class Served:
    """Tables in memory, filled from two places in the journal. `learn` is given batches of other tables."""

    def __init__(self, tables: MemoryTables, learn: Callable[[Batch], None]) -> None:
        self._tables, self._learn = tables, learn
        self._earlier: Subscriber | None = None
        self._until: Mapping[str, int] = {}
        self._waiting: list[Batch] = []

    @property
    def complete(self) -> bool:
        """Whether all rows since the last closed day are there."""
        return self._earlier is None

    def begin(self, earlier: Subscriber, until: Mapping[str, int]) -> None:
        """Read what came up to a seq, of each table, from another subscriber first; it is closed at the end."""
        self.close()
        self._earlier, self._until = earlier, until

    def take(self, batch: Batch) -> None:
        """Take a batch that came behind those."""
        if batch.table not in self._tables:
            return
        if self._earlier is None:
            self._tables.append(batch)
        else:
            self._waiting.append(batch)

    def step(self, released: int) -> None:
        """Read on for a moment; rows with seq <= `released` are not wanted any more."""
        stop = time.monotonic() + READ_S
        while self._earlier is not None and time.monotonic() < stop:
            for batch in self._earlier.poll(_WAIT_S):
                self._take_earlier(batch, released)
            stream = self._earlier.stream
            if self._earlier.caught_up or stream.complete >= max(self._until.values(), default=0):
                self.close()

    def missing(self) -> str:
        """Say why rows are missing that the journal has, "" if none are."""
        if self._earlier is None:
            return ""
        reached, until = self._earlier.stream.complete, max(self._until.values(), default=0)
        return f"the processor reads what it serves of today, up to seq {reached:,} of {until:,} now"

    def close(self) -> None:
        """Read no further; what waited is taken."""
        if self._earlier is not None:
            self._earlier.close()
            self._earlier = None
        waiting, self._waiting = self._waiting, []
        for batch in waiting:
            self._tables.append(batch)

    def _take_earlier(self, batch: Batch, released: int) -> None:
        if batch.table not in self._tables:
            self._learn(batch)
            return
        part = up_to(batch, self._until.get(batch.table, 0))
        part = behind(part, released) if part is not None else None
        if part is not None:
            self._tables.append(part)
