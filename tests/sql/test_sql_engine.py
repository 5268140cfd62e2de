"""SQL: the dialect's joins and windows work, times are UTC to the nanosecond, and nothing but reading is possible."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from plain_rows import MINUTE, NOON, SECOND, SHAPES, bar, quote, table_of, tables_of, trade

from plant.errors import Cancelled, QueryError, QueryLimit
from plant.query import questions
from plant.query.answers import Answerer
from plant.query.limits import Limits
from plant.rows.schema import META_COLUMNS, Column, Table
from plant.sql.engine import SqlEngine

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"
ENDLESS_AFTER_THE_FIRST_ROWS = "with recursive r(n) as (select 1 union all select n + 1 from r) select * from r"

visible_to_replacement_scans = pd.DataFrame({"secret": [1]})

TABLES = tables_of(
    bars=[[bar(NOON + k * MINUTE, "AAPL", close=100.0 + k, volume=k + 1.0) for k in range(6)]],
    trades=[[trade(NOON + k * SECOND, "AAPL" if k % 2 else "MSFT", price=10.0 + k) for k in range(6)]],
    quotes=[[quote(NOON + 2 * k * SECOND + 1, "AAPL", bid=float(k)) for k in range(3)]],
)
ANSWERER = Answerer(TABLES, SqlEngine())


def ask(text: str) -> pa.Table:
    return ANSWERER.answer(questions.Sql(text))


def refusal(text: str) -> str:
    with pytest.raises(QueryError) as caught:
        ask(text)
    return str(caught.value)


def test_a_select_answers_its_rows() -> None:
    found = ask("select sym, count(*) n, max(price) top from trades group by sym order by sym")
    assert found.to_pylist() == [{"sym": "AAPL", "n": 3, "top": 15.0}, {"sym": "MSFT", "n": 3, "top": 14.0}]


def test_every_column_is_there_and_those_of_the_journal_too() -> None:
    columns = [*TABLES["trades"].declaration.names, "seq", "seq_row", "received"]
    assert ask("from trades").column_names == columns


def test_a_time_that_is_not_known_is_null_in_every_function() -> None:
    columns = (Column("time", "time"), Column("sym", "symbol"), Column("seen", "time"))
    rows = [{"time": NOON + k, "sym": "A", "seen": None if k % 3 else NOON + k} for k in range(9)]
    for batches in ([rows[:1], rows[1:]], [rows[1:3], rows[4:5]]):
        whole = [row for batch in batches for row in batch]
        seen = [row["seen"] for row in whole]
        for shape in SHAPES:
            answerer = Answerer({"orders": table_of(Table("orders", columns), batches, *shape)}, SqlEngine())
            found = answerer.answer(
                questions.Sql(
                    "select epoch_ns(seen) ns, epoch_ns(seen + interval '1 hour') later, hour(seen) h, "
                    "date_trunc('day', seen) as d, time_bucket(interval '1 minute', seen) b, dayname(seen) n, "
                    "seen - time as since, seen at time zone 'America/New_York' as clock, seen > time as beyond "
                    "from orders order by time"
                )
            )
            assert found["ns"].to_pylist() == seen
            assert found["later"].to_pylist() == [None if ns is None else ns + 60 * MINUTE for ns in seen]
            for name in ("h", "d", "b", "n", "since", "clock", "beyond"):
                assert [value is None for value in found[name].to_pylist()] == [ns is None for ns in seen], name
            known = answerer.answer(questions.Sql("select count(*) n from orders where seen != '2026-01-01'"))
            assert known["n"].to_pylist() == [len(seen) - seen.count(None)]


def test_window_functions_look_at_the_row_before() -> None:
    found = ask("select price - lag(price) over (partition by sym order by time) d from trades order by time")
    assert found.column("d").to_pylist() == [None, None, 2.0, 2.0, 2.0, 2.0]


def test_an_asof_join_takes_the_quote_in_force() -> None:
    joined = (
        "select t.price, q.bid from trades t asof join quotes q on t.sym = q.sym and t.time >= q.time order by t.time"
    )
    assert ask(joined).to_pylist() == [
        {"price": 11.0, "bid": 0.0},
        {"price": 13.0, "bid": 1.0},
        {"price": 15.0, "bid": 2.0},
    ]


def test_two_tables_join_whatever_the_case_of_their_names() -> None:
    found = ask('select count(*) n from TRADES t join "bars" b on t.sym = b.sym and t.time = b.time')
    assert found.to_pylist() == [{"n": 0}]


def test_a_name_given_with_with_hides_the_table() -> None:
    assert ask("with trades as (select 7 x) select * from trades").to_pylist() == [{"x": 7}]


def test_times_keep_their_nanoseconds_and_are_utc() -> None:
    found = ask("select time, received from quotes order by time limit 1")
    assert found.schema.types == [pa.timestamp("ns", "UTC")] * 2
    assert found.column("time").cast(pa.int64()).to_pylist() == [NOON + 1]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("time_bucket(interval '5 minutes', time)", "2026-11-20T12:05:00Z"),
        ("date_trunc('hour', time)", "2026-11-20T12:00:00Z"),
        ("time - interval '1 hour'", "2026-11-20T11:05:00Z"),
        ("time::date::varchar", "2026-11-20"),
        ("strftime(time, '%H:%M')", "12:05"),
        ("extract(hour from time)", 12),
        ("epoch_ns(time)", NOON + 5 * MINUTE),
        ("time > '1970-01-01' and now()::timestamp > '2026-11-01'", True),
    ],
)
def test_times_can_be_cut_shifted_and_shown_in_utc(expression: str, expected: Any) -> None:
    (row,) = ask(
        f"select {expression} x from bars where time <= '2026-11-20 12:05' order by time desc limit 1"
    ).to_pylist()
    if isinstance(expected, str) and expected.endswith("Z"):
        assert pd.Timestamp(row["x"]) == pd.Timestamp(expected)
        assert str(row["x"].tzinfo) == "UTC"
    else:
        assert row["x"] == expected


def test_the_zone_is_utc_whatever_that_of_the_machine() -> None:
    """Not "Etc/UTC" or the like either, which is what a machine in UTC would have given."""
    found = ask("select current_setting('TimeZone') zone, now() now, to_timestamp(0)::varchar epoch")
    assert found.column("zone").to_pylist() == ["UTC"]
    assert found.column("epoch").to_pylist() == ["1970-01-01 00:00:00+00"]
    assert found.schema.field("now").type.tz == "UTC"


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("time > '2026-11-20 14:02:00+02:00'", 3),
        ("time > '2026-11-20T07:02-05'", 3),
        ("time > '2026-11-20 07:02 America/New_York'", 3),
        ("time > timestamptz '2026-11-20 07:02-05:00'", 3),
        ("time > timestamp with time zone '2026-11-20 07:02-05:00'", 3),
        ("time between '2026-11-20 07:02-05:00' and '2026-11-20 07:03-05:00'", 2),
        ("time in ('2026-11-20 07:02-05:00')", 1),
        ("time at time zone 'America/New_York' > '2026-11-20 07:02'", 3),
        ("(time at time zone 'America/New_York')::time between '07:02' and '07:03'", 2),
        ("time > timestamp '2026-11-20 07:02' at time zone 'America/New_York'", 3),
        ("time < now() and time < current_timestamp and time > now() - interval '100 years'", 6),
        ("time::date = '2026-11-20' and time >= date '2026-11-20' and received < now()", 6),
    ],
)
def test_a_moment_may_be_said_by_any_clock(condition: str, rows: int) -> None:
    assert ask(f"select count(*) n from bars where {condition}").to_pylist() == [{"n": rows}]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("time at time zone 'America/New_York'", "2026-11-20 07:05"),
        ("time::timestamptz at time zone 'America/New_York'", "2026-11-20 07:05"),
        ("timezone('Asia/Tokyo', time)", "2026-11-20 21:05"),
        ("time_bucket(interval '1 hour', time at time zone 'Asia/Kolkata')", "2026-11-20 17:00"),
        ("time at time zone 'Asia/Tokyo' + interval '1 ms'", "2026-11-20 21:05:00.001"),
    ],
)
def test_a_local_clock_is_answered_without_a_zone(expression: str, expected: str) -> None:
    found = ask(f"select {expression} x from bars order by time desc limit 1")
    assert found.schema.field("x").type == pa.timestamp("ns")
    assert found.column("x").to_pylist() == [pd.Timestamp(expected)]


def test_the_day_of_a_zone_begins_at_its_midnight() -> None:
    found = ask(
        "select date_trunc('day', time at time zone 'America/New_York') at time zone 'America/New_York' x from bars"
        " limit 1"
    )
    assert found.schema.field("x").type == pa.timestamp("ns", "UTC")
    assert found.column("x").to_pylist() == [pd.Timestamp("2026-11-20 05:00Z")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "select timestamp '2026-11-20 12:02+01' x",
            "has the zone +01, and what a clock shows has none; write",
        ),
        (
            "select 1 from bars where time at time zone 'Asia/Tokyo' > '2026-11-20 12:02-05:00'",
            "has the zone -05:00, and what a clock shows has none",
        ),
        ("select 1 from bars where time > strptime('2026-11-20 +01', '%Y-%m-%d %z')", "write ::timestamptz behind it"),
        ("select time::time from bars", "say by which clock: (time at time zone 'UTC')::time"),
        ("select avg(time) from bars", "it takes no times of ns: give it epoch_ns(time)"),
        (
            "select time - timestamptz '2026-11-20 12:00:00.000000001' from bars",
            "an INTERVAL of SQL holds microseconds: write epoch_ns(a) - epoch_ns(b)",
        ),
        ("select extract(epoch from time) from bars", "write epoch_ns(...), or epoch(...) for a double"),
        ("select date_trunc('fortnight', time) from bars", "date_trunc of ns knows microsecond, millisecond, second"),
        ("select time + interval '300 years' from bars", "which ns since 1970 do not reach"),
        ("select time '25:00'", "25:00"),
    ],
)
def test_what_would_be_another_time_than_it_says_is_refused(text: str, message: str) -> None:
    assert message in refusal(text)


def test_two_columns_of_one_name_are_refused_with_what_to_write() -> None:
    message = refusal("select * from trades t asof join quotes q on t.sym = q.sym and t.time >= q.time")
    assert message.startswith("sql: 2 columns of the answer are called 'time'; give each a name of its own: ")
    assert "select a.time, b.time as b_time" in message
    assert "'price'" in refusal("select price, price from trades")
    assert ask("select price, price as bid_price from trades").column_names == ["price", "bid_price"]


def test_a_sum_of_ints_is_an_int() -> None:
    found = ask("select sum(seq) s, count_if(seq > 0) c, sum(9007199254740993) e, sum(price) p, 1.50 d from trades")
    assert [str(t) for t in found.schema.types] == ["int64", "int64", "int64", "double", "decimal128(3, 2)"]
    assert found.column("e").to_pylist() == [6 * 9007199254740993]
    assert ask("select sum(seq) s from trades where false").to_pylist() == [{"s": None}]
    assert "'s' has a value beyond 9,223,372,036,854,775,807" in refusal(
        "select sum(9223372036854775807 + seq * 0) s from trades"
    )


@pytest.mark.parametrize("text", ["2026-11-20 12:02Z", "2026-11-20 12:02:00+00", "2026-11-20T12:02:00.000+00:00"])
def test_a_time_in_utc_may_say_so(text: str) -> None:
    assert ask(f"select count(*) n from bars where time > '{text}'").to_pylist() == [{"n": 3}]


def test_tables_and_columns_are_listed() -> None:
    assert set(TABLES) == {row["name"] for row in ask("show tables").to_pylist()}
    listed = ask("select column_name c from information_schema.columns where table_name = 'trades'")
    assert {row["c"] for row in listed.to_pylist()} == {*TABLES["trades"].declaration.names, *META_COLUMNS}


def test_a_time_is_compared_with_text_as_utc() -> None:
    found = ask("select count(*) n from bars where time >= '2026-11-20 12:02' and time < '2026-11-20 12:04'")
    assert found.to_pylist() == [{"n": 2}]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into trades values (1)",
        "update trades set price = 0",
        "delete from trades",
        "drop view trades",
        "create table mine (x int)",
        "create view mine as select 1",
        "copy trades to '{folder}/out.csv'",
        "copy (select 1) to '{folder}/out.parquet'",
        "export database '{folder}'",
        "attach '{folder}/x.db'",
        "set memory_limit = '100GB'",
        "reset memory_limit",
        "pragma enable_profiling",
        "install httpfs",
        "load httpfs",
        "call pragma_version()",
        "explain analyze select 1",
        "prepare p as select 1",
        "begin transaction",
        "vacuum",
        "checkpoint",
        "use memory",
        "select 1; select 2",
        "select 1; drop view trades",
        "",
        ";",
        "-- nothing",
    ],
)
def test_anything_but_one_select_is_refused(statement: str, tmp_path: Path) -> None:
    assert "expected one SELECT, found" in refusal(statement.format(folder=tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "source",
    [
        "'{file}'",
        "read_csv('{file}')",
        "read_csv_auto('{file}')",
        "read_text('{file}')",
        "read_blob('{file}')",
        "read_json('{file}')",
        "read_parquet('{file}')",
        "parquet_metadata('{file}')",
        "sniff_csv('{file}')",
        "glob('{file}')",
        "glob('{folder}/*')",
        "'https://example.com/a.csv'",
        "read_csv('http://127.0.0.1:1/a.csv')",
        "query('select * from read_text(''{file}'')')",
        "enable_logging(storage = 'file', storage_path = '{folder}/log')",
        "enable_profiling(save_location = '{folder}/profile')",
        "visible_to_replacement_scans",
        "TABLES",
        "sqlite_scan('{file}', 'x')",
    ],
)
def test_files_network_and_variables_of_the_process_are_out_of_reach(source: str, tmp_path: Path) -> None:
    file = tmp_path / "private.csv"
    file.write_text("a,b\n1,secret\n")
    visible_to_replacement_scans = pd.DataFrame({"secret": [1]})

    message = refusal(f"select * from {source.format(file=file, folder=tmp_path)}")
    assert message.startswith("sql: ")
    assert len(visible_to_replacement_scans) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["private.csv"]
    assert "secret" not in message.replace(source, "").replace("duckdb_secrets", "")


@pytest.mark.parametrize("expression", ["getenv('HOME')", "nextval('x')", "current_setting('nothing')", "load_aws()"])
def test_functions_that_reach_outside_do_not_exist(expression: str) -> None:
    assert refusal(f"select {expression}").startswith("sql: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("from trade", "sql: unknown table 'trade' (did you mean 'trades'?); tables are: bars, trades, quotes"),
        ("select 1 from trades t join bar b on t.sym = b.sym", "unknown table 'bar' (did you mean 'bars'?)"),
        ("select prise from trades", '"prise" not found in FROM clause'),
        ("selekt 1", "Parser Error"),
        ("select 'x", "unterminated"),
        ("select ?", "parameters"),
        ("select 'x'::int", "Could not convert"),
        ("select error('boom')", "boom"),
        ("select case when range = 4000000 then error('boom') else 1 end from range(4500000)", "boom"),
        ("select " + "(" * 3000 + "1" + ")" * 3000, "depth"),
    ],
)
def test_a_wrong_query_is_told_what_is_wrong_also_when_it_fails_after_its_first_rows(text: str, message: str) -> None:
    assert message in refusal(text)


@pytest.mark.parametrize("text", [ENDLESS, ENDLESS_AFTER_THE_FIRST_ROWS], ids=["no row", "rows"])
def test_an_endless_query_is_stopped_at_the_limit_and_others_go_on_meanwhile(text: str) -> None:
    engine, failures, others = SqlEngine(), list[Exception](), list[Any]()
    started = time.monotonic()

    def endless() -> None:
        try:
            engine.answer(text, {}, budget=Limits(3, 10**12, 10**15).budget())
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=endless)
    thread.start()
    while thread.is_alive():
        others.append(engine.answer("select 42 x", {}).to_pylist())
    thread.join()

    assert [type(e) for e in failures] == [QueryLimit]
    assert str(failures[0]) == "sql: stopped after 3 s; ask for less, or allow more time (timeout_s)"
    assert 2.9 < time.monotonic() - started < 10
    assert len(others) > 1
    assert others[-1] == [{"x": 42}]


def test_a_query_nobody_waits_for_is_stopped() -> None:
    budget, failures = Limits().budget(), list[Exception]()

    def endless() -> None:
        try:
            SqlEngine().answer(ENDLESS, {}, budget=budget)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=endless)
    thread.start()
    budget.cancel()
    thread.join(20)
    assert [(type(e), str(e)) for e in failures] in (
        [(Cancelled, "sql: cancelled by its asker")],
        [(Cancelled, "cancelled by its asker")],  # before it began
    )


def test_an_answer_of_too_many_rows_or_bytes_is_refused() -> None:
    limits = Limits(max_rows=1000)
    assert SqlEngine().answer("select * from range(1000)", {}, budget=limits.budget()).num_rows == 1000
    with pytest.raises(QueryLimit, match="1,001 rows, at most 1,000 are answered at once"):
        SqlEngine().answer("select * from range(1001)", {}, budget=limits.budget())
    with pytest.raises(QueryLimit, match="at most 0 MiB are answered at once"):
        SqlEngine().answer("select * from range(1000)", {}, budget=Limits(max_bytes=1000).budget())


def test_a_query_of_too_much_memory_is_refused_and_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = SqlEngine(memory_mb=30)
    with pytest.raises(QueryLimit, match="of memory; ask for less"):
        engine.answer("select * from range(9000000) t order by hash(range) limit 3000000", {})
    assert engine.answer("select 1 x", {}).num_rows == 1
    assert not list(tmp_path.iterdir())


class Watched:
    """A view of a table that notes which columns were made for SQL."""

    def __init__(self, name: str) -> None:
        self._view = TABLES[name].snapshot()
        self.declaration = self._view.declaration
        self.made: list[str] = []

    def arrow(self, columns: Sequence[str], beyond: int = 0) -> pa.Table:
        self.made += columns
        return self._view.arrow(columns, beyond)


@pytest.mark.parametrize(
    ("text", "meta"),
    [
        ("select count(*) from trades", False),
        ("select sym, sum(price * size) / sum(size) vwap, count(*) n from trades group by sym order by n", False),
        ("select t.price from trades t asof join quotes q on t.sym = q.sym and t.time >= q.time", False),
        ("select price from trades join quotes using (sym)", False),
        ("with a as (select price p from trades) select max(p) from a", False),
        ("select seq from trades", True),
        ('select "SEQ" from trades', True),
        ("select max(t.received) from trades t", True),
        ("select price from trades where price > (select min(seq) from trades)", True),
        ("select price from trades join quotes using (sym, seq)", True),
        ("select price from trades natural join quotes", True),
        ("select * from trades", True),
        ("select t.* from trades t", True),
        ("select * exclude (sym) from trades", True),
        ("select max(columns('s.*')) from trades", True),
        ("from trades", True),
        ("table trades", True),
        ("select t from trades t", True),
        ("select trades from trades", True),
        ("select max_by(t, time).price from trades t", True),
        ("select #7 from trades", True),
        ("select g from trades t(a, b, c, d, e, f, g)", True),
        ("from (pivot trades on sym in ('AAPL') using count(price))", True),
        ("from (unpivot trades on price, size)", True),
        ("select column_name from (describe trades)", True),
        ("from query('select seq from trades')", True),
        ("select s from query_table('trades') t(t, s)", True),
    ],
)
def test_seq_and_received_are_made_for_a_query_that_may_use_them_and_no_other(text: str, meta: bool) -> None:
    views = {name: Watched(name) for name in TABLES}
    found = SqlEngine().answer(text, views)  # type: ignore[arg-type]
    made = set(META_COLUMNS) & set(views["trades"].made)
    assert bool(made) == meta
    assert all(name in text.lower() for name in made) or made == set(META_COLUMNS)
    assert found.equals(ask(text)) or "group by" in text or "max_by" in text


def test_only_rows_beyond_a_seq_are_there_if_so_asked() -> None:
    assert ANSWERER.answer(questions.Sql("select count(*) n from trades", beyond=9)).to_pylist() == [{"n": 6}]
    assert ANSWERER.answer(questions.Sql("select count(*) n from trades", beyond=10)).to_pylist() == [{"n": 0}]


def test_a_table_is_made_for_sql_only_if_the_query_names_it() -> None:
    views = {name: Watched(name) for name in TABLES}
    SqlEngine().answer("select sym from bars", views)  # type: ignore[arg-type]
    assert [name for name, view in views.items() if view.made] == ["bars"]


def test_the_tables_of_one_query_are_not_there_for_another() -> None:
    engine = SqlEngine()
    engine.answer("select sym from bars", {"bars": TABLES["bars"].snapshot()})
    with pytest.raises(QueryError, match=r"unknown table .bars."):
        engine.answer("select sym from bars", {})
