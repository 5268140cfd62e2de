"""Rows of bars as the closed bars that detectors take in: when each ends, and in which session it lies."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from plant.calendars.sessions import REGULAR, Sessions
from plant.detectors.machine import ClosedBar
from plant.rows.columns import Columns, Symbols
from plant.rows.intervals import interval_ns

LONG = ("1d", "1w", "1M")
"""Intervals of whole sessions."""

PRICES = ("open", "high", "low", "close")


class Row(NamedTuple):
    """A closed bar, and what it is of."""

    place: int
    sym: str
    interval: str
    bar: ClosedBar


def closed_rows(rows: Columns, time: str, sessions_of: Callable[[str], Sessions]) -> Iterator[Row]:
    """Yield the bars of rows of `bar_closes` or `bars`, by their ends, then smaller intervals first.

    time         the column of their starts
    sessions_of  those of a symbol
    """
    sym, interval, starts = rows["sym"], rows["interval"], rows[time]
    lengths = np.array([_length(name) for name in interval.names] or [0])[interval.codes]
    ends, kinds, numbers = (np.zeros(len(starts), np.int64) for _ in range(3))
    for sessions, at in _by_calendar(sym, sessions_of):
        for code in np.unique(interval.codes[at]).tolist():
            mine = at[interval.codes[at] == code]
            name, times = interval.names[code], starts[mine]
            ends[mine] = sessions.ends(times, name)
            long = name in LONG
            kinds[mine] = REGULAR if long else sessions.kinds(times)
            numbers[mine] = sessions.numbers(ends[mine] - 1 if long else times)
    order = np.lexsort((starts, lengths, ends))
    prices: Any = np.column_stack([rows[name] for name in PRICES])
    plain = zip(
        order.tolist(), starts[order].tolist(), ends[order].tolist(), prices[order].tolist(), kinds[order].tolist(),
        numbers[order].tolist(), sym.codes[order].tolist(), interval.codes[order].tolist(), strict=True,
    )  # fmt: skip
    for place, start, end, values, kind, number, sym_code, interval_code in plain:
        bar = bar_of(start, end, values, kind, number)
        yield Row(place, sym.names[sym_code], interval.names[interval_code], bar)


def bar_of(start: int, end: int, prices: Sequence[float], kind: int, session: int) -> ClosedBar:
    """Return a closed bar; `prices` are open, high, low and close."""
    first, high, low, last = prices
    return ClosedBar(start, end, first, high, low, last, kind, session)


def _by_calendar(sym: Symbols, sessions_of: Callable[[str], Sessions]) -> list[tuple[Sessions, np.ndarray]]:
    """Return the calendars of some symbols, and the rows that have each."""
    found: dict[int, tuple[Sessions, list[int]]] = {}
    for code in np.unique(sym.codes).tolist():
        sessions = sessions_of(sym.names[code])
        found.setdefault(id(sessions), (sessions, []))[1].append(code)
    if len(found) == 1:
        return [(sessions, np.arange(len(sym))) for sessions, _ in found.values()]
    return [(sessions, np.flatnonzero(np.isin(sym.codes, codes))) for sessions, codes in found.values()]


def _length(interval: str) -> int:
    return interval_ns(interval)
