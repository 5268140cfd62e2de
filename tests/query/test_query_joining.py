"""Windows around rows, against plain Python: both ends, the row in force, ties, nulls, revisions, late rows."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_rows import SHAPES, Row, bar, quote, tables_of, trade

from plant.errors import QueryError, QueryLimit, UnknownColumn, UnknownTable
from plant.query import joining, questions
from plant.query.answers import Answerer
from plant.query.limits import Limits
from plant.rows.columns import Symbols
from plant.rows.schema import UNKNOWN_TIME, Column, Table

law = settings(max_examples=examples(150), deadline=None, derandomize=True, database=None)

NAN = float("nan")
TIMES = st.integers(0, 20)
SYMS = st.sampled_from(["AAPL", "Tésla", ""])
NUMBERS = st.sampled_from([1.0, 2.0, 2.5, NAN])
TRADE = st.builds(trade, TIMES, SYMS)
QUOTE = st.builds(quote, TIMES, SYMS, NUMBERS, NUMBERS)
BATCHES = st.integers(1, 4)
AGGREGATES = (
    ("low", "min", "bid"),
    ("high", "max", "bid"),
    ("total", "sum", "bid"),
    ("average", "mean", "bid"),
    ("known", "count", "bid"),
    ("opening", "first", "bid"),
    ("closing", "last", "bid"),
    ("weighted", "wavg", "bid", "ask"),
    ("since", "min", "time"),
    ("rows", "count", "source"),
    ("by", "last", "source"),
    ("newest", "max", "seq"),
)


def cut(rows: list[Row], count: int) -> list[list[Row]]:
    """Rows as so many batches."""
    size = -(-len(rows) // count) or 1
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def ask(
    question: questions.Question, shape: int = 0, limits: Limits | None = None, **tables: list[list[Row]]
) -> pa.Table:
    answerer = Answerer(tables_of(SHAPES[shape], **tables))
    return answerer.answer(questions.question_of(question.to_wire()), limits.budget() if limits else None)


def listed(table: pa.Table) -> list[Row]:
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.int64()))
    return table.to_pylist()


def aggregated(rows: list[Row]) -> Row:
    """What AGGREGATES give of rows in order of time, then arrival; None for null."""
    bids = [row["bid"] for row in rows if not math.isnan(row["bid"])]
    pairs = [(row["bid"], row["ask"]) for row in rows if not math.isnan(row["bid"] + row["ask"])]
    weight = sum(ask for _, ask in pairs)
    return {
        "low": min(bids, default=None),
        "high": max(bids, default=None),
        "total": sum(bids, 0.0),
        "average": sum(bids) / len(bids) if bids else None,
        "known": len(bids),
        "opening": none(rows[0]["bid"]) if rows else None,
        "closing": none(rows[-1]["bid"]) if rows else None,
        "weighted": sum(b * a for b, a in pairs) / weight if pairs else None,
        "since": min((row["time"] for row in rows), default=None),
        "rows": len(rows),
        "by": rows[-1]["source"] if rows else None,
        "newest": max((row["seq"] for row in rows), default=None),
    }


def none(value: float) -> float | None:
    return None if math.isnan(value) else value


@law
@given(
    st.lists(TRADE, max_size=8), st.lists(QUOTE, max_size=20), BATCHES, st.integers(-6, 3), st.integers(0, 6),
    st.booleans(), st.none() | TIMES, st.none() | SYMS.map(lambda s: (s,)), st.integers(0, len(SHAPES) - 1),
)  # fmt: skip
def test_a_window_aggregates_what_plain_python_finds_in_it(
    trades: list[Row], quotes: list[Row], count: int, before: int, length: int, prevailing: bool,
    start: int | None, sym: Any, shape: int,
) -> None:  # fmt: skip
    after = before + length
    question = questions.Window("trades", "quotes", before, after, AGGREGATES, sym, start, None, prevailing)
    found = ask(question, shape, trades=cut(trades, count), quotes=cut(quotes, count))

    held = [{**row, "seq": 10 + i} for i, rows in enumerate(cut(quotes, count)) for row in rows]
    expected = []
    for row in sorted(trades, key=lambda row: row["time"]):
        if (start is not None and row["time"] < start) or (sym and row["sym"] not in sym):
            continue
        own = sorted((q for q in held if q["sym"] == row["sym"]), key=lambda q: q["time"])
        inside = [q for q in own if row["time"] + before <= q["time"] <= row["time"] + after]
        earlier = [q for q in own if q["time"] < row["time"] + before]
        if prevailing and earlier and not any(q["time"] == row["time"] + before for q in inside):
            inside = [earlier[-1], *inside]
        expected.append({**row, **aggregated(inside)})
    assert found.column_names == [*trade(0), *(name for name, *_ in AGGREGATES)]
    for got, want in zip(listed(found), expected, strict=True):
        assert got == {k: pytest.approx(v) if type(v) is float else v for k, v in want.items()}


def test_a_window_sees_the_newest_revision_of_the_right_rows() -> None:
    bars = [[bar(1, close=10.0)], [bar(1, close=20.0), bar(3, close=5.0)]]
    question = questions.Window("trades", "bars", -5, 0, (("top", "max", "close"), ("n", "count", "close")))
    assert [(r["top"], r["n"]) for r in listed(ask(question, trades=[[trade(4), trade(1)]], bars=bars))] == [
        (20.0, 1), (20.0, 2)
    ]  # fmt: skip


def test_windows_of_many_symbols_are_told_apart_and_looked_at_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plant.query.joining._AT_ONCE", 7)
    names = [f"S{k}" for k in range(30)]
    quotes = [[quote(t, n, bid=float(k + t)) for k, n in enumerate(names)] for t in range(10)]
    trades = [[trade(t, n) for n in names] for t in range(0, 12, 3)]
    question = questions.Window("trades", "quotes", -2, 0, (("top", "max", "bid"), ("low", "min", "bid")))
    for row in listed(ask(question, trades=trades, quotes=quotes)):
        k, newest = int(row["sym"][1:]), min(row["time"], 9)
        assert row["top"] == k + newest
        assert row["low"] == k + max(row["time"] - 2, 0) if row["time"] < 11 else k + 9


def test_types_are_kept_and_what_is_not_known_is_null() -> None:
    question = questions.Window("trades", "quotes", 0, 0, AGGREGATES)
    found = ask(question, trades=[[trade(1), trade(2)]], quotes=[[quote(1, bid=3.0)]])
    types = {name: found.schema.field(name).type for name, *_ in AGGREGATES}
    assert types["since"] == pa.timestamp("ns", "UTC")
    assert types["known"] == types["rows"] == types["newest"] == pa.int64()
    assert types["low"] == types["total"] == types["average"] == pa.float64()
    assert types["by"] == pa.dictionary(pa.int32(), pa.string())
    assert found.column("newest").to_pylist() == [10, 10]  # the quote of 1 is in force at 2
    one = questions.Window("trades", "quotes", 0, 0, AGGREGATES, prevailing=False)
    found = ask(one, trades=[[trade(1), trade(2)]], quotes=[[quote(1, bid=3.0)]])
    assert found.column("newest").to_pylist() == [10, None]
    assert found.column("total").to_pylist() == [3.0, 0.0]
    assert ask(question, quotes=[[quote(1)]]).schema == found.schema


@pytest.mark.parametrize(
    ("aggregate", "error", "message"),
    [
        (("x", "max", "bd"), UnknownColumn, "quotes has no column 'bd' .did you mean 'bid'"),
        (("x", "max", "source"), QueryError, r"window: x: max needs numbers, quotes\.source is symbol"),
        (("x", "sum", "time"), QueryError, r"sum needs numbers, quotes\.time is time"),
        (("x", "wavg", "bid", "sym"), QueryError, r"wavg needs numbers, quotes\.sym is symbol"),
        (("price", "max", "bid"), QueryError, "trades has a column 'price' already; name the aggregate otherwise"),
    ],
)
def test_an_aggregate_that_cannot_be_is_told_why(aggregate: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ask(questions.Window("trades", "quotes", -1, 0, (aggregate,)), trades=[[trade(1)]], quotes=[[quote(1)]])


BIG = 2**53 + 1
"""An int that no float64 is."""


COUNTED = Table("tickets", (Column("time", "time"), Column("sym", "symbol"), Column("n", "int"), Column("at", "time")))


def counted(values: list[int | None]) -> dict[str, Any]:
    """Return columns of rows a second apart, one for each value of the int `n`; None: one that is not known."""
    times = np.arange(len(values), dtype=np.int64)
    numbers = np.ma.MaskedArray([v or 0 for v in values], [v is None for v in values])
    return {"time": times, "sym": Symbols(["A"], np.zeros(len(times), dtype=np.int32)), "n": numbers}


def test_aggregates_of_ints_are_ints_and_pass_over_those_that_are_not_known() -> None:
    functions = ("min", "max", "sum", "first", "last", "count", "mean")
    question = questions.Window("trades", "tickets", -1, 0, tuple((f, f, "n") for f in functions), prevailing=False)
    left = {name: counted([0] * 4)[name] for name in ("time", "sym")}
    found = joining.window(left, counted([None, None, BIG, BIG + 2]), question, (COUNTED, COUNTED))
    assert [row["min"] for row in found.to_pylist()] == [None, None, BIG, BIG]
    assert [row["max"] for row in found.to_pylist()] == [None, None, BIG, BIG + 2]
    assert [row["sum"] for row in found.to_pylist()] == [0, 0, BIG, 2 * BIG + 2]
    assert [row["first"] for row in found.to_pylist()] == [None, None, None, BIG]
    assert [row["last"] for row in found.to_pylist()] == [None, None, BIG, BIG + 2]
    assert [row["count"] for row in found.to_pylist()] == [0, 0, 1, 2]
    assert [str(found.schema.field(f).type) for f in functions] == ["int64"] * 6 + ["double"]


def test_aggregates_of_times_pass_over_those_that_are_not_known() -> None:
    functions = ("min", "max", "first", "last", "count")
    question = questions.Window("trades", "tickets", -1, 0, tuple((f, f, "at") for f in functions), prevailing=False)
    left = {name: counted([0] * 4)[name] for name in ("time", "sym")}
    right = {**left, "at": np.array([UNKNOWN_TIME, UNKNOWN_TIME, 7, 5])}
    found = joining.window(left, right, question, (COUNTED, COUNTED))
    assert {str(found.schema.field(f).type) for f in functions[:-1]} == {"timestamp[ns, tz=UTC]"}
    plain = {f: found.column(f).cast(pa.int64()).to_pylist() for f in functions}
    assert plain == {
        "min": [None, None, 7, 5], "max": [None, None, 7, 7], "first": [None, None, None, 7],
        "last": [None, None, 7, 5], "count": [0, 0, 1, 2],
    }  # fmt: skip


def test_a_sum_of_ints_that_no_int64_holds_is_refused() -> None:
    left = {name: counted([0] * 2)[name] for name in ("time", "sym")}
    for function in ("sum", "mean"):
        question = questions.Window("trades", "tickets", -1, 0, ((function, function, "n"),))
        if function == "sum":
            with pytest.raises(QueryError, match="a sum of n is more than an int64 holds; ask for its mean"):
                joining.window(left, counted([2**62, 2**62]), question, (COUNTED, COUNTED))
        else:
            assert (
                joining.window(left, counted([2**62, 2**62]), question, (COUNTED, COUNTED))["mean"].to_pylist()
                == [2.0**62] * 2
            )


def test_unknown_tables_and_too_many_rows_are_refused() -> None:
    aggregates = (("x", "max", "bid"),)
    with pytest.raises(UnknownTable, match="did you mean 'quotes'"):
        ask(questions.Window("trades", "quote", -1, 0, aggregates))
    with pytest.raises(QueryLimit, match="4 rows, at most 3"):
        ask(questions.Window("trades", "quotes", -1, 0, aggregates), limits=Limits(max_rows=3), trades=[[trade(1)] * 4])


def test_asof_with_a_start_finds_the_row_in_force_long_before_it() -> None:
    quotes = [[quote(t, s, bid=float(t)) for t in range(50) for s in ("A", "B")], [quote(3, "C", bid=7.0)]]
    question = questions.Asof("trades", "quotes", start=60)
    trades = [[trade(10, "A"), trade(70, "B"), trade(60, "A"), trade(61, "C"), trade(62, "D")]]
    for shape in range(len(SHAPES)):
        found = ask(question, shape, trades=trades, quotes=quotes)
        assert found.column("bid").to_pylist() == [49.0, 7.0, None, 49.0]
        assert found.column("quotes_time").cast(pa.int64()).to_pylist() == [49, 3, None, 49]
