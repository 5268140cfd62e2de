"""Which bars are regular, closed, and filled in: against plain loops over the minutes of real sessions."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from api.answers.candles import closed, filled, regular, times_of
from api.answers.problems import Problem
from plant.calendars.assignment import Calendars
from plant.calendars.sessions import Sessions

MINUTE = 60 * 10**9
NEW_YORK = ZoneInfo("America/New_York")
CALENDARS = Calendars({"XNYS": ("AAPL",)}, {})


def at(day: int, hour: int, minute: int = 0) -> int:
    return int(dt.datetime(2026, 11, day, hour, minute, tzinfo=NEW_YORK).timestamp()) * 10**9


def bars(times: list[int], closes: list[float] | None = None) -> pa.Table:
    found = closes or [float(i) for i in range(len(times))]
    prices = {name: pa.array(found) for name in ("open", "high", "low", "close")}
    return pa.table({
        "time": pa.array(times, pa.int64()).cast(pa.timestamp("ns", "UTC")), "sym": ["AAPL"] * len(times), **prices,
        "volume": [10.0] * len(times), "vwap": found, "trades": found,
    })  # fmt: skip


@pytest.fixture
def sessions() -> Sessions:
    return CALENDARS.sessions("XNYS")


@pytest.fixture
def always() -> Sessions:
    return CALENDARS.sessions("")


def test_regular_bars_are_those_from_half_past_nine_to_four(sessions: Sessions, always: Sessions) -> None:
    times = [at(20, 9, 29), at(20, 9, 30), at(20, 15, 59), at(20, 16), at(21, 12), at(23, 9, 30)]  # the 21st: Saturday
    assert times_of(regular(bars(times), "1m", sessions)).tolist() == [times[1], times[2], times[5]]
    assert regular(bars(times), "1m", always).num_rows == 6
    assert regular(bars(times), "1d", sessions).num_rows == 6


def test_a_bar_is_closed_when_its_end_has_passed_and_the_newest_a_moment_later(sessions: Sessions) -> None:
    times = [at(20, 9, 30), at(20, 9, 35)]
    end = times[1] + 5 * MINUTE
    for now, expected in (
        (times[1] - 1, [False, False]),
        (times[1], [True, False]),
        (end + 2 * 10**9 - 1, [True, False]),
        (end + 2 * 10**9, [True, True]),
    ):
        assert closed(bars(times), "5m", sessions, 2.0, now).tolist() == expected
    last_hour = [at(20, 15, 30)]
    assert closed(bars(last_hour), "1h", sessions, 0.0, at(20, 16)).tolist() == [True], "cut at the close"
    assert closed(bars([]), "5m", sessions, 2.0, 0).tolist() == []


@pytest.mark.parametrize("session", ["regular", "extended"])
def test_filled_bars_are_those_of_each_interval_of_the_sessions(sessions: Sessions, session: str) -> None:
    there = [at(20, 9, 30), at(20, 9, 50), at(20, 15, 55), at(23, 9, 35)]
    found = filled(bars(there), "5m", sessions, session)
    expected = set(there)
    time = there[0]
    while time < there[-1]:
        local = dt.datetime.fromtimestamp(time / 10**9, NEW_YORK)
        clock = local.hour * 60 + local.minute
        begin, end = (570, 960) if session == "regular" else (240, 1200)
        if local.weekday() < 5 and begin <= clock < end:
            expected.add(time)
        time += 5 * MINUTE
    times = times_of(found).tolist()
    assert times == sorted(expected)
    close = dict(zip(there, [0.0, 1.0, 2.0, 3.0], strict=True))
    before = 0.0
    for row, time in zip(found.drop_columns(["time"]).to_pylist(), times, strict=True):
        before = close.get(time, before)
        assert [row[name] for name in ("open", "high", "low", "close")] == [before] * 4
        assert row["volume"] == (10.0 if time in close else 0.0)
        assert np.isnan(row["vwap"]) == (time not in close)


def test_without_a_calendar_every_interval_is_filled(always: Sessions) -> None:
    start = at(20, 9, 30) // (5 * MINUTE) * 5 * MINUTE
    found = filled(bars([start, start + 500 * 5 * MINUTE]), "5m", always, "regular")
    assert np.diff(times_of(found)).tolist() == [5 * MINUTE] * 500
    assert filled(bars([start]), "5m", always, "regular").num_rows == 1


def test_what_is_too_long_or_a_week_is_not_filled(always: Sessions) -> None:
    start = at(20, 9, 30)
    with pytest.raises(Problem, match="too long"):
        filled(bars([0, start]), "1m", always, "regular")
    with pytest.raises(Problem, match="not filled"):
        filled(bars([0, start]), "1w", always, "regular")
