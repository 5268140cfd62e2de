"""Answers about history: the questions of plant.query.questions, SQL over the files, new versions while it is asked."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from history_files import HOURS, journaled, write_history
from plain_rows import NOON, SCHEMA, bar, batch_of, quote, table_of, trade

from hdb.reader import answering
from hdb.reader.answering import HistoryAnswerer
from hdb.reader.footers import MissingFile
from hdb.reader.sql import HistorySql
from hdb.reader.sql_files import ALWAYS, show, span_of
from plant.errors import HistoryError, QueryError, UnknownTable
from plant.history.catalogue import CATALOGUE, Catalogue
from plant.query import questions
from plant.query.answers import Answerer
from plant.query.limits import Budget
from plant.sql.engine import SqlEngine
from plant.sql.worker import Database

DAY = 24 * HOURS
BARS, QUOTES, TRADES = SCHEMA["bars"], SCHEMA["quotes"], SCHEMA["trades"]

ROWS = {
    TRADES: journaled([[trade(NOON + i * DAY // 3, "AB"[i % 2], 100.0 + i, i + 1.0)] for i in range(12)]),
    QUOTES: journaled([[quote(NOON + i * DAY // 4, "AB"[i % 2], 99.0 + i)] for i in range(12)]),
    BARS: journaled([[bar(NOON + i % 9 * DAY // 2, "AB"[i % 2], "1m", 10.0 + i)] for i in range(12)]),
}


def history(folder: Path, through: int = 12, cuts: tuple[int, ...] = (4, 8), **more: Any) -> Catalogue:
    catalogue = write_history(folder, ROWS, through, cuts, part_ends=(10,))
    catalogue = catalogue.changed(**more) if more else catalogue
    catalogue.save(folder)
    return catalogue


def in_memory(from_seq: int = 0, until: int = 12) -> Answerer:
    """The same rows in tables in memory."""
    tables = {name: table_of(table) for name, table in SCHEMA.items()}
    for table, rows in ROWS.items():
        for row in rows:
            if from_seq < row["seq"] <= until:
                plain = {name: row[name] for name in table.names}
                tables[table.name].append(batch_of(table, [plain], row["seq"], row["received"]))
    return Answerer(tables, SqlEngine())


ASKED: list[questions.Question] = [
    questions.Select("trades"),
    questions.Select("bars", ("A",), NOON + DAY, NOON + 3 * DAY, ("close", "seq", "received")),
    questions.Last("bars"),
    questions.Last("trades", at=NOON + 2 * DAY),
    questions.Count("bars", where=(("close", ">", 15.0),)),
    questions.Resample("trades", "1d"),
    questions.Resample("bars", "1d", ("B",), at="09:30", zone="America/New_York", empty="fill"),
    questions.Asof("trades", "quotes"),
    questions.Asof("trades", "quotes", ("A",), NOON + DAY, tolerance=DAY),
    questions.Window("trades", "quotes", -DAY, 0, (("high", "max", "bid"), ("n", "count", "bid")), start=NOON + DAY),
    questions.Sql("select * from trades order by time"),
    questions.Sql("select sym, count(*) n, max(seq) s, min(received) r from bars group by sym order by sym"),
    questions.Sql(
        "select time, close from bars where time >= '2026-11-22' and time < '2026-11-23 12:00' order by time"
    ),
    questions.Sql(
        "select t.price, q.bid from trades t asof join quotes q on t.sym = q.sym and t.time >= q.time order by 1"
    ),
]


@pytest.mark.parametrize("question", ASKED, ids=lambda q: q.ask)
@pytest.mark.parametrize("through", [12, 9])
def test_history_answers_as_memory_does(tmp_path: Path, question: questions.Question, through: int) -> None:
    history(tmp_path, through)
    found = HistoryAnswerer(tmp_path, SCHEMA).answer(question)
    expected = in_memory(until=through).answer(question)
    assert found.to_pylist() == expected.to_pylist()
    assert found.schema.equals(expected.schema)
    assert found.num_rows
    told = str(through).encode()
    assert found.schema.metadata == {b"through": told, b"closed": b"8", b"seq": told}


def test_tables_are_described_from_the_catalogue(tmp_path: Path) -> None:
    history(tmp_path)
    found = HistoryAnswerer(tmp_path, SCHEMA).answer(questions.Tables())
    assert found.to_pylist() == in_memory().answer(questions.Tables()).to_pylist()


@pytest.mark.parametrize("folder", ["absent", ""])
def test_no_history_is_empty_tables(tmp_path: Path, folder: str) -> None:
    answerer = HistoryAnswerer(tmp_path / folder, SCHEMA)
    assert answerer.answer(questions.Count("trades")).to_pylist() == [{"count": 0}]
    assert answerer.answer(questions.Sql("select * from trades")).num_rows == 0
    assert answerer.answer(questions.Resample("trades", "1m")).num_rows == 0
    with pytest.raises(UnknownTable, match="did you mean 'trades'"):
        answerer.answer(questions.Count("trade"))


def test_a_new_catalogue_is_taken_up_without_a_restart(tmp_path: Path) -> None:
    history(tmp_path, 4, (4,))
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    assert answerer.answer(questions.Count("trades")).to_pylist() == [{"count": 4}]
    history(tmp_path, 12, (4, 8), closed_rows=1)
    assert answerer.answer(questions.Count("trades")).to_pylist() == [{"count": 12}]


@pytest.mark.parametrize("question", [questions.Select("trades"), questions.Sql("select * from trades order by time")])
def test_a_file_that_went_with_its_version_sends_the_question_to_the_next(
    tmp_path: Path, question: questions.Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = history(tmp_path, cuts=(4,))
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    version = answerer.version
    taken = []

    def overtaken() -> answering.Version:
        taken.append(version())
        if len(taken) == 1:
            new = history(tmp_path, cuts=(4, 8))
            for file in {f.path for f in old.every_file()} - {f.path for f in new.every_file()}:
                (tmp_path / file).unlink()
        return taken[-1]

    monkeypatch.setattr(answerer, "version", overtaken)
    assert answerer.answer(question).num_rows == 12
    assert len(taken) == 3


@pytest.mark.parametrize("question", [questions.Select("trades"), questions.Sql("select * from trades")])
def test_a_file_of_the_newest_version_that_is_missing_is_lost(tmp_path: Path, question: questions.Question) -> None:
    lost = tmp_path / history(tmp_path).days_of("trades")[0].path
    lost.unlink()
    with pytest.raises(MissingFile, match=f"{lost} is missing"):
        HistoryAnswerer(tmp_path, SCHEMA).answer(question)


def test_a_damaged_catalogue_is_an_error_and_a_restored_one_answers(tmp_path: Path) -> None:
    history(tmp_path)
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    good = (tmp_path / CATALOGUE).read_bytes()
    (tmp_path / CATALOGUE).write_bytes(good[:-9])
    with pytest.raises(HistoryError, match="catalogue cannot be read"):
        answerer.answer(questions.Count("trades"))
    (tmp_path / CATALOGUE).write_bytes(good)
    assert answerer.answer(questions.Count("trades")).to_pylist() == [{"count": 12}]


def test_history_as_of_a_seq_is_what_was_known_then(tmp_path: Path) -> None:
    history(tmp_path)
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    for as_of in (0, 4, 8, 9, 12):
        for question in (questions.Select("bars", as_of=as_of), questions.Last("trades", as_of=as_of)):
            expected = in_memory(until=as_of).answer(type(question)(question.table))
            assert answerer.answer(question).to_pylist() == expected.to_pylist()
        expected = in_memory(until=as_of).answer(questions.Sql("select * from bars order by time, sym"))
        found = answerer.answer(questions.Sql("select * from bars order by time, sym", as_of=as_of))
        assert found.to_pylist() == expected.to_pylist()
    with pytest.raises(HistoryError, match="history holds the rows up to seq 12 so far, found 13"):
        answerer.answer(questions.Count("bars", as_of=13))
    with pytest.raises(QueryError, match="as_of must be 0 or more"):
        questions.question_of({"ask": "count", "table": "bars", "as_of": -1})
    with pytest.raises(QueryError, match="answered from history"):
        in_memory().answer(questions.Count("bars", as_of=3))


def rdb(from_seq: int, released: int | None = None) -> Callable[[questions.Select, Budget], pa.Table]:
    memory = in_memory(from_seq)

    def ask(question: questions.Select, budget: Budget) -> pa.Table:
        facts = {"released": str(from_seq if released is None else released)}
        return memory.answer(question, budget).replace_schema_metadata(facts)

    return ask


@pytest.mark.parametrize("question", [q for q in ASKED if isinstance(q, questions.Sql)])
@pytest.mark.parametrize("through", [0, 4, 7, 11, 12])
def test_sql_over_history_and_today_is_that_over_one_table(
    tmp_path: Path, question: questions.Sql, through: int
) -> None:
    history(tmp_path, through, tuple(cut for cut in (4, 8) if cut <= through))
    found = HistoryAnswerer(tmp_path, SCHEMA, rdb(min(through, 3))).answer(questions.Sql(question.query, today=True))
    assert found.to_pylist() == in_memory().answer(question).to_pylist()


def test_sql_needs_history_up_to_what_the_rdb_released(tmp_path: Path) -> None:
    history(tmp_path, 9)
    with pytest.raises(HistoryError, match=r"trades: the rdb has let go of rows up to seq 10, .* up to 9 only"):
        HistoryAnswerer(tmp_path, SCHEMA, rdb(9, 10)).answer(questions.Sql("select * from trades", today=True))
    with pytest.raises(QueryError, match="asked alone"):
        HistoryAnswerer(tmp_path, SCHEMA).answer(questions.Sql("select * from trades", today=True))


def test_sql_reads_only_the_days_that_its_conditions_leave(tmp_path: Path) -> None:
    catalogue = history(tmp_path)
    for file in catalogue.days_of("trades")[1:]:
        (tmp_path / file.path).write_bytes(b"damaged")
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    first = "select sum(price) p from trades where time < '2026-11-21' and sym <> 'X'"
    assert answerer.answer(questions.Sql(first)).to_pylist() == [{"p": 100.0 + 101.0}]
    with pytest.raises(QueryError, match=r"damaged|too small|Parquet"):
        answerer.answer(questions.Sql("select sum(price) p from trades"))


PLANS = [
    (
        "time >= '2026-11-21' and time < '2026-11-22 01:02:03.000000004'",
        ("2026-11-21", "2026-11-22 01:02:03.000000004"),
    ),
    ("time between '2026-11-21' and '2026-11-22' and sym in ('A', 'B')", ("2026-11-21", "2026-11-22")),
    ("time = '2026-11-21 00:00:01' and price > 3", ("2026-11-21 00:00:01", "2026-11-21 00:00:01")),
    ("sym = 'x) AND (time > ''2026-11-21 00:00:00''::TIMESTAMP_NS'", None),
    ("time > '2026-11-21' or sym = 'A'", None),
    ("time <> '2026-11-21'", None),
    ("received > '2026-11-21'", None),
    ("time + interval 1 day > '2026-11-21'", None),
    ("time > '2026-11-21' and t.time in (select received from trades)", None),
]


def test_tables_of_the_history_are_listed_under_their_names_and_only_for_the_question_that_asks(tmp_path: Path) -> None:
    history(tmp_path)
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    for _ in range(2):
        assert {row["name"] for row in answerer.answer(questions.Sql("show tables")).to_pylist()} == set(SCHEMA)
    with pytest.raises(QueryError, match="unknown table 'bars'"):  # which nobody can see that it names
        answerer.answer(questions.Sql("from query('select 1 from b' || 'ars')"))
    described = answerer.answer(questions.Sql("describe bars")).to_pylist()
    kinds = {row["column_name"]: row["column_type"] for row in described}
    assert (kinds["time"], kinds["received"], kinds["sym"]) == ("TIMESTAMPTZ_NS", "TIMESTAMPTZ_NS", "VARCHAR")


def test_times_of_the_history_are_instants(tmp_path: Path) -> None:
    history(tmp_path)
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    every = answerer.answer(questions.Sql("select time from trades order by time")).column("time").to_pylist()
    text = f"{every[2].tz_convert('America/New_York')}"
    found = answerer.answer(
        questions.Sql(f"select time, time at time zone 'Asia/Tokyo' t from trades where time <= '{text}'")
    )
    assert found.num_rows == sum(at <= every[2] for at in every)
    assert found.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert found.schema.field("t").type == pa.timestamp("ns")


@pytest.mark.parametrize(("where", "span"), PLANS)
def test_days_are_left_out_only_by_conditions_that_all_rows_must_meet(
    tmp_path: Path, where: str, span: tuple[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(tmp_path)
    found: list[Any] = []
    monkeypatch.setattr("hdb.reader.sql_files.span_of", lambda plan: found.append(span_of(plan)) or found[-1])
    view = HistoryAnswerer(tmp_path, SCHEMA).version()["trades"].snapshot()
    shown = HistorySql(tmp_path)._made(view, None, 0, Budget())
    with Database().connection as connection:
        show(connection, f"select price from trades t where {where}", {"trades": shown})
    import pandas as pd

    wanted = ALWAYS if span is None else tuple(pd.Timestamp(at).value for at in span)
    assert found == [wanted]


def test_another_columns_bounds_are_not_those_of_time_whatever_they_are_called(tmp_path: Path) -> None:
    history(tmp_path)
    answerer, memory = HistoryAnswerer(tmp_path, SCHEMA), in_memory()
    for sql in (
        "select count(*) n from (select received as time from trades) where time < '2026-11-21'",
        "with t(time, came) as (select received, time from trades) select count(*) n from t where time < '2026-11-21'",
        "select count(*) n from trades a join trades b on a.seq = b.seq where a.time > '2026-11-23'",
        "select count(*) n from trades where time > (select max(time) from trades where sym = 'A')",
        "select (select count(*) from trades) n from trades where time > '2026-11-23'",
    ):
        assert answerer.answer(questions.Sql(sql)).to_pylist() == memory.answer(questions.Sql(sql)).to_pylist()


@pytest.mark.parametrize(
    "sql",
    [
        "copy trades to '{folder}/out.parquet'",
        "select * from read_text('/etc/hostname')",
        "select * from read_parquet('{outside}/*.parquet')",
        "select * from '{outside}/x.parquet'",
        "select * from read_csv('{folder}/../secret')",
        "select * from glob('/etc/*')",
        "attach '{folder}/x.db'",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "select * from enable_logging(storage='file', storage_path='{folder}/log')",
        "install httpfs",
        "create table x as select * from trades",
        "export database '{folder}/x'",
        "select * from trades; drop view trades",
    ],
)
def test_sql_only_reads_and_only_the_history(tmp_path: Path, sql: str) -> None:
    folder, outside = tmp_path / "it's history", tmp_path / "outside"
    history(folder)
    outside.mkdir()
    (tmp_path / "secret").write_text("a\n1\n")
    (outside / "x.parquet").write_bytes(sorted(folder.glob("trades/*/*"))[0].read_bytes())
    before = sorted(folder.rglob("*"))
    answerer = HistoryAnswerer(folder, SCHEMA)
    with pytest.raises(QueryError):
        answerer.answer(questions.Sql(sql.format(folder=str(folder).replace("'", "''"), outside=outside)))
    assert sorted(folder.rglob("*")) == before
    assert answerer.answer(questions.Sql("select count(*) n from trades")).to_pylist() == [{"n": 12}]


def test_many_ask_while_versions_change(tmp_path: Path) -> None:
    history(tmp_path, 12, (4,))
    answerer = HistoryAnswerer(tmp_path, SCHEMA)
    stop, wrong = threading.Event(), list[Any]()
    asked = (questions.Count("bars"), questions.Select("trades"), questions.Sql("select count(*) n from trades"))
    expected = [in_memory().answer(q).to_pylist() for q in asked]

    def asking() -> None:
        while not stop.is_set():
            for question, answer in zip(asked, expected, strict=True):
                try:
                    if answerer.answer(question).to_pylist() != answer:
                        wrong.append(question)
                except Exception as error:
                    wrong.append(error)

    threads = [threading.Thread(target=asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    before = history(tmp_path, 12, (4,))
    for i in range(20):
        after = history(tmp_path, 12, (4, 6, 8, 10)[: 1 + i % 4], closed_rows=i)
        for gone in {f.path for f in before.every_file()} - {f.path for f in after.every_file()}:
            (tmp_path / gone).unlink()
        before = after
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
