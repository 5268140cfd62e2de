"""The newest rows of a table, in order of arrival: a fixed room that is filled once."""

from typing import Any

import numpy as np

from plant.memory.arrays import Growing, arrays
from plant.rows.columns import Columns, Texts
from plant.rows.schema import FIXED_DTYPES, Table

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""The first row, below 0 if it came before, the seq and the received of each of several batches, int64[k]."""

Rows = slice | np.ndarray
"""Positions within a chunk or a block: a slice with start and stop, or int64[n]."""


def texts_at(ends: np.ndarray, data: np.ndarray, rows: Rows) -> tuple[np.ndarray, Any]:
    """Return the offsets of some texts, and what they point into; a slice is a view."""
    if isinstance(rows, slice):
        return ends[rows.start : rows.stop + 1], data
    some = Texts(ends, data.data)[rows]
    return some.offsets, some.data


class Batches:
    """Which batch rows came with: `start[i]` is the first row of batch i within its chunk or block.

    Of one that began in the chunk before, it is as far below 0: so every row's place within its seq is known.
    """

    __slots__ = ("received", "seq", "start")

    def __init__(self, start: np.ndarray, seq: np.ndarray, received: np.ndarray) -> None:
        self.start, self.seq, self.received = start, seq, received

    def of(self, name: str, arrival: np.ndarray, span: int) -> np.ndarray:
        """Return one of META_COLUMNS of the rows that arrived in these places, of `span` in all; int64[n]."""
        if name == "seq_row":
            return (arrival - self._of(self.start, arrival, span)).astype(np.int64)
        return self._of(getattr(self, name), arrival, span)

    def _of(self, values: np.ndarray, arrival: np.ndarray, span: int) -> np.ndarray:
        if 8 * len(arrival) <= span:
            return values[np.searchsorted(self.start, arrival, side="right") - 1]
        known = int(np.searchsorted(self.start, span))  # a chunk may have grown since
        return np.repeat(values[:known], np.diff(self.start[:known], append=span))[arrival - self.start[0]]

    def after(self, seq: int) -> int | None:
        """Return the first row whose seq is greater; None if there is none."""
        found = int(np.searchsorted(self.seq, seq, side="right"))
        return max(int(self.start[found]), 0) if found < len(self.start) else None

    def with_rows(self, arrival: np.ndarray) -> "Batches":
        """Return only those that one of these rows came with."""
        used = np.zeros(len(self.start), dtype=bool)
        used[np.searchsorted(self.start, arrival, side="right") - 1] = True
        return Batches(self.start[used], self.seq[used], self.received[used])

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.start.nbytes + self.seq.nbytes + self.received.nbytes


class Chunk:
    """Rows `base`, `base` + 1, ... of a table as they came; one thread fills it.

    A symbol column is an array of codes here, a text column an array of ends and a growing buffer. `newest` is what
    plant.memory.latest found so far: of so many rows, which is the newest of each symbol, int64[symbols].
    """

    sorted = False

    def __init__(self, table: Table, base: int, capacity: int) -> None:
        self.base = base
        self.capacity = capacity
        self.rows = 0
        self.first_time: int | None = None  # known once it is full
        self.last_time: int | None = None
        self.newest = (0, np.empty(0, dtype=np.int64))
        kinds = {c.name: c.kind for c in table.columns}
        layout = [
            (np.int64, capacity + 1) if k == "text" else (np.int32 if k == "symbol" else FIXED_DTYPES[k], capacity)
            for k in kinds.values()
        ]
        self.columns: dict[str, np.ndarray] = dict(zip(kinds, arrays(layout, settled=False), strict=True))
        self.texts = {name: Growing(np.uint8) for name, kind in kinds.items() if kind == "text"}
        self._texts = [(name, self.columns[name], data) for name, data in self.texts.items()]
        self._numbers = [(name, array) for name, array in self.columns.items() if name not in self.texts]
        for _, ends, _ in self._texts:
            ends[0] = 0
        self._start, self._seq, self._received = Growing(np.int32), Growing(np.int64), Growing(np.int64)

    def extend(self, columns: Columns, count: int, seq: int, received: int, parts: Parts | None = None) -> None:
        """Add so many rows, that fit, of one batch or of several (`parts`); symbols are codes."""
        start = self.rows
        end = start + count
        for name, array in self._numbers:
            array[start:end] = columns[name]
        for name, ends, data in self._texts:
            value = columns[name]
            np.add(value.offsets[1:], data.length - value.offsets[0], out=ends[start + 1 : end + 1])
            data.extend(np.frombuffer(value.data, dtype=np.uint8))
        if parts is None:
            self._start.append(start)
            self._seq.append(seq)
            self._received.append(received)
        else:
            self._start.extend(parts[0] + start)
            self._seq.extend(parts[1])
            self._received.extend(parts[2])
        self.rows = end

    def close(self) -> None:
        """Note the range of times, once it is full."""
        times = self.columns["time"][: self.rows]
        self.first_time, self.last_time = int(times.min()), int(times.max())

    def text(self, name: str, rows: Rows) -> tuple[np.ndarray, Any]:
        """Return a text column at some rows: offsets, and what they point into; a slice gives a view."""
        return texts_at(self.columns[name], self.texts[name].array, rows)

    def arrival(self, rows: Rows) -> np.ndarray:
        """Return in which place rows came, counted from `base`."""
        return np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows

    @property
    def batches(self) -> Batches:
        """The batches of the rows there are."""
        count = self._received.length  # the last to grow
        return Batches(self._start.array[:count], self._seq.array[:count], self._received.array[:count])

    def __len__(self) -> int:
        return self.rows

    @property
    def span(self) -> int:
        """How many rows came, from `base` on."""
        return self.rows

    @property
    def nbytes(self) -> int:
        """Bytes of memory that rows were written to."""
        used = sum(a.itemsize for a in self.columns.values()) * self.rows
        return used + sum(t.length for t in self.texts.values()) + 20 * self._received.length
