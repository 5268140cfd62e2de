"""A data folder that version 0.1.0 wrote (tests/support/written_by_0_1): read, closed and gone on with by this one."""

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from running import RunningPlant, all_stopped

from hdb.reader.answering import HistoryAnswerer
from plant.audit.verify import verify
from plant.client.connection import Connection
from plant.journal.journal import Journal
from plant.query import questions

WRITTEN = Path(__file__).parents[1] / "support/written_by_0_1"
OWN = """
[[tables]]
name = "ticks"
columns = [["time", "time"], ["sym", "symbol"], ["level", "float"], ["order_id", "int"], ["note", "text"]]
key = []
"""
CLOSED = "2024-03-05"
"""The last day that was closed when the folder was written."""

Rows = list[list[str]]


def expected(table: str) -> Rows:
    """Return what the version that wrote the folder answered, the names of the columns first."""
    with (WRITTEN / f"expected/{table}.csv").open(newline="") as file:
        return list(csv.reader(file))


TABLES = sorted(path.stem for path in (WRITTEN / "expected").glob("*.csv"))


def answered(db: Any, table: str, columns: list[str]) -> Rows:
    return as_text(db.select(table, columns=columns))


def as_text(rows: pa.Table) -> Rows:
    """Return rows as those files have them: times as ns, floats as Python prints them, nulls empty, no commas."""
    plain = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in rows.columns]
    texts = (
        ["" if value is None else str(value).replace(",", ";") for value in column.to_pylist()] for column in plain
    )
    return [rows.column_names, *(list(row) for row in zip(*texts, strict=True))]


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(tmp_path / "plant", toml=OWN, timer_s=0.3, hdb="part_s = 0.5")
        plants.append(made)
        for name in ("journal", "history"):
            shutil.copytree(WRITTEN / name, made.settings.plant.data / name)
        yield made


def check_answers(plant: RunningPlant) -> None:
    with plant.whole(frames="arrow") as db:
        for table in TABLES:
            wanted = expected(table)
            found = answered(db, table, wanted[0])
            # the plant of now has written rows of its own behind them
            assert found[: len(wanted)] == wanted, table
            assert table == "days" or len(found) == len(wanted), table
        added = db.select("signals", columns=["state"]).column("state").to_pylist()
        assert set(added) <= {None, ""}


def test_journal_and_history_are_the_same_rows_and_answers_without_a_running_plant(plant: RunningPlant) -> None:
    data, schema = plant.settings.plant.data, plant.settings.table_schema
    found = verify(data, schema)
    assert (found.same, found.damage, found.lines) == (True, [], [])
    history = HistoryAnswerer(data / "history", schema)
    for table in TABLES:
        wanted = expected(table)
        rows = as_text(history.answer(questions.Select(table, columns=tuple(wanted[0]))))
        assert rows == wanted[: len(rows)], table
        assert len(wanted) - len(rows) == 3 * (table in ("trades", "quotes", "ticks")), table
    signals = history.answer(questions.Select("signals", columns=("state",)))
    assert signals.column("state").null_count == 3
    journal = Journal(data / "journal", schema)  # as the tickerplant opens it: its last segment has other declarations
    try:
        assert journal.position.table_seqs["trades"] == 39
        assert [t.name for t in journal.segments.tables()].count("signals") == 2
        assert len(journal.segments) == 5
    finally:
        journal.close()


def closed(db: Connection) -> dict[str, Any]:
    return {name: db.status()[name] for name in ("closed", "ends")}


def test_what_was_written_before_is_read_closed_and_not_replaced(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    data = plant.settings.plant.data
    assert list((data / "journal").glob("*.zst"))
    assert len(list((data / "journal").glob("*.journal*"))) >= 4
    last = max(int(row[-2]) for table in TABLES for row in expected(table)[1:])
    before = verify(data, plant.settings.table_schema)
    assert (before.same, before.damage, before.lines) == (True, [], [])

    plant.start("tickerplant", "rdb", "hdb")
    assert plant.position()["seq"] >= last
    rdb, hdb = plant.ask("rdb"), plant.ask("hdb")
    eventually(lambda: rdb.status()["caught_up"] and hdb.status()["seq"] >= last, 30.0)
    check_answers(plant)

    plant.start("processor")
    processor = plant.ask("processor")
    eventually(lambda: processor.status()["caught_up"], 30.0)
    feed = plant.publisher("venue")
    bar = dict.fromkeys(("open", "high", "low", "close", "volume"), 100.0)
    feed.publish("bars", {"time": "2024-03-07 14:30", "sym": "P", "interval": "1m", "source": "venue", **bar})
    feed.flush()
    eventually(lambda: len(processor.select("indicators", "P", start="2024-03-07")) == 1, 30.0)
    for table in ("indicators", "signals"):
        new = [batch for batch in plant.journal(table) if batch.seq > last]
        times = [time for batch in new for time in batch.columns["time"].tolist()]
        assert all(time >= pd.Timestamp("2024-03-07").value for time in times), f"{table}: rows of old bars"

    end = {"sym": "venue", "day": "2024-03-07", "state": "end", "detail": "again"}
    feed.publish("days", {"time": pd.Timestamp.now("UTC"), **end})
    behind = feed.flush()
    eventually(lambda: hdb.status()["closed"] >= behind, 40.0, lambda: closed(hdb))
    eventually(lambda: rdb.status()["released"] >= behind if "released" in rdb.status() else True, 30.0)
    with plant.whole(frames="arrow") as db:
        for table in TABLES:
            wanted = expected(table)
            found = answered(db, table, wanted[0])
            number = {"bars": 1, "indicators": 1}.get(table, len(found) - len(wanted))
            assert found[: len(wanted)] == wanted, table
            assert len(found) - len(wanted) == number, table
    after = verify(data, plant.settings.table_schema, None, plant.ask("rdb", frames="arrow"))
    assert (after.same, after.damage, after.lines) == (True, [], [])


def test_a_history_written_before_answers_questions_over_files_of_both_versions(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    plant.start("tickerplant", "hdb")
    hdb = plant.ask("hdb", frames="arrow")
    eventually(lambda: hdb.status()["caught_up"], 30.0)
    of_bars = expected("bars")
    closes = [float(row[of_bars[0].index("close")]) for row in of_bars[1:]]
    days = [int(row[0]) < pd.Timestamp("2024-03-06").value for row in of_bars[1:]]
    sums = hdb.sql("select count(*) n, max(close) most from bars where time < '2024-03-06'").to_pylist()
    assert sums == [{"n": sum(days), "most": max(c for c, old in zip(closes, days, strict=True) if old)}]
    assert hdb.sql("select count(*) n from signals where coalesce(state, '') = 'withdrawn'").to_pylist() == [{"n": 0}]
