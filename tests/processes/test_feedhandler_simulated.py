"""The simulated market: the same bars in every run, forming bars that only grow, no minute missing."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from feedhandler.feed import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, Batch
from feedhandler.simulated import MAX_ROWS_PER_POLL, SimulatedFeed, SimulatedFeedSettings

NOON = 1_795_176_000 * NS_PER_SECOND  # 2026-11-20 12:00 UTC
NUMBERS = ("open", "high", "low", "close", "volume")


def feed(**options: Any) -> SimulatedFeed:
    settings = SimulatedFeedSettings(**{"symbols": ["AAPL", "TSLA", "GOOG"], "history_minutes": 30, **options})
    made = SimulatedFeed(settings)
    made.start(0)
    return made


def rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [
        dict(zip(columns, values, strict=True))
        for _, columns in batches
        for values in zip(*columns.values(), strict=True)
    ]


def bars(batches: list[Batch]) -> dict[tuple[str, int], tuple[float, ...]]:
    """The last revision of each (sym, time)."""
    return {(row["sym"], int(row["time"])): tuple(float(row[name]) for name in NUMBERS) for row in rows(batches)}


def test_first_poll_returns_the_closed_minutes_before_now_as_columns_of_bars() -> None:
    [(table, columns)] = feed().poll(NOON + 17 * NS_PER_SECOND, 0)

    assert table == "bars"
    assert list(columns) == ["time", "sym", "interval", "open", "high", "low", "close", "volume", "source"]
    assert columns["time"].dtype == np.int64
    assert all(columns[name].dtype == np.float64 for name in NUMBERS)
    assert columns["time"].tolist() == [NOON + k * NS_PER_MINUTE for k in range(-30, 0) for _ in range(3)]
    assert columns["sym"] == ["AAPL", "TSLA", "GOOG"] * 30
    assert set(columns["interval"]) == {"1m"}
    assert set(columns["source"]) == {"simulated"}


def test_bars_are_ordered_within_and_have_two_decimals_and_plausible_levels() -> None:
    found = bars(feed(history_minutes=1_440).poll(NOON, 0))

    for (sym, _), (open_, high, low, close, volume) in found.items():
        assert low <= min(open_, close) <= max(open_, close) <= high
        assert all(len(repr(price).partition(".")[2]) <= 2 for price in (open_, high, low, close))
        assert volume >= 0
        assert volume == int(volume)
        level = {"AAPL": 270, "TSLA": 400, "GOOG": 290}[sym]
        assert 0.5 * level < close < 2 * level


def test_two_feeds_started_at_different_times_agree_on_every_bar_they_share() -> None:
    early = bars(feed(history_minutes=300).poll(NOON, 0))
    late = bars(feed(history_minutes=300).poll(NOON + 90 * NS_PER_MINUTE + 1, 0))

    shared = early.keys() & late.keys()
    assert len(shared) == 3 * 210
    assert {key: early[key] for key in shared} == {key: late[key] for key in shared}


def test_another_seed_is_another_market() -> None:
    assert bars(feed(seed=7).poll(NOON, 0)) != bars(feed(seed=8).poll(NOON, 0))


def test_market_of_a_seed_stays_what_it_was() -> None:
    # Fails when numpy's generator or the recipe changes: every plant's simulated history would then be rewritten.
    [(_, columns)] = feed(history_minutes=1).poll(NOON, 0)
    closes = {sym: float(close) for sym, close in zip(columns["sym"], columns["close"], strict=True)}
    assert closes == pytest.approx({"AAPL": 281.96, "TSLA": 382.03, "GOOG": 341.51}, abs=0.011)


def test_forming_bar_keeps_its_open_only_grows_and_ends_as_the_final_bar() -> None:
    live = feed(symbols=["AAPL"], history_minutes=0)
    minute = NOON + 600 * NS_PER_SECOND
    seen = []
    for second in range(0, 60, 2):
        [row] = rows(live.poll(minute + second * NS_PER_SECOND, 0))
        assert row["time"] == minute
        seen.append(row)
    [final] = rows(live.poll(minute + NS_PER_MINUTE, 0))
    assert final["time"] == minute

    for before, after in pairwise([*seen, final]):
        assert after["open"] == before["open"]
        assert after["high"] >= before["high"]
        assert after["low"] <= before["low"]
        assert after["volume"] >= before["volume"]
    assert seen[0]["volume"] < seen[15]["volume"] < final["volume"]
    whole = bars(feed(symbols=["AAPL"], history_minutes=60).poll(minute + 5 * NS_PER_MINUTE, 0))
    assert tuple(final[name] for name in NUMBERS) == whole["AAPL", minute]


def test_forming_bars_come_every_update_and_not_in_between() -> None:
    live = feed(history_minutes=0, update_s=5.0)
    published = [second for second in range(59) if live.poll(NOON + second * NS_PER_SECOND, 0)]
    assert published == list(range(0, 59, 5))


def test_machine_that_slept_gets_every_missed_minute() -> None:
    live = feed(history_minutes=2)
    batches = live.poll(NOON, 0) + live.poll(NOON, 0)
    awake = NOON + 400 * NS_PER_MINUTE + 30 * NS_PER_SECOND
    for _ in range(4):
        batches += live.poll(awake, 0)

    found = bars(batches)
    assert sorted(time for sym, time in found if sym == "TSLA") == [NOON + k * NS_PER_MINUTE for k in range(-2, 401)]
    whole = bars(feed(history_minutes=402).poll(awake, 0))
    assert {key: found[key] for key in whole} == whole


def test_long_history_comes_in_several_polls_in_order_of_time() -> None:
    live = feed(symbols=["AAPL", "TSLA"], history_minutes=15_000)
    sizes, times = [], []
    while len(times) < 30_000:
        [(_, columns)] = live.poll(NOON, 0)
        sizes.append(len(columns["time"]))
        times += columns["time"].tolist()
    assert len(times) == 30_000
    assert times == sorted(times)
    assert max(sizes) == MAX_ROWS_PER_POLL


def test_prices_do_not_jump_at_midnight() -> None:
    midnight = NOON // NS_PER_DAY * NS_PER_DAY
    for day in range(5):
        end = midnight + day * NS_PER_DAY + 60 * NS_PER_MINUTE
        closes = [row["close"] for row in rows(feed(symbols=["GOOG"], history_minutes=120).poll(end, 0))]
        steps = np.abs(np.diff(np.log(closes)))
        assert steps[59] < 6 * np.median(steps) + 1e-3


def test_volatility_has_the_size_of_a_share_and_clusters_and_volume_goes_with_it() -> None:
    found = rows(feed(symbols=["AAPL"], history_minutes=10 * 1_440).poll(NOON, 0))
    change = np.diff(np.log([row["close"] for row in found]))
    volume = np.array([row["volume"] for row in found])[1:]

    assert 0.006 < np.std(change) * np.sqrt(1_440) < 0.04
    size = np.abs(change)
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.1
    assert np.corrcoef(size, volume)[0, 1] > 0.3


def test_clock_that_steps_back_waits_instead_of_reopening_a_closed_bar() -> None:
    live = feed(history_minutes=1)
    live.poll(NOON, 0)
    assert live.poll(NOON - 5 * NS_PER_MINUTE, 0) == []
    assert live.poll(NOON, 0) != []
    assert live.poll(NOON - 5 * NS_PER_MINUTE, 0) == []
    assert live.poll(NOON + 2 * NS_PER_SECOND, 0) != []


def test_feed_never_finishes_and_says_what_it_does() -> None:
    live = feed(seed=11)
    assert not live.finished
    assert not live.replayable
    assert live.status() == "simulating 3 symbols, seed 11"
    live.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symbols": []}, "symbols\n .*expected a list of non-empty symbols"),
        ({"symbols": ["A", ""]}, "symbols\n .*expected a list of non-empty symbols"),
        ({"symbols": "AAPL"}, "symbols\n .*tuple.*'AAPL'"),
        ({"history_minutes": -1}, "history_minutes\n .*greater than or equal to 0.*-1"),
        ({"update_s": 0}, "update_s\n .*greater than 0"),
    ],
)
def test_unusable_argument_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        feed(**options)
