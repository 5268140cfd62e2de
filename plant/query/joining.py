"""Rows of one table with what another had at their time: the questions Asof and Window say by which rules.

Both take the left rows in any order, and the right rows grouped by symbol, by time, then arrival.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from plant.errors import QueryError
from plant.query import questions
from plant.query.limits import Budget
from plant.query.view import known_columns
from plant.rows.arrow import arrow_column, kind_of
from plant.rows.columns import NULL, Columns, Symbols, Texts
from plant.rows.ordering import group_starts, grouped
from plant.rows.schema import UNKNOWN_TIME, Table

_OF_ANY = ("count", "first", "last")
_OF_TIMES = ("min", "max")

_AT_ONCE = 20_000_000
"""So many right rows are aggregated between two looks at the budget."""


def in_force(left: Columns, right: Columns, question: questions.Asof) -> np.ndarray:
    """Return for each left row the place of the right row in force, int64[n], -1 if there is none."""
    found = np.full(len(left["time"]), -1, dtype=np.int64)
    side: Any = "left" if question.strict else "right"
    for rows, start, end in _by_symbol(left["sym"], left["time"], right["sym"]):
        times, at = right["time"][start:end], left["time"][rows]
        place = times.searchsorted(at, side=side) - 1
        hit = place >= 0
        if question.tolerance is not None:
            hit &= at - times[np.maximum(place, 0)] <= question.tolerance
        found[rows] = np.where(hit, place + start, -1)
    return found


def asof(left: Columns, right: Columns, question: questions.Asof, of: tuple[Table, Table]) -> pa.Table:
    """Return the left rows with columns of the right rows in force; those of `right` that `left` has too are left out.

    The right row's time is `<right>_time`. `of`: the declarations of the two.
    """
    found = in_force(left, right, question)
    absent = pa.array(found < 0) if (found < 0).any() else None
    left_times, right_times = (table.times for table in of)
    answer = {name: arrow_column(column, name in left_times) for name, column in left.items()}
    for name, column in right.items():
        shown = f"{question.right}_time" if name == "time" else name
        if shown in answer:
            continue
        if not len(column):
            answer[shown] = arrow_column(column, name in right_times).take(pa.array(found, pa.int64(), mask=found < 0))
        elif absent is None:
            answer[shown] = arrow_column(column[found], name in right_times)
        else:
            answer[shown] = _masked(arrow_column(column[np.maximum(found, 0)], name in right_times), absent)
    return pa.table(answer)


def window_columns(declaration: Table, question: questions.Window) -> tuple[str, ...]:
    """Return the columns of `right` that are aggregated. Raises UnknownColumn, and QueryError for one of no numbers."""
    for name, function, *columns in question.aggregates:
        for column in known_columns(declaration, columns):
            kind = "time" if column in declaration.times else kind_of(declaration, column)
            if function not in _OF_ANY and (
                kind in ("symbol", "text") or (kind == "time" and function not in _OF_TIMES)
            ):
                raise QueryError(f"window: {name}: {function} needs numbers, {declaration.name}.{column} is {kind}")
    return tuple(dict.fromkeys(c for _, _, *columns in question.aggregates for c in columns))


def window(
    left: Columns, right: Columns, question: questions.Window, of: tuple[Table, Table], budget: Budget | None = None
) -> pa.Table:
    """Return the left rows with the aggregates of the right rows in their windows; `of`: their declarations."""
    if clash := [name for name, *_ in question.aggregates if name in left]:
        raise QueryError(f"window: {question.left} has a column {clash[0]!r} already; name the aggregate otherwise")
    first, last = _windows(left, right, question)
    left_times, right_times = (table.times for table in of)
    answer = {name: arrow_column(column, name in left_times) for name, column in left.items()}
    for name, function, *columns in question.aggregates:
        of_columns = [right[c] for c in columns]
        answer[name] = _aggregate(function, of_columns, columns[0], columns[0] in right_times, first, last, budget)
    return pa.table(answer)


def _by_symbol(left: Symbols, times: np.ndarray, right: Symbols) -> Iterator[tuple[Any, int, int]]:
    """Yield for each symbol of both sides its rows of `left`, in order of time, and where its rows of `right` are."""
    if not len(left) or not len(right):
        return
    begins = group_starts(right.codes)
    ends = np.append(begins[1:], len(right))
    spans = {
        right.names[code]: (begin, end)
        for code, begin, end in zip(right.codes[begins].tolist(), begins.tolist(), ends.tolist(), strict=True)
    }
    order = grouped(left.codes, times)
    new = group_starts(left.codes[order])
    for begin, end in zip(new.tolist(), [*new[1:].tolist(), len(left)], strict=True):
        rows = order[begin:end]
        span = spans.get(left.names[left.codes[rows[0]]])
        if span:
            yield rows, *span


def _windows(left: Columns, right: Columns, question: questions.Window) -> tuple[np.ndarray, np.ndarray]:
    """Return where each left row's window begins and ends in `right`."""
    first = np.zeros(len(left["time"]), dtype=np.int64)
    last = np.zeros(len(first), dtype=np.int64)
    for rows, start, end in _by_symbol(left["sym"], left["time"], right["sym"]):
        times, at = right["time"][start:end], left["time"][rows]
        opens = at + question.before
        low = times.searchsorted(opens)
        if question.prevailing:
            there = (low < len(times)) & (times[np.minimum(low, len(times) - 1)] == opens)
            low = np.maximum(low - ~there, 0)
        first[rows] = low + start
        last[rows] = np.maximum(times.searchsorted(at + question.after, side="right"), low) + start
    return first, last


