"""A table in memory: rows are added while others are read, and a symbol's rows are found without a look at others.

Rows arrive in a chunk, in the order they come. A full chunk is sealed: sorted by symbol, time and arrival into a block;
blocks are merged into larger ones as they grow many, none larger than a fraction of the table. `tidy` does one such
step, in a thread that waits its turn; a question asked meanwhile sees the rows before or after the step, which are the
same. So a symbol's rows are a slice of each of a few blocks, and what a scan of the newest chunk finds.

One thread appends and releases, one tidies, any thread reads. A reader takes `snapshot()`, which never changes.

Rows are numbered from 0 by arrival, for ever. For a table with a key, `Revisions` knows the number of the row that
replaced a row; it is in force in a snapshot that ends before that number. A replaced row leaves memory when its block
is made. seq and received are kept per batch, not per row; seq_row follows from where a batch begins.
"""

import threading

import numpy as np

from plant.memory.block import Block, Part, sealed
from plant.memory.chunk import Chunk
from plant.memory.names import Names
from plant.memory.revisions import Revisions
from plant.memory.snapshot import Snapshot
from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.schema import Table

CHUNK_ROWS = 65_536

FAN_IN = 4
"""So many neighbouring blocks become one."""

LARGEST = 4
"""Larger blocks are merged as long as the result holds no more than a quarter of the table, which is what that costs in
memory meanwhile."""


