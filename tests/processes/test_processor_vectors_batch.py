"""Indicators over many bars at once: the numbers that the bars give one by one."""

import time
from math import inf, nan

import numpy as np
import pytest
from bars_for_indicators import columns_of, walk
from chance import examples
from former_indicators import Indicators
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.indicators.bars import Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS, Declaration, declaration_of, declared
from plant.indicators.ours import OURS
from plant.indicators.scalar import scalar
from processor.vectors import batch
from processor.vectors.batch import computed

law = settings(max_examples=examples(60), deadline=None, derandomize=True, database=None)


class Reach:
    outputs = ("up", "down")

    def update(self, bar: Bar) -> tuple[float, float]:
        if bar.volume == 13:
            raise ValueError("unlucky")
        return bar.high, bar.low


def one_by_one(declaration: Declaration, bars: list[Bar]) -> np.ndarray:
    indicator = scalar(declaration)
    return np.array([np.atleast_1d(indicator.update(bar)) for bar in bars]).T


@pytest.mark.parametrize("kind", [*(kind.name for kind in OURS), "STOCH", "CDLDOJI", "LN", "HT_TRENDMODE"])
def test_bars_that_are_not_known_are_passed_over_and_the_rest_is_as_one_by_one(kind: str) -> None:
    bars = walk(1, 200, 1e-3)
    for i, unknown in ((3, nan), (70, inf), (71, nan), (120, 2e150)):
        bars[i] = bars[i]._replace(close=unknown, high=unknown, volume=unknown)
    declaration = declaration_of({"name": "x", "kind": kind})
    found = computed([declaration], columns_of(bars))
    assert tuple(found) == declaration.columns
    expected = one_by_one(declaration, bars)
    np.testing.assert_allclose(list(found.values()), expected, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("bars", [0, 1, 2, 13, 14, 15, 19, 20, 21, 33, 34, 35, 60])
def test_few_bars_give_the_columns_of_today_with_their_nulls(bars: int) -> None:
    closes = np.array([bar.close for bar in walk(2, bars)])
    indicators = Indicators()
    indicators.grow(1)
    expected = indicators.run(0, closes)
    found = computed(DEFAULTS, {"close": closes})
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-10, err_msg=name)


prices = st.one_of(
    st.sampled_from([100.0, 100.01, -100.0, 0.0, 1e6, 1e6 + 1 / 1024, 1e-9, 1e12]),
    st.floats(-1e6, 1e6, allow_nan=False),
)


@law
@given(st.lists(prices, max_size=60), st.integers(1, 25))
def test_means_and_deviations_are_right_to_1e_12_of_the_largest_of_the_window(closes: list[float], period: int) -> None:
    x = np.array(closes, np.float64)
    mean, deviation = batch.mean_and_deviation(x, period)
    assert np.isnan(mean[: period - 1]).all()
    assert np.isnan(deviation[: period - 1]).all()
    for i in range(period - 1, len(x)):
        window = x[i + 1 - period : i + 1]
        around = window - window[-1]  # exact where all are alike
        scale = np.abs(window).max()
        assert abs(mean[i] - (window[-1] + around.mean())) <= 1e-12 * scale
        assert abs(deviation[i] - around.std()) <= 1e-12 * np.abs(around).max() + 1e-14 * scale


def test_chunks_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.array([bar.close for bar in walk(3, 500)])
    whole = batch.mean_and_deviation(x, 20)
    monkeypatch.setattr(batch, "_CHUNK", 33)
    for a, b in zip(whole, batch.mean_and_deviation(x, 20), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def test_a_price_that_never_moved_is_exact() -> None:
    found = computed(DEFAULTS, {"close": np.full(100, 7.7)})
    assert {name: values[-1] for name, values in found.items()} == {
        **dict.fromkeys(
            ("sma_20", "ema_20", "ema_50", "bb_upper", "bb_middle", "bb_lower"), pytest.approx(7.7, rel=1e-15)
        ),
        **dict.fromkeys(("macd", "macd_signal", "macd_histogram"), pytest.approx(0, abs=1e-14)),
        "rsi_14": 50.0,
    }


def test_columns_take_in_one_another_and_one_of_ones_own_that_raises_is_null_there() -> None:
    bars = walk(4, 60)
    bars[7] = bars[7]._replace(volume=13.0)
    entries = [
        {"name": "smooth", "kind": "sma", "period": 3, "input": "strength"},
        {"name": "strength", "kind": "rsi", "input": "hl2"},
        {"name": "own", "kind": f"{__name__}:Reach", "outputs": ["up", "down"]},
    ]
    found = computed(declared(entries, defaults=False), columns_of(bars))
    assert list(found) == ["smooth", "strength", "own_up", "own_down"]
    strength, smooth = scalar("rsi", input="hl2"), scalar("sma", period=3)
    expected = [smooth.update(strength.update(bar)) for bar in bars]
    np.testing.assert_allclose(found["smooth"], expected, rtol=1e-12)
    assert np.flatnonzero(np.isnan(found["own_up"])).tolist() == [7]


def test_what_has_a_form_over_whole_series_is_of_ours() -> None:
    assert batch.WHOLE.keys() <= CATALOGUE.keys()


def test_a_million_bars_take_a_second_at_most() -> None:
    """TA-Lib itself takes 0.03 s, these 0.1 s; a loop over bars would take ten."""
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 1e-3, 1_000_000)))
    before = time.process_time()
    computed(DEFAULTS, {"close": closes})
    assert time.process_time() - before < 1
