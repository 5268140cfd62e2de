import random

import numpy as np
import pytest

from dashboard.indicators.calculated import CalculatedSeries, Calculator, Floats, Times, bars_ahead
from dashboard.indicators.choice import picked
from plant.errors import SettingsError
from plant.indicators.bars import Bar
from plant.indicators.scalar import Scalar

MINUTE_NS = 60_000_000_000
SHOWN = 60


class Market:
    """Bars of one series, of which the newest SHOWN are shown."""

    def __init__(self, seed: int, count: int = 700) -> None:
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        closes = 100 * np.exp(np.cumsum(self.numbers.normal(0, 0.002, count)))
        self.times = np.arange(count, dtype=np.int64) * MINUTE_NS
        self.bars = np.column_stack([closes, closes * 1.001, closes * 0.999, closes, np.full(count, 1000.0)])
        self.asked = 0

    def shown(self) -> tuple[Times, Floats]:
        return self.times[-SHOWN:], self.bars[-SHOWN:].copy()

    def earlier(self, before: int, count: int) -> tuple[Times, Floats]:
        self.asked += 1
        there = self.times < before
        return self.times[there][-count:], self.bars[there][-count:]

    def step(self) -> str:
        what = self.random.choice(["tick", "tick", "new", "new", "correct", "withdraw"])
        close = self.bars[-1, 3] * (1 + 0.001 * self.random.uniform(-1, 1))
        if what == "tick":
            self.bars[-1, 3:] = close, self.bars[-1, 4] + 10
        elif what == "new":
            for _ in range(self.random.randrange(1, 4)):
                self.times = np.append(self.times, self.times[-1] + MINUTE_NS)
                self.bars = np.vstack([self.bars, [close, close * 1.001, close * 0.999, close, 500.0]])
        elif what == "correct":
            self.bars[-self.random.randrange(2, SHOWN), 3] = close
        else:
            self.times, self.bars = self.times[:-1], self.bars[:-1]
        return what


def plain(kind: str, market: Market) -> Floats:
    """Return the values of the bars that are shown, computed anew from the first bar of all."""
    one = Scalar(picked(kind, {}).declaration)
    values = [one.update(Bar(int(t), *bar)) for t, bar in zip(market.times, market.bars.tolist(), strict=True)]
    return np.array(values, np.float64).reshape(len(values), -1)[-SHOWN:]


@pytest.mark.parametrize("kind", ["ema", "rsi", "macd", "bollinger", "ut_bot", "vwap", "obv", "ADX", "CDLDOJI", "psar"])
def test_values_are_those_of_a_computation_anew_whatever_comes(kind: str) -> None:
    market, series = Market(7), CalculatedSeries(picked(kind, {}).declaration, "1m")
    anew = 0
    for _ in range(60):
        what, asked = market.step(), market.asked
        found = series.values(*market.shown(), market.earlier)
        anew += market.asked > asked
        if kind != "obv":  # its sum begins with the first bar there is: of those that were asked for
            np.testing.assert_allclose(found, plain(kind, market), rtol=1e-9, atol=1e-9, err_msg=what)
        assert len(found) == SHOWN
    assert anew < 40, "most of the time it goes on from where it was"


def test_a_tick_and_a_new_bar_ask_for_nothing_and_a_correction_begins_anew() -> None:
    market, series = Market(1), CalculatedSeries(picked("ema", {}).declaration, "1m")
    series.values(*market.shown(), market.earlier)
    assert market.asked == 1
    market.bars[-1, 3] += 1
    series.values(*market.shown(), market.earlier)
    market.times, market.bars = (
        np.append(market.times, market.times[-1] + MINUTE_NS),
        np.vstack([market.bars, market.bars[-1]]),
    )
    series.values(*market.shown(), market.earlier)
    assert market.asked == 1
    market.bars[-5, 3] += 1
    series.values(*market.shown(), market.earlier)
    assert market.asked == 2


def test_as_many_bars_ahead_are_asked_for_as_it_takes_to_forget() -> None:
    assert bars_ahead(picked("ema", {"period": 3}).declaration, "1m") == 400
    assert bars_ahead(picked("ema", {"period": 200}).declaration, "1m") == 8000
    assert bars_ahead(picked("vwap", {}).declaration, "1m") == 1440
    assert bars_ahead(picked("vwap", {}).declaration, "1d") == 400


def test_what_began_without_history_begins_anew_once_it_is_there() -> None:
    market, series = Market(3), CalculatedSeries(picked("rma", {}).declaration, "1m")
    nothing = np.zeros(0, np.int64), np.zeros((0, 5))
    short = series.values(*market.shown(), lambda before, count: nothing, whole=False)
    assert np.isnan(short[:13]).all()
    assert not np.isnan(series.values(*market.shown(), market.earlier, whole=True)).any()
    assert market.asked == 1


def test_no_bars_and_one_bar_have_values_of_their_shape() -> None:
    market, series = Market(5), CalculatedSeries(picked("bollinger", {}).declaration, "1m")
    times, bars = market.shown()
    assert series.values(times[:0], bars[:0], market.earlier).shape == (0, 3)
    assert series.values(times[:1], bars[:1], market.earlier).shape == (1, 3)


def test_the_calculator_keeps_the_series_used_last_and_forgets_one_that_failed() -> None:
    market, calculator = Market(2), Calculator(most=2)
    choice = picked("ema", {})

    def ask(sym: str) -> int:
        before = market.asked
        calculator.values(choice, (sym, "1m"), *market.shown(), market.earlier)
        return market.asked - before

    assert [ask(sym) for sym in ("A", "B", "A", "C", "A", "B")] == [1, 1, 0, 1, 0, 1]

    def fails(before: int, count: int) -> tuple[Times, Floats]:
        raise SettingsError("no")

    with pytest.raises(SettingsError):
        calculator.values(choice, ("D", "1m"), *market.shown(), fails)
    assert ask("D") == 1
