"""Where things lie in a picture: times to places and labels, prices, and labels that give way to one another."""

import doctest
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from api.pictures import scale
from api.pictures.scale import Places, price_range, price_ticks, spread_apart, time_ticks

MINUTE = 60 * 10**9
NIGHT = np.array([0, 1, 2, 10, 11], np.int64) * MINUTE  # a hole behind the third bar


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(scale).failed == 0


def test_a_time_lies_at_its_bar_and_between_two_in_proportion() -> None:
    places = Places(NIGHT, MINUTE)
    assert [places.x(t * MINUTE) for t in (0, 1, 10, 11)] == [0, 1, 3, 4]
    assert places.x(MINUTE // 2) == 0.5
    assert places.x(7 * MINUTE) == 3  # in the hole: at the bar behind it
    assert places.x(-2 * MINUTE) == -2
    assert places.x(14 * MINUTE) == 7


def test_only_a_time_within_the_bars_has_a_bar() -> None:
    places = Places(NIGHT, MINUTE)
    assert [places.bar(t) for t in (-1, 0, MINUTE - 1, 11 * MINUTE, 12 * MINUTE - 1, 12 * MINUTE)] == [
        *(None, 0, 0, 4, 4, None)
    ]


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.floats(0, 400), max_size=30), st.floats(1, 20))
def test_labels_stay_apart_in_their_order_and_within_the_pane(wanted: list[float], apart: float) -> None:
    low, high = 0.0, 400.0
    found = spread_apart(wanted, apart, low, high)
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    in_order = [found[i] for i in order]
    assert all(b - a >= apart - 1e-6 for a, b in itertools.pairwise(in_order))
    if len(wanted) * apart <= high - low:
        assert all(low - 1e-6 <= place <= high + 1e-6 for place in found)
    if all(b - a >= apart for a, b in itertools.pairwise(sorted(wanted))):
        assert found == pytest.approx(wanted)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=400), st.sampled_from((1, 5, 60)), st.floats(200, 3000))
def test_labels_of_times_are_readable_whatever_the_holes(gaps: list[int], step: int, width: float) -> None:
    local = pd.DatetimeIndex(np.cumsum(gaps) * step * MINUTE)
    ticks = time_ticks(local, width)
    pitch = width / len(local)
    assert all((b.x - a.x) * pitch >= 64 for a, b in itertools.pairwise(ticks))
    for tick in ticks:
        assert 0 < tick.x < len(local)
        clock = f"{local[tick.x]:%H:%M}"
        if tick.text == clock:
            assert local[tick.x].date() == local[tick.x - 1].date()


def test_a_day_is_labelled_where_it_begins_and_hours_within_it() -> None:
    local = pd.date_range("2026-11-19 15:00", "2026-11-19 15:55", freq="5min").append(
        pd.date_range("2026-11-20 09:30", "2026-11-20 12:00", freq="5min")
    )
    ticks = time_ticks(local, 1400)
    assert [(tick.x, tick.text) for tick in ticks if tick.strong] == [(12, "Fri 20 Nov")]
    assert {"10:00", "11:00", "12:00"} <= {tick.text for tick in ticks}


def test_daily_bars_are_labelled_by_months_and_years() -> None:
    local = pd.date_range("2025-09-01", "2026-03-01", freq="B")
    texts = [tick.text for tick in time_ticks(local, 700)]
    assert texts == ["Oct", "Nov", "Dec", "2026", "Feb"]


def test_prices_are_round_and_within_the_range() -> None:
    found = price_ticks(172.3, 175.9, 400)
    assert found == [172.5, 173.0, 173.5, 174.0, 174.5, 175.0, 175.5]
    assert price_ticks(5.0, 5.0, 400) == [5.0]


def test_a_level_far_off_does_not_press_the_bars_flat() -> None:
    low, high = price_range(np.array([100.0]), np.array([110.0]), levels=[112.0, 500.0, math.nan])
    assert 112 < high < 116
    assert 98 < low < 100
    assert price_range(np.array([7.0]), np.array([7.0]))[0] < 7 < price_range(np.array([7.0]), np.array([7.0]))[1]
