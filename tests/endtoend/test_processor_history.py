"""A processor that starts again after a day was closed: what it needs of the bars before comes from history."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import RunningPlant, all_stopped

from plant.intake.forms import columns_of
from plant.rows.batch import Batch
from plant.rows.tables import schema_of
from plant.runtime.settings import Settings
from plant.stream.publisher import Publisher
from processor.engine import Engine

SCHEMA = schema_of()
BASE = pd.Timestamp("2026-11-20 14:30", tz="UTC")
CLOSES = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.004, 301)))


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(tmp_path / "plant", timer_s=0.2, hdb="part_s = 0.2")
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


SIGNALS = 37
"""Those of the first 300 bars; they come behind the indicators."""


def bars(which: range) -> dict[str, Any]:
    prices = dict.fromkeys(("open", "high", "low", "close"), CLOSES[which.start : which.stop])
    times = [BASE + pd.Timedelta(minutes=i) for i in which]
    count = len(times)
    return {"time": times, "sym": ["P"] * count, "interval": ["1m"] * count, **prices, "volume": np.ones(count)}


def test_no_row_that_was_given_out_changes_and_new_bars_go_on_from_the_old_ones(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    feed, hdb, processor = plant.publisher("feed"), plant.ask("hdb"), plant.ask("processor")
    feed.publish("bars", bars(range(200)))
    feed.flush()
    eventually(lambda: len(processor.select("indicators", "P")) == 200)
    feed.publish("bars", bars(range(200, 300)))
    feed.flush()
    eventually(lambda: len(processor.select("indicators", "P")) == 300)
    eventually(lambda: len(processor.select("signals", "P")) == SIGNALS)
    known = processor.select("indicators", "P"), processor.select("signals", "P")
    end = {"sym": "test", "day": "2026-11-20", "state": "end", "detail": "again"}
    feed.publish("days", {"time": pd.Timestamp.now("UTC"), **end})
    feed.flush()
    eventually(lambda: plant.position()["confirmed"] > 0, 30.0)
    plant.restart("processor")
    eventually(lambda: processor.status()["caught_up"], 30.0)
    assert processor.status()["rows"] < 100  # those behind the close: the bars are from history
    feed.publish("bars", bars(range(300, 301)))
    feed.flush()
    eventually(lambda: len(processor.select("indicators", "P", start=BASE + pd.Timedelta(minutes=300))) == 1)
    db = plant.whole()
    indicators, signals = db.select("indicators", "P"), db.select("signals", "P")
    pd.testing.assert_frame_equal(indicators[:300][known[0].columns], known[0], check_categorical=False)
    old = signals[signals["time"] < BASE + pd.Timedelta(minutes=300)]
    pd.testing.assert_frame_equal(old.reset_index(drop=True)[known[1].columns], known[1], check_categorical=False)
    assert indicators["ema_50"].notna().sum() == 252
    assert hdb.count("bars", "P") >= 300


TRIMMED = {"segment_mb": 1, "segment_hours": 0.0003, "keep_gb": 0.000_001}
"""A journal that begins a file every second, and keeps of those whose rows are in history next to nothing."""

TURNED = np.concatenate([100 - 0.2 * np.arange(80), 84 + 1.5 * np.arange(40)])
"""Closes that fall, and then rise: every average crosses, long after the bars that make it known."""


@pytest.fixture
def trimmed(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(tmp_path / "plant", timer_s=0.2, hdb="part_s = 0.2", **TRIMMED)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


def minute_bars(sym: str, first: int, closes: np.ndarray) -> dict[str, Any]:
    """Bars of the minutes from `first` on."""
    times = [BASE + pd.Timedelta(minutes=first + i) for i in range(len(closes))]
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    same = {"sym": sym, "interval": "1m", "volume": 1.0, "source": "feed"}
    return {"time": times, **prices, **{name: [value] * len(closes) for name, value in same.items()}}


def close_the_day(plant: RunningPlant, feed: Publisher, eventually: Callable[..., Any]) -> None:
    """End the day of the bars, and have retention remove the journal up to where it is now.

    A file of the journal is removed as a whole, so the end of day comes in a later one. One that was read within a
    minute stays; to a tickerplant that starts anew none was, unless somebody is far behind.
    """
    seq = plant.position()["seq"]
    eventually(lambda: int(sorted((plant.folder / "data/journal").glob("*.journal*"))[-1].name[:20]) > seq)
    end = {"sym": "test", "day": "2026-11-20", "state": "end", "detail": "again"}
    feed.publish("days", {"time": pd.Timestamp.now("UTC"), **end})
    feed.flush()
    eventually(lambda: plant.position()["confirmed"] > seq, 30.0)
    plant.restart("tickerplant")
    eventually(lambda: plant.position()["first_seq"] > seq, 90.0, lambda: f"{seq}: {plant.position()}")


def given_out(plant: RunningPlant, before: pd.Timestamp) -> list[pd.DataFrame]:
    """Return the indicators and signals of bars before a time, with where each row stands in the journal."""
    with plant.whole() as db:
        found = [
            db.select(name, end=before, columns=[*SCHEMA[name].names, "seq", "received"])
            for name in ("indicators", "signals")
        ]
    return [rows.sort_values(["sym", "time", "seq"]).reset_index(drop=True) for rows in found]


def computed_from_all(*bars: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the indicators and signals of bars that are all there from the beginning."""
    settings = Settings()
    engine = Engine(settings.declarations, settings.rules, settings.processor.min_bars)
    for some in bars:
        columns = columns_of(SCHEMA["bars"], some)
        engine.take_bars(columns)
        engine.take_closes(columns | {"market_time": columns["time"]})
    nothing = [columns_of(SCHEMA[n], {c.name: [] for c in SCHEMA[n].columns}) for n in ("indicators", "signals")]
    found = {}
    for name, columns in engine.settle(*nothing)._asdict().items():
        assert columns is not None
        found[name] = Batch(name, columns, 0, 0, 0).pandas()
    return found


