import numpy as np
import pandas as pd
import pytest

from dashboard.freshness import age_text, freshness, interval_seconds, utc_nanoseconds

SECOND_NS = 1_000_000_000
NOW_NS = 1_763_649_000 * SECOND_NS


def last_bars(*ages_s: float, interval: str = "1m") -> pd.DataFrame:
    received = pd.DatetimeIndex([NOW_NS - int(age * SECOND_NS) for age in ages_s], tz="UTC")
    return pd.DataFrame({"time": received.floor("min"), "interval": interval, "received": received})


@pytest.mark.parametrize(("age_s", "level"), [(0, "live"), (99, "live"), (101, "late"), (249, "late"), (251, "silent")])
def test_age_of_the_newest_minute_bar_decides_between_live_late_and_silent(age_s: float, level: str) -> None:
    assert freshness(last_bars(age_s), NOW_NS).level == level


def test_the_newest_of_all_symbols_counts() -> None:
    assert freshness(last_bars(9000, 3, 500), NOW_NS).age_s == 3


def test_a_longer_bar_is_given_more_time() -> None:
    assert freshness(last_bars(600), NOW_NS).level == "silent"
    assert freshness(last_bars(600, interval="1h"), NOW_NS).level == "live"


def test_without_received_the_end_of_the_bar_counts() -> None:
    bars = pd.DataFrame({"time": pd.DatetimeIndex([NOW_NS - 70 * SECOND_NS], tz="UTC"), "interval": "1m"})
    assert freshness(bars, NOW_NS).age_s == 10


def test_a_tick_from_the_future_has_age_zero() -> None:
    assert freshness(last_bars(-30), NOW_NS).age_s == 0


@pytest.mark.parametrize("frame", [None, last_bars().head(0)])
def test_no_bars_are_no_tick(frame: pd.DataFrame | None) -> None:
    assert freshness(frame, NOW_NS).text == "no tick yet"


def test_intervals_are_understood_and_unknown_ones_count_as_a_minute() -> None:
    assert [interval_seconds(text) for text in ("10s", "1m", " 5m", "1h", "1d", "1w", "tick", "")] == [
        *(10, 60, 300, 3600, 86400, 604800, 60, 60)
    ]


def test_ages_are_said_in_two_units_at_most() -> None:
    assert [age_text(s) for s in (-1, 59.9, 60, 3600, 90061)] == ["0 s", "59 s", "1 min", "1 h", "1 d 1 h"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_unit_become_nanoseconds(unit: str) -> None:
    times = pd.Series(pd.DatetimeIndex([NOW_NS], tz="UTC").as_unit(unit))
    assert utc_nanoseconds(times).tolist() == [NOW_NS]
    assert utc_nanoseconds(times.dt.tz_localize(None)).tolist() == [NOW_NS]
    assert utc_nanoseconds(pd.Series(np.array([NOW_NS]))).tolist() == [NOW_NS]
