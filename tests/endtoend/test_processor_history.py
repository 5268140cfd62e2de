"""A processor that starts again after a day was closed: what it needs of the bars before comes from history."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import RunningPlant, all_stopped

BASE = pd.Timestamp("2026-11-20 14:30", tz="UTC")
CLOSES = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.004, 301)))


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(tmp_path / "plant", timer_s=0.2, hdb="part_s = 0.2")
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


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
