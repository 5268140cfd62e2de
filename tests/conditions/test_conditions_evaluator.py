"""The evaluator says what the grammar means, whatever the order of calls, nulls and rounding do."""

import doctest
import math

import numpy as np
import pytest
from chance import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_conditions import NAMES, PlainSeries, truths

from plant.conditions import evaluator as module
from plant.conditions.condition import Condition
from plant.conditions.evaluator import Evaluator, OneSeries
from plant.conditions.parsing import condition_of
from plant.conditions.tree import Truth, columns_in

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
VALUES = [0.0, 1.0, 1.0, 2.0, 2.0, 3.0, -1.0, 1.0 + 1e-14, 1e-14, 1e308, math.nan]
RARE = [0.1, 0.15, 0.15, 0.15, 0.15, 0.13, 0.05, 0.05, 0.02, 0.02, 0.03]


def run(text: str, *closes: float | None) -> list[bool]:
    series = OneSeries(condition_of(text))
    return [series.update({"close": close}) for close in closes]


def test_examples_in_docstrings_are_true() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@law
@given(truths(), st.integers(0, 2**32 - 1))
def test_any_order_of_calls_says_what_the_bars_mean(truth: Truth, seed: int) -> None:
    """Three series, closed by turns: as the plain model says, as `peek` said, as `run` says, also after a restart."""
    assume(any(columns_in(truth)))
    chance = np.random.default_rng(seed)
    condition = Condition(truth)
    evaluator = Evaluator(condition)
    plain = [PlainSeries() for _ in range(3)]
    said: list[list[bool]] = [[], [], []]
    told: list[dict[int, str]] = [{}, {}, {}]
    for turn in range(14):
        evaluator.grow(min(turn + 1, 3))
        slots = chance.permutation(len(evaluator))[: chance.integers(1, 4)]
        bars = {name: chance.choice(VALUES, len(slots), p=RARE) for name in NAMES}
        if chance.random() < 0.15:
            restarted = Evaluator(condition)
            restarted.restore(evaluator.arrays(), len(evaluator))
            evaluator = restarted
        if chance.random() < 0.1:
            gone = int(slots[0])
            evaluator.reset([gone])
            plain[gone], said[gone], told[gone] = PlainSeries(), [], {}
        peeked = evaluator.peek(slots, bars)
        events = evaluator.events(slots, bars)
        assert list(events) == np.flatnonzero(peeked).tolist()
        for i, slot in enumerate(slots.tolist()):
            plain[slot].bars.append({name: float(bars[name][i]) for name in NAMES})
            assert peeked[i] == plain[slot].true(truth)
            if i in events:
                told[slot][len(said[slot])] = events[i]
            said[slot].append(bool(peeked[i]))
    for series, expected, sentences in zip(plain, said, told, strict=True):
        if series.bars:
            columns = {name: np.array([bar[name] for bar in series.bars]) for name in NAMES}
            cut = int(chance.integers(0, len(series.bars) + 1))
            for parts in ([slice(None)], [slice(0, cut), slice(cut, None)]):
                again = Evaluator(condition)
                again.grow(1)
                found = [again.run(0, {name: v[part] for name, v in columns.items()}) for part in parts]
                assert np.concatenate(found).tolist() == expected
            again.reset([0])
            assert again.run_events(0, columns) == sentences


@pytest.mark.parametrize(
    ("text", "closes", "expected"),
    [
        ("close > close[1]", (1, 2, 2, 3), [False, True, False, True]),
        ("close rising 2", (1, 2, 3, 4, 4, 5, 6), [False, False, True, True, False, False, True]),
        ("close falling 1", (3, 2, 2, 1), [False, True, False, True]),
        ("close between 1 and 2", (0, 1, 1.5, 2, 3), [False, True, True, True, False]),
        ("close crosses above 1", (0, 2, 1, 2, 1, 0, 1, 2), [False, True, False, False, False, False, False, True]),
        ("close crosses below 1", (1, 1, 0, 1, 0), [False, False, True, False, False]),
        ("close crosses above close[1]", (1, 2, 1, 2, 3), [False, False, False, True, False]),
        ("close crosses above 1 or close < 0", (-1, 2, -1), [False, True, True]),
        ("1 / close > 0", (1, 0, -1), [True, False, False]),
        ("not 1 / close > 0", (1, 0, -1), [False, False, True]),
    ],
)  # fmt: skip
def test_words_mean_what_they_say(text: str, closes: tuple[float, ...], expected: list[bool]) -> None:
    assert run(text, *closes) == expected


