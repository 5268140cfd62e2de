"""The processor over real processes: candles of every interval from trades, what is declared, signals, on request."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import READY_S, RunningPlant, all_stopped

from plant.errors import SettingsError
from processor.connection import ProcessorConnection

DECLARED = """
[[indicators]]
name = "ema_9"
kind = "ema"
period = 9

[[indicators]]
name = "bot"
kind = "ut_bot"

[[signals]]
name = "above_9"
side = "buy"
when = "close crosses above ema_9"
"""
START = pd.Timestamp("2026-11-20 14:00", tz="UTC")
MINUTES = 60


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(
            tmp_path / "plant", toml=DECLARED, timer_s=0.2, processor='intervals = ["1m", "5m"]', hdb="part_s = 0.2"
        )
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


def trades() -> pd.DataFrame:
    chance = np.random.default_rng(5)
    times = START + pd.to_timedelta(np.sort(chance.integers(0, MINUTES * 60, 600)), "s")
    prices = (100 * np.exp(np.cumsum(chance.normal(0, 0.001, 600)))).round(2)
    return pd.DataFrame({"time": times, "sym": "BTC", "price": prices, "size": chance.integers(1, 9, 600) * 1.0})


def test_a_feed_of_trades_alone_has_candles_indicators_signals_and_a_restart_changes_none(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    feed, db, processor = plant.publisher("venue"), plant.ask(), plant.ask("processor")
    sent = trades()
    for start in range(0, len(sent), 100):
        feed.publish("trades", sent[start : start + 100])
    feed.flush()
    grouped = sent.groupby(sent["time"].dt.floor("1min"))
    minutes = grouped["price"].agg(["first", "max", "min", "last"])
    of_minutes = {"interval": "1m"}
    eventually(lambda: db.count("bars", where=of_minutes) == len(minutes), 20.0, lambda: db)
    found = db.select("bars", "BTC", where=of_minutes)
    np.testing.assert_array_equal(found[["open", "high", "low", "close"]].to_numpy(), minutes.to_numpy())
    np.testing.assert_array_equal(found["volume"], grouped["size"].sum())
    assert set(found["source"]) == {"built:venue"}

    fives = sent.groupby(sent["time"].dt.floor("5min"))["size"].sum()
    eventually(lambda: db.count("bars", where={"interval": "5m"}) == len(fives), 20.0, lambda: db)
    np.testing.assert_allclose(db.select("bars", "BTC", where={"interval": "5m"})["volume"], fives)
    eventually(lambda: db.count("bar_closes", where=of_minutes) == len(minutes), 20.0, lambda: db)
    eventually(lambda: processor.count("indicators") == len(minutes) + len(fives), 20.0, lambda: processor)
    indicators = processor.select("indicators", "BTC", where=of_minutes)
    mean = minutes["last"].head(9).mean()
    assert indicators["ema_9"].isna().sum() == 8
    assert indicators["ema_9"].iloc[8] == pytest.approx(mean)
    assert set(indicators["bot_position"].dropna()) <= {-1.0, 0.0, 1.0}
    above = minutes["last"].to_numpy() > indicators["ema_9"].to_numpy()
    wanted = [t for t, before, now in zip(minutes.index[1:], above, above[1:], strict=False) if now and not before]
    told = processor.select("signals", "BTC", where=[("signal", "==", "above_9"), ("interval", "==", "1m")])
    assert told["time"].tolist() == [t for t in wanted if t > minutes.index[8]]

    known = [db.select(table, columns=["time", "seq"]) for table in ("bars", "bar_closes", "indicators", "signals")]
    plant.kill("processor")
    plant.start("processor")
    processor = plant.ask("processor")
    eventually(lambda: processor.status()["caught_up"] and processor.count("indicators") == len(known[2]), 30.0)
    late = {"time": START + pd.Timedelta("7min 30s"), "sym": "BTC", "price": 150.0, "size": 1.0}
    feed.publish("trades", late)
    feed.flush()
    high = {"interval": "1m", "high": 150.0}
    eventually(
        lambda: db.count("bars", where=high) == 1 and processor.count("indicators", where=high) == 1,
        20.0,
        lambda: f"{processor.status()} {db.select('bars', 'BTC', START, START + pd.Timedelta('9min'))}",
    )
    for table, before in zip(("bars", "bar_closes", "indicators", "signals"), known, strict=True):
        after = db.select(table, columns=["time", "seq"])
        if table == "bar_closes":
            assert len(after) == len(before), "none anew after a correction"
        unchanged = after[after["seq"] <= before["seq"].max()]
        assert len(unchanged) >= len(before) - MINUTES * 6 // 5, table  # what follows on it, of 1m and 5m


def test_any_indicator_is_computed_on_request(plant: RunningPlant, eventually: Callable[..., Any]) -> None:
    feed, db = plant.publisher("venue"), plant.ask()
    closes = 100 + np.arange(40.0)
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    times = pd.date_range(START, periods=40, freq="1min")
    feed.publish("bars", {"time": times, "sym": ["A"] * 40, "interval": ["1m"] * 40, **prices, "volume": np.ones(40)})
    feed.flush()
    eventually(lambda: db.count("bars", "A", where={"interval": "1m"}) == 40)
    processor = ProcessorConnection("processor", plant.settings.address(plant.settings.processor.port))
    found = processor.calculate("sma", "A", "1m", period=3, last=5)
    assert found["sma"].tolist() == [134.0, 135.0, 136.0, 137.0, 138.0]
    whole = processor.calculate("bollinger", "A", "1m", start=START, frames="arrow")
    assert whole.num_rows == 40
    assert {"time", "sym", "interval", "bollinger_upper"} <= set(whole.column_names)
    with pytest.raises(SettingsError, match="did you mean 'rsi'"):
        processor.calculate("rsii", "A", "1m")
    assert processor.catalogue().set_index("name").loc["rsi", "levels"] == [30.0, 70.0]


RAISES = """
class Raises:
    def update(self, bar):
        return 1 / 0
