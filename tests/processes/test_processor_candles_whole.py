"""Bars of recorded trades: the minutes of the vendor, and larger ones of a slow plain computation."""

from typing import Any

import numpy as np
import pytest
from candle_plant import MINUTE, CandlePlant, columns_of_rows
from recorded_trades import SYMBOLS, check_like_the_vendor_s, plainly, recorded, trades_of

from plant.calendars.assignment import Calendars
from plant.calendars.sessions import Sessions
from processor.candles.closer import Closer
from processor.candles.verification import compare
from processor.candles.whole import filled, larger_of, minutes_of
from processor.trades.slots import Slots

CALENDARS = Calendars({"XNYS": SYMBOLS}, {})


def numbered(columns: dict[str, Any]) -> dict[str, Any]:
    count = len(columns["time"])
    return {**columns, "seq": np.ones(count, dtype=np.int64), "seq_row": np.arange(count)}


def same(found: dict[Any, Any], wanted: dict[Any, Any]) -> None:
    assert list(found) == sorted(wanted)
    assert np.array(list(found.values())) == pytest.approx(
        np.array([wanted[key] for key in sorted(wanted)]), rel=1e-12, nan_ok=True
    )


def as_dict(bars: tuple[np.ndarray, np.ndarray]) -> dict[int, tuple[float, ...]]:
    return dict(zip(bars[0].tolist(), map(tuple, bars[1].tolist()), strict=True))


@recorded
@pytest.mark.parametrize("day", ["20131007", "20131008"])
@pytest.mark.parametrize("sym", SYMBOLS)
def test_the_volumes_of_recorded_minutes_are_the_vendor_s_and_larger_bars_those_of_a_plain_computation(
    sym: str, day: str
) -> None:
    rows = trades_of(sym, day)
    minutes, _ = minutes_of(numbered(rows), Slots(CALENDARS))
    ours = as_dict(minutes)
    check_like_the_vendor_s(sym, day, ours)
    sessions = CALENDARS.sessions("XNYS")
    for interval in ("5m", "15m", "1h", "1d"):
        same(as_dict(larger_of(minutes, interval, sessions)), plainly(ours, interval))


@recorded
def test_recorded_trades_through_a_plant_give_the_same_bars_in_any_batches() -> None:
    rows = trades_of("IBM", "20131007")
    minutes, _ = minutes_of(numbered(rows), Slots(CALENDARS))
    chance = np.random.default_rng(20261120)
    plant = CandlePlant(CALENDARS, ("1m", "5m", "15m", "1h", "1d"))
    closer = Closer(lambda sym, source: CALENDARS.sessions(CALENDARS.code(sym)))
    at, count = 0, len(rows["time"])
    while at < count:
        size = int(chance.integers(1, 2000))
        now = int(rows["time"][min(at + size, count) - 1])
        plant.send("trades", {name: column[at : at + size] for name, column in rows.items()}, now)
        plant.tick(now)
        at += size
    plant.tick(now + 10**14)
    same({time: bar for (_, time), bar in sorted(plant.bars().items())}, as_dict(minutes))
    for interval in ("5m", "15m", "1h", "1d"):
        made = larger_of(minutes, interval, CALENDARS.sessions("XNYS"))
        same({time: bar for (_, time), bar in sorted(plant.bars(interval).items())}, as_dict(made))
    for batch in plant.journal:
        closer.take(batch)
    closes = closer.due(now + 10**14)
    assert closes is not None
    assert len(closes["time"]) == sum(len(plant.bars(i)) for i in plant.intervals)


def random_minutes(first: str, last: str) -> tuple[np.ndarray, np.ndarray]:
    """Return 1m bars of all sessions of XNYS from one date to another, a few left out."""
    chance = np.random.default_rng(7)
    starts = np.arange(np.datetime64(first, "m"), np.datetime64(last, "m")).astype("M8[ns]").astype(np.int64)
    starts = starts[(CALENDARS.sessions("XNYS").kinds(starts) > 0) & (chance.random(len(starts)) < 0.9)]
    prices = np.round(100 + chance.normal(size=(len(starts), 4)), 2)
    high, low = prices.max(axis=1), prices.min(axis=1)
    volume = chance.integers(0, 1000, len(starts)).astype(float)
    vwap = np.where(volume > 0, prices.mean(axis=1), np.nan)
    return starts, np.stack((prices[:, 0], high, low, prices[:, 1], volume, vwap, np.ones(len(starts))), axis=1)


@pytest.mark.parametrize(
    ("first", "last"),
    [("2026-10-30", "2026-11-04"), ("2027-03-11", "2027-03-17"), ("2026-11-25", "2026-12-01")],
    ids=["daylight saving ends", "it begins", "a half-day"],
)
def test_larger_bars_are_anchored_at_sessions_when_clocks_change_and_on_half_days(first: str, last: str) -> None:
    minutes = random_minutes(first, last)
    for interval in ("5m", "15m", "1h", "1d"):
        same(as_dict(larger_of(minutes, interval, CALENDARS.sessions("XNYS"))), plainly(as_dict(minutes), interval))


