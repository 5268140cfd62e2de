"""Answers from memory against plain Python and pandas: late rows, ties, revisions, nulls, nothing at all."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas_answers import OPERATORS
from plain_rows import MINUTE, NOON, SCHEMA, SECOND, SHAPES, Row, bar, batch_of, quote, table_of, tables_of, trade

from plant.errors import QueryError, QueryLimit, UnknownColumn, UnknownTable
from plant.memory import snapshot
from plant.memory.table import MemoryTable
from plant.query import questions
from plant.query.answers import Answerer
from plant.query.limits import Budget, Limits
from plant.rows.intervals import interval_ns
from plant.rows.schema import META_COLUMNS, Column, Table
from plant.sql.engine import SqlEngine

law = settings(max_examples=examples(60), deadline=None, derandomize=True, database=None)

SYMS = ["AAPL", "Tésla", "", "MSFT"]
TIMES = st.integers(0, 12)
NUMBERS = st.sampled_from([1.0, 2.0, 2.5, 3.0])
OR_NULL = NUMBERS | st.just(float("nan"))
KNOWN = st.sampled_from(SYMS[:3])

TRADE = st.builds(trade, TIMES, KNOWN, NUMBERS, NUMBERS, st.text("aé", max_size=2))
QUOTE = st.builds(quote, TIMES, KNOWN, OR_NULL, OR_NULL)
BAR = st.builds(bar, TIMES, KNOWN, st.just("1s"), NUMBERS, NUMBERS)
RANGE = {"start": st.none() | TIMES, "end": st.none() | TIMES}
SYM = st.none() | st.lists(st.sampled_from([*SYMS, "nobody"]), max_size=3).map(tuple)
CONDITION = st.one_of(
    st.tuples(st.sampled_from(["time", "seq"]), st.sampled_from(list(OPERATORS)), st.integers(0, 12)),
    st.tuples(st.sampled_from(["bid", "ask"]), st.sampled_from(list(OPERATORS)), OR_NULL),
    st.tuples(st.sampled_from(["sym", "source"]), st.sampled_from(list(OPERATORS)), st.sampled_from([*SYMS, "test"])),
)
WHERE = st.lists(CONDITION, max_size=2).map(tuple)


@pytest.fixture(autouse=True, scope="module")
def _pieces_of_two_rows() -> Iterator[None]:
    """Cut what is computed piece by piece, as a million rows would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "CACHED_ROWS", 2)
        yield


def batches(row: st.SearchStrategy[Row], scale: int = 1) -> st.SearchStrategy[list[list[Row]]]:
    """Batches of rows; times in units of `scale` ns."""
    scaled = row.map(lambda r: {**r, "time": r["time"] * scale})
    return st.lists(st.lists(scaled, min_size=1, max_size=5), max_size=5)


def model(given_batches: list[list[Row]], key: tuple[str, ...] = ()) -> list[Row]:
    """The rows in force, in order of time, then arrival."""
    rows = [
        {**row, "seq": 10 + i, "seq_row": place, "received": NOON + i * SECOND}
        for i, rows in enumerate(given_batches)
        for place, row in enumerate(rows)
    ]
    if key:
        newest = {tuple(row[k] for k in key): i for i, row in enumerate(rows)}
        rows = [row for i, row in enumerate(rows) if newest[tuple(row[k] for k in key)] == i]
    return sorted(rows, key=lambda row: row["time"])


def met(rows: list[Row], sym: Any, start: int | None, end: int | None, where: Any = ()) -> list[Row]:
    return [
        row
        for row in rows
        if (sym is None or row["sym"] in sym)
        and (start is None or row["time"] >= start)
        and (end is None or row["time"] < end)
        and all(OPERATORS[how](row[name], value) for name, how, value in where)
    ]


def listed(table: pa.Table) -> list[Row]:
    """An answer's rows; times as int nanoseconds, a null as NaN."""
    for i, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            assert field.type == pa.timestamp("ns", "UTC"), field
            table = table.set_column(i, field.name, table.column(i).cast(pa.int64()))
    return [{k: float("nan") if v is None else v for k, v in row.items()} for row in table.to_pylist()]


def shown(rows: list[Row]) -> list[Row]:
    """Rows as an answer has them that was not asked for seq and received."""
    return [{name: value for name, value in row.items() if name not in META_COLUMNS} for row in rows]


def same(found: list[Row], expected: list[Row]) -> bool:
    return repr(found) == repr(expected)


