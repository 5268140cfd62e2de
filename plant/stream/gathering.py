"""Rows of one table on their way into the next record: single rows cost a microsecond or two, batches are joined.

A publisher that is ahead of the plant gathers what it is given, so that many small publishes become one record, one
write and one message. Types and names are checked when rows are given.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from plant.errors import BadRows
from plant.intake.forms import columns_of
from plant.intake.moments import WHOLE, way_of
from plant.intake.values import column_given
from plant.rows.columns import DEFAULTS, Columns, Symbols, Texts, constant
from plant.rows.schema import FIXED_DTYPES, UNKNOWN_TIME, Table
from plant.rows.times import int_range

_NUMBERS = (float, np.float64, np.float32, *WHOLE, type(None))  # None is "not known"
_ACCEPTED: dict[str, tuple[type, ...]] = {
    "time": (*WHOLE, type(None)),
    "int": WHOLE,
    "float": _NUMBERS,
    "symbol": (str,),
    "text": (str,),
}

FIRST_ROOM = 4096
"""Rows the buffers hold before they grow."""


class _Shape:
    """A form of row seen before: its names, the types of values that were good, and those of the last row.

    `moment` makes int ns of the last row's kind of time; None: it is an int, of the publisher's unit.
    """

    __slots__ = ("good", "last", "moment", "names", "pick", "time_at")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.good: set[tuple[type, ...]] = set()
        self.last: list[type] = []
        self.moment: Callable[[Any], int] | None = None
        self.pick = itemgetter(*names)
        self.time_at = names.index("time")

    def take(self, kinds: tuple[type, ...]) -> None:
        """Expect rows of these types, which are good."""
        self.last = list(kinds)
        of = kinds[self.time_at]
        self.moment = None if of in WHOLE else way_of(of)


class _CodeBuffer:
    """Codes of several symbol columns, as codes into the names of the first."""

    def __init__(self) -> None:
        self.array = np.empty(0, dtype=np.int32)
        self.names: list[str] = []
        self._known: dict[str, int] = {}

    def put(self, value: Symbols, start: int, end: int) -> None:
        """Put a column at start:end; the first at 0."""
        if not start:
            self.names, self._known = value.names, {}
        if value.names is self.names or value.names == self.names:
            self.array[start:end] = value.codes
            return
        if not self._known:
            self.names = self.names.copy()
            self._known = {name: code for code, name in enumerate(self.names)}
        known, count = self._known, len(self.names)
        translate = np.array([known.setdefault(name, len(known)) for name in value.names], dtype=np.int32)
        self.names += list(known)[count:]
        self.array[start:end] = translate[value.codes]


class _Buffers:
    """Columns of `table` that are filled from the front and taken as a whole."""

    def __init__(self, table: Table) -> None:
        self.rows = 0
        self._room = 0
        self._table = table
        self._numbers = {c.name: np.empty(0, dtype=FIXED_DTYPES[c.kind]) for c in table.columns if c.fixed}
        self._codes = {c.name: _CodeBuffer() for c in table.columns if c.kind == "symbol"}
        self._texts: dict[str, list[Texts]] = {c.name: [] for c in table.columns if c.kind == "text"}

    def put(self, columns: Columns) -> None:
        """Copy columns behind those there are."""
        start = self.rows
        end = start + len(columns["time"])
        if end > self._room:
            self._grow(end)
        for name, array in self._numbers.items():
            array[start:end] = columns[name]
        for name, codes in self._codes.items():
            codes.put(columns[name], start, end)
        for name, texts in self._texts.items():
            texts.append(columns[name])
        self.rows = end

    def take(self) -> Columns:
        """Return what there is, good until the next `put`, and begin anew."""
        rows, self.rows = self.rows, 0
        columns: Columns = {}
        for name in self._table.names:
            if (array := self._numbers.get(name)) is not None:
                columns[name] = array[:rows]
            elif (codes := self._codes.get(name)) is not None:
                columns[name] = Symbols(codes.names, codes.array[:rows])
            else:
                columns[name] = _joined(self._texts[name])
                self._texts[name] = []
        return columns

    def _grow(self, rows: int) -> None:
        self._room = max(rows, 2 * self._room, FIRST_ROOM)
        for name, array in self._numbers.items():
            self._numbers[name] = _longer(array, self.rows, self._room)
        for codes in self._codes.values():
            codes.array = _longer(codes.array, self.rows, self._room)


class Gathering:
    """Rows of `table`, in the order they were added; `defaults` fill columns that are not given.

    `unit` is that of int times, as in plant.intake.forms.columns_of.
    """

    def __init__(self, table: Table, defaults: Mapping[str, Any], unit: str | None = "ns") -> None:
        self.table = table
        self._unit = unit
        self._least, self._end = int_range(unit)
        self.name = table.name
        self.rows = 0
        self.refused: list[tuple[dict[str, Any], BadRows]] = []
        self.defaults = {**{c.name: DEFAULTS[c.kind] for c in table.columns}, **defaults}
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._shape: _Shape | None = None
        self._whole = True  # whether the times of the single rows are ints, of the unit
        self._single: list[tuple[Any, ...]] = []
        self._times: list[int] = []  # of the single rows: int ns, or ints of the unit
        self._last: Columns | None = None  # what was added last, not copied yet
        self._buffers = _Buffers(table)

    def add(self, rows: Any, strict: bool = False) -> None:
        """Add rows in any form `plant.intake.forms.columns_of` takes. Raises as it does, nothing added.

        A single row may turn out bad only later, and is then among `refused`; not if it is looked at wholly, `strict`.
        """
        if not strict and (self.add_row(rows) or (type(rows) is dict and self._add_known(rows))):
            return
        columns = columns_of(self.table, rows, self.defaults, self._unit)
        count = len(columns["time"])
        if not count:
            return
        self._end_singles()
        if count == 1 and type(rows) is dict:
            self._learn(tuple(rows), tuple(rows.values()))
        self.own()
        self._last = columns
        self.rows += count

    def add_row(self, row: Any) -> bool:
        """Add a row of the same form as the last one; False, and nothing added, for anything else."""
        shape = self._shape
        if shape is None or type(row) is not dict or len(row) != len(shape.names):
            return False
        try:
            values = shape.pick(row)
        except KeyError:
            return False  # as many names, but others
        return [*map(type, values)] == shape.last and self._take(shape, values)

    def _add_known(self, row: dict[str, Any]) -> bool:
        """Add a row of another form than the last one, if it was seen before."""
        shape = self._shapes.get(tuple(row))
        if shape is None:
            return False
        values = tuple(row.values())
        kinds = tuple(map(type, values))
        if kinds not in shape.good:
            return False
        shape.take(kinds)
        if shape is not self._shape or (shape.moment is None) != self._whole:
            self._end_singles()
            self._shape, self._whole = shape, shape.moment is None
        return self._take(shape, values)

    def _take(self, shape: _Shape, values: tuple[Any, ...]) -> bool:
        """Add a row of good types, unless its time is none."""
        time = values[shape.time_at]
        if shape.moment is None:
            if not self._least <= time < self._end:
                return False
        else:
            try:
                time = shape.moment(time)
            except (ValueError, OverflowError):
                return False
            if not UNKNOWN_TIME < time < -UNKNOWN_TIME:
                return False
        self._single.append(values)
        self._times.append(time)
        self.rows += 1
        return True

    def own(self) -> None:
        """Copy what was added last, if it still is its giver's, who may write over it."""
        if self._last is not None:
            self._buffers.put(self._last)
            self._last = None

    def take(self) -> Columns | None:
        """Return all rows as columns, good until the next `add`, and begin anew; None for no rows.

        `refused` has rows that had to be left, each with the reason.
        """
        self._end_singles()
        self.rows = 0
        if self._last is not None and not self._buffers.rows:
            columns, self._last = self._last, None
            return columns
        self.own()
        return self._buffers.take() if self._buffers.rows else None

    def _learn(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        """Remember a form of row that was good, if it has plain values that `_columns` can take without a look."""
        if not set(names) <= set(self.table.names) or len(names) < 2:
            return
        kinds = [self.table.column(name).kind for name in names]
        good = all(
            type(v) in _ACCEPTED[k] or (k == "time" and way_of(type(v))) for v, k in zip(values, kinds, strict=True)
        )
        if good:
            self._shapes.setdefault(names, _Shape(names)).good.add(tuple(map(type, values)))

    def _end_singles(self) -> None:
        """Make columns of the single rows; they go before what is added next."""
        singles, self._single = self._single, []
        times, self._times = self._times, []
        if not singles:
            return
        assert self._shape is not None
        self.own()
        try:
            self._last = self._columns(self._shape.names, singles, times)
        except BadRows:  # a number beyond int64, half a character: find the row
            for values in singles:
                try:
                    row = dict(zip(self._shape.names, values, strict=True))
                    self._buffers.put(columns_of(self.table, row, self.defaults, self._unit))
                except BadRows as error:
                    self.refused.append((row, error))
                    self.rows -= 1

    def _columns(self, names: tuple[str, ...], singles: list[tuple[Any, ...]], times: list[int]) -> Columns:
        given: dict[str, Any] = dict(zip(names, zip(*singles, strict=True), strict=True))
        given["time"] = times
        of_time = self._unit if self._whole else "ns"
        return {
            column.name: column_given(
                self.table, column, given[column.name], of_time if column.name == "time" else self._unit
            )
            if column.name in given
            else constant(column, len(singles), self.defaults[column.name])
            for column in self.table.columns
        }


def _joined(parts: list[Texts]) -> Texts:
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(p.data) for p in parts)])
    offsets = [p.offsets[1:] - p.offsets[0] + start for p, start in zip(parts, starts.tolist(), strict=False)]
    return Texts(np.concatenate([np.zeros(1, dtype=np.int64), *offsets]), b"".join(p.data for p in parts))


def _longer(array: np.ndarray, rows: int, room: int) -> np.ndarray:
    grown = np.empty(room, dtype=array.dtype)
    grown[:rows] = array[:rows]
    return grown
