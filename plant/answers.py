"""Answer the questions of plant.query from tables in memory, as Arrow tables."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from plant import query
from plant.batch import Symbols, arrow_column
from plant.errors import QueryError, QueryLimit, UnknownColumn, UnknownTable
from plant.limits import Budget
from plant.memory import MemoryTable, Snapshot
from plant.schema import META_COLUMNS
from plant.sql import SqlEngine

MAX_ROWS = 20_000_000
"""An answer of more rows is refused; ask for a time range, or for fewer symbols or columns."""

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


class Answerer:
    """Answers questions about some tables; any thread, while another appends."""

    def __init__(self, tables: Mapping[str, MemoryTable]) -> None:
        self._tables = tables
        self._sql = SqlEngine()

    def answer(self, question: query.Question, budget: Budget | None = None) -> pa.Table:
        """Return the answer. Raises QueryError, QueryLimit, Cancelled, UnknownTable or UnknownColumn."""
        match question:
            case query.Tables():
                return self._describe()
            case query.Select():
                return self._select(question)
            case query.Last():
                return self._last(question)
            case query.Count():
                return pa.table({"count": [len(self._rows(self._snapshot(question.table), question))]})
            case query.Resample():
                return self._resample(question)
            case query.Asof():
                return self._asof(question)
            case query.Sql():
                return self._sql.answer(
                    question.query, lambda name: self._whole(self._snapshot(name)), list(self._tables), budget
                )
        raise QueryError(f"no answer to {question!r}")

    def _snapshot(self, table: str) -> Snapshot:
        if table not in self._tables:
            raise UnknownTable.named(table, self._tables)
        return self._tables[table].snapshot()

    def _describe(self) -> pa.Table:
        snapshots = [(name, table.snapshot()) for name, table in self._tables.items()]
        ranges = []
        for _, snapshot in snapshots:
            times, force = snapshot.column("time"), snapshot.in_force()
            rows = snapshot.rows if force is None else int(force.sum())
            ranges.append((rows, times.min(), times.max()) if rows else (0, None, None))
        stamp = pa.timestamp("ns", "UTC")
        return pa.table(
            {
                "table": [name for name, _ in snapshots],
                "rows": pa.array([r for r, _, _ in ranges], pa.int64()),
                "first": pa.array([_int(a) for _, a, _ in ranges], pa.int64()).cast(stamp),
                "last": pa.array([_int(b) for _, _, b in ranges], pa.int64()).cast(stamp),
            }
        )

    def _select(self, question: query.Select) -> pa.Table:
        snapshot = self._snapshot(question.table)
        names = _names(snapshot, question.columns)
        rows = self._rows(snapshot, question)
        if question.last is not None:
            rows = rows[max(len(rows) - question.last, 0) :]
        elif question.first is not None:
            rows = rows[: question.first]
        return _arrow(snapshot, names, rows)

    def _last(self, question: query.Last) -> pa.Table:
        snapshot = self._snapshot(question.table)
        names = _names(snapshot, question.columns)
        end = None if question.at is None else question.at + 1
        rows = self._rows(snapshot, query.Select(question.table, question.sym, None, end, None, question.where))
        codes = snapshot.column("sym").codes[rows]
        _, from_end = np.unique(codes[::-1], return_index=True)
        newest = rows[len(rows) - 1 - from_end]
        syms = snapshot.column("sym").names
        return _arrow(
            snapshot,
            names,
            np.array(sorted(newest.tolist(), key=lambda r: syms[snapshot.column("sym").codes[r]]), dtype=np.int64),
        )

    def _rows(self, snapshot: Snapshot, terms: Any) -> np.ndarray:
        """Return the positions of the rows that meet the question's terms, in order of time, then arrival."""
        keep = snapshot.in_force()
        keep = np.ones(snapshot.rows, dtype=bool) if keep is None else keep
        if terms.sym is not None:
            codes = [snapshot.code("sym", s) for s in terms.sym]
            keep &= np.isin(snapshot.column("sym").codes, codes)
        times = snapshot.column("time")
        if terms.start is not None:
            keep &= times >= terms.start
        if terms.end is not None:
            keep &= times < terms.end
        for column, operator, value in getattr(terms, "where", ()):
            keep &= _condition(snapshot, column, operator, value)
        rows = np.flatnonzero(keep)
        chosen = times[rows]
        if len(rows) > 1 and (chosen[1:] < chosen[:-1]).any():
            rows = rows[np.argsort(chosen, kind="stable")]
        return rows

    def _whole(self, snapshot: Snapshot) -> pa.Table:
        """Return a table for SQL: every row in force, in order of arrival, numbers not copied if all are in force."""
        force = snapshot.in_force()
        names = (*snapshot.table.declaration.names, *META_COLUMNS)
        table = pa.table({n: arrow_column(snapshot.column(n), n in ("time", "received")) for n in names})
        return table if force is None or force.all() else table.filter(pa.array(force))

    def _resample(self, question: query.Resample) -> pa.Table:
        snapshot = self._snapshot(question.table)
        names = snapshot.table.declaration.names
        step = query.interval_ns(question.interval)
        bars = {"open", "high", "low", "close", "volume", "interval"} <= set(names)
        if not bars and not {"price", "size"} <= set(names):
            raise QueryError(f"resample needs price and size, or bars; {question.table} has {', '.join(names)}")
        rows = self._rows(snapshot, question)
        if bars:
            _check_finer(snapshot, rows, step, question)
        codes = snapshot.column("sym").codes[rows]
        rows = rows[np.argsort(codes, kind="stable")]
        codes = snapshot.column("sym").codes[rows]
        start = snapshot.column("time")[rows] // step * step
        new = np.flatnonzero(np.r_[True, (codes[1:] != codes[:-1]) | (start[1:] != start[:-1])]) if len(rows) else rows
        last = np.r_[new[1:], len(rows)] - 1 if len(rows) else rows

        def of(name: str) -> np.ndarray:
            return snapshot.column(name)[rows]

        first_p, high_p, low_p, last_p = ("open", "high", "low", "close") if bars else ("price",) * 4
        size = of("volume" if bars else "size")
        columns = {
            "time": start[new],
            "sym": Symbols(snapshot.column("sym").names, codes[new]),
            "interval": Symbols([question.interval], np.zeros(len(new), dtype=np.int32)),
            "open": of(first_p)[new],
            "high": _reduce(np.maximum, of(high_p), new),
            "low": _reduce(np.minimum, of(low_p), new),
            "close": of(last_p)[last],
            "volume": _reduce(np.add, size, new),
        }
        if not bars:
            columns["vwap"] = _reduce(np.add, of("price") * size, new) / np.where(
                columns["volume"] > 0, columns["volume"], np.nan
            )
        order = np.argsort(columns["time"], kind="stable")
        return pa.table({n: arrow_column(c[order], n == "time") for n, c in columns.items()})

    def _asof(self, question: query.Asof) -> pa.Table:
        left, right = self._snapshot(question.left), self._snapshot(question.right)
        rows = self._rows(left, question)
        end = None if not len(rows) else int(left.column("time")[rows[-1]]) + 1
        others = self._rows(right, query.Select(question.right, question.sym, None, end))
        found = _in_force_at(left, rows, right, others, question)
        answer = _arrow(left, _names(left, None), rows)
        for name in right.table.declaration.names:
            shown = f"{question.right}_time" if name == "time" else name
            if shown not in answer.column_names:
                column = arrow_column(right.column(name), name == "time")
                answer = answer.append_column(shown, column.take(pa.array(found, pa.int64(), mask=found < 0)))
        return answer


