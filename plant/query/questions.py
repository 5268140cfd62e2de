"""The questions a process answers about its tables: a closed set, typed, checked by asker and answerer.

    Tables                         what there is: rows, first and last time of each table
    Select                         rows of symbols, of a time range, meeting conditions; the first or last n
    Last                           the newest row of each symbol, or the newest at a time
    Count                          how many rows
    Resample                       open, high, low, close, volume of any interval, from trades or finer bars (q: xbar)
    Asof                           each left row with the right row in force (q: aj)
    Window                         each left row with aggregates of the right rows around it (q: wj, wj1)
    Sql                            DuckDB's SQL, read-only
    Recompute                      where indicators and signals are others than their bars give: the processor's alone
    Calculate                      an indicator over bars, without declaring it: the processor's alone
    Candles                        bars of any interval, made of smaller ones that are stored: the processor's alone

Times are int nanoseconds since 1970 UTC; a range includes its start and excludes its end. Rows come in the order of
their time, those of one time in the order they arrived. `beyond` leaves out rows whose seq is not greater: what history
already has. `as_of`, a seq, asks history for what was known then. A question travels as a msgpack map: "ask" names it,
the other keys are its fields.
"""

import difflib
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from plant.errors import QueryError
from plant.query.checks import check_terms
from plant.rows.intervals import interval_ns
from plant.rows.times import time_of_day, zone_of

AGGREGATES = ("min", "max", "sum", "mean", "count", "first", "last", "wavg")

EMPTY = ("skip", "fill")

LONGEST_NS = 100 * 366 * 86_400 * 10**9

Where = tuple[tuple[str, str, Any], ...]
"""Conditions that all hold: (column, operator, value)."""


@dataclass(frozen=True)
class Question:
    """What all questions share."""

    ask: ClassVar[str]

    def to_wire(self) -> dict[str, Any]:
        """Return the question as plain data."""
        return {"ask": self.ask, **vars(self)}

    def check(self) -> None:
        """Raise QueryError, naming the term that cannot be meant."""
        check_terms(self.ask, vars(self))


@dataclass(frozen=True)
class Tables(Question):
    """Which tables there are."""

    ask = "tables"
    beyond: int = 0
    as_of: int | None = None


@dataclass(frozen=True)
class Select(Question):
    """Rows of a table. `sym`, `columns`: only these; at most one of `first` and `last`, a number of rows."""

    ask = "select"
    table: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    columns: tuple[str, ...] | None = None
    where: Where = ()
    first: int | None = None
    last: int | None = None
    beyond: int = 0
    as_of: int | None = None


@dataclass(frozen=True)
class Last(Question):
    """The newest row of each symbol (by time, then arrival); `at`: the newest at or before that time."""

    ask = "last"
    table: str
    sym: tuple[str, ...] | None = None
    at: int | None = None
    columns: tuple[str, ...] | None = None
    where: Where = ()
    beyond: int = 0
    as_of: int | None = None


@dataclass(frozen=True)
class Count(Question):
    """How many rows a select of the same terms has."""

    ask = "count"
    table: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    where: Where = ()
    beyond: int = 0
    as_of: int | None = None


@dataclass(frozen=True)
class Resample(Question):
    """Bars of `interval` ("5m") from trades (price, size) or from finer bars.

    A bar holds the rows of [time, time + interval). Bars begin at multiples of the interval since 1970 UTC (weeks on
    Mondays, "1M" with the month) or, with
    `at` ("09:30", a session's start) or `zone` ("America/New_York"), are counted anew every day from that time of day
    in that zone (missing: 00:00, UTC), whatever the clocks do; the bar before it is cut short if need be. An interval
    is then at most "1d", which is that day, 23 or 25 hours long when the clocks change. Where they skip `at`, the day
    begins as if they had not been changed yet.

    Open and close are the first and last price by time, then arrival. vwap is sum(price x size) / sum(size); of bars,
    where their price is (high + low + close) / 3 and their size the volume. A row without price (null) is left out; a
    row without size adds no volume. vwap is null for no volume.

    An interval without rows gives no bar (`empty` "skip"), or one with the close before it as prices, volume 0 and no
    vwap, between the first and the last bar of its symbol ("fill").
    """

    ask = "resample"
    table: str
    interval: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    where: Where = ()
    at: str | None = None
    zone: str | None = None
    empty: str = "skip"
    beyond: int = 0
    as_of: int | None = None

    def check(self) -> None:
        """Raise QueryError, naming the term that cannot be meant."""
        check_terms(self.ask, {name: value for name, value in vars(self).items() if name != "at"})
        length = interval_ns(self.interval)
        if self.at is not None:
            time_of_day(self.at)
        if self.zone is not None:
            zone_of(self.zone)
        if (self.at is not None or self.zone is not None) and length > interval_ns("1d"):
            raise QueryError(f"resample: bars that begin anew every day are at most 1d long, found {self.interval!r}")
        if self.empty not in EMPTY:
            raise QueryError(f"resample: empty must be {' or '.join(map(repr, EMPTY))}, found {self.empty!r}")


@dataclass(frozen=True)
class Asof(Question):
    """Each row of `left` with the last row of `right` of its symbol at or before its time (`strict`: before it).

    `tolerance` (ns): how old that row may be. Columns of `right` that `left` has too are left out; the time of the
    right row is `<right>_time`. `beyond` is of both tables.
    """

    ask = "asof"
    left: str
    right: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    tolerance: int | None = None
    strict: bool = False
    beyond: int = 0
    as_of: int | None = None


