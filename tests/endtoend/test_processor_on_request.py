"""What is asked of a processor: a day computed anew and compared, and any indicator of bars that are not stored."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import RunningPlant, all_stopped
from typer.testing import CliRunner

from plant.command.app import app
from plant.errors import QueryError, SettingsError
from processor.connection import ProcessorConnection

DECLARED = """
[bars]
calendars = { XNYS = ["SPY"] }

[[indicators]]
name = "bot"
kind = "ut_bot"

[[indicators]]
name = "day_vwap"
kind = "vwap"

[[indicators]]
name = "obv"
kind = "obv"
"""
DAYS = ["2026-11-25", "2026-11-27"]
"""A session until 16:00 and a half-day until 13:00, New York; between them Thanksgiving."""


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(
            tmp_path / "plant",
            toml=DECLARED,
            timer_s=0.2,
            processor='intervals = ["1m", "5m", "1d"]',
            hdb="part_s = 0.2",
        )
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


def minutes(sym: str, seed: int, zone: str, hours: tuple[str, str]) -> pd.DataFrame:
    """Bars of 1m of DAYS, some of them missing."""
    chance = np.random.default_rng(seed)
    times = pd.DatetimeIndex(
        np.concatenate([pd.date_range(f"{d} {hours[0]}", f"{d} {hours[1]}", freq="1min", tz=zone) for d in DAYS])
    ).tz_convert("UTC")
    times = times[chance.random(len(times)) < 0.9]
    close = 100 * np.exp(np.cumsum(chance.normal(0, 0.002, len(times))))
    open = close * (1 + chance.normal(0, 0.001, len(times)))
    high, low = np.maximum(open, close) * 1.001, np.minimum(open, close) * 0.999
    volume = chance.integers(1, 100, len(times)) * 1.0
    prices = {"open": open, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame({"time": times, "sym": sym, "interval": "1m", "source": "feed", **prices})


def verified(plant: RunningPlant, *arguments: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["verify", "--indicators", "--json", "--config", str(plant.config), *arguments])
    assert done.exit_code in (0, 1, 2), repr(done.exception)
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.soak
def test_a_day_is_computed_anew_and_the_first_difference_named(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    feed, db = plant.publisher("feed"), plant.ask()
    extended = minutes("SPY", 1, "America/New_York", ("11:30", "13:30"))
    all_day = minutes("BTC", 2, "UTC", ("10:00", "12:00"))
    both = pd.concat([extended, all_day]).sort_values("time")
    for start in range(0, len(both), 500):
        feed.publish("bars", both[start : start + 500])
    feed.flush()
    local = extended["time"].dt.tz_convert("America/New_York")
    clock = local.dt.strftime("%H:%M")
    regular = extended[(clock >= "09:30") & (clock < np.where(local.dt.day == 27, "13:00", "16:00"))]
    last = {"interval": "1m"}
    eventually(lambda: db.count("indicators", "SPY", where=last) == len(regular), 60.0, lambda: db)
    eventually(lambda: db.count("indicators", "BTC", where=last) == len(all_day), 60.0, lambda: db)
    code, found = verified(plant, DAYS[1])
    assert (code, found["lines"], found["unknown"]) == (0, [], []), found
    assert found["rows"]["indicators, recomputed"] > (all_day["time"].dt.day == 27).sum()

    told = db.select("signals", "BTC", where={"signal": "bot", "interval": "1m"})
    position = db.select("indicators", "BTC", where=last).set_index("time")["bot_position"]
    turned = position[(position != position.shift()) & position.shift().notna()]
    assert told.set_index("time")["side"].to_dict() == turned.map({1.0: "buy", -1.0: "sell"}).to_dict()
    assert "stop" in told["detail"].iloc[0]

    plain = regular[regular["time"].dt.day == 27]
    typical = plain[["high", "low", "close"]].mean(axis=1)
    vwap = (typical * plain["volume"]).cumsum() / plain["volume"].cumsum()
    found_vwap = db.select("indicators", "SPY", where=last, start=DAYS[1])["day_vwap"]
    np.testing.assert_allclose(found_vwap, vwap, rtol=1e-12)

    late = all_day.iloc[[-60]].assign(close=lambda bar: bar["high"])
    feed.publish("bars", late)
    feed.flush()
    when = late["time"].iloc[0]
    eventually(lambda: db.select("indicators", "BTC", when, where=last)["close"].iloc[0] == late["close"].iloc[0], 30.0)
    code, found = verified(plant, DAYS[1])
    assert (code, found["lines"]) == (0, []), "after a correction, too"

    row = db.select("indicators", "BTC", start=when, where=last).iloc[[40]]
    other = plant.publisher("other")
    other.publish("indicators", row.assign(ema_20=row["ema_20"] + 1e-6))
    event = {"time": row["time"].iloc[0], "sym": "BTC", "interval": "1m", "signal": "golden_cross", "side": "buy"}
    there = db.select("signals", "BTC", where=[("signal", "==", "golden_cross"), ("interval", "==", "1m")])
    assert event["time"] not in set(there["time"])
    other.publish(
        "signals", [{**event, "price": 1.5, "detail": "x"}, {**event, "signal": "mine", "price": 1.5, "detail": "y"}]
    )
    other.flush()
    code, found = verified(plant, DAYS[1])
    assert code == 1, found
    assert found["differing"] == {"indicators": 1, "signals": 1}
    stamp = str(row["time"].iloc[0].tz_localize(None))
    indicators, signals = found["lines"]
    assert indicators.startswith(f"indicators, BTC, 1m, {stamp}: ema_20: stored ")
    assert signals == f"signals, BTC, 1m, {stamp}: golden_cross: stored buy at 1.5, recomputed nothing"
    plant.kill("processor")
    code, found = verified(plant, DAYS[1])
    assert (code, len(found["unknown"])) == (2, 1)


def larger(bars: pd.DataFrame, every: str, origin: Any = "epoch") -> pd.DataFrame:
    grouped = bars.set_index("time").groupby(pd.Grouper(freq=every, origin=origin))
    told = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return grouped.agg(told).dropna(subset="open")


def test_intervals_that_are_not_stored_are_made_of_smaller_ones_as_calendars_and_session_say(
    plant: RunningPlant, eventually: Callable[..., Any]
) -> None:
    feed, db = plant.publisher("feed"), plant.ask()
    spy = minutes("SPY", 3, "America/New_York", ("11:30", "13:30"))
    btc = minutes("BTC", 4, "UTC", ("10:00", "12:00"))
    feed.publish("bars", spy)
    feed.publish("bars", btc)
    feed.flush()
    eventually(lambda: db.count("bars", where={"interval": "1m"}) == len(spy) + len(btc), 30.0)
    eventually(lambda: db.count("bars", "BTC", where={"interval": "1d"}) == 2, 30.0)
    processor = ProcessorConnection("processor", plant.settings.address(plant.settings.processor.port))
    doing = "6 series; candles of trades of no feed yet"
    eventually(lambda: processor.status()["doing"] == doing, 20.0, processor.status)
    beats = {"sym": "processor", "state": f"ok; {doing}"}
    eventually(lambda: db.count("heartbeats", where=beats) > 0, 20.0, lambda: db.heartbeats.tail(3)["state"])
    sevens = larger(btc, "7min")
    found = processor.calculate("sma", "BTC", "7m", period=3)
    assert found["time"].tolist() == sevens.index.tolist()
    np.testing.assert_allclose(found["sma"], sevens["close"].rolling(3).mean(), rtol=1e-12)
    assert set(found["interval"]) == {"7m"}
    since = sevens.index[-10] + pd.Timedelta("1min")
    some = processor.calculate("ema", "BTC", "7Min", period=9, start=since)
    whole = processor.calculate("ema", "BTC", "7m", period=9)
    pd.testing.assert_frame_equal(some.reset_index(drop=True), whole[-9:].reset_index(drop=True))
    part = processor.calculate("ema", "BTC", "7m", period=9, end=since, last=3)
    np.testing.assert_allclose(part["ema"], whole["ema"][-12:-9], rtol=1e-12)

    half = spy[(spy["time"] >= "2026-11-27 14:30") & (spy["time"] < "2026-11-27 18:00")]
    forty = larger(
        half, "40min", pd.Timestamp("2026-11-27 14:30", tz="UTC")
    )  # from 09:30 on, the last one cut at 13:00
    found = processor.calculate("heikin_ashi", "SPY", "40m", start="2026-11-27")
    assert found["time"].tolist() == forty.index.tolist()
    np.testing.assert_allclose(
        found["heikin_ashi_close"], forty[["open", "high", "low", "close"]].mean(axis=1), rtol=1e-12
    )
    week = processor.calculate("obv", "BTC", "1w")
    assert week["time"].tolist() == [pd.Timestamp("2026-11-23", tz="UTC")]
    vwap = processor.calculate("vwap", "SPY", "40m", start="2026-11-27")["vwap"]
    typical = forty[["high", "low", "close"]].mean(axis=1)
    np.testing.assert_allclose(vwap, (typical * forty["volume"]).cumsum() / forty["volume"].cumsum(), rtol=1e-12)

    for interval, sentence in {
        "90s": "no bars of 90s can be made of those that BTC has: 1m, 5m, 1d",
        "2d": "bars of 2d are not made; ask for 1d, 1w or 1M, or a stored one: 1m, 5m, 1d",
        "60": "expected an interval like",
    }.items():
        with pytest.raises(QueryError, match=sentence):
            processor.calculate("sma", "BTC", interval)
    with pytest.raises(QueryError, match="there are no bars of ETH"):
        processor.calculate("sma", "ETH", "3m")
    with pytest.raises(QueryError, match=r"no bar has a column 'closse' \(did you mean 'close'"):
        processor.calculate("sma", "BTC", "3m", input="closse")
    with pytest.raises(SettingsError, match="period of sma"):
        processor.calculate("sma", "BTC", "3m", period=0)
    processor.close()


def test_a_calendar_that_there_is_not_ends_the_processor_with_a_sentence_at_its_start(tmp_path: Path) -> None:
    plant = RunningPlant(tmp_path / "plant", toml='[bars]\ncalendars = { XNYZ = ["SPY"] }\n')
    assert plant.spawn("processor").wait(60) == 78
    assert "[bars] calendars: exchange_calendars knows no 'XNYZ'; use a code like XNYS" in plant.log("processor")