def _in_force_at(
    left: Snapshot, rows: np.ndarray, right: Snapshot, others: np.ndarray, question: query.Asof
) -> np.ndarray:
    """Return for each row the position in `right` of the row in force, -1 if there is none."""
    found = np.full(len(rows), -1, dtype=np.int64)
    left_sym, right_sym = left.column("sym"), right.column("sym")
    left_codes, right_codes = left_sym.codes[rows], right_sym.codes[others]
    left_times, right_times = left.column("time"), right.column("time")
    for code in np.unique(left_codes).tolist():
        mine = np.flatnonzero(left_codes == code)
        theirs = others[right_codes == right.code("sym", left_sym.names[code])]
        if not len(theirs):
            continue
        at = (
            np.searchsorted(right_times[theirs], left_times[rows[mine]], side="left" if question.strict else "right")
            - 1
        )
        hit = at >= 0
        if question.tolerance is not None:
            age = left_times[rows[mine]] - right_times[theirs[np.maximum(at, 0)]]
            hit &= age <= question.tolerance
        found[mine[hit]] = theirs[at[hit]]
    return found


def _names(snapshot: Snapshot, columns: tuple[str, ...] | None) -> tuple[str, ...]:
    declaration = snapshot.table.declaration
    known = (*declaration.names, *META_COLUMNS)
    for name in columns or ():
        if name not in known:
            raise UnknownColumn.named(name, declaration.name, known)
    return declaration.names if columns is None else columns


def _condition(snapshot: Snapshot, name: str, operator: str, value: Any) -> Any:
    _names(snapshot, (name,))
    column = snapshot.column(name)
    if isinstance(column, np.ndarray):
        if isinstance(value, str):
            raise QueryError(
                f"{snapshot.table.declaration.name}.{name} is a number; found the condition {operator} {value!r}"
            )
        return _COMPARE[operator](column, value)
    if not isinstance(value, str):
        raise QueryError(f"{snapshot.table.declaration.name}.{name} is text; found the condition {operator} {value!r}")
    compare = _COMPARE[operator]
    if isinstance(column, Symbols):
        return np.array([compare(n, value) for n in column.names] or [False], dtype=bool)[column.codes]
    return np.array([compare(text, value) for text in column.tolist()], dtype=bool)


def _check_finer(snapshot: Snapshot, rows: np.ndarray, step: int, question: query.Resample) -> None:
    interval = snapshot.column("interval")
    held = [interval.names[c] for c in np.unique(interval.codes[rows]).tolist()]
    if len(held) > 1:
        raise QueryError(
            f"resample: the rows have bars of {' and '.join(held)}; choose one with where={{'interval': {held[0]!r}}}"
        )
    if held and step % query.interval_ns(held[0]):
        raise QueryError(f"resample: bars of {held[0]} do not make bars of {question.interval}")


def _reduce(how: np.ufunc, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    return how.reduceat(values, starts) if len(starts) else values[:0]


def _arrow(snapshot: Snapshot, names: tuple[str, ...], rows: np.ndarray) -> pa.Table:
    if len(rows) > MAX_ROWS:
        raise QueryLimit(
            f"{len(rows):,} rows, at most {MAX_ROWS:,} are answered at once; ask for a time range, symbols, or last=n"
        )
    return pa.table({n: arrow_column(snapshot.take(n, rows), n in ("time", "received")) for n in names})


def _int(value: Any) -> int | None:
    return None if value is None else int(value)
