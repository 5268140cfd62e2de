"""Which row replaced which, in a table with a key.

A series is the rows that share the key's columns other than time (a symbol's one-minute bars, say). Rows nearly
always come in order of time within their series, so the last time and row of each series decide at once: later is a
new key, the same time is a revision. numpy does that for a whole batch. Only when a series has a row out of order
does it get an index of all its times; then its rows are looked up one by one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from plant.memory.arrays import Growing

NEVER = np.iinfo(np.int64).max
_BEFORE_ALL = np.iinfo(np.int64).min
_NO_SERIES = -1

RowsOf = Callable[[tuple[int, ...], int], tuple[np.ndarray, np.ndarray]]
"""Returns times and rows, below a row number, of the series with these codes."""


class Marks:
    """`next_revision[row - base]` is the number of the row that replaced a row, NEVER if none did."""

    __slots__ = ("base", "next_revision")

    def __init__(self, next_revision: np.ndarray, base: int) -> None:
        self.next_revision = next_revision
        self.base = base

    def in_force(self, base: int, place: np.ndarray, end: int) -> np.ndarray:
        """Return which of the rows `base` + `place` no row below number `end` replaced, bool[n].

        What it says of rows that were released has no meaning.
        """
        return self.next_revision.take(place + (base - self.base), mode="clip") >= end

    def count(self, first: int, end: int) -> int:
        """Return how many of the rows [first, end) are in force."""
        return int(np.count_nonzero(self.next_revision[first - self.base : end - self.base] >= end))


class Revisions:
    """Finds the row that each new row replaces, and marks it.

    A series is known by the codes of its key columns, small whole numbers from 0. `rows_of` finds the rows of a series.
    """

    def __init__(self, key_columns: int, rows_of: RowsOf) -> None:
        self._next = Growing(np.int64)
        self._base = 0
        self._rows_of = rows_of
        self._codes: list[tuple[int, ...]] = []
        self._bits = [1] * key_columns
        self._series_of = np.full(2**key_columns, _NO_SERIES, dtype=np.int64)
        self._last_time = Growing(np.int64)
        self._last_row = Growing(np.int64)
        self._late = Growing(np.bool_)
        self._rows_at: dict[int, dict[int, int]] = {}

    def add(self, codes: Sequence[np.ndarray], times: np.ndarray, start: int) -> None:
        """Take the rows start, start + 1, ...: `codes` of their key columns, int[n] each, and `times`, int64[n]."""
        count = len(times)
        self._next.extend(np.full(count, NEVER))
        series = self._series(codes)
        if count == 1:
            self._add_one(int(series[0]), int(times[0]), start)
            return
        few = len(self._codes) <= np.iinfo(np.int16).max  # numpy sorts small numbers by radix, in half the time
        order = np.argsort(series.astype(np.int16) if few else series, kind="stable")
        s, t, rows = series[order], times[order], order + start
        first = np.empty(count, dtype=bool)
        first[0] = True
        np.not_equal(s[1:], s[:-1], out=first[1:])
        before_t, before_row = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
        before_t[1:], before_row[1:] = t[:-1], rows[:-1]
        begins = s[first]
        before_t[first], before_row[first] = self._last_time.array[begins], self._last_row.array[begins]
        out_of_order = t < before_t
        if out_of_order.any() or self._late.array[begins].any():
            single = np.isin(s, s[out_of_order]) | self._late.array[s]
            for position in np.sort(order[single]).tolist():
                self._add_late(int(series[position]), int(times[position]), start + position, start)
            rest = ~single
            s, t, rows, before_t, before_row = s[rest], t[rest], rows[rest], before_t[rest], before_row[rest]
            if not len(s):
                return
        same = (t == before_t) & (before_row >= self._base)
        self._next.array[before_row[same] - self._base] = rows[same]
        ends = np.empty(len(s), dtype=bool)
        ends[-1] = True
        np.not_equal(s[1:], s[:-1], out=ends[:-1])
        self._last_time.array[s[ends]] = t[ends]
        self._last_row.array[s[ends]] = rows[ends]

    @property
    def marks(self) -> Marks:
        """What is known now. Rows that come later may be marked in it too, with their own, higher numbers."""
        return Marks(self._next.array, self._base)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that marks take."""
        return 8 * self._next.length + 100 * (len(self._codes) + sum(map(len, self._rows_at.values())))

    def release(self, first: int) -> None:
        """Forget the rows below a number; nothing can mark them any more."""
        kept = Growing(np.int64)
        kept.extend(self._next.array[first - self._base : self._next.length])
        self._next, self._base = kept, first
        for series, rows_at in self._rows_at.items():
            self._rows_at[series] = {time: row for time, row in rows_at.items() if row >= first}

    def _add_one(self, series: int, time: int, row: int) -> None:
        last = int(self._last_time.array[series])
        if time < last or self._late.array[series]:
            self._add_late(series, time, row, row)
            return
        before = int(self._last_row.array[series])
        if time == last and before >= self._base:
            self._next.array[before - self._base] = row
        self._last_time.array[series] = time
        self._last_row.array[series] = row

    def _add_late(self, series: int, time: int, row: int, start: int) -> None:
        """Look the row's key up among all of its series; rows below `start` were there before this batch."""
        rows_at = self._rows_at.get(series)
        if rows_at is None:
            times, rows = self._rows_of(self._codes[series], start)
            rows_at = self._rows_at[series] = dict(zip(times.tolist(), rows.tolist(), strict=True))
            self._late.array[series] = True
        before = rows_at.get(time)
        if before is not None and before >= self._base:
            self._next.array[before - self._base] = row
        rows_at[time] = row

    def _series(self, codes: Sequence[np.ndarray]) -> np.ndarray:
        """Return the number of each row's series, int64[n]; new ones are added."""
        for i, column in enumerate(codes):
            if int(column.max()) >> self._bits[i]:
                self._widen(i, int(column.max()).bit_length())
        found = self._series_of[self._place(codes)]
        if (found < 0).any():
            for key in dict.fromkeys(zip(*(c[found < 0].tolist() for c in codes), strict=True)):
                self._series_of[self._place(key)] = len(self._codes)
                self._codes.append(key)
                for growing, value in ((self._last_time, _BEFORE_ALL), (self._last_row, 0), (self._late, False)):
                    growing.extend([value])
            found = self._series_of[self._place(codes)]
        return found

    def _place(self, codes: Any) -> Any:
        place = codes[0]
        for column, bits in zip(codes[1:], self._bits[1:], strict=True):
            place = (place << bits) | column
        return place

    def _widen(self, column: int, bits: int) -> None:
        self._bits[column] = bits
        self._series_of = np.full(2 ** sum(self._bits), _NO_SERIES, dtype=np.int64)
        for series, key in enumerate(self._codes):
            self._series_of[self._place(key)] = series
