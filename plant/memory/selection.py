"""Where in a block or a chunk the rows are that a question wants.

In a block the rows of a symbol are a slice in order of time, and a range of times is found in it by bisection. In a
chunk they are found by a scan. Parts outside the range of times are skipped; the first or last n rows are looked for
from that end, until no other part can have any.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import sub
from typing import Any

import numpy as np

from plant.memory.block import Block, Part
from plant.memory.chunk import Rows
from plant.memory.revisions import Marks
from plant.rows.columns import Texts
from plant.rows.ordering import joined_texts, ranges, time_order
from plant.rows.schema import META_COLUMNS

Piece = tuple[Part, Rows]

_START = np.zeros(1, dtype=np.int64)
_FEW_TEXTS = 256
"""Texts of so few rows are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Terms in the codes and row numbers of one table in memory.

    codes         of the symbols, sorted, int32[k]; None: all
    start, end    times of [start, end)
    cut, stop     numbers of the first row and of the one after the last
    tests         a column's name, and which of its values (a symbol's codes) pass
    marks         which rows are replaced; None: none are
    """

    codes: np.ndarray | None
    start: int | None
    end: int | None
    cut: int
    stop: int
    tests: tuple[tuple[str, Callable[[Any], np.ndarray]], ...]
    marks: Marks | None

    def rows(self, part: Part, also_replaced: bool = False) -> Rows:
        """Return where in a part the rows are: in a block in its own order, in a chunk in order of arrival."""
        rows = self._of_block(part) if isinstance(part, Block) else self._of_chunk(part)
        if part.base < self.cut and length(rows):
            rows = kept(rows, part.arrival(rows) >= self.cut - part.base)
        if self.marks is not None and not also_replaced and length(rows):
            rows = kept(rows, self.marks.in_force(part.base, part.arrival(rows), self.stop))
        for name, passes in self.tests:
            if length(rows):
                rows = kept(rows, passes(column_of([(part, rows)], name)))
        return rows

    def in_reach(self, parts: Iterable[Part]) -> list[Part]:
        """Return the parts that may have rows of the range of times and numbers, in order of arrival."""
        return [
            p
            for p in parts
            if self.cut < p.base + p.span
            and p.base < self.stop
            and (self.end is None or p.first_time is None or p.first_time < self.end)
            and (self.start is None or p.last_time is None or p.last_time >= self.start)
        ]

    def of_one(self, parts: Iterable[Part]) -> list[Piece]:
        """Return pieces that hold the rows of parts, of one symbol, no row being tested.

        Where no row can be replaced or be too early, its rows of a block are those that its bounds tell: next to
        nothing, so that what is done besides would be most of the time.
        """
        code = self.codes.item() if self.codes is not None else -1
        pieces: list[Piece] = []
        for part in parts:
            if isinstance(part, Block) and self.marks is None and part.base >= self.cut:
                rows: Rows = self._of_symbol(part, code)
            else:
                rows = self.rows(part)
            if length(rows):
                pieces.append((part, rows))
        return pieces

    def _of_symbol(self, block: Block, code: int) -> slice:
        bounds = block.bounds
        if code + 1 >= len(bounds):
            return slice(0, 0)
        low, high = bounds.item(code), bounds.item(code + 1)
        if self.start is not None and self.start > block.first_time:
            low += int(block.columns["time"][low:high].searchsorted(self.start))
        if self.end is not None and self.end <= block.last_time:
            high = low + int(block.columns["time"][low:high].searchsorted(self.end))
        return slice(low, high)

    def _of_block(self, block: Block) -> Rows:
        times = block.columns["time"]
        start = None if self.start is None or self.start <= block.first_time else self.start
        end = None if self.end is None or self.end > block.last_time else self.end
        if self.codes is None:
            return self._within(times, slice(0, len(block)), start, end)
        if len(self.codes) == 1:
            return self._of_symbol(block, self.codes.item())
        codes = self.codes[: self.codes.searchsorted(len(block.bounds) - 1)]
        first, last = block.bounds[codes], block.bounds[codes + 1]
        if start is not None:
            first = bisect(times, first, last, start)
        if end is not None:
            last = bisect(times, first, last, end)
        return ranges(first, last)

    def _of_chunk(self, chunk: Part) -> Rows:
        count = max(min(len(chunk), self.stop - chunk.base), 0)
        rows: Rows = slice(0, count)
        if self.codes is not None:
            codes = chunk.columns["sym"][:count]
            if len(self.codes) == 1:
                (rows,) = (codes == self.codes[0]).nonzero()
            elif len(self.codes) and count:
                among = np.zeros(max(int(self.codes[-1]), int(codes.max())) + 1, dtype=bool)
                among[self.codes] = True
                rows = np.flatnonzero(among[codes])
            else:
                rows = slice(0, 0)
        return self._within(chunk.columns["time"], rows, self.start, self.end)

    @staticmethod
    def _within(times: np.ndarray, rows: Rows, start: int | None, end: int | None) -> Rows:
        if start is not None:
            rows = kept(rows, times[rows] >= start)
        if end is not None:
            rows = kept(rows, times[rows] < end)
        return rows


def length(rows: Rows) -> int:
    """Return the number of rows."""
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


def pieces_of(rows: Rows, most: int) -> Iterator[Rows]:
    """Return rows in pieces of at most so many."""
    for start in range(0, length(rows), most):
        if isinstance(rows, slice):
            yield slice(rows.start + start, min(rows.start + start + most, rows.stop))
        else:
            yield rows[start : start + most]


def kept(rows: Rows, which: np.ndarray) -> Rows:
    """Return those of the rows that `which`, bool[n], is true for; a slice stays one if it is true for all."""
    if which.all():
        return rows
    return np.flatnonzero(which) + rows.start if isinstance(rows, slice) else rows[which]


def column_of(pieces: Sequence[Piece], name: str) -> np.ndarray | Texts:
    """Return a column of one or more pieces, one after the other, also META_COLUMNS; symbols as codes.

    Of one slice of numbers it is a view.
    """
    if name in META_COLUMNS:
        values = [p.batches.of(name, p.arrival(rows), p.span) for p, rows in pieces]
    elif name in pieces[0][0].texts:
        if sum(length(rows) for _, rows in pieces) <= _FEW_TEXTS:
            return _few_texts(pieces, name)
        return joined_texts([p.text(name, rows) for p, rows in pieces])
    else:
        values = [p.columns[name][rows] for p, rows in pieces]
    return values[0] if len(values) == 1 else np.concatenate(values)


def _few_texts(pieces: Sequence[Piece], name: str) -> Texts:
    """Return a text column of few rows, one by one where they do not lie together: quicker than by arrays."""
    ends, found = [_START], []
    size = 0
    for part, rows in pieces:
        held, whole = part.columns[name], part.text(name, slice(0, 0))[1]
        data = memoryview(whole)
        if isinstance(rows, slice):
            first, last = held.item(rows.start), held.item(rows.stop)
            found.append(data[first:last])
            ends.append(held[rows.start + 1 : rows.stop + 1] + (size - first))
            size += last - first
        else:
            starts, stops = held[rows].tolist(), held[rows + 1].tolist()
            found += map(data.__getitem__, map(slice, starts, stops))
            ends.append(np.array([*accumulate(map(sub, stops, starts), initial=size)][1:], dtype=np.int64))
            size += sum(stops) - sum(starts)
    return Texts(np.concatenate(ends), b"".join(found))


def nearest_of(pieces: Sequence[Piece], count: int, newest: bool) -> list[Piece]:
    """Return the first or the newest `count` rows of pieces that are in order of time, one piece after the other."""
    found: list[Piece] = []
    for part, rows in reversed(pieces) if newest else pieces:
        if count and length(rows) > count:
            rows = rows_at_end(rows, count, newest)
        if count:
            found.append((part, rows))
        count -= min(count, length(rows))
    return found[::-1] if newest else found


def bisect(values: np.ndarray, low: np.ndarray, high: np.ndarray, bound: int) -> np.ndarray:
    """Return for each pair the first place of [low, high) whose value is not below the bound, `high` if none is."""
    while (open_ := low < high).any():
        middle = (low + high) >> 1
        below = open_ & (values.take(middle, mode="clip") < bound)
        low, high = np.where(below, middle + 1, low), np.where(open_ & ~below, middle, high)
    return low


def by_arrival(part: Part, rows: Rows) -> Rows:
    """Return rows in order of arrival."""
    if not isinstance(part, Block):
        return rows
    places = part.arrival(rows)
    positions = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
    if 8 * len(places) < part.span:
        return positions[np.argsort(places, kind="stable")]  # few runs in order: one for each symbol
    slots = np.full(part.span, -1, dtype=np.int32)
    slots[places] = positions
    return slots[slots >= 0]


def nearest(parts: Sequence[Part], wanted: Wanted, count: int, newest: bool) -> list[Piece]:
    """Return pieces that hold the first or the newest `count` rows (by time, then arrival), few others, by arrival."""
    pieces: list[Piece] = []
    times = np.empty(0, dtype=np.int64)
    bound: int | None = None  # the time of the last row so far that is among them; ties go to the part seen first
    one = wanted.codes is not None and len(wanted.codes) == 1
    for part in reversed(parts) if newest else parts:
        edge = part.last_time if newest else part.first_time
        if not count or (bound is not None and edge is not None and (edge <= bound if newest else edge >= bound)):
            continue
        rows = wanted.rows(part)
        found = part.columns["time"][rows]
        if len(found) > count:
            if one and (isinstance(part, Block) or time_order(found) is None):
                rows = rows_at_end(rows, count, newest)
            else:
                edge = _nth_time(found, count, newest)
                rows = kept(rows, found >= edge if newest else found <= edge)
            found = part.columns["time"][rows]
        pieces.append((part, rows))
        times = np.concatenate([times, found]) if len(times) else found
        if len(times) >= count:
            bound = _nth_time(times, count, newest)
    return pieces[::-1] if newest else pieces


def _nth_time(times: np.ndarray, count: int, newest: bool) -> int:
    """Return the time of the last of the `count` newest or first of at least so many."""
    if len(times) == count:
        return int(times.min() if newest else times.max())
    at = len(times) - count if newest else count - 1
    return int(np.partition(times, at)[at])


def rows_at_end(rows: Rows, count: int, last: bool) -> Rows:
    """Return the first or last `count` of more rows."""
    if isinstance(rows, slice):
        return slice(rows.stop - count, rows.stop) if last else slice(rows.start, rows.start + count)
    return rows[-count:] if last else rows[:count]
