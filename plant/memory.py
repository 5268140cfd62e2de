"""A table in memory: columns that only grow, read while they are written.

One thread appends; any thread reads. A reader takes `snapshot()`, a row count: rows below it never change or
move away (a column that outgrows its array is copied to one twice as long, and the old one lives as long as
somebody reads it). So a query works on a fixed set of rows and stops nothing.

Revisions: for a table with a key, `next_revision[row]` is the number of the row that replaced it. A row is in force
in a snapshot of n rows if its next revision is n or later. The mark is set after the new row is in place, and changes
no answer of an earlier snapshot.

seq and received are kept per batch, not per row.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from plant.batch import Batch, Symbols, Texts
from plant.growing import Growing
from plant.revisions import Revisions
from plant.schema import FIXED_DTYPES, META_COLUMNS, Table


class _SymbolColumn:
    """Codes into a list of names that grows; a name keeps its code for ever."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.codes = Growing(np.int32)
        self._code_of: dict[str, int] = {}
        self._same_names: list[str] = []
        self._same_codes = np.empty(0, dtype=np.int32)

    def extend(self, value: Symbols) -> None:
        if value.names == self._same_names:  # batch after batch, a feed sends the same symbols
            self.codes.extend(self._same_codes[value.codes])
            return
        known = self._code_of
        translate = np.empty(len(value.names), dtype=np.int32)
        for i, name in enumerate(value.names):
            code = known.get(name)
            if code is None:
                code = len(self.names)
                self.names.append(name)
                known[name] = code
            translate[i] = code
        self._same_names, self._same_codes = value.names, translate
        self.codes.extend(translate[value.codes])

    def code(self, name: str) -> int:
        """Return the code of a name, -1 if no row ever had it."""
        return self._code_of.get(name, -1)


class _TextColumn:
    """UTF-8 in one growing buffer, and where each text ends."""

    def __init__(self) -> None:
        self.ends = Growing(np.int64)
        self.ends.extend([0])
        self.data = Growing(np.uint8)

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
                else Growing(FIXED_DTYPES[column.kind])
            )
        self._batches = {name: Growing(np.int64) for name in ("start", "seq", "received")}
        self._key = {n: Growing(np.int32) if self._is_fixed(n) else self._columns[n].codes for n in table.key}
        self._key.pop("time", None)
        self._number_codes: dict[str, dict[int, int]] = {n: {} for n in self._key if self._is_fixed(n)}
        self._revisions = Revisions(len(self._key), self._rows_of) if table.key else None
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
        if batch.parts is None:
            self._batches["seq"].append(batch.seq)
            self._batches["received"].append(batch.received)
            self._batches["start"].append(start)
        else:
            first_rows, seqs, received = batch.parts
            self._batches["seq"].extend(seqs)
            self._batches["received"].extend(received)
            self._batches["start"].extend(first_rows + start)
        if self._revisions is not None:
            for name, known in self._number_codes.items():
                values = self._columns[name].array[start : start + count].tolist()
                self._key[name].extend([known.setdefault(v, len(known)) for v in values])
            codes = [c.array[start : start + count] for c in self._key.values()]
            self._revisions.add(codes, self._columns["time"].array[start : start + count], start)
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
        if self._revisions is None:
            return None
        return self._revisions.next_revision.array[:rows] >= rows

    def code(self, column: str, name: str) -> int:
        """Return the code of a name in a symbol column, -1 if it has none."""
        return self._columns[column].code(name)

    def _rows_of(self, codes: tuple[int, ...], below: int) -> tuple[np.ndarray, np.ndarray]:
        """Return times and positions of the rows below a row number whose key has these codes."""
        same = np.ones(below, dtype=bool)
        for column, code in zip(self._key.values(), codes, strict=True):
            same &= column.array[:below] == code
        rows = np.flatnonzero(same)
        return self._columns["time"].array[rows], rows

    def _is_fixed(self, name: str) -> bool:
        return self.declaration.column(name).fixed
