"""What every question is computed on: the rows of one table, fixed, wherever they are kept.

A table in memory gives a view of the rows it has now, history one of the files it has now. Answers are made from views
alone, so that both answer alike. A table with a key shows only the newest revision of each key.

Columns are asked for by name, those of the table and META_COLUMNS (`seq`, `seq_row`, `received`), and are given as in
a batch: name to ndarray, Symbols or Texts. They may be views of a table's own arrays: read them only.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from plant.errors import QueryError, UnknownColumn
from plant.query.limits import Budget
from plant.query.questions import Where
from plant.rows.columns import Columns, Symbols
from plant.rows.schema import META_COLUMNS, UNKNOWN_TIME, Table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Terms:
    """Which rows of a table.

    sym           of these symbols; None: of all
    start, end    times of [start, end), int ns since 1970 UTC
    where         conditions (column, operator, value) that all hold
    first, last   at most so many of what the others leave, the earliest or the newest; not both
    beyond        only rows whose seq is greater: with history up to a seq, the rest
    budget        asked (`rows`, `check`) before rows are gathered and during long work; None: no limits
    """

    sym: tuple[str, ...] | None = None
    start: int | None = None
    end: int | None = None
    where: Where = ()
    first: int | None = None
    last: int | None = None
    beyond: int = 0
    budget: Budget | None = field(default=None, compare=False)


class View(Protocol):
    """The rows of one table, fixed; read by any thread."""

    @property
    def declaration(self) -> Table:
        """The table's name, columns and key."""
        ...

    @property
    def facts(self) -> Mapping[str, int]:
        """What an answer's schema metadata says of where its rows come from.

        {"released": seq} of a table in memory, {"through": seq} of history.
        """
        ...

    def select(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows in order of time, those of one time in the order they arrived: of seq, then seq_row."""
        ...

    def by_symbol(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the rows symbol by symbol, each symbol's in order of time, then arrival."""
        ...

    def parts(self, terms: Terms, columns: Sequence[str]) -> Iterable[Columns]:
        """Return the rows of `by_symbol` in parts, each of them so ordered, a later part's rows having come later."""
        ...

    def last(self, terms: Terms, columns: Sequence[str]) -> Columns:
        """Return the newest row of each symbol (by time, then arrival), ordered by the symbols' names."""
        ...

    def count(self, terms: Terms) -> int:
        """Return the number of rows."""
        ...

    def extent(self, beyond: int = 0) -> tuple[int, int | None, int | None]:
        """Return the number of rows, the first time and the last; times are None if there are no rows."""
        ...

    def arrow(self, columns: Sequence[str], beyond: int = 0) -> "pa.Table":
        """Return these columns of all rows as an Arrow table, in any order, without a copy where that is possible."""
        ...


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


def known_columns(declaration: Table, columns: Iterable[str] | None) -> tuple[str, ...]:
    """Return `columns`, or all of the table for None; raises UnknownColumn for one that it does not have."""
    if columns is None:
        return declaration.names
    known = (*declaration.names, *META_COLUMNS)
    columns = tuple(columns)
    for name in columns:
        if name not in known:
            raise UnknownColumn.named(name, declaration.name, known)
    return columns


def check_where(declaration: Table, where: Where) -> None:
    """Raise UnknownColumn, or QueryError for a number compared with a text."""
    for name, operator, value in where:
        known_columns(declaration, (name,))
        number = name in META_COLUMNS or declaration.column(name).fixed
        if number == isinstance(value, str):
            what = "a number" if number else "text"
            raise QueryError(f"{declaration.name}.{name} is {what}; found the condition {operator} {value!r}")


def condition(declaration: Table, name: str, operator: str, value: Any) -> Callable[[Any], np.ndarray]:
    """Return what tells where the values of a column meet a condition, bool[n]; texts compare by code point.

    What is not known (NaN, null) meets only !=, but a time that is not known meets nothing, as in SQL.
    """
    of_time = name in declaration.times and name not in ("time", "received")
    return lambda column: _meets(column, operator, value, of_time)


def _meets(column: Any, operator: str, value: Any, of_time: bool) -> np.ndarray:
    compare, unknown = _COMPARE[operator], operator == "!="
    if of_time:
        return np.asarray(compare(column, value) & (column != UNKNOWN_TIME))
    if isinstance(column, np.ma.MaskedArray):
        return np.asarray(compare(column, value).filled(unknown))
    if isinstance(column, np.ndarray):
        return np.asarray(compare(column, value))
    if isinstance(column, Symbols):
        return np.array([*(bool(compare(n, value)) for n in column.names), unknown])[column.codes]
    return np.array([unknown if t is None else compare(t, value) for t in column.tolist()], dtype=bool)
