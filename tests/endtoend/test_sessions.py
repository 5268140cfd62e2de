"""Recorded sessions played one after the other into a plant that closes each: history and today equal the files."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from running import RunningPlant
from typer.testing import CliRunner

import plant
from plant.command.app import app as cli
from plant.history.catalogue import Catalogue
from plant.history.layout import history_folder

PRICES = ["open", "high", "low", "close", "volume"]
FEED = """
[[feeds]]
kind = "recorded"
name = "session-{day}"
paths = ["{folder}/{day}/*_1min.csv"]
time_zone = "America/New_York"
stamp = "end"
"""


@pytest.fixture
def bars(market_data: Path) -> pd.DataFrame:
    """Return the bars of the files, in order of time and symbol, with the day each is of; skip without the files."""
    paths = sorted((market_data / "eqker_1min").glob("*_1min.csv"))
    if not paths:
        pytest.skip(f"no recorded bars in {market_data / 'eqker_1min'}")
    files = [pd.read_csv(path, dtype=dict.fromkeys(PRICES, float)) for path in paths]
    found = pd.concat([file.assign(sym=path.name.split("_")[0]) for path, file in zip(paths, files, strict=True)])
    ends = pd.to_datetime(found["datetime"]).dt.tz_localize("America/New_York")
    found["time"] = (ends - pd.Timedelta("1min")).dt.tz_convert("UTC").astype("datetime64[ns, UTC]")
    found["day"] = found["datetime"].str[:10]
    return found.sort_values(["time", "sym"], ignore_index=True)


def cut(folder: Path, made: Path) -> None:
    """Write each file's lines of each day into a file of the same name in that day's folder, in the order they have."""
    for path in folder.glob("*_1min.csv"):
        header, *lines = path.read_text().splitlines()
        for day in {line[:10] for line in lines}:
            (made / day).mkdir(parents=True, exist_ok=True)
            (made / day / path.name).write_text("\n".join([header, *(line for line in lines if line[:10] == day)]))


def run(running: RunningPlant, *arguments: str) -> str:
    """Run the command `plant`, and return what it says; fail if it does."""
    done = CliRunner().invoke(cli, [*arguments, "--config", str(running.config)])
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return done.stdout


def partitions(running: RunningPlant) -> list[tuple[str, int]]:
    """Return the days of bars on disk, with their rows."""
    files = Catalogue.load(history_folder(running.settings.plant.data)).days_of("bars")
    assert all(f.first_day == f.last_day for f in files)
    return [(f.first_day, f.rows) for f in files]


def assert_equals(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare times, symbols and values of an answer with those of the files: each row once."""
    found = found.astype({"sym": str}).sort_values(["time", "sym"], ignore_index=True)
    assert found["time"].tolist() == expected["time"].tolist()
    assert found["sym"].tolist() == expected["sym"].tolist()
    for name in PRICES:
        assert found[name].tolist() == expected[name].tolist(), name


@pytest.mark.timeout(180)
@pytest.mark.soak
def test_five_sessions_played_day_by_day_are_five_partitions_that_equal_the_files(
    start_plant: Callable[..., RunningPlant],
    market_data: Path,
    bars: pd.DataFrame,
    tmp_path: Path,
    eventually: Callable[..., Any],
) -> None:
    cut(market_data / "eqker_1min", tmp_path / "sessions")
    rows = bars.groupby("day").size().to_dict()
    days = list(rows)
    assert len(days) == 5
    feeds = "".join(FEED.format(day=day, folder=tmp_path / "sessions") for day in days)
    running = start_plant("tickerplant", "rdb", "hdb", toml=feeds)
    today = running.ask()
    with plant.connect(config=str(running.config)) as db:
        for i, day in enumerate(days):
            feed = f"feedhandler session-{day}"
            running.start(feed)
            eventually(lambda day=day: today.count("bars") == rows[day], what=lambda: today)
            running.kill(feed, signal.SIGTERM)
            assert running.processes[feed].wait(10) == 0
            assert partitions(running) == [(each, rows[each]) for each in days[:i]]
            played = bars[bars["day"] <= day]
            assert_equals(db.select("bars"), played)

            assert f"{day} is closed" in run(running, "end-of-day", day, "--again")
            eventually(lambda: today.count("bars") == 0, what=lambda: today)
            assert partitions(running) == [(each, rows[each]) for each in days[: i + 1]]
            assert_equals(db.select("bars"), played)
        of_one = bars[(bars["day"] == days[2]) & (bars["sym"] == "TSLA")].reset_index(drop=True)
        assert_equals(db.select("bars", sym="TSLA", start=days[2], end=days[3]), of_one)
        assert db.count("bars") == len(bars) == 7792
        assert db.count("rejects") == 0
    assert "the same" in run(running, "verify").splitlines()
