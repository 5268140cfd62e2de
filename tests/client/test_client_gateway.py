"""Today and history as one: every question, on rows split between the two at a random seq, against one table."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from chance import examples
from history_files import HOURS, journaled, write_history
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rows import NOON, SCHEMA, Row, bar, batch_of, quote, table_of, trade

from hdb.reader.answering import HistoryAnswerer
from plant.client.gateway import Gateway
from plant.memory.table import MemoryTable
from plant.query import questions
from plant.query.answers import Answerer
from plant.rows.schema import Table
from plant.sql.engine import SqlEngine

SQL = SqlEngine()

law = settings(max_examples=examples(40), deadline=None, derandomize=True, database=None)

BARS, QUOTES, TRADES = SCHEMA["bars"], SCHEMA["quotes"], SCHEMA["trades"]
UNIT = 5 * HOURS
SYMS = ["A", "Bé", "C"]
TIME = st.integers(0, 9)
PRICE = st.sampled_from([1.0, 2.0, 3.0])

Rows = dict[Table, list[Row]]


def batches(row: Callable[[str], st.SearchStrategy[Row]]) -> st.SearchStrategy[list[list[Row]]]:
    """Twelve batches of rows of any symbols, many of them of one time."""
    one = st.sampled_from(SYMS).flatmap(row)
    return st.lists(st.lists(one, min_size=1, max_size=3), min_size=12, max_size=12)


ROWS = st.builds(
    lambda bars, trades, quotes: {BARS: journaled(bars), TRADES: journaled(trades), QUOTES: journaled(quotes)},
    batches(lambda sym: st.builds(lambda t, c: bar(NOON + t % 4 * UNIT, sym, "1m", c), TIME, PRICE)),
    batches(lambda sym: st.builds(lambda t, p, s: trade(NOON + t * UNIT + 7, sym, p, s), TIME, PRICE, PRICE)),
    batches(lambda sym: st.builds(lambda t, b: quote(NOON + t * UNIT, sym, b), TIME, PRICE)),
)
SPLIT = st.builds(
    lambda through, cuts, ends, released, month: {
        "through": through,
        "cuts": sorted({c for c in cuts if c <= through}),
        "part_ends": ends,
        "released": min(through, released),
        "by_month": month,
    },
    st.integers(0, 12),
    st.lists(st.integers(0, 11), max_size=2),
    st.lists(st.integers(0, 11), max_size=2),
    st.sampled_from([0, 0, 3, 6, 12]),
    st.booleans(),
)
SYM = st.sampled_from([None, None, ("A",), ("A", "Bé", "nobody"), ()])
START, END = st.sampled_from([None, None, None, 2, 5]), st.sampled_from([None, None, None, 4, 8])
AT = {"start": START.map(lambda t: t and NOON + t * UNIT), "end": END.map(lambda t: t and NOON + t * UNIT)}
NUMBER = st.tuples(st.sampled_from(["<", ">=", "!="]), PRICE)


def conditions(table: str) -> st.SearchStrategy[questions.Where]:
    column = {"bars": "close", "trades": "price", "quotes": "bid"}[table]
    return st.sampled_from([(), None]).flatmap(
        lambda none: st.just(()) if none == () else NUMBER.map(lambda c: ((column, *c),))
    )


NAME = st.sampled_from(["bars", "bars", "trades", "quotes"])
LIMIT = st.sampled_from([{}, {"first": 1}, {"first": 3}, {"last": 1}, {"last": 2}, {"last": 5}, {"last": 0}])
COLUMNS = {
    "bars": st.sampled_from([None, ("close",), ("seq", "sym", "seq_row")]),
    "trades": st.sampled_from([None, ("price", "received"), ("trade_id", "seq_row")]),
    "quotes": st.sampled_from([None, ("bid",), ("time",)]),
}


@st.composite
def any_question(draw: st.DrawFn) -> questions.Question:
    name = draw(NAME)
    terms = {"sym": draw(SYM), **{k: draw(v) for k, v in AT.items()}}
    kind = draw(st.sampled_from(["select", "select", "count", "last", "resample", "resample", "asof", "window"]))
    where = draw(conditions(name))
    if kind == "select":
        return questions.Select(name, **terms, columns=draw(COLUMNS[name]), where=where, **draw(LIMIT))
    if kind == "count":
        return questions.Count(name, **terms, where=where)
    if kind == "last":
        return questions.Last(name, terms["sym"], terms["end"], draw(COLUMNS[name]), where)
    if kind == "resample":
        name = "trades" if name == "quotes" else name
        interval = draw(st.sampled_from(["12h", "1d", "7h"]))
        session = draw(st.sampled_from([{}, {"at": "09:30", "zone": "America/New_York"}]))
        empty = draw(st.sampled_from(["skip", "fill"]))
        return questions.Resample(name, interval, **terms, where=draw(conditions(name)), **session, empty=empty)
    left, right = draw(st.sampled_from([("trades", "quotes"), ("bars", "quotes"), ("trades", "bars")]))
    value = "bid" if right == "quotes" else "close"
    if kind == "asof":
        tolerance = draw(st.sampled_from([None, UNIT]))
        return questions.Asof(left, right, **terms, tolerance=tolerance, strict=draw(st.booleans()))
    before, after = draw(st.sampled_from([(-UNIT, 0), (-UNIT, UNIT), (UNIT, 2 * UNIT), (-2 * UNIT, -UNIT), (0, 0)]))
    aggregates = (("n", "count", value), ("top", "max", value), ("newest", "last", value))
    return questions.Window(left, right, before, after, aggregates, **terms, prevailing=draw(st.booleans()))


def memory(rows: Rows, released: int = 0) -> dict[str, MemoryTable]:
    tables = {name: table_of(table) for name, table in SCHEMA.items()}
    for table, every in rows.items():
        for seq in sorted({row["seq"] for row in every}):
            of_seq = [row for row in every if row["seq"] == seq]
            plain = [{name: row[name] for name in table.names} for row in of_seq]
            tables[table.name].append(batch_of(table, plain, seq, of_seq[0]["received"]))
    for made in tables.values():
        made.release(released)
    return tables


def listed(table: pa.Table) -> list[str]:
    return [repr(row) for row in table.to_pylist()]


@pytest.fixture(scope="module")
def folders() -> Any:
    made = Path(tempfile.mkdtemp())
    yield (made / str(i) for i in range(10**6))
    shutil.rmtree(made)


def gateway(folder: Path, rows: Rows, split: Any) -> Gateway:
    layout = {name: split[name] for name in ("cuts", "part_ends", "by_month")}
    write_history(folder, rows, split["through"], **layout).save(folder)
    today = Answerer(memory(rows, split["released"]), SQL)
    past = HistoryAnswerer(folder, SCHEMA, lambda question, budget: today.answer(question, budget))
    return Gateway(lambda q, timeout_s: past.answer(q), lambda q, timeout_s: today.answer(q), SCHEMA)


@law
@given(ROWS, SPLIT, st.lists(any_question(), min_size=4, max_size=4))
def test_every_question_is_answered_as_one_table_would(
    folders: Any, rows: Rows, split: Any, asked: list[questions.Question]
) -> None:
    made = gateway(next(folders), rows, split)
    one = Answerer(memory(rows), SQL)
    for question in [*asked, questions.Tables(), questions.Sql("select * from bars order by time, sym, seq, seq_row")]:
        found, expected = made.answer(question), one.answer(question)
        assert listed(found) == listed(expected), question
        assert found.schema.equals(expected.schema), question


def ns(moment: str) -> int:
    return int(pd.Timestamp(moment).tz_localize("America/New_York").value)


@pytest.mark.parametrize(
    ("interval", "zone", "past", "late"),
    [
        ("1M", None, ["2026-11-02 12:00"], ["2026-12-01 05:00", "2026-11-03 12:00"]),
        ("1d", "America/New_York", ["2026-11-01 12:00", "2026-11-01 23:30"], ["2026-11-01 13:00"]),
        ("1d", "America/New_York", ["2026-11-01 12:00"], ["2026-11-01 23:30", "2026-11-02 00:30"]),
    ],
    ids=["months are shorter than the longest", "a day of 25 hours", "its last hour comes late"],
)
def test_late_rows_make_the_bars_anew_that_they_are_of_and_no_other(
    folders: Any, interval: str, zone: str | None, past: list[str], late: list[str]
) -> None:
    batches = [[trade(ns(moment), sym, 5.0, 2.0) for moment in part for sym in ("A", "Bé")] for part in (past, late)]
    rows = {TRADES: journaled(batches)}
    made = gateway(next(folders), rows, {"through": 1, "cuts": [1], "part_ends": [], "released": 1, "by_month": False})
    question = questions.Resample("trades", interval, zone=zone)
    assert listed(made.answer(question)) == listed(Answerer(memory(rows), SQL).answer(question))
