"""Rows of one table on their way into the next record: single rows cost a microsecond or two, batches are joined.

A publisher that is ahead of the plant gathers what it is given, so that many small publishes become one record, one
write and one message. Types and names are checked when rows are given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plant.batch import DEFAULTS, Columns, Symbols, Texts, columns_of, constant
from plant.errors import BadRows
from plant.schema import FIXED_DTYPES, Table

_NUMBERS = (float, int, np.float64, np.int64, np.float32, np.int32)
_WHOLE = (int, np.int64, np.int32)
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "time": _WHOLE,
    "int": _WHOLE,
    "float": _NUMBERS,
    "symbol": (str,),
    "text": (str,),
}
_INT64 = 2**63


@dataclass(slots=True)
class _Shape:
    """A form of row seen before: where its time stands, and the types of values that were good."""

    time_at: int
    types: set[tuple[type, ...]]


class Gathering:
    """Rows of `table`, in the order they were added; `defaults` fill columns that are not given."""

    def __init__(self, table: Table, defaults: Mapping[str, Any]) -> None:
        self.table = table
        self.rows = 0
        self.refused: list[BadRows] = []
        self._defaults = {**{c.name: DEFAULTS.get(c.kind) for c in table.columns}, **defaults}
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._names: tuple[str, ...] = ()
        self._single: list[tuple[Any, ...]] = []
        self._parts: list[Columns] = []

    def add(self, rows: Any) -> int:
        """Add rows in any form `plant.batch.columns_of` takes; return how many. Raises as it does, nothing added."""
        if type(rows) is dict:
            names, values = tuple(rows), tuple(rows.values())
            shape = self._shapes.get(names)
            if shape and tuple(map(type, values)) in shape.types and -_INT64 <= values[shape.time_at] < _INT64:
                if names != self._names:
                    self._end_singles()
                    self._names = names
                self._single.append(values)
                self.rows += 1
                return 1
        columns = columns_of(self.table, rows, self._defaults)
        count = len(columns["time"])
        if type(rows) is dict:
            self._learn(tuple(rows), tuple(rows.values()))
        if count:
            self._end_singles()
            self._parts.append(columns)
            self.rows += count
        return count

    def own(self) -> None:
        """Copy what was added last, if it still is its giver's, who may write over it."""
        if self._parts and not self._single:
            self._parts[-1] = {n: c if type(c) is Texts else c.copy() for n, c in self._parts[-1].items()}

    def take(self) -> Columns | None:
        """Return all rows as columns, and begin anew; None for no rows. `refused` tells of rows that had to be left."""
        self._end_singles()
        parts, self._parts, self.rows = self._parts, [], 0
        if len(parts) <= 1:
            return parts[0] if parts else None
        return {c.name: _joined([p[c.name] for p in parts]) for c in self.table.columns}

    def _learn(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        """Remember a form of row that was good, if it has plain values that `_columns` can take without a look."""
        if not set(names) <= set(self.table.names):
            return
        kinds = [self.table.column(name).kind for name in names]
        if "int" not in kinds and all(type(v) in _ACCEPTED[k] for v, k in zip(values, kinds, strict=True)):
            shape = self._shapes.setdefault(names, _Shape(names.index("time"), set()))
            shape.types.add(tuple(map(type, values)))

    def _end_singles(self) -> None:
        singles, self._single = self._single, []
        if not singles:
            return
        try:
            self._parts.append(self._columns(singles))
        except (ValueError, OverflowError):  # a number beyond float64, half a character: find the row
            for values in singles:
                try:
                    self._parts.append(
                        columns_of(self.table, dict(zip(self._names, values, strict=True)), self._defaults)
                    )
                except BadRows as error:
                    self.refused.append(error)
                    self.rows -= 1

    def _columns(self, singles: list[tuple[Any, ...]]) -> Columns:
        given = dict(zip(self._names, zip(*singles, strict=True), strict=True))
        columns: Columns = {}
        for column in self.table.columns:
            if column.name not in given:
                columns[column.name] = constant(column, len(singles), self._defaults[column.name])
            elif column.kind == "symbol":
                columns[column.name] = Symbols.of(given[column.name])
            elif column.kind == "text":
                columns[column.name] = Texts.of(given[column.name])
            else:
                columns[column.name] = np.array(given[column.name], dtype=FIXED_DTYPES[column.kind])
        return columns


def _joined(parts: list[Any]) -> Any:
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    if isinstance(first, Symbols):
        return _joined_symbols(parts)
    starts = np.cumsum([0, *(len(p.data) for p in parts)])
    offsets = [p.offsets[1:] - p.offsets[0] + start for p, start in zip(parts, starts.tolist(), strict=False)]
    return Texts(np.concatenate([np.zeros(1, dtype=np.int64), *offsets]), b"".join(p.data for p in parts))


def _joined_symbols(parts: list[Symbols]) -> Symbols:
    names = parts[0].names
    if all(p.names == names for p in parts):  # the usual case: the same symbols again
        return Symbols(names, np.concatenate([p.codes for p in parts]))
    known = {name: code for code, name in enumerate(names)}
    codes = [parts[0].codes]
    for part in parts[1:]:
        translate = np.array([known.setdefault(name, len(known)) for name in part.names], dtype=np.int32)
        codes.append(translate[part.codes])
    return Symbols(list(known), np.concatenate(codes))