@pytest.mark.timeout(300)
@pytest.mark.soak
def test_a_processor_killed_when_the_journal_was_trimmed_changes_nothing_and_goes_on_as_if_it_had_all_bars(
    trimmed: RunningPlant, eventually: Callable[..., Any]
) -> None:
    """Of Q no bar is left in the journal, of P the second lot only."""
    plant = trimmed
    feed = plant.publisher("feed")
    lots = [minute_bars("P", 0, CLOSES[:200]), minute_bars("Q", 0, TURNED[:80]), minute_bars("P", 200, CLOSES[200:300])]
    for lot in lots[:2]:
        feed.publish("bars", lot)
    feed.flush()
    eventually(lambda: len(plant.ask("processor").select("indicators")) == 280, 30.0)
    close_the_day(plant, feed, eventually)
    feed.publish("bars", lots[2])
    last = feed.flush()
    eventually(lambda: len(plant.ask("processor").select("indicators", start=BASE + pd.Timedelta(minutes=200))) == 100)
    eventually(lambda: plant.position()["seq"] > last)
    first = min(batch.seq for batch in plant.journal("bars"))
    assert first == last, f"the journal still has bars from seq {first} on"

    end = BASE + pd.Timedelta(minutes=300)
    known = given_out(plant, end)
    assert len(known[0]) == 380
    assert known[0]["ema_50"].notna().sum() == 251 + 31
    plant.restart("processor")
    processor = plant.ask("processor")
    eventually(lambda: processor.status()["caught_up"], 30.0)
    new = [minute_bars("P", 300, CLOSES[300:]), minute_bars("Q", 80, TURNED[80:])]
    for lot in new:
        feed.publish("bars", lot)
    feed.flush()
    eventually(lambda: len(processor.select("indicators", "Q", start=BASE + pd.Timedelta(minutes=80))) == 40, 30.0)
    eventually(lambda: len(processor.select("indicators", "P", start=end)) == 1)

    whole = computed_from_all(*lots, *new)
    for name, before in zip(("indicators", "signals"), known, strict=True):
        of_old = before["time"] < np.where(before["sym"] == "Q", BASE + pd.Timedelta(minutes=80), end)
        assert of_old.all()
        with plant.whole() as db:
            now = db.select(name, columns=[*SCHEMA[name].names, "seq", "received"])
        now = now.sort_values(["sym", "time", "seq"]).reset_index(drop=True)
        times = np.where(now["sym"] == "Q", BASE + pd.Timedelta(minutes=80), end)
        pd.testing.assert_frame_equal(
            now[now["time"] < times].reset_index(drop=True), before, check_categorical=False, check_dtype=False
        )
        order = ["sym", "time", *(["signal"] if name == "signals" else [])]
        expected = whole[name].sort_values(order).reset_index(drop=True)
        found = now[expected.columns].sort_values(order).reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected, check_categorical=False, check_dtype=False)
    turned = whole["signals"].query("sym == 'Q'")
    assert {"golden_cross", "macd_cross_up"} <= set(turned[turned["time"] >= BASE + pd.Timedelta(minutes=80)]["signal"])
    assert plant.position()["first_seq"] > 1