def _aggregate(
    function: str,
    columns: list[Any],
    name: str,
    is_time: bool,
    first: np.ndarray,
    last: np.ndarray,
    budget: Budget | None,
) -> pa.Array:
    column, empty = columns[0], first >= last
    if function in ("first", "last"):
        places = np.where(empty, 0, first if function == "first" else last - 1)
        return arrow_column(column, is_time).take(pa.array(places, pa.int64(), mask=empty))
    known = _known(column, is_time)
    if function == "count" and known.all():
        return pa.array(np.where(empty, 0, last - first))

    def over(how: np.ufunc, values: np.ndarray) -> np.ndarray:
        return _over(how, values, first, last, budget)

    if function in ("min", "max"):
        how: np.ufunc = np.fmin if function == "min" else np.fmax
        if column.dtype.kind == "i" and not known.all():
            limits = np.iinfo(column.dtype)
            column = np.where(known, column, limits.max if function == "min" else limits.min)
            empty |= over(np.add, known.astype(np.int64)) == 0
        column = np.ma.getdata(column)
        found = over(how, column)
        return _masked(arrow_column(found, is_time), pa.array(empty))
    if function == "wavg":
        weights = columns[1].astype(np.float64)
        known &= _known(columns[1])
        weights = np.where(known, weights, 0.0)
        total = over(np.add, weights)
        value = over(np.add, np.where(known, column, 0.0) * weights)
        return arrow_column(value / np.where(total != 0, total, np.nan))
    count = over(np.add, known.astype(np.int64))
    if function == "count":
        return pa.array(count)
    values = np.where(known, column, column.dtype.type(0))
    if column.dtype.kind == "i" and _may_overflow(values, last - first):
        total = over(np.add, values.astype(np.float64))
        if function == "sum" and (np.abs(total) >= 2.0**63).any():
            raise QueryError(f"window: a sum of {name} is more than an int64 holds; ask for its mean, or use db.sql")
        values = values if function == "sum" else values.astype(np.float64)
    total = over(np.add, values)
    return pa.array(total) if function == "sum" else arrow_column(total / np.where(count > 0, count, np.nan))


def _known(column: Any, is_time: bool = False) -> np.ndarray:
    """Return which values are known, bool[n]."""
    if is_time:
        return np.asarray(column != UNKNOWN_TIME)
    if isinstance(column, Symbols):
        return column.codes != NULL
    if isinstance(column, Texts):
        return np.ones(len(column), dtype=bool) if column.missing is None else ~column.missing
    return ~np.isnan(column) if column.dtype.kind == "f" else ~np.ma.getmaskarray(column)


def _may_overflow(values: np.ndarray, counts: np.ndarray) -> bool:
    """Return whether a sum of so many of these ints may be more than an int64 holds."""
    if not len(values) or not len(counts):
        return False
    return max(-int(values.min()), int(values.max())) * int(counts.max()) >= 2**63


def _over(how: np.ufunc, values: np.ndarray, first: np.ndarray, last: np.ndarray, budget: Budget | None) -> np.ndarray:
    """Return `how` of the values [first, last) of each pair; 0 for an empty one."""
    found = np.zeros(len(first), dtype=values.dtype)
    rows = np.flatnonzero(first < last)
    rows = rows[np.argsort(first[rows], kind="stable")]  # reduceat also reduces what lies between two pairs
    ends = np.cumsum(last[rows] - first[rows])
    begin = 0
    while begin < len(rows):
        if budget:
            budget.check()
        done = int(ends[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(ends, done + _AT_ONCE, side="right")), begin + 1)
        some = rows[begin:end]
        pairs = np.column_stack([first[some], last[some]]).ravel()
        low, high = int(first[some].min()), int(last[some].max())
        part = np.append(values[low:high], values[:1])  # reduceat wants every end to be a place
        found[some] = how.reduceat(part, pairs - low)[::2]
        begin = end
    return found


def _masked(array: pa.Array, absent: pa.Array) -> pa.Array:
    """Return an array with nulls where `absent` is true."""
    import pyarrow.compute as pc  # a tenth of the time in which a process starts

    return pc.if_else(absent, pa.scalar(None, array.type), array)
