"""SQL: the dialect's joins and windows work, times are UTC to the nanosecond, and nothing but reading is possible."""

import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from rows import MINUTE, NOON, SECOND, bar, quote, tables_of, trade

from plant import query, sql
from plant.answers import Answerer
from plant.errors import QueryError, QueryLimit
from plant.sql import SqlEngine

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"
ENDLESS_AFTER_THE_FIRST_ROWS = "with recursive r(n) as (select 1 union all select n + 1 from r) select * from r"

visible_to_replacement_scans = pd.DataFrame({"secret": [1]})

TABLES = tables_of(
    bars=[[bar(NOON + k * MINUTE, "AAPL", close=100.0 + k, volume=k + 1.0) for k in range(6)]],
    trades=[[trade(NOON + k * SECOND, "AAPL" if k % 2 else "MSFT", price=10.0 + k) for k in range(6)]],
    quotes=[[quote(NOON + 2 * k * SECOND + 1, "AAPL", bid=float(k)) for k in range(3)]],
)
ANSWERER = Answerer(TABLES)


def ask(text: str) -> pa.Table:
    return ANSWERER.answer(query.Sql(text))


def refusal(text: str) -> str:
    with pytest.raises(QueryError) as caught:
        ask(text)
    return str(caught.value)


def test_a_select_answers_its_rows() -> None:
    found = ask("select sym, count(*) n, max(price) top from trades group by sym order by sym")
    assert found.to_pylist() == [{"sym": "AAPL", "n": 3, "top": 15.0}, {"sym": "MSFT", "n": 3, "top": 14.0}]


def test_every_column_is_there_and_those_of_the_journal_too() -> None:
    columns = ["time", "sym", "price", "size", "source", "trade_id", "seq", "received"]
    assert ask("from trades").column_names == columns


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
        ("select * from trade", "Table with name trade does not exist"),
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
def test_an_endless_query_is_stopped_at_the_limit_and_others_go_on_meanwhile(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "MAX_ROWS", 10**12)
    engine, failures, others = SqlEngine(0.6), list[Exception](), list[Any]()
    started = time.monotonic()

    def endless() -> None:
        try:
            engine.answer(text, lambda _: pa.table({}), [])
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=endless)
    thread.start()
    while thread.is_alive():
        others.append(engine.answer("select 42 x", lambda _: pa.table({}), []).to_pylist())
    thread.join()

    assert [type(e) for e in failures] == [QueryLimit]
    assert str(failures[0]) == "sql: stopped after 0.6 s; ask for less"
    assert 0.5 < time.monotonic() - started < 10
    assert len(others) > 1
    assert others[-1] == [{"x": 42}]


def test_an_answer_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "MAX_ROWS", 1000)
    assert ask("select * from range(1000)").num_rows == 1000
    with pytest.raises(QueryLimit, match="more than 1,000 rows; add a LIMIT or aggregate"):
        ask("select * from range(1001)")


def test_a_query_of_too_much_memory_is_refused_and_writes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sql._CONFIG, "memory_limit", "30MB")
    engine = SqlEngine()
    with pytest.raises(QueryLimit, match="of memory; ask for less"):
        engine.answer("select * from range(9000000) t order by hash(range) limit 3000000", lambda _: pa.table({}), [])
    assert engine.answer("select 1 x", lambda _: pa.table({}), []).num_rows == 1
    assert not list(tmp_path.iterdir())


def test_a_table_is_made_for_sql_only_if_the_query_names_it() -> None:
    made = list[str]()

    def table(name: str) -> pa.Table:
        made.append(name)
        return pa.table({"x": [1]})

    SqlEngine().answer("select * from bars", table, ["bars", "trades", "bar"])
    assert made == ["bars"]


def test_the_tables_of_one_query_are_not_there_for_another() -> None:
    engine = SqlEngine()
    engine.answer("select * from mine", lambda _: pa.table({"x": [1]}), ["mine"])
    with pytest.raises(QueryError, match="mine does not exist"):
        engine.answer("select * from mine", lambda _: pa.table({}), [])