@pytest.mark.parametrize(
    ("text", "closes", "expected"),
    [
        ("close > 1", (2, None, 2), [True, False, True]),
        ("not close > 3", (2, None, 2), [True, False, True]),
        ("close > 1 or volume > 1", (2,), [False]),
        ("not close[1] > 3", (2, 2, None, 2, 2), [False, True, True, False, True]),
        ("close crosses above 1", (0, None, 2, 0, 2), [False, False, False, False, True]),
        ("not close crosses above 1", (0, None, 0, 0), [False, False, False, True]),
        ("close rising 1", (0, None, 1, 2), [False, False, False, True]),
        ("not close falling 2", (0, 1, None, 2, 3, 4), [False, False, False, False, False, True]),
        ("close > 1", (math.inf, -math.inf), [False, False]),
    ],
)
def test_a_null_makes_a_condition_false_whatever_it_says(
    text: str, closes: tuple[float | None, ...], expected: list[bool]
) -> None:
    assert run(text, *closes) == expected


def test_values_closer_than_rounding_are_equal() -> None:
    assert run("close > 0.3", 0.1 + 0.2, 0.3 + 1e-12) == [False, True]
    assert run("close == 0.3", 0.1 + 0.2, 0.3 + 1e-12) == [True, False]
    assert run("close - 0.3 == 0", 0.1 + 0.2) == [True]
    assert run("(close - 0.3) / 2 > 0", 0.1 + 0.2) == [False]
    assert run("close rising 1", 1.0, 1.0 + 1e-15, 1.0 + 1e-11) == [False, False, True]
    assert run("close > 0", 1e-300) == [True]


def test_a_difference_of_prices_has_the_rounding_of_a_price() -> None:
    trembling = condition_of("macd crosses above macd_signal")
    bars = [{"close": 1000.0, "macd": 1.0 + tremble, "macd_signal": 1.0} for tremble in (-1e-10, 1e-10, -1e-8, 1e-8)]
    series = OneSeries(trembling)
    assert [series.update(bar) for bar in bars] == [False, False, False, True]
    exact = OneSeries(trembling, scales={})
    assert [exact.update(bar) for bar in bars] == [False, True, False, True]
    of_ones_own = OneSeries(condition_of("mine > 0"), scales={"mine": "close"})
    assert [of_ones_own.update({"mine": mine, "close": 1e6}) for mine in (1e-7, 1e-5)] == [False, True]
    assert Evaluator(trembling).columns == ("macd", "macd_signal", "close")


def test_a_refused_call_changes_nothing() -> None:
    evaluator = Evaluator(condition_of("close > close[1]"))
    evaluator.grow(2)
    evaluator.update([0, 1], {"close": [1.0, 1.0]})
    for slots, values, error, sentence in (
        ([0, 0], {"close": [2.0, 2.0]}, ValueError, "slot 0 is given more than once"),
        ([2], {"close": [2.0]}, IndexError, "slot 2 does not exist, there are 2"),
        ([-1], {"close": [2.0]}, IndexError, "slot -1"),
        ([0.5], {"close": [2.0]}, ValueError, "slots: expected"),
        ([0], {"close": [2.0, 3.0]}, ValueError, r"expected float64\[1\] of close"),
        ([0], {"open": [2.0]}, ValueError, "expected close, found no close"),
    ):
        for call in (evaluator.update, evaluator.peek, evaluator.events):
            with pytest.raises(error, match=sentence):
                call(slots, values)
    with pytest.raises(IndexError):
        evaluator.run(2, {"close": [1.0]})
    with pytest.raises(ValueError, match="found shape"):
        evaluator.run(0, {"close": [[1.0]]})
    assert evaluator.update([1, 0], {"close": [2.0, 1.0]}).tolist() == [True, False]
    assert evaluator.update([], {"close": []}).tolist() == []
    assert evaluator.run(0, {"close": []}).tolist() == []
    assert evaluator.peek([0, 1], {"close": [2, 2]}).tolist() == [True, False]


def test_state_of_another_condition_is_refused() -> None:
    evaluator, other = Evaluator(condition_of("close > close[1]")), Evaluator(condition_of("close > close[2]"))
    evaluator.grow(3)
    evaluator.update([2], {"close": [5.0]})
    with pytest.raises(ValueError, match=r"state of 'close > close\[2\]'"):
        other.restore(evaluator.arrays(), 3)
    assert len(other) == 0
    arrays = evaluator.arrays()
    assert {name: array.shape for name, array in arrays.items()} == {"close": (1, 3)}
    arrays["close"][:] = 0
    assert evaluator.peek([2], {"close": [1.0]}).tolist() == [False]
