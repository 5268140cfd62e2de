"""Today and history as one: the questions of plant.query.questions, each asked of both and put together.

kdb+ calls who does this a gateway. The answer equals that of one table with all rows. What makes it more than one
answer behind the other are rows of today that came late, or that revise rows of history: bars that both sides have rows
for are made anew from the rows, and so is a join from the first time on that a row of today can change.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from plant.client import combining
from plant.client.seam import Ask, Seam, Sides, seq_of, tables_of
from plant.errors import QueryError
from plant.query import joining, questions, resampling
from plant.rows.arrow import arrow_column, columns_from_arrow
from plant.rows.columns import Columns, compacted, taken
from plant.rows.ordering import among, grouped, joined, ranks
from plant.rows.schema import Column, Schema, Table

_DAY_NS = 86_400 * 10**9
_FIRST_NS = -(2**63)

_OHLCV = ("open", "high", "low", "close", "volume", "vwap")
_BARS = Table(
    "bars",
    (
        Column("time", "time"),
        Column("sym", "symbol"),
        Column("interval", "symbol"),
        *(Column(name, "float") for name in _OHLCV),
    ),
)


class Gateway:
    """Answers questions about the tables of `schema`, of which `history` and `today` each hold a part; any thread."""

    def __init__(self, history: Ask, today: Ask, schema: Schema, seam: Seam | None = None) -> None:
        self._seam = seam or Seam(history, today)
        self._history = history
        self._schema = schema

    def answer(self, question: questions.Question, timeout_s: float | None = None) -> pa.Table:
        """Return the answer; each side has `timeout_s` for each of its parts. Its schema metadata have its `seq`.

        Raises what the two sides raise, UnknownTable, and what plant.client.seam.Seam.answer does.
        """
        if getattr(question, "as_of", None) is not None:
            answer = self._history(question, timeout_s)
            return _told(answer, seq_of(answer))
        about = tables_of(question)
        for name in about:
            self._schema[name]  # raises UnknownTable
        return self._seam.answer(about, lambda sides: self._answered(question, sides, timeout_s), timeout_s)

    def _answered(self, question: questions.Question, sides: Sides, timeout_s: float | None) -> pa.Table:
        if isinstance(question, questions.Sql) and sides.at is not None:
            answer = self._history(replace(question, today=True), timeout_s)
            return _told(answer, seq_of(answer))
        return _told(self._of_both(question, sides, timeout_s), sides.seq if sides.seq is not None else sides.at)

    def _of_both(self, question: questions.Question, sides: Sides, timeout_s: float | None) -> pa.Table:
        schema = self._schema
        if sides.at is None:
            return sides.now(question)
        match question:
            case questions.Select():
                return combining.select(schema[question.table], question, sides)
            case questions.Last():
                return combining.last(schema[question.table], question, sides)
            case questions.Count():
                return pa.table({"count": [combining.count(schema[question.table], question, sides)]})
            case questions.Tables():
                return combining.tables(schema, sides)
            case questions.Resample():
                return _resample(schema[question.table], question, sides)
            case questions.Asof() | questions.Window():
                return _beside(schema[question.left], schema[question.right], question, sides)
        raise QueryError(f"no answer to {question!r}")


def _told(answer: pa.Table, seq: int | None) -> pa.Table:
    """Return an answer whose metadata say only up to which seq everything is in it, if that is known."""
    return answer.replace_schema_metadata(None if seq is None else {"seq": str(seq)})


def _resample(table: Table, question: questions.Resample, sides: Sides) -> pa.Table:
    """Return the bars of both, but for those that both have rows for: these are made anew from the rows."""
    names = resampling.source_columns(table, question)
    skip = replace(question, empty="skip")
    past = columns_from_arrow(sides.past(skip), _BARS, _BARS.names)
    if not len(past["time"]):
        return sides.now(question)
    now = columns_from_arrow(sides.now(skip), _BARS, _BARS.names)
    grid = resampling.Grid(question)
    if "interval" in names:
        _check_intervals(table, question, sides)
    start, end = _within(question, grid, int(past["time"].min()), int(past["time"].max()))
    revising = combining.todays(table, replace(question, start=start, end=end), (), sides).every
    touched = {"sym": revising["sym"], "time": grid.starts(revising["time"])}
    fresh = []
    for first, last in _spans(touched["time"]):
        within = _within(question, grid, first, last)
        asked = questions.Select(table.name, combining.symbols_of(touched), *within, names, question.where)
        rows = columns_from_arrow(combining.select(table, asked, sides), table, names)
        starts = grid.starts(rows["time"])
        of_span = (starts >= first) & (starts <= last)  # a month is shorter than the longest
        of_touched = among({"sym": rows["sym"], "time": starts}, touched, ("sym", "time"))
        fresh.append(_by_symbol(taken(rows, of_span & of_touched)))
    bars = [taken(side, ~among(side, touched, ("sym", "time"))) for side in (past, now)]
    bars.append(resampling.resample(fresh, skip))
    filled = [piece for piece in bars if len(piece["time"])]  # of no rows at all, columns of ints are ones of floats
    bars = filled or bars[:1]
    whole = _by_symbol({name: joined([piece[name] for piece in bars]) for name in _BARS.names})
    return _arrow(resampling.arranged(whole, question))


def _within(question: questions.Resample, grid: resampling.Grid, first: int, last: int) -> tuple[int, int]:
    """Return start and end of times that hold the bars from `first` to `last`, within those of the question."""
    end = last + grid.longest_ns
    return (
        first if question.start is None else max(first, question.start),
        end if question.end is None else min(end, question.end),
    )


def _spans(starts: np.ndarray) -> list[tuple[int, int]]:
    """Return first and last of runs of bars that are less than a day apart: rows that come late are few, and far."""
    every = np.unique(starts)
    if not len(every):
        return []
    breaks = np.flatnonzero(np.diff(every) > _DAY_NS)
    firsts, lasts = np.append(0, breaks + 1), np.append(breaks, len(every) - 1)
    return list(zip(every[firsts].tolist(), every[lasts].tolist(), strict=True))


def _check_intervals(table: Table, question: questions.Resample, sides: Sides) -> None:
    """Raise QueryError if the two sides have bars of different intervals; each side looks to its own."""
    terms = (question.sym, question.start, question.end, ("interval",), question.where)
    one = questions.Select(table.name, *terms, last=1)
    held = {*sides.past(one).column("interval").to_pylist(), *sides.now(one).column("interval").to_pylist()}
    if held:
        resampling.check_finer(sorted(held), question)


def _beside(left: Table, right: Table, question: questions.Asof | questions.Window, sides: Sides) -> pa.Table:
    """Return history's answer up to the first left row that a row of today can change, and from there on a new one."""
    before, after = (question.before, question.after) if isinstance(question, questions.Window) else (0, 0)
    until = None if question.end is None else min(question.end + max(after, 0), combining.LATEST_NS)
    own = questions.Select(left.name, question.sym, question.start, question.end, ("time",), first=1)
    firsts = [_first_time(sides.now(own))]
    other = _first_time(sides.now(questions.Select(right.name, question.sym, None, until, ("time",), first=1)))
    firsts.append(None if other is None else max(other - after, _FIRST_NS))
    known = [first for first in firsts if first is not None]
    if not known:
        return sides.past(question)
    turn = min(known) if question.start is None else max(min(known), question.start)
    end = turn if question.end is None else min(turn, question.end)
    head = sides.past(replace(question, end=end))
    if question.end is not None and turn >= question.end:
        return head
    names = left.names
    rows = columns_from_arrow(
        combining.select(left, questions.Select(left.name, question.sym, turn, question.end), sides), left, names
    )
    if not len(rows["time"]):
        return head
    first, newest, symbols = int(rows["time"].min()), int(rows["time"].max()), combining.symbols_of(rows)
    opens = max(first + min(before, 0), _FIRST_NS + 1)
    closes = min(newest + max(after, 0) + 1, combining.LATEST_NS)
    if isinstance(question, questions.Window):
        wanted = ("time", "sym", *joining.window_columns(right, question))
    else:
        wanted = ("time", "sym", *(n for n in right.names if n not in left.names))
    wanted = tuple(dict.fromkeys(wanted))
    older = combining.last(right, questions.Last(right.name, symbols, opens - 1, wanted), sides)
    newer = combining.select(right, questions.Select(right.name, symbols, opens, closes, wanted), sides)
    others = _by_symbol(columns_from_arrow(combining.together(older, newer), right, wanted))
    if isinstance(question, questions.Window):
        tail = joining.window(rows, others, question, (left, right))
    else:
        tail = joining.asof(rows, others, question, (left, right))
    return combining.together(head, tail)


def _first_time(rows: pa.Table) -> int | None:
    return int(rows.column("time").cast(pa.int64())[0].as_py()) if rows.num_rows else None


def _by_symbol(columns: Columns) -> Columns:
    """Return rows grouped by symbol's name, by time, then as they stood."""
    order = grouped(ranks(columns["sym"]), columns["time"])
    return taken(columns, order)


def _arrow(columns: Columns) -> pa.Table:
    return pa.table({name: arrow_column(column, name == "time") for name, column in compacted(columns).items()})
