"""Bars on request: those of intervals that are not stored equal a plain computation, whatever part is asked for."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.calendars.exchange import exchange
from plant.calendars.sessions import REGULAR, Sessions
from plant.errors import QueryError
from plant.rows.columns import Columns, Symbols, taken
from plant.rows.intervals import interval_ns
from processor.candles.on_request import BarsOnRequest, Range, made_of

MINUTE = 60 * 10**9
NONE = Sessions()
START = pd.Timestamp("2026-11-26", tz="UTC").value
PRICES = ("open", "high", "low", "close", "volume")


def bars(times: np.ndarray, seed: int = 1) -> Columns:
    chance = np.random.default_rng(seed)
    count = len(times)
    low = 100 + chance.random(count)
    named = {name: Symbols([text], np.zeros(count, np.int32)) for name, text in {"sym": "A", "source": "f"}.items()}
    prices = {"open": low + 0.5, "high": low + 1, "low": low, "close": low + chance.random(count), "volume": low * 9}
    return {"time": times, **named, **prices, "vwap": low, "trades": np.full(count, np.nan)}


class Held:
    """Bars of one symbol by interval, answered as a connection does; `asked` is how many rows were."""

    def __init__(self, **of: Columns) -> None:
        self.of, self.asked = of, 0

    def select(self, interval: str, start: int | None, end: int | None, last: int | None) -> Columns:
        rows = self.of[interval.replace("1", "one", 1)]
        times = rows["time"]
        good = (times >= (start or 0)) & (times < (end if end is not None else 2**62))
        which = (
            np.flatnonzero(good)[-min(last, 2**40) :] if last else np.flatnonzero(good)[: None if last is None else 0]
        )
        self.asked += len(which)
        return taken(rows, which)

    def stored(self) -> list[str]:
        return [name.replace("one", "1") for name in self.of]


def plain(rows: Columns, minutes: int) -> pd.DataFrame:
    frame = pd.DataFrame({name: rows[name] for name in ("time", *PRICES)})
    told = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return frame.groupby(frame["time"] // (minutes * MINUTE) * (minutes * MINUTE)).agg(told)


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_any_part_of_bars_that_are_made_is_that_part_of_all_of_them(data: Any) -> None:
    minutes = data.draw(st.integers(1, 30))
    offsets = np.array(sorted(data.draw(st.sets(st.integers(0, 200), min_size=1, max_size=60))))
    rows = bars(START + offsets * MINUTE)
    held = Held(onem=rows)
    every = plain(rows, minutes)
    moments = st.none() | st.integers(-5, 210).map(lambda i: START + i * MINUTE)
    start, end = data.draw(moments), data.draw(moments)
    last, ahead = data.draw(st.none() | st.integers(1, 10)), data.draw(st.integers(0, 10))
    which = np.ones(len(every), bool)
    which &= (every.index >= start) if start is not None else True
    which &= (every.index < end) if end is not None else True
    first, until = (int(np.argmax(which)), int(np.argmax(which) + which.sum())) if which.any() else (0, 0)
    if last is not None:
        first = max(first, until - last)
    on_request = BarsOnRequest("A", held.select, held.stored, lambda rows: rows)
    found, before = on_request.of(f"{minutes}m", Range(start, end, last, ahead), lambda source: NONE)
    assert found["time"][before:].tolist() == every.index[first:until].tolist()
    if which.any():
        expected = every.iloc[first - before : until]
        assert before == min(ahead, first)
        assert found["time"].tolist() == expected.index.tolist()
        for name in PRICES:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


def test_as_much_is_read_as_is_needed() -> None:
    held = Held(onem=bars(START + np.arange(100_000) * MINUTE))
    on_request = BarsOnRequest("A", held.select, held.stored, lambda rows: rows)
    found, before = on_request.of("10m", Range(None, None, 5, 20), lambda source: NONE)
    assert (len(found["time"]), before) == (25, 20)
    assert held.asked < 400


def test_bars_that_do_not_count_are_left_out_and_more_are_read_in_their_place() -> None:
    sessions = Sessions(exchange("XNYS"))
    times = START + np.arange(5 * 24 * 60) * MINUTE
    held = Held(onem=bars(times[sessions.kinds(times) > 0]))
    on_request = BarsOnRequest(
        "A", held.select, held.stored, lambda rows: taken(rows, sessions.kinds(rows["time"]) == REGULAR)
    )
    found, before = on_request.of("2h", Range(None, None, 2, 4), lambda source: sessions)
    clocks = [str(time)[5:16] for time in found["time"].astype("M8[ns]")]
    assert clocks == ["11-27T14:30", "11-27T16:30", "11-30T14:30", "11-30T16:30", "11-30T18:30", "11-30T20:30"]
    assert before == 4


def test_weeks_and_months_are_made_of_days() -> None:
    days = Sessions(exchange("XNYS")).starts(START + np.arange(10) * 86_400 * 10**9 + 15 * 60 * MINUTE, "1d")
    held = Held(oned=bars(days[days > 0]))
    on_request = BarsOnRequest("A", held.select, held.stored, lambda rows: rows)
    sessions = Sessions(exchange("XNYS"))
    found, _ = on_request.of("1w", Range(None, None, None, 0), lambda source: sessions)
    assert [str(time)[:16] for time in found["time"].astype("M8[ns]")] == ["2026-11-23T05:00", "2026-11-30T05:00"]
    assert found["volume"].sum() == pytest.approx(held.of["oned"]["volume"].sum())


@pytest.mark.parametrize(
    ("interval", "stored", "found"),
    [
        ("3m", ["1m", "5m"], "1m"),
        ("15m", ["2m", "5m", "1d"], "5m"),
        ("1w", ["1m", "1d"], "1d"),
        ("1w", ["1m"], "1m"),
        ("1M", ["7m", "1h", "odd"], "1h"),
        ("90s", ["1m", "30s"], "30s"),
    ],
)
def test_what_bars_are_made_of(interval: str, stored: list[str], found: str) -> None:
    assert made_of("A", interval, stored, NONE) == found
    assert interval_ns(found) < interval_ns(interval)


@pytest.mark.parametrize(
    ("interval", "stored", "sentence"),
    [
        ("90s", ["1m", "5m"], "no bars of 90s can be made of those that A has: 1m, 5m"),
        ("2d", ["1m"], "bars of 2d are not made; ask for 1d, 1w or 1M, or a stored one: 1m"),
        (
            "1w",
            ["1m"],
            r'1w of A is made of stored days, and those stored are 1m; have .* \[processor\] intervals with "1d"',
        ),
        ("1d", ["1m"], "1d of A is made of stored days"),
    ],
)
def test_what_cannot_be_made_is_refused(interval: str, stored: list[str], sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence):
        made_of("A", interval, stored, Sessions(exchange("XNYS")))