TABLES: dict[str, MemoryTable] = {}
SQL = SqlEngine()
ANSWERER = Answerer(TABLES, SQL)


def ask(question: questions.Question, budget: Budget | None = None, **given_batches: list[list[Row]]) -> pa.Table:
    """The answer, which is the same however the rows are sorted in memory."""
    question = questions.question_of(question.to_wire())
    found = []
    for shape in SHAPES:
        TABLES.update(tables_of(shape, **given_batches))
        found.append(ANSWERER.answer(question, budget))
    for other in found[1:]:
        assert other.schema == found[0].schema
        if not isinstance(question, questions.Sql):
            assert same(listed(other), listed(found[0]))
    return found[-1]


@law
@given(batches(QUOTE), SYM, st.fixed_dictionaries(RANGE), WHERE, st.sampled_from(["", "first", "last"]), TIMES)
def test_select_and_count_answer_the_rows_that_meet_all_terms(
    given_batches: list[list[Row]], sym: Any, span: Row, where: Any, end: str, n: int
) -> None:
    expected = met(model(given_batches), sym, **span, where=where)
    count = ask(questions.Count("quotes", sym, **span, where=where), quotes=given_batches)
    assert count.to_pylist() == [{"count": len(expected)}]

    if end:
        expected = expected[:n] if end == "first" else expected[len(expected) - min(n, len(expected)) :]
    found = ask(questions.Select("quotes", sym, **span, where=where, **({end: n} if end else {})), quotes=given_batches)
    assert found.column_names == [
        "time", "sym", "bid", "ask", "bid_size", "ask_size", "source"
    ]  # fmt: skip
    assert same(listed(found), shown(expected))


@pytest.mark.parametrize(
    ("terms", "times"),
    [({"last": 0}, []), ({"first": 0}, []), ({"last": 2}, [3, 5]), ({"first": 2}, [1, 3]), ({"last": 9}, [1, 3, 5])],
)
def test_first_and_last_are_numbers_of_rows_none_included(terms: dict[str, int], times: list[int]) -> None:
    found = ask(questions.Select("trades", **terms), trades=[[trade(5), trade(1)], [trade(3)]])
    assert [row["time"] for row in listed(found)] == times


@settings(law, max_examples=examples(40))
@given(batches(BAR), SYM, st.fixed_dictionaries(RANGE))
def test_only_the_newest_revision_of_a_bar_is_in_any_answer(
    given_batches: list[list[Row]], sym: Any, span: Row
) -> None:
    rows = model(given_batches, ("sym", "interval", "time"))
    found = ask(questions.Select("bars", sym, **span), bars=given_batches)
    assert same(listed(found), shown(met(rows, sym, **span)))

    described = {row["table"]: row for row in listed(ask(questions.Tables(), bars=given_batches))}["bars"]
    times = [row["time"] for row in rows] or [float("nan")]
    assert same([described], [{"table": "bars", "rows": len(rows), "first": min(times), "last": max(times)}])

    found = ask(questions.Sql("select * from bars order by time, seq, sym"), bars=given_batches)
    by_arrival = sorted(rows, key=lambda r: (r["time"], r["seq"], r["sym"]))
    assert same(listed(found), by_arrival)


@law
@given(
    batches(TRADE), SYM, st.none() | TIMES, st.lists(st.sampled_from(["seq", "price", "time", "trade_id"]), unique=True)
)
def test_last_answers_the_newest_row_of_each_symbol_by_name(
    given_batches: list[list[Row]], sym: Any, at: int | None, columns: list[str]
) -> None:
    rows = met(model(given_batches), sym, None, None if at is None else at + 1)
    newest = {row["sym"]: row for row in rows}  # the later one wins
    expected = [newest[name] for name in sorted(newest)]
    assert same(listed(ask(questions.Last("trades", sym, at), trades=given_batches)), shown(expected))

    found = ask(questions.Last("trades", sym, at, ("sym", *columns)), trades=given_batches)
    assert found.column_names == ["sym", *columns]
    assert same(listed(found), [{name: row[name] for name in ("sym", *columns)} for row in expected])


