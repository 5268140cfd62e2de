"""Signals: crossings of closed bars, each once, whatever ties, nulls and rounding do."""

import doctest

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import RECORDINGS

from processor import signals as module
from processor.indicators import COLUMNS, Indicators
from processor.signals import RULES, Signal, settle, signals

law = settings(max_examples=200, deadline=None, derandomize=True, database=None)
Bar = dict[str, float]


def events(bars: list[Bar]) -> list[tuple[int, str]]:
    """What a subscriber would see of these closed bars: (bar, signal)."""
    found, previous = [], {}
    for i, current in enumerate(bars):
        found += [(i, event.signal) for event in signals(previous, current)]
        previous = settle(previous, current)
    return found


def bars_of(closes: object) -> list[Bar]:
    indicators = Indicators()
    indicators.grow(1)
    columns = indicators.run(0, closes)
    return [dict(zip(COLUMNS, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]


def crossing(*gaps: float) -> list[Bar]:
    return [{"sma_20": 100 + gap, "ema_50": 100.0} for gap in gaps]


def test_example_in_docstring_is_true() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_every_signal_has_a_side_and_watches_columns_that_exist() -> None:
    assert [(rule.signal, rule.side) for rule in RULES] == [
        ("golden_cross", "buy"),
        ("death_cross", "sell"),
        ("rsi_oversold", "buy"),
        ("rsi_overbought", "sell"),
        ("macd_cross_up", "buy"),
        ("macd_cross_down", "sell"),
    ]
    assert {rule.line for rule in RULES} | {rule.level for rule in RULES} <= {*COLUMNS, 30.0, 70.0}


@pytest.mark.parametrize(
    ("previous", "current", "expected"),
    [
        (
            {"sma_20": 170.1, "ema_50": 170.2},
            {"sma_20": 170.25, "ema_50": 170.249},
            Signal(
                "golden_cross", "buy", "SMA 20 rose above EMA 50 (170.250 against 170.249, was 170.100 against 170.200)"
            ),
        ),
        (
            {"sma_20": 65432.12, "ema_50": 65432.11},
            {"sma_20": 65432.126, "ema_50": 65432.127},
            Signal(
                "death_cross",
                "sell",
                "SMA 20 fell below EMA 50 (65432.126 against 65432.127, was 65432.12 against 65432.11)",
            ),
        ),
        (
            {"rsi_14": 31.2},
            {"rsi_14": 29.4},
            Signal("rsi_oversold", "buy", "RSI 14 fell below 30 (29.4, was 31.2)"),
        ),
        (
            {"rsi_14": 70.0},
            {"rsi_14": 70.004},
            Signal("rsi_overbought", "sell", "RSI 14 rose above 70 (70.004, was 70.0)"),
        ),
        (
            {"macd": -0.001, "macd_signal": 0.0},
            {"macd": 0.00123, "macd_signal": 0.0002},
            Signal(
                "macd_cross_up",
                "buy",
                "MACD rose above its signal line (0.00123 against 0.00020, was -0.00100 against 0.00000)",
            ),
        ),
        (
            {"macd": 0.0, "macd_signal": 0.0},
            {"macd": -12.3, "macd_signal": -4.5},
            Signal("macd_cross_down", "sell", "MACD fell below its signal line (-12.3 against -4.5, was 0 against 0)"),
        ),
    ],
    ids=[rule.signal for rule in RULES],
)
def test_crossing_is_one_event_told_with_its_numbers(previous: Bar, current: Bar, expected: Signal) -> None:
    assert signals(previous, current) == [expected]
    assert signals(current, current) == []


def test_several_events_of_a_bar_come_in_the_order_of_the_rules() -> None:
    previous = {"macd": 1.0, "macd_signal": 2.0, "rsi_14": 60.0, "ema_50": 9.0, "sma_20": 8.0}
    current = {"macd": 3.0, "macd_signal": 2.0, "rsi_14": 80.0, "ema_50": 9.0, "sma_20": 10.0}
    assert [event.signal for event in signals(previous, current)] == ["golden_cross", "rsi_overbought", "macd_cross_up"]


@pytest.mark.parametrize("null", [{}, {"sma_20": np.nan, "ema_50": 100.0}, {"sma_20": 100.0, "ema_50": np.nan}])
def test_null_on_either_bar_gives_no_event(null: Bar) -> None:
    below, above = crossing(-1, 1)
    assert signals(null, above) == signals(below, null) == signals(above, null) == signals(null, null) == []
    assert events([null, below, above]) == [(2, "golden_cross")]


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ((-1, 1, 2, 3), [(1, "golden_cross")]),
        ((-1, 0, 1), [(2, "golden_cross")]),
        ((-1, 0, 0, 1), [(3, "golden_cross")]),
        ((1, 0, 1), []),
        ((1, 0, 0, 1), []),
        ((-1, 0, -1), []),
        ((1, 0, -1), [(2, "death_cross")]),
        ((-1, 1, 0, 1), [(1, "golden_cross")]),
        ((0, 0, 1), [(2, "golden_cross")]),
        ((0, -1), [(1, "death_cross")]),
        ((-1, 1, -1), [(1, "golden_cross"), (2, "death_cross")]),
    ],
)
def test_touching_and_parting_fires_once_if_the_side_has_changed(
    gaps: tuple[float, ...], expected: list[tuple[int, str]]
) -> None:
    assert events(crossing(*gaps)) == expected


