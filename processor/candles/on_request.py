"""Bars of one symbol and any interval: those that are stored, else made of smaller ones that are.

Multiples of a stored interval are made as the stored ones are (`whole`): counted from the opening of their session,
none of two sessions; weeks and months of days. What cannot be made so that it is right is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plant.calendars.sessions import Sessions
from plant.errors import QueryError
from plant.rows.columns import Columns
from plant.rows.intervals import interval_name, interval_ns
from plant.rows.ordering import joined
from processor.candles.rows import built, values_of
from processor.candles.whole import larger_of
from processor.trades.folding import VALUES

Counted = Callable[[Columns], Columns]
"""Returns the rows of bars that count, by the session."""


@dataclass(frozen=True)
class Range:
    """Bars of [start, end), ns, None: without a bound; of those the newest `last`; and `ahead` more before them."""

    start: int | None
    end: int | None
    last: int | None
    ahead: int


class BarsOnRequest:
    """Bars of one symbol.

    select    (interval, start, end, last) -> rows of `bars`, in order of time; `last`: only the newest so many
    stored    the names of intervals that the symbol has bars of
    counted   which of them count
    """

    def __init__(
        self, sym: str, select: Callable[..., Columns], stored: Callable[[], list[str]], counted: Counted
    ) -> None:
        self._sym, self._select, self._stored, self._counted = sym, select, stored, counted

    def of(self, interval: str, asked: Range, sessions_of: Callable[[str], Sessions]) -> tuple[Columns, int]:
        """Return time and prices of the bars asked for, with those ahead of them, and how many of these there are.

        `sessions_of(source)` are those of the symbol. Raises QueryError for an interval that cannot be made.
        """
        names = self._stored()
        if not names:
            raise QueryError(f"calculate: there are no bars of {self._sym}")
        if interval in names:
            found = self._read(interval, asked, lambda rows: rows, 1)
        else:
            source = self._select(names[0], None, None, 1)["source"].tolist()[0]
            sessions = sessions_of(source)
            smaller = made_of(self._sym, interval, names, sessions)
            ratio = max(interval_ns(interval) // interval_ns(smaller), 1)
            found = self._read(smaller, asked, lambda rows: _larger(rows, smaller, interval, sessions), ratio, interval)
        return _cut(found, asked)

    def _read(
        self, name: str, asked: Range, made: Callable[[Columns], Columns], ratio: int, interval: str = ""
    ) -> Columns:
        """Return bars made of rows of an interval, from far enough back; the first of them is whole."""
        end = asked.end if asked.end is None or not interval else asked.end + interval_ns(interval)
        parts = [self._counted(self._select(name, asked.start, end, None))] if asked.start is not None else []
        cursor = asked.start if parts else end
        needed = asked.ahead if asked.last is None else asked.ahead + asked.last
        count = needed * ratio + ratio if parts or asked.last is not None else None
        while True:
            rows = self._select(name, None, cursor, count)
            parts.insert(0, self._counted(rows))
            bars = made({column: joined([part[column] for part in parts]) for column in parts[0]})
            if count is None or len(rows["time"]) < count:
                return bars  # there is nothing before it
            if len(bars["time"]) - 1 >= needed + _within(bars, asked):
                return bars if ratio == 1 else {column: values[1:] for column, values in bars.items()}
            cursor = int(rows["time"][0])


def made_of(sym: str, interval: str, stored: list[str], sessions: Sessions) -> str:
    """Return the stored interval that bars of another are made of. Raises QueryError if there is none.

    Days of an exchange have a closing print besides their minutes, so they are not made here, nor weeks without them.
    """
    there = ", ".join(sorted(stored, key=_length))
    if interval[-1] in "dwM":
        if "1d" in stored and interval in ("1w", "1M"):
            return "1d"
        if interval not in ("1d", "1w", "1M"):
            raise QueryError(
                f"calculate: bars of {interval} are not made; ask for 1d, 1w or 1M, or a stored one: {there}"
            )
        if not sessions.continuous:
            raise QueryError(
                f"calculate: {interval} of {sym} is made of stored days, and those stored are {there}; have the "
                'processor store them: [processor] intervals with "1d"'
            )
    length = _length(interval)
    whole = interval_ns("1d") if interval[-1] in "dwM" else length
    fitting = [name for name in stored if name[-1] not in "dwM" and 0 < _length(name) < length]
    fitting = [name for name in fitting if whole % _length(name) == 0]
    if not fitting:
        raise QueryError(f"calculate: no bars of {interval} can be made of those that {sym} has: {there}")
    return "1m" if "1m" in fitting else max(fitting, key=_length)


def _larger(rows: Columns, smaller: str, interval: str, sessions: Sessions) -> Columns:
    """Return the bars of an interval, of rows of a smaller one."""
    values = values_of(rows)
    there = ~(built(rows["source"]) & (values[:, 6] == 0))  # the others lost their last trade
    starts, found = larger_of((rows["time"][there], values[there]), interval, sessions, days=smaller == "1d")
    return {"time": starts, **{name: found[:, i] for i, name in enumerate(VALUES)}}


def _within(bars: Columns, asked: Range) -> int:
    """Return how many bars are not ahead of what is asked for, beside the newest `last`."""
    times = bars["time"]
    if asked.start is not None and asked.last is None:
        return int((times >= asked.start).sum())
    return int((times >= asked.end).sum()) if asked.end is not None else 0


def _cut(bars: Columns, asked: Range) -> tuple[Columns, int]:
    times = bars["time"]
    end = len(times) if asked.end is None else int(np.searchsorted(times, asked.end))
    first = 0 if asked.start is None else int(np.searchsorted(times, asked.start))
    if asked.last is not None:
        first = max(first, end - asked.last)
    first = min(first, end)
    since = max(first - asked.ahead, 0)
    return {column: values[since:end] for column, values in bars.items()}, first - since


def _length(name: str) -> int:
    try:
        return interval_ns(interval_name(name))
    except QueryError:  # a feed's own name
        return 0