@law
@given(batches(TRADE, SECOND), SYM, st.fixed_dictionaries(RANGE), st.sampled_from(["1s", "5s", "7s", "1m"]))
def test_resampled_trades_equal_a_groupby_of_pandas(
    given_batches: list[list[Row]], sym: Any, span: Row, interval: str
) -> None:
    span = {name: None if value is None else value * SECOND for name, value in span.items()}
    found = ask(questions.Resample("trades", interval, sym, **span), trades=given_batches)
    rows = met(model(given_batches), sym, **span)
    assert found.column_names == ["time", "sym", "interval", "open", "high", "low", "close", "volume", "vwap"]
    assert set(found.column("interval").to_pylist()) <= {interval}
    assert found.column("time").to_pylist() == sorted(found.column("time").to_pylist())
    if not rows:
        assert not found.num_rows
        return
    frame = pd.DataFrame(rows)
    step = interval_ns(interval)
    frame["time"] = frame["time"] // step * step
    frame["value"] = frame["price"] * frame["size"]
    expected = frame.groupby(["time", "sym"], as_index=False).agg(
        open=("price", "first"),
        high=("price", "max"),
        low=("price", "min"),
        close=("price", "last"),
        volume=("size", "sum"),
        vwap=("value", "sum"),
    )
    expected["vwap"] /= expected["volume"]
    got = pd.DataFrame(listed(found)).drop(columns="interval").sort_values(["time", "sym"], ignore_index=True)
    pd.testing.assert_frame_equal(got, expected.sort_values(["time", "sym"], ignore_index=True), check_dtype=False)


@law
@given(batches(BAR, SECOND), SYM, st.sampled_from(["1s", "4s", "1m"]))
def test_resampled_bars_equal_a_groupby_of_pandas(given_batches: list[list[Row]], sym: Any, interval: str) -> None:
    found = ask(questions.Resample("bars", interval, sym), bars=given_batches)
    rows = met(model(given_batches, ("sym", "interval", "time")), sym, None, None)
    assert found.column_names == ["time", "sym", "interval", "open", "high", "low", "close", "volume", "vwap"]
    if not rows:
        assert not found.num_rows
        return
    frame = pd.DataFrame(rows)
    frame["time"] -= frame["time"] % interval_ns(interval)
    frame["value"] = (frame["high"] + frame["low"] + frame["close"]) / 3 * frame["volume"]
    expected = frame.groupby(["time", "sym"], as_index=False).agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
        vwap=("value", "sum"),
    )
    expected["vwap"] /= expected["volume"]
    got = pd.DataFrame(listed(found)).drop(columns="interval").sort_values(["time", "sym"], ignore_index=True)
    pd.testing.assert_frame_equal(got, expected.sort_values(["time", "sym"], ignore_index=True), check_dtype=False)


@law
@given(batches(TRADE), batches(QUOTE), SYM, st.fixed_dictionaries(RANGE), st.none() | st.integers(0, 5), st.booleans())
def test_asof_equals_merge_asof_of_pandas(
    trades: list[list[Row]], quotes: list[list[Row]], sym: Any, span: Row, tolerance: int | None, strict: bool
) -> None:
    question = questions.Asof("trades", "quotes", sym, **span, tolerance=tolerance, strict=strict)
    found = ask(question, trades=trades, quotes=quotes)
    own, joined = list(SCHEMA["trades"].names), ["bid", "ask", "bid_size", "ask_size"]
    assert found.column_names == [*own, "quotes_time", *joined]

    left = pd.DataFrame(met(model(trades), sym, **span), columns=own)
    right = pd.DataFrame(model(quotes), columns=["time", "sym", *joined])
    expected = pd.merge_asof(
        left.astype({"time": "int64", "sym": object}),
        right.astype({"time": "int64", "sym": object}).assign(quotes_time=right["time"]),
        on="time",
        by="sym",
        tolerance=tolerance,
        allow_exact_matches=not strict,
    )
    numbers = dict.fromkeys(["quotes_time", *joined], float)  # a column of only nulls has no type of its own
    got = pd.DataFrame(listed(found), columns=found.column_names)
    assert same(got.astype(numbers).to_dict("records"), expected[list(got)].astype(numbers).to_dict("records"))


def test_asof_takes_the_revision_in_force_and_leaves_unmatched_rows_null() -> None:
    found = ask(
        questions.Asof("trades", "bars"),
        trades=[[trade(5), trade(1), trade(9, "MSFT")]],
        bars=[[bar(2, close=10.0)], [bar(2, close=20.0)], [bar(2, "MSFT", close=30.0)]],
    )
    assert found.column("close").to_pylist() == [None, 20.0, 30.0]
    assert found.column("interval").to_pylist() == [None, "1m", "1m"]
    assert found.column("bars_time").cast(pa.int64()).to_pylist() == [None, 2, 2]


