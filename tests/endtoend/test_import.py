"""plant import on a running plant: dry first, each row once, on where it was, nothing twice."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import RunningPlant
from typer.testing import CliRunner

from plant.client.connect import publisher
from plant.command.app import app as cli
from plant.command.import_files import app
from plant.errors import PlantError
from plant.history.catalogue import Catalogue
from plant.history.layout import history_folder
from plant.transfer import importing
from plant.transfer.importing import publish_file, read_file
from plant.transfer.reader import Reader

COMMAND = [sys.executable, "-W", "error", "-c", "from plant.command.app import main; main()", "import"]
HEADER = "Date,Time,Ticker,Open,High,Low,Close,Vol\n"


def bar(minute: int, close: float = 10.0, sym: str = "AAPL") -> str:
    return f"2024-07-01,{9 + minute // 60}:{minute % 60:02d},{sym},10,20,5,{close},{minute}\n"


def run(plant: RunningPlant, *arguments: Any, code: int = 0) -> str:
    arguments = ("--config", plant.config, *arguments)
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
    assert code == 0 or isinstance(done.exception, PlantError | SystemExit), repr(done.exception)
    return done.stdout


def summary(answer: str, name: str) -> list[str]:
    """Return the counts of a file: rows, revised, same, rejected, written."""
    return next(line for line in answer.splitlines() if line.startswith(f"{name} ")).split()[-5:]


@pytest.fixture
def plant(start_plant: Callable[..., RunningPlant]) -> RunningPlant:
    return start_plant("tickerplant", "rdb")


@pytest.mark.soak
def test_an_import_is_dry_first_then_writes_each_row_once(
    plant: RunningPlant, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text(HEADER + bar(1) + bar(0) + "\n" + "junk\n" + bar(0) + bar(3, close=99.0) + bar(4))
    two.write_text(HEADER + bar(4, close=11.0) + bar(5) + bar(0, sym="TSLA"))
    known = {"time": pd.Timestamp("2024-07-01T13:05Z").value, "sym": "AAPL", "interval": "1m"}
    hand, db = plant.publisher("hand"), plant.ask()
    hand.publish("bars", {**known, "open": 10.0, "high": 20.0, "low": 5.0, "close": 7.0, "volume": 1.0})
    eventually(lambda: db.count("bars") == 1)
    options = (one, two, "--table", "bars", "--time-zone", "America/New_York")
    dry = run(plant, *options)
    assert f"{one}: time = Date + Time, sym = Ticker, open = Open" in dry
    assert "  line 5: expected 8 fields, found 1: 'junk'\n" in dry
    assert "  line 7: high must be the highest price (high >= open, low, close)\n" in dry
    assert "  line 3 is there already, the same\n" in dry
    assert "  line 2 revises a row that is there already\n" in dry
    assert "  2 revised (of rows of one key the later one replaces), 0 the same (not written)\n" in dry
    assert "decimal point, interval 1m, as nothing says it" in dry
    assert summary(dry, "one.csv") == ["4", "0", "1", "2", "3"]
    assert summary(dry, "two.csv") == ["3", "2", "0", "0", "3"]
    assert "nothing was written; --write does it" in dry
    assert (db.count("bars"), db.count("imports")) == (1, 0)

    assert summary(run(plant, *options, "--write"), "one.csv")[-1] == "3"
    eventually(lambda: db.count("imports") == 4)
    found = db.select("bars", columns=["time", "sym", "close", "volume", "source"])
    assert found["volume"].tolist() == [0.0, 0.0, 1.0, 4.0, 5.0]
    assert found["sym"].tolist() == ["AAPL", "TSLA", "AAPL", "AAPL", "AAPL"]
    assert str(found["time"][0]) == "2024-07-01 13:00:00+00:00"
    assert set(found["source"]) == {"import"}
    assert found["close"].tolist()[-2:] == [11.0, 10.0], "the later row replaces the earlier one"
    notes = db.select("imports")
    assert notes["state"].tolist() == ["begun", "finished"] * 2
    assert notes["rows"].tolist() == [3, 3, 3, 3]

    again = run(plant, *options, "--write")
    assert (summary(again, "one.csv")[-1], summary(again, "two.csv")[-1]) == ("0", "0")
    assert f"{two} was imported before: nothing to do; with another --source it is written again" in again
    assert "was imported before" in run(plant, *options)
    two.write_text(two.read_text() + bar(6))
    longer = run(plant, *options, "--write")
    assert summary(longer, "two.csv") == ["4", "0", "3", "0", "1"]
    eventually(lambda: db.count("bars") == 6)
    assert len(db.sql("select 1 from rejects")) == 0


@pytest.mark.soak
def test_trades_without_an_id_that_are_alike_are_all_kept_and_none_twice(
    plant: RunningPlant, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    path = tmp_path / "SPY.csv"
    path.write_text("ts,price,qty,id\n" + "1719826200,10,1,\n" * 3 + "1719826201,10,1,x\n" * 2)
    assert summary(run(plant, path, "--table", "trades", "--write"), "SPY.csv") == ["5", "0", "1", "0", "4"]
    more = tmp_path / "SPY_2025.csv"
    more.write_text("ts,price,qty,id\n" + "1719826200,10,1,\n" * 5 + "1719826201,10,1,x\n")
    assert summary(run(plant, more, "--table", "trades", "--write"), "SPY_2025.csv") == ["6", "0", "4", "0", "2"]
    eventually(lambda: plant.ask().count("trades", sym="SPY") == 6)
    dropped = run(plant, more, "--table", "trades", "--drop-alike")
    assert summary(dropped, "SPY_2025.csv") == ["6", "0", "6", "0", "0"]


def test_rows_that_are_in_history_are_known_and_those_alike_count_over_both_places(
    start_plant: Callable[..., RunningPlant], tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    plant = start_plant("tickerplant", "rdb", "hdb", hdb="part_s = 0.2")
    paths = [tmp_path / f"SPY_{year}.csv" for year in (2021, 2022, 2023)]
    for path, alike in zip(paths, (2, 3, 5), strict=True):
        path.write_text("ts,price,qty\n" + "1719826200,10,1\n" * alike + "1719826209,9,1\n")
    run(plant, paths[0], "--table", "trades", "--write")
    assert CliRunner().invoke(cli, ["end-of-day", "--config", str(plant.config)]).exit_code == 0
    db = plant.ask()
    eventually(lambda: db.count("trades") == 0)
    two = run(plant, paths[1], "--table", "trades", "--write")
    assert summary(two, paths[1].name) == ["4", "0", "3", "0", "1"]
    hdb = plant.ask("hdb")
    eventually(lambda: hdb.count("trades") == 4)  # one of them is in the rdb, too
    three = run(plant, paths[2], "--table", "trades", "--write")
    assert summary(three, paths[2].name) == ["6", "0", "4", "0", "2"]
    for path in paths:
        assert summary(run(plant, path, "--table", "trades", "--write"), path.name)[-1] == "0"
    eventually(lambda: db.count("trades") == 3)


def test_an_import_that_was_interrupted_goes_on_where_it_was(
    plant: RunningPlant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]
) -> None:
    path = tmp_path / "X.csv"
    path.write_text("ts,price,qty\n" + "".join(f"{1719826200 + i // 3},{10 + i % 2},1\n" for i in range(1000)))
    monkeypatch.setattr(importing, "PUBLISH_ROWS", 100)
    declared = plant.settings.table_schema["trades"]
    db = plant.ask()

    def interrupted(done: int, of: int) -> None:
        if done >= 500:
            raise KeyboardInterrupt

    # what was left out then is left out, whatever the history says by now
    file = read_file(Reader("trades"), declared, path)
    file.same[::10] = True
    feed = publisher(file.name, config=str(plant.config))
    with pytest.raises(KeyboardInterrupt):
        publish_file(feed, db, plant.settings.table_schema["imports"], file, interrupted)
    before = feed.flush() and (feed.accepted or 0) - 1
    feed.close()
    assert before == 500
    assert summary(run(plant, path, "--table", "trades", "--write"), "X.csv")[-1] == str(900 - before)
    eventually(lambda: db.count("imports") == 2)
    found = db.select("trades", columns=["price", "time"], frames="numpy")
    assert found["price"].tolist() == [10.0 + i % 2 for i in range(1000) if i % 10]
    assert db.select("imports")["state"].tolist() == ["begun", "finished"]


def test_an_import_that_is_killed_at_any_moment_ends_with_each_row_once(
    plant: RunningPlant, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    path, count = tmp_path / "X.csv", 60_000
    path.write_text("ts,price,qty\n" + "".join(f"{1719826200 + i},1,{i}\n" for i in range(count)))
    db = plant.ask()
    for rows in (1, 10_000, 30_000):
        with subprocess.Popen(
            [*COMMAND, str(path), "--table", "trades", "--write"], env=plant.environment, stdout=subprocess.DEVNULL
        ) as running:
            eventually(lambda rows=rows: db.count("trades") >= rows, deadline_s=30.0)
            running.send_signal(signal.SIGKILL)
    run(plant, path, "--table", "trades", "--write")
    eventually(lambda: db.count("trades") >= count, what=lambda: db.count("trades"))
    sizes = db.select("trades", columns=["size"], frames="numpy")["size"]
    assert sizes.tolist() == list(range(count))


def test_what_cannot_be_imported_is_said(plant: RunningPlant, tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text("a,b\n1,2\n")
    run(plant, path, "--table", "trades", code=1)
    path.write_text("time,price,size\nx,1,1\n")
    refused = run(plant, path, "--table", "trades", code=1)
    assert "line 2: time: expected a time that exists once in UTC, found 'x'" in refused
    run(plant, path, "--table", "orders", code=1)
    run(plant, tmp_path / "none*.csv", "--table", "trades", code=1)
    run(plant, path, "--table", "trades", "--map", "price", code=1)


def test_recorded_sessions_become_days_of_history_that_equal_the_files(
    start_plant: Callable[..., RunningPlant], market_data: Path
) -> None:
    plant = start_plant("tickerplant", "rdb", "hdb")
    paths = sorted((market_data / "eqker_1min").glob("*.csv"))
    options = ("--table", "bars", "--time-zone", "America/New_York", "--stamp", "end", "--write")
    run(plant, *paths, *options)
    done = CliRunner().invoke(cli, ["end-of-day", "--config", str(plant.config)])
    assert done.exit_code == 0, repr(done.exception)
    folder = history_folder(plant.settings.plant.data)
    files = Catalogue.load(folder).days_of("bars")
    assert [f.first_day for f in files] == [f"2019-02-{day}" for day in (11, 12, 13, 14, 15)]
    held = pd.concat([pd.read_parquet(folder / f.path) for f in files]).sort_values(["sym", "time"])
    for path in paths:
        sym = path.name.split("_")[0]
        expected = pd.read_csv(path, parse_dates=["datetime"]).sort_values("datetime")
        found = held[held["sym"] == sym]
        times = found["time"].dt.tz_convert("America/New_York").dt.tz_localize(None) + pd.Timedelta("1min")
        assert times.tolist() == expected["datetime"].tolist()
        for name in ("open", "high", "low", "close", "volume"):
            assert found[name].tolist() == expected[name].astype(float).tolist(), (sym, name)
    for command in (["verify"], ["verify", "2019-02-13"]):
        checked = CliRunner().invoke(cli, [*command, "--config", str(plant.config)])
        assert (checked.exit_code, "the same" in checked.output) == (0, True), checked.output
    again = run(plant, *paths, *options)
    assert {summary(again, path.name)[-1] for path in paths} == {"0"}