def test_rsi_fires_on_entering_and_not_on_staying_touching_or_leaving() -> None:
    values = [50, 30, 29, 25, 30, 29.9, 31, 29, 50, 70, 71, 70, 72, 69, 71]
    expected = [(2, "rsi_oversold"), (7, "rsi_oversold"), (10, "rsi_overbought"), (14, "rsi_overbought")]
    assert events([{"rsi_14": value} for value in values]) == expected


def test_settle_keeps_the_touching_pair_and_takes_all_else_from_the_current_bar() -> None:
    previous = {"sma_20": 99.0, "ema_50": 100.0, "macd": 1.0, "macd_signal": 2.0, "rsi_14": 29.0, "ema_20": 1.0}
    current = {"sma_20": 101.0, "ema_50": 101.0, "macd": 3.0, "macd_signal": 2.5, "rsi_14": 30.0, "ema_20": 2.0}
    kept = {"sma_20": 99.0, "ema_50": 100.0, "rsi_14": 29.0}
    assert settle(previous, current) == current | kept
    assert settle({}, current) == current
    assert previous["sma_20"] == 99.0
    assert current["sma_20"] == 101.0


@law
@given(st.lists(st.sampled_from([-2, -1, 0, 0, 1, 2]), max_size=30))
def test_crossings_alternate_and_mark_every_change_of_side(gaps: list[int]) -> None:
    apart = [(i, gap > 0) for i, gap in enumerate(gaps) if gap]
    sides = [above for _, above in apart]
    changes = [now for k, now in enumerate(apart) if k and sides[k - 1] != now[1]]
    if apart and apart[0][0] > 0:  # they touched since the first bar
        changes.insert(0, apart[0])
    assert events(crossing(*gaps)) == [(i, "golden_cross" if above else "death_cross") for i, above in changes]


def test_straight_line_gives_no_crossings_by_rounding() -> None:
    bars = bars_of(np.round(100 + 0.137 * np.arange(1_500), 3))
    gap = np.array([bar["macd"] - bar["macd_signal"] for bar in bars[300:]])
    assert (np.diff(np.sign(gap)) != 0).sum() > 0  # they do tremble
    assert [event for event in events(bars) if event[0] >= 300] == []


def test_price_that_never_moves_gives_no_signals() -> None:
    assert events(bars_of([0.1] * 200)) == []


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no market data in {RECORDINGS}")
@pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "SPY", "TSLA"])
def test_recorded_bars_give_the_crossings_of_talib(symbol: str) -> None:
    table = pd.read_csv(RECORDINGS / f"eqker_1min/{symbol}_1min.csv").sort_values("datetime")
    closes = table["close"].to_numpy(np.float64)
    found = events(bars_of(closes))
    macd, macd_signal, _ = talib.MACD(closes, 12, 26, 9)
    lines = {
        "golden_cross": talib.SMA(closes, 20) - talib.EMA(closes, 50),
        "rsi_oversold": 30 - talib.RSI(closes, 14),
        "rsi_overbought": talib.RSI(closes, 14) - 70,
        "macd_cross_up": macd - macd_signal,
    }
    lines |= {"death_cross": -lines["golden_cross"], "macd_cross_down": -lines["macd_cross_up"]}
    settled = 150  # from here on, the two macd are the same
    for name, gap in lines.items():
        crossed = np.flatnonzero((gap[:-1] <= 0) & (gap[1:] > 0)) + 1
        expected = [bar for bar in crossed.tolist() if bar >= settled]
        assert len(expected) > 5, name
        assert [bar for bar, signal in found if signal == name and bar >= settled] == expected, name