@dataclass(frozen=True)
class Window(Question):
    """Each row of `left` with aggregates of the rows of `right` of its symbol around it.

    They are those with a time in [left time + before, left time + after], both ends included (ns; before is negative
    for a window that opens earlier). `prevailing`: if no row has just the time at which the window opens, the last one
    before it belongs to it too, being in force then (q: wj); else it does not (q: wj1).

    An aggregate is (name of the answer's column, function, column of right), functions being min, max, sum, mean,
    count, first, last; or (name, "wavg", column, column of weights). Nulls are left out as in SQL: count counts the
    others, a weight or value that is null takes its row out of wavg; first and last are those of the window's first and
    last row, null or not. Of no values the sum is 0 and the count 0, all else null.
    """

    ask = "window"
    left: str
    right: str
    before: int
    after: int
    aggregates: tuple[tuple[str, ...], ...]
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    prevailing: bool = True
    beyond: int = 0
    as_of: int | None = None

    def check(self) -> None:
        """Raise QueryError, naming the term that cannot be meant."""
        super().check()
        if self.before > self.after:
            raise QueryError(f"window: before must not be after `after`, found {self.before} and {self.after}")
        if max(abs(self.before), abs(self.after)) > LONGEST_NS:
            raise QueryError(f"window: at most 100 years long, found {self.before} and {self.after} ns")
        if not isinstance(self.aggregates, tuple) or not self.aggregates:
            raise QueryError(f"window: aggregates must be a list of them, found {self.aggregates!r}")
        for one in self.aggregates:
            texts = isinstance(one, tuple) and all(type(t) is str for t in one)
            if not texts or len(one) < 3 or one[1] not in AGGREGATES or len(one) != 3 + (one[1] == "wavg"):
                raise QueryError(
                    f"window: an aggregate is [name, function, column] with a function of {', '.join(AGGREGATES)} "
                    f"(wavg: and a column of weights), found {one!r}"
                )
        names = [one[0] for one in self.aggregates]
        if twice := [name for name in names if names.count(name) > 1]:
            raise QueryError(f"window: two aggregates are named {twice[0]!r}")


@dataclass(frozen=True)
class Sql(Question):
    """A SELECT in DuckDB's dialect over the tables; `today` asks history to add the rows that the rdb has beyond it."""

    ask = "sql"
    query: str
    beyond: int = 0
    as_of: int | None = None
    today: bool = False


@dataclass(frozen=True)
class Recompute(Question):
    """Indicators and signals of some time, computed anew from the bars, compared with those that were given out.

    The answer has a row for each value that differs: table, sym, interval, time, column, stored, recomputed (text).
    """

    ask = "recompute"
    start: int
    end: int
    sym: tuple[str, ...] | None = None

    def check(self) -> None:
        """Raise QueryError, naming the term that cannot be meant."""
        super().check()
        if self.start is None or self.end is None:
            raise QueryError("recompute: start and end must both be given")


@dataclass(frozen=True)
class Calculate(Question):
    """An indicator of the catalogue over the bars of one symbol: time, sym, interval, and its outputs, null at first.

    `parameters` are JSON, as a declaration has them: {"period": 20, "input": "close"}.
    """

    ask = "calculate"
    kind: str
    sym: tuple[str, ...]
    interval: str
    parameters: str = "{}"
    start: int | None = None
    end: int | None = None
    last: int | None = None

    def check(self) -> None:
        """Raise QueryError, naming the term that cannot be meant."""
        super().check()
        _check_one_symbol(self)


@dataclass(frozen=True)
class Candles(Question):
    """Bars of one symbol and any interval, from the openings of its sessions on: "3m" of 1m, "1w" of days.

    `session`: "regular" leaves out intraday bars outside of regular sessions, "extended" does not.
    """

    ask = "candles"
    sym: tuple[str, ...]
    interval: str
    start: int | None = None
    end: int | None = None
    last: int | None = None
    session: str = "regular"

    def check(self) -> None:
        """Raise QueryError, naming the term that cannot be meant."""
        super().check()
        _check_one_symbol(self)
        if self.session not in ("regular", "extended"):
            raise QueryError(f"candles: session must be regular or extended, found {self.session!r}")


def _check_one_symbol(question: Calculate | Candles) -> None:
    interval_ns(question.interval)
    if question.sym is None or len(question.sym) != 1:
        raise QueryError(f"{question.ask}: sym must be one symbol, found {question.sym!r}")


KINDS: dict[str, type[Question]] = {
    kind.ask: kind for kind in (Tables, Select, Last, Count, Resample, Asof, Window, Sql, Recompute, Calculate, Candles)
}

TERMS: dict[str, dict[str, Any]] = {ask: {f.name: f.default for f in fields(kind)} for ask, kind in KINDS.items()}
"""Of each question the names of its terms, in order, and what they are when not given."""


def question_of(request: dict[str, Any]) -> Question:
    """Return the question of a request's map. Raises QueryError, naming what is wrong."""
    ask = request.get("ask")
    kind = KINDS.get(str(ask))
    if kind is None:
        raise QueryError(f"unknown question {ask!r}; questions are {', '.join(KINDS)}")
    given = {n: _tuples(v) if isinstance(v, (list, tuple)) else v for n, v in request.items() if n != "ask"}
    terms = TERMS[kind.ask]
    if unknown := [name for name in given if name not in terms]:
        near = difflib.get_close_matches(str(unknown[0]), terms, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise QueryError(f"{ask}: unknown term {unknown[0]!r}{meant}; terms are {', '.join(terms)}")
    try:
        question = kind(**given)
    except TypeError as error:
        raise QueryError(f"{ask}: {error}") from None
    question.check()
    return question


def _tuples(value: Any) -> Any:
    """Return a list, and the lists in it, as tuples; no question has deeper ones."""
    return tuple([tuple(v) if isinstance(v, (list, tuple)) else v for v in value])
