"""The questions a process answers about its tables: a closed set, typed, checked by asker and answerer.

    Tables                         what there is: rows, first and last time of each table
    Select                         rows of symbols, of a time range, meeting conditions; the first or last n
    Last                           the newest row of each symbol, or the newest at a time
    Count                          how many rows
    Resample                       open, high, low, close, volume of any interval, from trades or finer bars (q: xbar)
    Asof                           each left row with the right row in force (q: aj)
    Sql                            DuckDB's SQL, read-only

Times are int nanoseconds since 1970 UTC; a range includes its start and excludes its end. Rows come in the order of
their time, those of one time in the order they arrived. A question travels as a msgpack map: "ask" names it, the other
keys are its fields.
"""

import difflib
import re
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

from plant.errors import QueryError

OPERATORS = ("==", "!=", "<", "<=", ">", ">=")

_UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}

Where = tuple[tuple[str, str, Any], ...]
"""Conditions that all hold: (column, operator, value)."""


@dataclass(frozen=True)
class Question:
    """What all questions share."""

    ask: ClassVar[str]

    def to_wire(self) -> dict[str, Any]:
        """Return the question as plain data."""
        return {"ask": self.ask, **asdict(self)}


@dataclass(frozen=True)
class Tables(Question):
    """Which tables there are."""

    ask = "tables"


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


@dataclass(frozen=True)
class Last(Question):
    """The newest row of each symbol (by time, then arrival); `at`: the newest at or before that time."""

    ask = "last"
    table: str
    sym: tuple[str, ...] | None = None
    at: int | None = None
    columns: tuple[str, ...] | None = None
    where: Where = ()


@dataclass(frozen=True)
class Count(Question):
    """How many rows a select of the same terms has."""

    ask = "count"
    table: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    where: Where = ()


@dataclass(frozen=True)
class Resample(Question):
    """Bars of `interval` ("5m") from trades (price, size) or from finer bars.

    A bar holds the rows of [time, time + interval), time a multiple of the interval since 1970 UTC; an interval without
    rows gives no bar.
    """

    ask = "resample"
    table: str
    interval: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    where: Where = ()


@dataclass(frozen=True)
class Asof(Question):
    """Each row of `left` with the last row of `right` of its symbol at or before its time (`strict`: before it).

    `tolerance` (ns): how old that row may be. Columns of `right` that `left` has too are left out; the time of the
    right row is `<right>_time`.
    """

    ask = "asof"
    left: str
    right: str
    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    tolerance: int | None = None
    strict: bool = False


@dataclass(frozen=True)
class Sql(Question):
    """A SELECT in DuckDB's dialect over the tables."""

    ask = "sql"
    query: str


KINDS: dict[str, type[Question]] = {k.ask: k for k in (Tables, Select, Last, Count, Resample, Asof, Sql)}


def question_of(request: dict[str, Any]) -> Question:
    """Return the question of a request's map. Raises QueryError, naming what is wrong."""
    ask = request.get("ask")
    kind = KINDS.get(str(ask))
    if kind is None:
        raise QueryError(f"unknown question {ask!r}; questions are {', '.join(KINDS)}")
    given = {name: _tuples(value) for name, value in request.items() if name != "ask"}
    terms = [f.name for f in fields(kind)]
    if unknown := [name for name in given if name not in terms]:
        near = difflib.get_close_matches(str(unknown[0]), terms, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise QueryError(f"{ask}: unknown term {unknown[0]!r}{meant}; terms are {', '.join(terms)}")
    try:
        question = kind(**given)
    except TypeError as error:
        raise QueryError(f"{ask}: {error}") from None
    _check(question)
    return question


def interval_ns(interval: str) -> int:
    """Return the nanoseconds of "30s", "5m", "1h" or "1d". Raises QueryError."""
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", interval) if isinstance(interval, str) else None
    if not match:
        raise QueryError(f'expected an interval like "30s", "5m", "1h" or "1d", found {interval!r}')
    length = int(match[1]) * _UNITS_NS[match[2]]
    if length >= 2**63:
        raise QueryError(f"expected an interval of less than 292 years, found {interval!r}")
    return length


def _tuples(value: Any, levels: int = 2) -> Any:
    """Return lists, and lists in lists, as tuples; no question has deeper ones."""
    if not levels or not isinstance(value, list | tuple):
        return value
    return tuple(_tuples(v, levels - 1) for v in value)


def _check(question: Question) -> None:
    values = {f.name: getattr(question, f.name) for f in fields(question)}
    for name in ("table", "left", "right", "query", "interval"):
        if name in values and type(values[name]) is not str:
            raise QueryError(f"{question.ask}: {name} must be a string, found {values[name]!r}")
    for name in ("start", "end", "at", "first", "last", "tolerance"):
        value = values.get(name)
        if value is not None and (type(value) is not int or not -(2**63) <= value < 2**63):
            raise QueryError(
                f"{question.ask}: {name} must be a whole number (times are ns since 1970 UTC), found {value!r}"
            )
    for name in ("sym", "columns"):
        value = values.get(name)
        if value is not None and not (isinstance(value, tuple) and all(type(v) is str for v in value)):
            raise QueryError(f"{question.ask}: {name} must be a list of strings, found {value!r}")
    for name in ("first", "last", "tolerance"):
        if (values.get(name) or 0) < 0:
            raise QueryError(f"{question.ask}: {name} must be 0 or more, found {values[name]}")
    if values.get("first") is not None and values.get("last") is not None:
        raise QueryError("select: give first or last, not both")
    if type(values.get("strict", False)) is not bool:
        raise QueryError(f"{question.ask}: strict must be true or false, found {values['strict']!r}")
    conditions = values.get("where", ())
    if not isinstance(conditions, tuple):
        raise QueryError(f"{question.ask}: where must be a list of conditions, found {conditions!r}")
    for term in conditions:
        if not (
            isinstance(term, tuple)
            and len(term) == 3
            and type(term[0]) is str
            and term[1] in OPERATORS
            and isinstance(term[2], str | int | float)
        ):
            raise QueryError(
                f"{question.ask}: a condition is [column, operator, value] with an operator of "
                f"{' '.join(OPERATORS)}, found {term!r}"
            )
    if "interval" in values:
        interval_ns(values["interval"])
