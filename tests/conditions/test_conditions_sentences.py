"""What happened is told with its numbers, and only what is so."""

import doctest
import math

import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.conditions import sentences as module
from plant.conditions.evaluator import OneSeries
from plant.conditions.parsing import condition_of
from plant.conditions.sentences import Told, sentences
from plant.conditions.tree import Comparison, Name

NUMBERS = st.floats(-1e15, 1e15) | st.integers(-12, 12).map(lambda power: 10.0**power) | st.sampled_from([0.0, -0.0])


def told(text: str, *bars: dict[str, float]) -> str | None:
    series = OneSeries(condition_of(text))
    return [series.event(bar) for bar in bars][-1]


def test_example_in_docstring_is_true() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@pytest.mark.parametrize(
    ("text", "bars", "sentence"),
    [
        ("close > 12", [{"close": 12.345}], "close above 12 (12.3450)"),
        ("not close > 12", [{"close": 11.0}], "close at or below 12 (11.0000)"),
        ("rsi_14 <= 30", [{"rsi_14": 29.96}], "RSI 14 at or below 30 (29.96)"),
        ("rsi_14 != rsi_21", [{"rsi_14": 29.4, "rsi_21": 30}], "RSI 14 other than RSI 21 (29.4 against 30.0)"),
        ("not open == close", [{"open": 2, "close": 1}], "open other than close (2.00000 against 1.00000)"),
        (
            "close > 2 * vwap[1]",
            [{"close": 1, "vwap": 1}, {"close": 3, "vwap": 1}],
            "close above 2 * VWAP of the bar before (3.00000 against 2.00000)",
        ),
        ("close[2] > 2", [{"close": 3}] * 3, "close of 2 bars before above 2 (3.00000)"),
        ("close rising 2", [{"close": c} for c in (1, 2, 3)], "close rising for 2 bars (3.00000)"),
        ("not close falling 1", [{"close": c} for c in (1, 2)], "close not falling for 1 bar (2.00000)"),
        ("rsi_14 between 30 and 70", [{"rsi_14": 50}], "RSI 14 between 30 and 70 (50.0)"),
        (
            "not close between low and 3",
            [{"close": 5, "low": 1}],
            "close not between low and 3 (5.00000 against 1.00000)",
        ),
        (
            "not close crosses above high",
            [{"close": 1, "high": 2}, {"close": 1, "high": 3}],
            "close did not rise above high (1.00000 against 3.00000, was 1.00000 against 2.00000)",
        ),
        (
            "macd_5.signal crosses below macd_5",
            [{"macd_5.signal": 1, "macd_5": 0}, {"macd_5.signal": -1, "macd_5": 0}],
            "MACD 5 signal fell below MACD 5 (-1.00 against 0.00, was 1.00 against 0.00)",
        ),
        (
            "macd_5 crosses below macd_5_signal",
            [{"macd_5_signal": 0, "macd_5": 1}, {"macd_5_signal": 0, "macd_5": -1}],
            "MACD 5 fell below its signal line (-1.00 against 0.00, was 1.00 against 0.00)",
        ),
        (
            "close > bb_upper and volume > 2 * volume_sma_20",
            [{"close": 12.5, "bb_upper": 12, "volume": 5e6, "volume_sma_20": 2e6}],
            "close above BB upper (12.5000 against 12.0000) and "
            "volume above 2 * volume SMA 20 (5000000 against 4000000)",
        ),
        ("close > 5 or close < 3", [{"close": 2}], "close below 3 (2.00000)"),
        ("close > 5 or close > 3", [{"close": 6}], "close above 5 (6.00000) and close above 3 (6.00000)"),
        ("not (close > 5 and open > 5)", [{"close": 6, "open": 4}], "open at or below 5 (4.00000)"),
        (
            "not (close > 5 or not open > 5)",
            [{"close": 4, "open": 6}],
            "close at or below 5 (4.00000) and open above 5 (6.00000)",
        ),
    ],
)  # fmt: skip
def test_a_condition_that_is_true_is_told(text: str, bars: list[dict[str, float]], sentence: str) -> None:
    assert told(text, *bars) == sentence


def test_numbers_that_differ_can_be_told_apart() -> None:
    assert told("close > open", {"close": 65432.127, "open": 65432.126}) == (
        "close above open (65432.127 against 65432.126)"
    )


def test_a_crossing_after_touching_tells_the_bar_on_which_they_were_apart() -> None:
    bars = [{"close": close} for close in (1, 2, 2, 3)]
    assert told("close crosses above 2", *bars) == "close rose above 2 (3.00000, was 1.00000)"


@settings(max_examples=examples(300), deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5))
def test_numbers_of_many_bars_have_the_digits_that_each_has_by_itself(bars: list[tuple[float, float]]) -> None:
    rule = Comparison(Name("close"), "!=", Name("open"))
    now = tuple(np.array(column) for column in zip(*bars, strict=True))
    found = sentences(rule, {rule: Told(np.ones(len(bars), bool), now)})
    assert found == [f"close other than open ({' against '.join(plain_numbers(bar))})" for bar in bars]


def plain_numbers(values: tuple[float, float]) -> list[str]:
    """Return six digits of the larger number's, and more until two that differ look so."""
    largest = max(map(abs, values))
    places = max(0, 5 - math.floor(math.log10(largest))) if largest else 0
    for more in range(7):
        texts = [f"{value:z.{places + more}f}" for value in values]
        if texts[0] != texts[1] or values[0] == values[1]:
            break
    return texts
