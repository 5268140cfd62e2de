"""The six signals as conditions are what they were before: events, sides, sentences, and what is kept."""

from collections.abc import Iterable

import former_signals as module
import numpy as np
import pytest
from chance import examples
from former_indicators import COLUMNS, Indicators
from former_signals import RULES, settle, signals
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.conditions.evaluator import Evaluator
from plant.conditions.rules import rules_of

law = settings(max_examples=examples(40), deadline=None, derandomize=True, database=None)
Bar = dict[str, float]
Event = tuple[int, str, str, str]


def before(bars: Iterable[Bar]) -> list[Event]:
    """The events of closed bars as the model has them."""
    found: list[Event] = []
    previous: Bar = {}
    for i, current in enumerate(bars):
        found += [(i, event.signal, event.side, event.detail) for event in signals(previous, current)]
        previous = settle(previous, current)
    return found


def now(bars: list[Bar], series: int = 3) -> list[Event]:
    """The same by the rules, of several series that are all the same; bar by bar, and all at once."""
    found: list[list[Event]] = []
    order = {rule.signal: i for i, rule in enumerate(RULES)}
    rules = [rule for rule in rules_of([], ("close", *COLUMNS)) if rule.name in order]
    columns = {name: np.array([bar.get(name, np.nan) for bar in bars]) for name in ("close", *COLUMNS)}
    for step_by_step in (True, False):
        events = []
        for rule in rules:
            evaluator = Evaluator(rule.when)
            evaluator.grow(series)
            if step_by_step:
                for i in range(len(bars)):
                    values = {name: np.full(series, v[i]) for name, v in columns.items()}
                    told = evaluator.events(range(series), values)
                    assert len(set(told.values())) <= 1
                    assert len(told) in (0, series)
                    events += [(i, rule.name, rule.side, told[0])] if told else []
            else:
                told = evaluator.run_events(1, columns)
                events += [(i, rule.name, rule.side, detail) for i, detail in told.items()]
        found.append(sorted(events, key=lambda event: (event[0], order[event[1]])))
    assert found[0] == found[1]
    return found[0]


LEVELS = [99.0, 100.0, 100.0, 100.0 + 1e-13, 100.0 - 1e-13, 101.0, np.nan]
RSI = [29.0, 30.0, 30.0 + 1e-15, 31.0, 50.0, np.nan]
MACD = [-1.0, 0.0, 1e-14, -1e-11, 1.0, np.nan]


def bars_of(rsi: list[float]) -> st.SearchStrategy[list[Bar]]:
    lines = {
        "sma_20": st.sampled_from(LEVELS[:-1]),  # of the price, which is never null
        "ema_50": st.sampled_from(LEVELS),
        "rsi_14": st.sampled_from(rsi),
        "macd": st.sampled_from(MACD),
        "macd_signal": st.sampled_from(MACD),
    }
    bars = st.fixed_dictionaries(lines).map(lambda bar: {"close": bar["sma_20"], **bar})
    return st.lists(bars, max_size=25)


@law
@given(bars_of(RSI))
def test_events_and_sentences_are_the_same_whatever_touches_or_is_null(bars: list[Bar]) -> None:
    assert now(bars) == before(bars)


@pytest.mark.parametrize("signal", ["rsi_oversold", "rsi_overbought"])
def test_each_rule_alone_is_the_same_also_where_the_rsi_leaps_from_level_to_level(
    signal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the model has one memory for two levels; a crossing of ours has its own."""
    leap = [{"close": 1.0, "rsi_14": rsi} for rsi in (71.0, 30.0, 75.0)]
    assert before(leap) == []
    assert [event[:2] for event in now(leap)] == [(2, "rsi_overbought")]
    monkeypatch.setattr(module, "RULES", tuple(rule for rule in RULES if rule.signal == signal))
    chance = np.random.default_rng(8)
    for _ in range(8):
        values = chance.choice([29.0, 30.0, 30.0, 50.0, 70.0, 70.0, 71.0, np.nan], 40).tolist()
        bars = [{"close": 1.0, "rsi_14": rsi} for rsi in values]
        assert [event for event in now(bars) if event[1] == signal] == before(bars)


@pytest.mark.parametrize("seed", range(3))
def test_events_of_computed_indicators_are_the_same(seed: int) -> None:
    """Prices that move, stand still and run in straight lines."""
    chance = np.random.default_rng(seed)
    steps = [chance.normal(0, 0.3, 150), np.zeros(60), np.full(150, 0.137), chance.integers(-1, 2, 150), np.zeros(40)]
    closes = np.round(100 + np.cumsum(np.concatenate([steps[i] for i in chance.permutation(5)])), 3)
    indicators = Indicators()
    indicators.grow(1)
    columns = {"close": closes, **indicators.run(0, closes)}
    bars = [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]
    expected = before(bars)
    assert len({event[1] for event in expected}) >= 4
    assert now(bars) == expected


@law
@given(bars_of(RSI), bars_of(RSI))
def test_what_is_kept_goes_on_as_settled_bars_do(first: list[Bar], then: list[Bar]) -> None:
    """Handed over in the middle: the state of the one gives the events that `previous` of the other does."""
    previous: Bar = {}
    for bar in first:
        previous = settle(previous, bar)
    for rule in rules_of([], ("close", *COLUMNS)):
        evaluator = Evaluator(rule.when)
        evaluator.grow(1)
        for bar in first:
            evaluator.update([0], {name: [bar[name]] for name in evaluator.columns})
        (kept,) = evaluator.arrays().values()
        if first and rule.name != "rsi_overbought":  # the model keeps the RSI as rsi_oversold wants it
            lines = [previous[name] for name in rule.when.names]
            np.testing.assert_array_equal(kept[: len(lines), 0], lines)
        found, settled = [], previous
        for bar in then:
            found += [event.detail for event in signals(settled, bar) if event.signal == rule.name]
            settled = settle(settled, bar)
        told = [evaluator.events([0], {name: [bar[name]] for name in evaluator.columns}).get(0) for bar in then]
        assert [detail for detail in told if detail] == found
