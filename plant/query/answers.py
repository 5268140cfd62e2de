"""Answer the questions of plant.query.questions from views of tables, as Arrow tables."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from plant.errors import QueryError, UnknownTable
from plant.query import joining, questions, resampling
from plant.query.limits import Budget
from plant.query.streams import SEQ, small_ipc, to_ipc
from plant.query.view import Terms, View, known_columns
from plant.rows.arrow import arrow_column
from plant.rows.columns import Columns, compacted
from plant.rows.ordering import grouped, joined
from plant.rows.schema import Table

FEW_NAMES = 8
"""Names of symbols that an answer may have without a look whether it uses them."""


class Source(Protocol):
    """A table that questions are asked about."""

    @property
    def declaration(self) -> Table:
        """Its name, columns and key."""
        ...

    def snapshot(self) -> View:
        """Return its rows now."""
        ...


class Selecting(Protocol):
    """Who answers SQL."""

    def answer(self, sql: str, views: Mapping[str, View], beyond: int, budget: Budget) -> pa.Table:
        """Return the answer to one SELECT, of each table only rows whose seq is beyond a number."""
        ...


class Answerer:
    """Answers questions about some tables; any thread, while another appends. SQL only if it is told who does.

    The schema metadata of an answer are the facts of its views, e.g. {"released": "17"}.
    """

    def __init__(self, tables: Mapping[str, Source], sql: Selecting | None = None) -> None:
        self._tables = tables
        self._sql = sql

    def answer(self, question: questions.Question, budget: Budget | None = None) -> pa.Table:
        """Return the answer. Raises QueryError, QueryLimit, Cancelled, UnknownTable or UnknownColumn."""
        budget = budget or Budget()
        _refuse_history(question)
        views = Views(self._tables)
        match question:
            case questions.Tables():
                found = _describe(views, question)
            case questions.Select() | questions.Last():
                view = views[question.table]
                found = _arrow(_rows(view, question, budget), view.declaration.times)
            case questions.Count():
                found = pa.table({"count": [views[question.table].count(_terms(question, budget))]})
            case questions.Resample():
                found = _resample(views[question.table], question, budget)
            case questions.Asof():
                found = _asof(views[question.left], views[question.right], question, budget)
            case questions.Window():
                found = _window(views[question.left], views[question.right], question, budget)
            case questions.Sql() if self._sql is not None:
                found = self._sql.answer(question.query, views, question.beyond, budget)
            case questions.Sql():
                raise QueryError("sql: these tables are asked without SQL; ask the process that serves them")
            case questions.Recompute() | questions.Calculate() | questions.Candles():
                raise QueryError(f"{question.ask}: the processor answers that, ask it (port 5011)")
            case _:
                raise QueryError(f"no answer to {question!r}")
        return found.replace_schema_metadata(views.facts)

    def stream(self, question: questions.Question, budget: Budget | None = None) -> tuple[pa.Buffer | bytes, int]:
        """Return the answer as an Arrow IPC stream, and the number of its rows; raises as `answer`."""
        budget = budget or Budget()
        if not isinstance(question, questions.Select | questions.Last):
            table = self.answer(question, budget)
            return to_ipc(table, budget), table.num_rows
        _refuse_history(question)
        views = Views(self._tables)
        view = views[question.table]
        columns = compacted(_rows(view, question, budget), FEW_NAMES)
        times = view.declaration.times
        if (small := small_ipc(columns, times, views.facts, budget)) is not None:
            return small, len(next(iter(columns.values())))
        table = _arrow(columns, times).replace_schema_metadata(views.facts)
        return to_ipc(table, budget), table.num_rows


class Views(Mapping[str, View]):
    """The tables' rows at one moment each: when a table is first looked at. Raises UnknownTable."""

    def __init__(self, tables: Mapping[str, Source]) -> None:
        self._tables = tables
        self._views: dict[str, View] = {}

    def __getitem__(self, name: str) -> View:
        if name not in self._views:
            if name not in self._tables:
                raise UnknownTable.named(name, self._tables)
            self._views[name] = self._tables[name].snapshot()
        return self._views[name]

    def __iter__(self) -> Any:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    @property
    def facts(self) -> dict[str, str]:
        """What is to be said of the tables looked at; of several numbers the highest, but of `seq` the least."""
        found: dict[str, int] = {}
        for view in self._views.values():
            for name, value in view.facts.items():
                found[name] = (min if name == SEQ else max)(value, found.get(name, value))
        return {name: str(value) for name, value in found.items()}