def test_asof_of_a_table_on_itself_gives_the_row_before() -> None:
    found = ask(questions.Asof("trades", "trades", strict=True), trades=[[trade(1), trade(4), trade(9)]])
    assert found.column("trades_time").cast(pa.int64()).to_pylist() == [None, 1, 4]


def test_a_bar_holds_its_start_and_not_its_end_and_a_minute_without_trades_has_none() -> None:
    trades = [[trade(MINUTE - 1, price=1.0), trade(MINUTE, price=2.0), trade(2 * MINUTE - 1, price=3.0)]]
    found = ask(questions.Resample("trades", "1m"), trades=[*trades, [trade(5 * MINUTE, price=4.0)]])

    assert [row["time"] // MINUTE for row in listed(found)] == [0, 1, 5]
    assert found.column("close").to_pylist() == [1.0, 3.0, 4.0]


def test_trades_without_size_have_no_vwap() -> None:
    found = ask(questions.Resample("trades", "1m"), trades=[[trade(1, size=0.0), trade(2, size=0.0)]])
    assert found.column("vwap").to_pylist() == [None]


def test_a_late_trade_and_trades_of_one_time_open_and_close_the_bar_in_their_order() -> None:
    late = [[trade(5, price=1.0), trade(5, price=2.0)], [trade(3, price=9.0)], [trade(5, price=3.0)]]
    (row,) = ask(questions.Resample("trades", "1m"), trades=late).to_pylist()
    assert (row["open"], row["close"]) == (9.0, 3.0)


def test_bars_of_two_intervals_must_be_told_apart() -> None:
    bars = [[bar(0, interval="1m"), bar(0, interval="5m", close=7.0)]]
    with pytest.raises(QueryError, match=r"bars of 1m and 5m; choose one with where=\{'interval': '1m'\}"):
        ask(questions.Resample("bars", "10m"), bars=bars)

    found = ask(questions.Resample("bars", "10m", where=(("interval", "==", "5m"),)), bars=bars)
    assert found.column("close").to_pylist() == [7.0]


def test_coarser_bars_do_not_make_finer_ones_and_quotes_make_none() -> None:
    with pytest.raises(QueryError, match="bars of 5m do not make bars of 1m"):
        ask(questions.Resample("bars", "1m"), bars=[[bar(0, interval="5m")]])
    with pytest.raises(QueryError, match="bars of 5m do not make bars of 7m"):
        ask(questions.Resample("bars", "7m"), bars=[[bar(0, interval="5m")]])
    with pytest.raises(QueryError, match="resample needs price and size, or bars; quotes has time, sym, bid"):
        ask(questions.Resample("quotes", "1m"))


@pytest.mark.parametrize("kind", ["select", "last", "resample", "asof", "sql", "count"])
def test_empty_tables_answer_no_rows_with_all_columns(kind: str) -> None:
    asked: dict[str, questions.Question] = {
        "select": questions.Select("trades", ("AAPL",), where=(("source", "==", "x"), ("trade_id", "==", "x"))),
        "last": questions.Last("trades"),
        "resample": questions.Resample("trades", "1m"),
        "asof": questions.Asof("trades", "quotes"),
        "sql": questions.Sql("select * from trades"),
        "count": questions.Count("trades"),
    }
    found = ask(asked[kind])
    filled = ask(asked[kind], trades=[[trade(1)]])
    assert found.column_names == filled.column_names
    assert listed(found) == ([{"count": 0}] if kind == "count" else [])


def test_tables_are_described_in_order_of_declaration_with_nothing_for_the_empty() -> None:
    found = ask(questions.Tables(), trades=[[trade(7), trade(3)], [trade(5)]])
    assert found.column("table").to_pylist()[:3] == ["bars", "trades", "quotes"]
    rows = listed(found)
    assert same(rows[:2], [
        {"table": "bars", "rows": 0, "first": float("nan"), "last": float("nan")},
        {"table": "trades", "rows": 3, "first": 3, "last": 7},
    ])  # fmt: skip


def test_conditions_on_text_compare_as_text_and_all_must_hold() -> None:
    trades = [[trade(k, trade_id=name) for k, name in enumerate(["b", "", "é", "a", "b"])]]
    found = ask(questions.Select("trades", where=(("trade_id", ">=", "b"), ("time", "<", 4))), trades=trades)
    assert found.column("trade_id").to_pylist() == ["b", "é"]


@pytest.mark.parametrize("value", [2**64 - 1, -(2**63), 1e300, float("inf")])
def test_conditions_beyond_the_range_of_a_column_compare_all_the_same(value: float) -> None:
    rows = [
        [{"time": 1, "sym": "rdb", "pid": 2**63 - 1, "seq_seen": 0, "rows": 0, "rate": 0.0, "memory": 0, "state": ""}]
    ]
    found = ask(questions.Count("heartbeats", where=(("pid", "<", value),)), heartbeats=rows)
    assert found.to_pylist() == [{"count": int(value > 2**63 - 1)}]


def test_a_condition_of_the_wrong_kind_names_the_column() -> None:
    with pytest.raises(QueryError, match=r"trades\.price is a number; found the condition > 'x'"):
        ask(questions.Select("trades", where=(("price", ">", "x"),)))
    with pytest.raises(QueryError, match=r"trades\.sym is text; found the condition == 5"):
        ask(questions.Select("trades", where=(("sym", "==", 5),)))


def test_unknown_tables_and_columns_are_told_the_nearest_name() -> None:
    wrong: list[questions.Question] = [questions.Select("trade"), questions.Last("trade"), questions.Count("trade")]
    wrong += [questions.Resample("trade", "1m"), questions.Asof("trade", "quotes"), questions.Asof("quotes", "trade")]
    for question in wrong:
        with pytest.raises(UnknownTable, match=r"unknown table 'trade' \(did you mean 'trades'\?\); tables are: "):
            ask(question)
    for columns in (questions.Select("trades", columns=("prise",)), questions.Last("trades", columns=("prise",))):
        with pytest.raises(UnknownColumn, match=r"trades has no column 'prise' \(did you mean 'price'\?\); "):
            ask(columns)
    with pytest.raises(UnknownColumn, match="did you mean 'received'"):
        ask(questions.Count("trades", where=(("recieved", ">", 0),)))
    with pytest.raises(QueryError, match="nobody"):
        ask(questions.Sql("select * from nobody"))


def test_an_answer_of_too_many_rows_is_refused() -> None:
    trades, budget = [[trade(k) for k in range(4)]], Limits(max_rows=3).budget()
    assert ask(questions.Select("trades", last=3), budget, trades=trades).num_rows == 3
    for question in (questions.Select("trades"), questions.Asof("trades", "quotes")):
        with pytest.raises(QueryLimit, match="4 rows, at most 3 are answered at once; ask for a time range"):
            ask(question, budget, trades=trades)


def test_a_users_own_table_is_answered_like_the_others() -> None:
    columns = (Column("time", "time"), Column("sym", "symbol"), Column("price", "float"), Column("size", "float"))
    fills = Table("fills", columns, ("sym", "time"))
    rows = [{"time": 1, "sym": "A", "price": 1.0, "size": 1.0}, {"time": 1, "sym": "A", "price": 2.0, "size": 3.0}]
    table: MemoryTable = table_of(fills, [rows])
    answerer = Answerer({"fills": table}, SQL)

    assert answerer.answer(questions.Select("fills")).column("price").to_pylist() == [2.0]
    assert answerer.answer(questions.Resample("fills", "1m")).column("volume").to_pylist() == [3.0]
    assert answerer.answer(questions.Sql("select sum(size) s from fills")).to_pylist() == [{"s": 3.0}]


def test_an_answer_given_stays_what_it_was_while_rows_come() -> None:
    tables = tables_of(bars=[[bar(k) for k in range(1000)]])
    answerer = Answerer(tables, SQL)
    given_answers = [answerer.answer(q) for q in (questions.Select("bars"), questions.Sql("select * from bars"))]
    before = [table.to_pylist() for table in given_answers]
    for i in range(5):
        tables["bars"].append(batch_of("bars", [bar(k, close=50.0 + i) for k in range(1000)], 100 + i))

    assert [table.to_pylist() for table in given_answers] == before
    assert answerer.answer(questions.Count("bars")).to_pylist() == [{"count": 1000}]


def test_numbers_are_float64_times_utc_and_symbols_dictionaries() -> None:
    columns = ("time", "received", "sym", "price", "seq", "trade_id")
    schema = ask(questions.Select("trades", columns=columns), trades=[[trade(1)]]).schema
    assert schema.field("time").type == schema.field("received").type == pa.timestamp("ns", "UTC")
    assert schema.field("sym").type == pa.dictionary(pa.int32(), pa.string())
    assert (schema.field("price").type, schema.field("seq").type) == (pa.float64(), pa.int64())
    assert schema.field("trade_id").type == pa.large_string()
    assert np.dtype(schema.field("price").type.to_pandas_dtype()) == np.float64