class MemoryTable:
    """The rows of one table.

    `chunk_rows`, `fan_in`: how many rows a chunk takes, and how many blocks are merged at once.
    """

    def __init__(self, table: Table, chunk_rows: int = CHUNK_ROWS, fan_in: int = FAN_IN) -> None:
        self.declaration = table
        self.names = {c.name: Names() for c in table.columns if c.kind == "symbol"}
        self._chunk_rows = chunk_rows
        self._fan_in = fan_in
        self._first = 0
        self._taken = (0, 0)  # rows taken, and the seq of the last of them: one tuple, so that they belong together
        self._reached = 0
        self._released = 0
        self._tail = Chunk(table, 0, chunk_rows)
        self._parts: tuple[Part, ...] = (self._tail,)
        self._lock = threading.Lock()  # of _parts, with _first and _released; the tail fills and _rows grows without it
        self._tidying = threading.Lock()
        self._numbers: dict[str, dict[int, int]] = {n: {} for n in table.key if n != "time" and table.column(n).fixed}
        self._key = [n for n in table.key if n != "time"]
        self._revisions = Revisions(len(self._key), self._rows_of) if table.key else None

    @property
    def _rows(self) -> int:
        return self._taken[0]

    def __len__(self) -> int:
        """Return the number of rows taken and not released, those replaced included."""
        return self._rows - self._first

    @property
    def released(self) -> int:
        """The seq up to which rows were let go, 0 at first."""
        return self._released

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the rows take, their order and revisions included."""
        marks = self._revisions.nbytes if self._revisions else 0
        return sum(p.nbytes for p in self._parts) + marks

    def snapshot(self) -> Snapshot:
        """Return the rows there are now."""
        with self._lock:  # no part is exchanged meanwhile: blocks hold no row that is not counted
            reached = self._reached  # ahead of the rows: what came up to it is among them
            (end, seq), parts = self._taken, self._parts
            marks = self._revisions.marks if self._revisions else None
            facts = {"released": self._released, "seq": max(reached, seq, self._released)}
            return Snapshot(self.declaration, self.names, parts, self._first, end, marks, facts)

    def reach(self, seq: int) -> None:
        """Note that all rows with seq <= `seq` were taken or let go of; the thread that appends calls it."""
        self._reached = seq

    def append(self, batch: Batch) -> None:
        """Add the rows of a batch; one thread only."""
        count = len(batch)
        if not count:
            return
        columns = {**batch.columns}
        for name, names in self.names.items():
            columns[name] = names.codes(columns[name])
        if count <= self._tail.capacity - self._tail.rows:
            self._tail.extend(columns, count, batch.seq, batch.received, batch.parts)
        else:
            self._spread(batch, columns, count)
        if self._revisions is not None:
            self._revisions.add([self._codes(n, columns[n]) for n in self._key], columns["time"], self._rows)
        seq = batch.seq if batch.parts is None else max(batch.seq, int(batch.parts[1][-1]))
        self._taken = (self._rows + count, seq)  # last: readers see the rows only now

    def release(self, seq: int) -> None:
        """Let go of every row whose seq is at most this; the thread that appends calls it.

        Snapshots taken before keep theirs. The memory is free once they are gone, and `tidy` has cut the block that
        holds rows on both sides.
        """
        seq = max(seq, self._released)
        with self._lock:
            first = self._rows
            for part in self._parts:
                found = part.batches.after(seq) if len(part) else None
                if found is not None:
                    first = max(part.base + found, self._first)
                    break
            self._first, self._released = first, seq
            tail = self._tail
            kept = [p for p in self._parts[:-1] if p.base + p.span > first]
            if tail.rows and first == self._rows:  # nothing is left in it
                tail = self._tail = Chunk(self.declaration, self._rows, self._chunk_rows)
            self._parts = (*kept, tail)
            if self._revisions is not None:
                self._revisions.release(first)

    def tidy(self) -> bool:
        """Do one step of sorting or merging; return whether there was one to do. Any thread, one at a time."""
        if not self._tidying.acquire(blocking=False):
            return False
        try:
            with self._lock:
                parts, first, rows = self._parts[:-1], self._first, self._rows
                marks = self._revisions.marks if self._revisions else None
            span = self._due([p for p in parts if p.base + p.span <= rows], first)
            if span is None:
                return False
            old = parts[span]

            def keep(base: int, place: np.ndarray) -> np.ndarray | None:
                kept = None if base >= first else place >= first - base
                if marks is None:
                    return kept
                in_force = marks.in_force(base, place, rows)
                return in_force if kept is None else in_force & kept

            block = sealed(old, keep)
            with self._lock:
                if self._first != first:  # released meanwhile: what was made holds rows that are gone
                    return True
                start = self._parts.index(old[0])
                new = (block,) if len(block) else ()
                self._parts = (*self._parts[:start], *new, *self._parts[start + len(old) :])
            return True
        finally:
            self._tidying.release()

    def _due(self, parts: list[Part], first: int) -> slice | None:
        """Return which neighbours to make one block of next."""
        if parts and isinstance(parts[0], Block) and parts[0].base + parts[0].first_place < first:
            return slice(0, 1)
        blocks = [p for p in parts if isinstance(p, Block)]
        if len(blocks) < len(parts):
            return slice(len(blocks), len(blocks) + 1)
        large = self._chunk_rows * self._fan_in // 2
        small = len(blocks)
        while small and len(blocks[small - 1]) < large:
            small -= 1
        if len(blocks) - small > self._fan_in:  # the newest stays small, for those who ask for the last rows
            return slice(small, small + self._fan_in)
        most = sum(map(len, blocks)) // LARGEST
        for i in range(small - 1):
            sizes = len(blocks[i]), len(blocks[i + 1])
            if sum(sizes) <= most and max(sizes) <= 2 * min(sizes):
                return slice(i, i + 2)
        return None

    def _spread(self, batch: Batch, columns: Columns, count: int) -> None:
        """Add rows to the tail, and to as many chunks after it as they need."""
        taken = 0
        first, seqs, received = batch.parts or (
            np.zeros(1, np.int64),
            np.array([batch.seq]),
            np.array([batch.received]),
        )
        while taken < count:
            if self._tail.rows == self._tail.capacity:
                self._roll(self._rows + taken)
            end = min(taken + self._tail.capacity - self._tail.rows, count)
            i = int(np.searchsorted(first, taken, side="right")) - 1
            j = int(np.searchsorted(first, end))
            parts = first[i:j] - taken, seqs[i:j], received[i:j]
            some = {name: columns[name][taken:end] for name in self.declaration.names}
            self._tail.extend(some, end - taken, batch.seq, batch.received, parts)
            taken = end

    def _roll(self, base: int) -> None:
        self._tail.close()
        tail = Chunk(self.declaration, base, self._chunk_rows)
        with self._lock:
            self._tail = tail
            self._parts = (*self._parts, tail)

    def _codes(self, name: str, column: np.ndarray) -> np.ndarray:
        """Return a key column as small whole numbers."""
        if name in self.names:
            return column
        known = self._numbers[name]
        return np.array([known.setdefault(v, len(known)) for v in column.tolist()], dtype=np.int64)

    def _rows_of(self, codes: tuple[int, ...], below: int) -> tuple[np.ndarray, np.ndarray]:
        """Return times and numbers of the rows below a row number whose key has these codes."""
        others = {
            n: code if n in self.names else list(self._numbers[n])[code]
            for n, code in zip(self._key, codes, strict=True)
        }
        sym = others.pop("sym")
        times, rows = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for part in self._parts:
            if isinstance(part, Block):
                where = part.of_symbol(sym)
                found = np.arange(where.start, where.stop)
            else:
                found = np.flatnonzero(part.columns["sym"][: max(min(len(part), below - part.base), 0)] == sym)
            for name, value in others.items():
                found = found[part.columns[name][found] == value]
            numbers = part.arrival(found) + part.base
            order = np.argsort(numbers)
            order = order[numbers[order] >= self._first]
            times.append(part.columns["time"][found[order]])
            rows.append(numbers[order])
        return np.concatenate(times), np.concatenate(rows)