def _refuse_history(question: questions.Question) -> None:
    if getattr(question, "as_of", None) is not None or getattr(question, "today", False):
        raise QueryError("as_of and today are answered from history: ask hdb.connect() or plant.connect()")


def _terms(question: Any, budget: Budget | None, **other: Any) -> Terms:
    """Return the terms a question has."""
    names = ("sym", "start", "end", "where", "first", "last", "beyond")
    given = {name: getattr(question, name) for name in names if hasattr(question, name)}
    return Terms(**{**given, **other}, budget=budget)


def _arrow(columns: Columns, times: Collection[str]) -> pa.Table:
    arrays = [
        arrow_column(column, name in times, checked=False) for name, column in compacted(columns, FEW_NAMES).items()
    ]
    return pa.Table.from_arrays(arrays, list(columns))


def _describe(views: Views, question: questions.Tables) -> pa.Table:
    extents = [view.extent(question.beyond) for view in views.values()]
    stamp = pa.timestamp("ns", "UTC")
    return pa.table(
        {
            "table": list(views),
            "rows": pa.array([rows for rows, _, _ in extents], pa.int64()),
            "first": pa.array([first for _, first, _ in extents], pa.int64()).cast(stamp),
            "last": pa.array([last for _, _, last in extents], pa.int64()).cast(stamp),
        }
    )


def _rows(view: View, question: questions.Select | questions.Last, budget: Budget) -> Columns:
    names = known_columns(view.declaration, question.columns)
    if isinstance(question, questions.Select):
        return view.select(_terms(question, budget), names)
    end = None if question.at is None else min(question.at + 1, 2**63 - 1)
    return view.last(_terms(question, budget, end=end), names)


def _resample(view: View, question: questions.Resample, budget: Budget) -> pa.Table:
    names = resampling.source_columns(view.declaration, question)
    terms = _terms(question, budget)
    return _arrow(resampling.resample(view.parts(terms, names), question, budget), ("time",))


def _asof(left: View, right: View, question: questions.Asof, budget: Budget) -> pa.Table:
    rows = left.select(_terms(question, budget), left.declaration.names)
    names = [n for n in right.declaration.names if n not in left.declaration.names]
    back = None if question.tolerance is None else -question.tolerance
    others = _around(right, rows, ("time", "sym", *names), question, back, 0, budget)
    return joining.asof(compacted(rows), compacted(others), question, (left.declaration, right.declaration))


def _window(left: View, right: View, question: questions.Window, budget: Budget) -> pa.Table:
    names = joining.window_columns(right.declaration, question)
    rows = left.select(_terms(question, budget), left.declaration.names)
    before = None if question.prevailing else question.before
    others = _around(right, rows, ("time", "sym", *names), question, before, question.after, budget)
    return joining.window(compacted(rows), compacted(others), question, (left.declaration, right.declaration), budget)


def _around(
    view: View, rows: Columns, names: Sequence[str], question: Any, before: int | None, after: int, budget: Budget
) -> Columns:
    """Return rows that can matter to others, by symbol: from `before` the first of them (None: from any time on) to
    `after` the last.

    With a start there may be much before it that does not matter: then only the newest row of each symbol.
    """
    if not len(rows["time"]):
        return view.by_symbol(Terms(sym=()), names)
    first, last = int(rows["time"].min()), int(rows["time"].max())
    end = min(last + after + 1, 2**63 - 1)
    if before is not None:
        return view.by_symbol(_terms(question, budget, start=max(first + before, -(2**63)), end=end), names)
    if question.start is None:
        return view.by_symbol(_terms(question, budget, start=None, end=end), names)
    opens = max(min(first + getattr(question, "before", 0), first), -(2**63))
    older = view.last(_terms(question, budget, start=None, end=opens), names)
    newer = view.by_symbol(_terms(question, budget, start=opens, end=end), names)
    both = {name: joined([older[name], newer[name]]) for name in names}
    order = grouped(both["sym"].codes, both["time"])
    return {name: column[order] for name, column in both.items()}
