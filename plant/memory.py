"""A table in memory: columns that only grow, read while they are written.

One thread appends; any thread reads. A reader takes `snapshot()`, a row count: rows below it never change or
move away (a column that outgrows its array is copied to one twice as long, and the old one lives as long as
somebody reads it). So a query works on a fixed set of rows and stops nothing.

Revisions: for a table with a key, `next_revision[row]` is the number of the row that replaced it. A row is in force
in a snapshot of n rows if its next revision is n or later. The mark is set after the new row is in place, and changes
no answer of an earlier snapshot.

seq and received are kept per batch, not per row.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from plant.batch import Batch, Columns, Symbols, Texts
from plant.schema import FIXED_DTYPES, META_COLUMNS, Table

NEVER = np.iinfo(np.int64).max
_FIRST_CAPACITY = 1024


class _Growing:
    """A numpy array that grows at the end."""

    __slots__ = ("array", "length")

    def __init__(self, dtype: Any) -> None:
        self.array = np.empty(_FIRST_CAPACITY, dtype=dtype)
        self.length = 0

    def extend(self, values: Any) -> None:
        end = self.length + len(values)
        if end > len(self.array):
            grown = np.empty(max(end, 2 * len(self.array)), dtype=self.array.dtype)
            grown[: self.length] = self.array[: self.length]
            self.array = grown
        self.array[self.length : end] = values
        self.length = end


class _SymbolColumn:
    """Codes into a list of names that grows; a name keeps its code for ever."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.codes = _Growing(np.int32)
        self._code_of: dict[str, int] = {}

    def extend(self, value: Symbols) -> None:
        known = self._code_of
        translate = np.empty(len(value.names), dtype=np.int32)
        for i, name in enumerate(value.names):
            code = known.get(name)
            if code is None:
                code = len(self.names)
                self.names.append(name)
                known[name] = code
            translate[i] = code
        self.codes.extend(translate[value.codes])

    def code(self, name: str) -> int:
        """Return the code of a name, -1 if no row ever had it."""
        return self._code_of.get(name, -1)


class _TextColumn:
    """UTF-8 in one growing buffer, and where each text ends."""

    def __init__(self) -> None:
        self.ends = _Growing(np.int64)
        self.ends.extend([0])
        self.data = _Growing(np.uint8)

    def extend(self, value: Texts) -> None:
        start = self.data.length
        self.data.extend(np.frombuffer(value.data, dtype=np.uint8))
        self.ends.extend(value.offsets[1:] + start)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The first `rows` rows of a table, fixed. Columns are views, not copies."""

    table: "MemoryTable"
    rows: int

    def column(self, name: str) -> Any:
        """Return a column as ndarray, Symbols or Texts of length `rows`; also seq and received."""
        return self.table.view(name, self.rows)

    def take(self, name: str, rows: np.ndarray) -> Any:
        """Return a column of the rows at these positions, copied; seq and received are looked up for these only."""
        return self.table.take(name, self.rows, rows)

    def in_force(self) -> np.ndarray | None:
        """Return bool[rows], False for rows that a later one replaced; None if every row is in force."""
        return self.table.in_force(self.rows)

    def code(self, column: str, name: str) -> int:
        """Return the code of a name in a symbol column, -1 if it has none."""
        return self.table.code(column, name)


class MemoryTable:
    """The rows of one table, in the order they came."""

    def __init__(self, table: Table) -> None:
        self.declaration = table
        self._columns: dict[str, Any] = {}
        for column in table.columns:
            self._columns[column.name] = (
                _SymbolColumn()
                if column.kind == "symbol"
                else _TextColumn()
                if column.kind == "text"
                else _Growing(FIXED_DTYPES[column.kind])
            )
        self._batches = {name: _Growing(np.int64) for name in ("start", "seq", "received")}
        self._next_revision = _Growing(np.int64) if table.key else None
        self._latest: dict[tuple[int, ...], int] = {}
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def snapshot(self) -> Snapshot:
        """Return the rows there are now."""
        return Snapshot(self, self._rows)

    def append(self, batch: Batch) -> None:
        """Add the rows of a batch; one thread only."""
        start, count = self._rows, len(batch)
        for name, column in self._columns.items():
            column.extend(batch.columns[name])
        self._batches["seq"].extend([batch.seq])
        self._batches["received"].extend([batch.received])
        self._batches["start"].extend([start])
        if self._next_revision is not None:
            self._next_revision.extend(np.full(count, NEVER))
            self._revise(start, count)
        self._rows = start + count  # last: readers see the rows only now

    def view(self, name: str, rows: int) -> Any:
        """Return the first `rows` values of a column."""
        if name in META_COLUMNS:
            return self.take(name, rows, np.arange(rows))
        column = self._columns[name]
        if isinstance(column, _SymbolColumn):
            return Symbols(column.names, column.codes.array[:rows])
        if isinstance(column, _TextColumn):
            offsets = column.ends.array[: rows + 1]
            return Texts(offsets, column.data.array.data[: int(offsets[-1])])
        return column.array[:rows]

    def take(self, name: str, rows: int, positions: np.ndarray) -> Any:
        """Return a column at some positions below `rows`, copied."""
        if name not in META_COLUMNS:
            return self.view(name, rows)[positions]
        starts = self._batches["start"].array[: self._batches["start"].length]
        return self._batches[name].array[np.searchsorted(starts, positions, side="right") - 1]

    def in_force(self, rows: int) -> np.ndarray | None:
        """Return which of the first `rows` rows no later one among them replaced; None for all."""
        if self._next_revision is None:
            return None
        return self._next_revision.array[:rows] >= rows

    def code(self, column: str, name: str) -> int:
        """Return the code of a name in a symbol column, -1 if it has none."""
        return self._columns[column].code(name)

    def keys(self) -> Iterator[tuple[int, ...]]:
        """Yield the key of every row in force, symbols as codes."""
        return iter(self._latest)

    def _revise(self, start: int, count: int) -> None:
        assert self._next_revision is not None
        parts = [
            c.codes if isinstance(c, _SymbolColumn) else c
            for c in (self._columns[name] for name in self.declaration.key)
        ]
        keys = zip(*(p.array[start : start + count].tolist() for p in parts), strict=True)
        latest, marks = self._latest, self._next_revision.array
        for row, key in enumerate(keys, start):
            before = latest.get(key)
            if before is not None:
                marks[before] = row
            latest[key] = row


def columns_at(snapshot: Snapshot, names: tuple[str, ...], rows: np.ndarray | slice) -> Columns:
    """Return some columns of some rows, copied."""
    return {name: snapshot.column(name)[rows] for name in names}