@pytest.mark.parametrize(("first", "last"), [("2026-10-30", "2026-11-03"), ("2026-11-27", "2026-11-28")])
def test_the_live_builder_gives_the_same_when_clocks_change_and_on_half_days(first: str, last: str) -> None:
    starts, values = random_minutes(first, last)
    plant = CandlePlant(CALENDARS, ("1m", "5m", "15m", "1h", "1d"))
    rows = columns_of_rows("bars", [{"time": 0, "sym": "SPY", "interval": "1m", "source": "feed", "close": 1.0}])
    rows = {name: column[np.zeros(len(starts), dtype=np.int64)] for name, column in rows.items()} | {"time": starts}
    rows |= {
        name: values[:, i].copy() for i, name in enumerate(("open", "high", "low", "close", "volume", "vwap", "trades"))
    }
    for at in range(0, len(starts), 500):
        some = {name: column[at : at + 500] for name, column in rows.items()}
        plant.send("bars", some, int(some["time"][-1]))
        plant.tick(int(some["time"][-1]))
    plant.tick(int(starts[-1]) + 10**14)
    for interval in ("5m", "15m", "1h", "1d"):
        found = {time: bar for (_, time), bar in sorted(plant.bars(interval).items())}
        same(found, plainly(as_dict((starts, values)), interval))


def test_weeks_begin_on_monday_and_months_on_their_first() -> None:
    minutes, sessions = random_minutes("2026-10-28", "2026-11-11"), CALENDARS.sessions("XNYS")
    days = larger_of(minutes, "1d", sessions)
    weeks, months = larger_of(minutes, "1w", sessions), larger_of(minutes, "1M", sessions)
    shown = [str(np.datetime64(t, "ns").astype("M8[h]")) for t in (*weeks[0].tolist(), *months[0].tolist())]
    assert shown == ["2026-10-26T04", "2026-11-02T05", "2026-11-09T05", "2026-10-01T04", "2026-11-01T04"]
    assert weeks[1][:, 4].sum() == pytest.approx(days[1][:, 4].sum())
    assert months[1][:, 4].sum() == pytest.approx(days[1][:, 4].sum())


def test_empty_intervals_are_filled_on_request_within_sessions_only() -> None:
    minutes, sessions = random_minutes("2026-11-25", "2026-12-01"), CALENDARS.sessions("XNYS")
    starts, values = filled(minutes, "1m", sessions)
    kinds = sessions.kinds(np.arange(minutes[0][0], minutes[0][-1] + 1, MINUTE))
    assert len(starts) == int((kinds > 0).sum())
    made = ~np.isin(starts, minutes[0])
    assert made.sum() > 100
    assert (values[made, 4] == 0).all()
    assert (values[made, 0] == values[np.flatnonzero(made) - 1, 3]).all()
    whole = filled(larger_of(minutes, "1d", sessions), "1d", sessions)
    assert len(whole[0]) == 3
    crypto = filled((np.array([0, 5 * MINUTE]), values[:2].copy()), "1m", Sessions())
    assert crypto[0].tolist() == [i * MINUTE for i in range(6)]


def test_the_first_bar_that_differs_from_its_trades_is_named() -> None:
    start = 1_795_788_000_000_000_000
    rows = [
        {"time": start + i * MINUTE // 2, "sym": "A", "price": 10.0 + i, "size": 2.0, "source": "v"} for i in range(20)
    ]
    trades = numbered(columns_of_rows("trades", rows))
    none = numbered(columns_of_rows("trade_corrections", []))
    minutes, _ = minutes_of(trades, Slots(Calendars({}, {})))
    bars = []
    for interval in ("1m", "5m"):
        for time, (o, h, low, c, volume, *_) in as_dict(larger_of(minutes, interval, Sessions())).items():
            bar = {"time": time, "open": o, "high": h, "low": low, "close": c, "volume": volume}
            bars.append({**bar, "sym": "A", "interval": interval, "source": "v"})
    args = (Calendars({}, {}), 0, 2**62)
    found = compare(trades, none, numbered(columns_of_rows("bars", bars)), *args)
    assert [(each.interval, each.bars, each.different) for each in found] == [("1m", 10, 0), ("5m", 2, 0)]
    bars[3]["close"], bars[5]["volume"] = 99.0, 1.0
    found = compare(trades, none, numbered(columns_of_rows("bars", bars[:-1])), *args)
    assert [(each.interval, each.bars, each.different) for each in found] == [("1m", 10, 2), ("5m", 2, 1)]
    assert found[0].first == "2026-11-27T14:03:00Z: close 99, of trades 17"
    assert found[1].first == "2026-11-27T14:05:00Z: no bar of the feed"
    cancels = numbered(
        columns_of_rows("trade_corrections", [{**row, "action": "cancel", "venue_seq": 1} for row in rows])
    )
    trades["venue_seq"][:] = 1
    (only,) = compare(
        {n: c[:1] for n, c in trades.items()}, cancels, numbered(columns_of_rows("bars", bars[:1])), *args
    )
    assert (only.different, only.first) == (1, "2026-11-27T14:00:00Z: no bar of trades")
