"""Rows of history and of today put together: each row once, of each key only the newest revision.

Every row of today came after every row of history (plant.client.seam). So rows of one time stand in that order, and
what today has of a key is in force. The conditions of a question must not hide that: a row of today that does not meet
them still takes the place of a row of history that does.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from plant.client.seam import Sides
from plant.query import questions
from plant.query.view import check_where, condition, known_columns
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns, taken
from plant.rows.ordering import among, ranks, time_order
from plant.rows.schema import Schema, Table

LATEST_NS = 2**63 - 1


def select(table: Table, question: questions.Select, sides: Sides) -> pa.Table:
    """Return the answer to a Select."""
    names = known_columns(table, question.columns)
    check_where(table, question.where)
    asked = replace(question, columns=_each(*names, "time", *table.key))
    past = sides.past(asked)
    hidden = table.key and (question.first is not None or question.last is not None or _beside_key(table, question))
    if hidden and past.num_rows:
        past = _in_force(table, asked, past, sides)
    now = sides.now(asked)
    if table.key and past.num_rows and now.num_rows:
        past = past.filter(pa.array(~_among(past, now, table)))
    found = together(past, now)
    order = time_order(found.column("time").cast(pa.int64()).to_numpy())
    if order is not None:
        found = found.take(pa.array(order))
    if question.last is not None:
        found = found.slice(max(found.num_rows - question.last, 0))
    elif question.first is not None:
        found = found.slice(0, question.first)
    return found.select(list(names))


def count(table: Table, question: questions.Count, sides: Sides) -> int:
    """Return the answer to a Count."""
    check_where(table, question.where)
    past: int = sides.past(question).column("count")[0].as_py()
    newest = sides.past(questions.Select(table.name, question.sym, question.start, question.end, ("time",), last=1))
    if not table.key or not newest.num_rows:
        return past + int(sides.now(question).column("count")[0].as_py())
    after = int(newest.column("time").cast(pa.int64())[0].as_py()) + 1  # today's rows up to here may be revisions
    now = todays(table, replace(question, end=after), (), sides)
    times = now.every["time"]
    if past and len(times):
        span = int(times.min()), int(times.max()) + 1
        near = questions.Select(table.name, symbols_of(now.every), *span, table.key, question.where)
        revised = columns_from_arrow(sides.past(near), table, table.key)
        past -= int(among(revised, now.every, table.key).sum())
    later = sides.now(replace(question, start=after)).column("count")[0].as_py()
    return past + len(now.met["time"]) + int(later)


def last(table: Table, question: questions.Last, sides: Sides) -> pa.Table:
    """Return the answer to a Last."""
    names = known_columns(table, question.columns)
    check_where(table, question.where)
    asked = replace(question, columns=_each(*names, "time", "sym", "seq", *table.key))
    past = sides.past(asked)
    again: list[str] = []
    if past.num_rows and _beside_key(table, question):
        revised = pa.array(_revised(table, question, past, sides))
        again, past = past.filter(revised).column("sym").to_pylist(), past.filter(pa.compute.invert(revised))
    found = together(past, sides.now(asked))
    end = None if question.at is None else min(question.at + 1, LATEST_NS)
    for (
        sym
    ) in again:  # its newest row was revised, so that it does not meet the conditions: an earlier one does, or none
        one = questions.Select(table.name, (sym,), None, end, asked.columns, question.where, last=1)
        found = together(found, select(table, one, sides))
    rows = columns_from_arrow(found, table, ("sym", "time", "seq"))
    symbol = ranks(rows["sym"])
    order = np.lexsort((rows["seq"], rows["time"], symbol))
    newest = np.ones(len(order), dtype=bool)
    newest[:-1] = symbol[order][1:] != symbol[order][:-1]
    return found.take(pa.array(order[newest])).select(list(names))


def tables(schema: Schema, sides: Sides) -> pa.Table:
    """Return the answer to Tables."""
    past, now = sides.past(questions.Tables()), sides.now(questions.Tables())
    of = [{row["table"]: row for row in side.to_pylist() if row["rows"]} for side in (past, now)]
    found = []
    for name, table in schema.items():
        there = [side[name] for side in of if name in side]
        rows = sum(row["rows"] for row in there)
        if len(there) == 2 and table.key and there[1]["first"] <= there[0]["last"]:
            rows = count(table, questions.Count(name), sides)
        first, newest = [r["first"] for r in there], [r["last"] for r in there]
        found.append(
            {"table": name, "rows": rows, "first": min(first, default=None), "last": max(newest, default=None)}
        )
    return pa.Table.from_pylist(found, past.schema)


class Todays(NamedTuple):
    """Rows of today: `every` that may take the place of a row of history, and those that `met` all conditions."""

    every: Columns
    met: Columns


def todays(table: Table, question: Any, columns: Sequence[str], sides: Sides) -> Todays:
    """Return today's rows within the question's symbols and times, with these columns and the key's."""
    others = _beside_key(table, question)
    of_key = tuple(c for c in question.where if c not in others)
    names = _each("time", "sym", *columns, *table.key, *(c[0] for c in others))
    rows = sides.now(questions.Select(table.name, question.sym, question.start, question.end, names, of_key))
    every = columns_from_arrow(rows, table, names)
    keep = np.ones(len(every["time"]), dtype=bool)
    for name, operator, value in others:
        keep &= condition(table, name, operator, value)(every[name])
    return Todays(every, every if keep.all() else taken(every, keep))


def together(first: pa.Table, second: pa.Table) -> pa.Table:
    """Return rows one after the other."""
    if not first.num_rows or not second.num_rows:
        return first if first.num_rows else second
    return pa.concat_tables([first, second.select(first.column_names)]).unify_dictionaries().combine_chunks()


def symbols_of(columns: Columns) -> tuple[str, ...]:
    """Return the names of the symbols that rows have."""
    names = columns["sym"].names
    return tuple(names[code] for code in np.unique(columns["sym"].codes).tolist())


def _in_force(table: Table, asked: questions.Select, past: pa.Table, sides: Sides) -> pa.Table:
    """Return the rows of history that today does not revise; with a limit, as many as it takes, if there are."""
    kept = past.filter(pa.array(~_revised(table, asked, past, sides)))
    limit = asked.first if asked.last is None else asked.last
    if limit is None or kept.num_rows == past.num_rows or past.num_rows < limit:
        return kept
    more = 2 * limit
    while True:
        past = sides.past(replace(asked, first=more) if asked.last is None else replace(asked, last=more))
        kept = past.filter(pa.array(~_revised(table, asked, past, sides)))
        if kept.num_rows >= limit or past.num_rows < more:
            return kept
        more *= 2


def _revised(table: Table, question: Any, past: pa.Table, sides: Sides) -> np.ndarray:
    """Return which rows of history have a key that today has too, bool[n]."""
    times = past.column("time").cast(pa.int64()).to_numpy()
    of_key = tuple(c for c in question.where if c[0] in table.key)
    start, end = int(times.min()), int(times.max()) + 1
    now = sides.now(questions.Select(table.name, question.sym, start, end, table.key, of_key))
    return _among(past, now, table)


def _among(past: pa.Table, now: pa.Table, table: Table) -> np.ndarray:
    return among(columns_from_arrow(past, table, table.key), columns_from_arrow(now, table, table.key), table.key)


def _beside_key(table: Table, question: Any) -> questions.Where:
    """Return the conditions that a row of a table with a key may meet, and a revision of it not."""
    return tuple(c for c in question.where if c[0] not in table.key) if table.key else ()


def _each(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