"""


@pytest.mark.soak
def test_the_processor_computes_what_the_tickerplant_declares_or_nothing(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    first, named = plant.config.read_text(), '[[indicators]]\nname = "{}"\nkind = "raises:Raises"\n'
    (plant.folder / "raises.py").write_text(RAISES)
    plant.config.write_text(first + named.format("mine"))
    plant.restart("processor")
    processor, db, feed = plant.ask("processor"), plant.ask(), plant.publisher("venue")
    eventually(lambda: processor.status()["state"] == "restart the tickerplant: indicators declared otherwise")
    sent = trades()
    feed.publish("trades", sent[:300])
    feed.flush()
    plant.restart("tickerplant")
    of_minutes, count = {"interval": "1m"}, sent[:300]["time"].dt.floor("1min").nunique()
    eventually(
        lambda: processor.count("indicators", where=of_minutes) == count, READY_S, lambda: plant.log("processor")
    )
    assert processor.select("indicators", "BTC")["mine"].isna().all()
    assert plant.processes["rdb"].wait(READY_S) != 0  # it is not supervised here
    plant.start("rdb")
    eventually(lambda: db.count("rejects") == 1, 20.0, lambda: plant.log("processor"))
    told = "[[indicators]] 'mine': raises:Raises: ZeroDivisionError: division by zero; its column is null there"
    assert db.select("rejects")["reason"].tolist() == [told]

    plant.config.write_text(first + named.format("other"))
    plant.restart("tickerplant")
    assert plant.processes["processor"].wait(READY_S) != 0
    assert "other indicators than this process knows" in plant.log("processor")
    plant.start("processor")
    eventually(lambda: "other" in processor.select("indicators", "BTC"), READY_S, lambda: plant.log("processor"))
