"""Indicators: the definitions, the laws of incremental computation, TA-Lib and published tables."""

import doctest
import re
from collections.abc import Iterator
from fractions import Fraction
from math import fsum
from random import Random

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import RECORDINGS

from processor import indicators as module
from processor.indicators import COLUMNS, FIRST_BAR, LARGEST_CLOSE, Floats, Indicators

needs_data = pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no market data in {RECORDINGS}")
law = settings(max_examples=60, deadline=None, derandomize=True, database=None)

# The 30 closes of a widely published moving average example (StockCharts; also the example of q's ema).
PUBLISHED = (
    "22.27 22.19 22.08 22.17 22.18 22.13 22.23 22.43 22.24 22.29 22.15 22.39 22.38 22.61 23.36 "
    "24.05 23.75 23.83 23.95 23.63 23.82 23.87 23.65 23.19 23.1 23.33 22.68 23.1 22.4 22.17"
)


def history(closes: object) -> dict[str, Floats]:
    indicators = Indicators()
    indicators.grow(1)
    return indicators.run(0, closes)


def walk(seed: int, bars: int, move: float = 1e-3) -> Floats:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(size=bars) * move))


@st.composite
def series(draw: st.DrawFn, most: int = 120) -> Floats:
    """Closes in ticks, so that some bars do not move, at price levels from a cent to a million.

    The length is drawn first: left to itself, a list is nearly always shorter than the warm-up.
    """
    bars = draw(st.integers(0, most))
    level = draw(st.sampled_from([1, 500, 1_000_000])) * 100
    moves = draw(st.lists(st.integers(-50, 50), min_size=bars, max_size=bars))
    return np.maximum(level + np.cumsum(np.array(moves, np.int64)), 1) / 100


def plain(c: Floats) -> dict[str, Floats]:
    """The definitions written out, one bar at a time, from the whole history."""

    def mean(values: Floats) -> float:
        return fsum(values) / len(values)

    def ema(values: Floats, n: int, weight: float, first: int = 0) -> Floats:
        out = np.full(len(values), np.nan)
        for i in range(first + n - 1, len(values)):
            start = i == first + n - 1
            out[i] = mean(values[first : first + n]) if start else (1 - weight) * out[i - 1] + weight * values[i]
        return out

    change = np.diff(c, prepend=c[:1])
    gain, loss = (ema(np.where(s * change > 0, s * change, 0.0), 14, 1 / 14, 1) for s in (1, -1))
    macd = ema(c, 12, 2 / 13) - ema(c, 26, 2 / 27)
    signal = ema(macd, 9, 2 / 10, 25)
    middle, sd = np.full((2, len(c)), np.nan)
    for i in range(19, len(c)):
        window = c[i - 19 : i + 1]
        middle[i] = mean(window)
        sd[i] = mean((window - middle[i]) ** 2) ** 0.5
    rsi = [100 * g / (g + d) if g + d else 50.0 for g, d in zip(gain, loss, strict=True)]
    values = (middle, ema(c, 20, 2 / 21), ema(c, 50, 2 / 51), rsi, macd, signal, macd - signal)
    bands = (middle + 2 * sd, middle, middle - 2 * sd)
    return dict(zip(COLUMNS, map(np.array, values + bands), strict=True))


def assert_close(found: dict[str, Floats], expected: dict[str, Floats], tolerance: float, price: float) -> None:
    for name, values in expected.items():
        scale = 100 if name == "rsi_14" else price
        np.testing.assert_allclose(found[name], values, rtol=0, atol=tolerance * scale, err_msg=name)


def assert_same(found: dict[str, Floats], expected: dict[str, Floats]) -> None:
    assert list(found) == list(expected) == list(COLUMNS)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def one_by_one(indicators: Indicators, slot: int, closes: Floats) -> dict[str, Floats]:
    bars = [indicators.update([slot], [close]) for close in closes]
    return {name: np.array([bar[name][0] for bar in bars]) for name in COLUMNS}


# -- definitions


def test_example_in_docstring_is_true() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


@law
@given(series())
def test_run_equals_the_written_out_formulas(closes: Floats) -> None:
    assert_close(history(closes), plain(closes), 1e-12, max(closes, default=1.0))


def test_long_series_has_not_drifted_from_the_formulas() -> None:
    closes = walk(3, 5_000, 1e-2)
    assert_close(history(closes), plain(closes), 1e-12, closes.max())


def test_published_series_gives_published_values() -> None:
    found = history([float(text) for text in PUBLISHED.split()])
    expected = {
        "sma_20": {19: 22.715500, 29: 23.170500},
        "rsi_14": {14: 74.222222, 29: 39.599857},
        "bb_upper": {29: 24.435466},
        "bb_middle": {29: 23.170500},
        "bb_lower": {29: 21.905534},
    }
    for name, values in expected.items():
        assert {bar: round(float(found[name][bar]), 6) for bar in values} == values


def test_columns_are_null_until_their_first_bar_and_never_after() -> None:
    found = history(walk(1, 70))
    assert {name: int(np.flatnonzero(~np.isnan(values))[0]) for name, values in found.items()} == FIRST_BAR
    assert {name: int(np.isnan(values).sum()) for name, values in found.items()} == FIRST_BAR


@pytest.mark.parametrize("price", [0.1, 1 / 3, 1e-9, 123_456.789, -37.63])
def test_price_that_never_moves_gives_itself_no_width_and_rsi_50(price: float) -> None:
    found = history([price] * 80)
    for name in COLUMNS:
        exact = {"rsi_14": 50.0, "macd": 0.0, "macd_signal": 0.0, "macd_histogram": 0.0}.get(name, price)
        assert set(found[name][FIRST_BAR[name] :]) == {exact}, name


def test_rsi_stays_between_0_and_100_in_a_market_of_one_direction() -> None:
    up = np.cumsum(np.random.default_rng(2).random(200) + 0.01)
    assert set(history(up)["rsi_14"][14:]) == {100.0}
    assert set(history(-up)["rsi_14"][14:]) == {0.0}


def test_bands_do_not_cancel_where_moves_are_tiny_beside_the_price() -> None:
    closes = 1e8 + np.random.default_rng(4).integers(-9, 10, 60) * 2.0**-20
    found = history(closes)
    width = found["bb_upper"] - found["bb_middle"]
    for bar in range(19, 60):
        window = [Fraction(close) for close in closes[bar - 19 : bar + 1]]
        middle = sum(window) / 20
        sd = float(sum((close - middle) ** 2 for close in window) / 20) ** 0.5
        assert abs(width[bar] - 2 * sd) <= 2 * np.spacing(1e8)
        assert sd > 1e-6  # where sums of squares, with 1e16 in float64, would have left nothing


# -- laws


@law
@given(series(), st.integers(0, 120))
def test_run_equals_updates_to_the_bit_wherever_it_is_cut(closes: Floats, cut: int) -> None:
    stepped, mixed = Indicators(), Indicators()
    stepped.grow(2)
    mixed.grow(2)
    expected = one_by_one(stepped, 1, closes)
    head, tail = mixed.run(1, closes[:cut]), one_by_one(mixed, 1, closes[cut : cut + 5])
    rest = mixed.run(1, closes[cut + 5 :])
    assert_same({name: np.concatenate([head[name], tail[name], rest[name]]) for name in COLUMNS}, expected)


@law
@given(series(), st.floats(0.01, 1e6))
def test_peek_gives_what_update_gives_and_leaves_no_trace(closes: Floats, other: float) -> None:
    peeked, untouched = Indicators(), Indicators()
    for indicators in (peeked, untouched):
        indicators.grow(1)
        indicators.run(0, closes)
    peeked.peek([0], [other])
    forming = peeked.peek([0], [1.25])
    assert_same(forming, untouched.update([0], [1.25]))
    assert_same(peeked.update([0], [1.25]), forming)


@settings(law, max_examples=20)
@given(st.lists(series(60), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_slots_do_not_influence_each_other_in_any_order(many: list[Floats], random: Random) -> None:
    together = Indicators()
    together.grow(len(many))
    bars: list[list[dict[str, float]]] = [[] for _ in many]
    for i in range(60):
        slots = [slot for slot, closes in enumerate(many) if i < len(closes)]
        random.shuffle(slots)
        found = together.update(np.array(slots, np.int64), np.array([many[slot][i] for slot in slots]))
        for k, slot in enumerate(slots):
            bars[slot].append({name: found[name][k] for name in COLUMNS})
    for closes, rows in zip(many, bars, strict=True):
        assert_same({name: np.array([row[name] for row in rows]) for name in COLUMNS}, history(closes))


@pytest.mark.parametrize("slots", [1, 7, 1_000])
def test_value_does_not_depend_on_how_many_slots_are_updated(slots: int) -> None:
    closes = walk(5, 60)
    indicators = Indicators()
    indicators.grow(slots)
    for close in closes:
        found = indicators.update(np.arange(slots), np.full(slots, close))
    last = {name: values[-1] for name, values in history(closes).items()}
    assert {name: set(values) for name, values in found.items()} == {name: {value} for name, value in last.items()}


def test_answer_is_not_changed_by_later_updates() -> None:
    indicators = Indicators()
    indicators.grow(1)
    indicators.run(0, walk(6, 60))
    found = indicators.update([0], [100.0])
    kept = {name: values.copy() for name, values in found.items()}
    indicators.update([0], [90.0])
    assert_same(found, kept)


def test_reset_forgets_one_series_and_no_other() -> None:
    indicators = Indicators()
    indicators.grow(2)
    closes, corrected = walk(7, 100), walk(8, 100) / 1_000
    for slot in (0, 1):
        indicators.run(slot, closes)
    indicators.reset(0)
    assert_same(indicators.run(0, corrected), history(corrected))
    whole = history(np.append(closes, 99.0))
    assert_same(indicators.update([1], [99.0]), {name: values[-1:] for name, values in whole.items()})


def test_growing_keeps_the_state_of_old_slots_and_starts_new_ones_empty() -> None:
    closes = walk(9, 60)
    indicators = Indicators()
    indicators.grow(1)
    indicators.run(0, closes[:30])
    for n_slots in (2, 3, 9, 4):
        indicators.grow(n_slots)
    assert len(indicators) == 9
    assert_same(indicators.run(8, closes), history(closes))
    rest = {name: values[30:] for name, values in history(closes).items()}
    assert_same(indicators.run(0, closes[30:]), rest)


def test_no_bars_give_empty_columns() -> None:
    indicators = Indicators()
    indicators.grow(1)
    nothing = {name: np.empty(0) for name in COLUMNS}
    assert_same(indicators.update([], []), nothing)
    assert_same(indicators.run(0, []), nothing)


# -- refusals


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2 * LARGEST_CLOSE])
def test_close_that_is_not_finite_is_refused_and_poisons_nothing(bad: float) -> None:
    indicators = Indicators()
    indicators.grow(2)
    closes = walk(10, 60)
    for slot in (0, 1):
        indicators.run(slot, closes[:59])
    with pytest.raises(ValueError, match=re.escape(f"up to 1e+150, found {bad:g} at slot 1; no bar was taken")):
        indicators.update([0, 1], [100.0, bad])
    with pytest.raises(ValueError, match="at slot 0"):
        indicators.peek([0], [bad])
    with pytest.raises(ValueError, match="at bar 2; no bar was taken"):
        indicators.run(0, [1.0, 2.0, bad])
    for slot in (0, 1):
        assert_same(
            indicators.update([slot], closes[59:]), {name: values[59:] for name, values in history(closes).items()}
        )


def test_largest_close_overflows_nowhere() -> None:
    found = history([LARGEST_CLOSE, -LARGEST_CLOSE] * 40)
    assert all(np.isfinite(values[50:]).all() for values in found.values())


@pytest.mark.parametrize(
    ("slots", "close", "error", "message"),
    [
        ([0, 3], [1.0, 1.0], IndexError, r"slot 3 does not exist, there are 3; call grow\(4\) first"),
        ([1, -1], [1.0, 1.0], IndexError, "slot -1 does not exist"),
        ([2, 1, 2], [1.0, 1.0, 1.0], ValueError, "slot 2 is given more than once"),
        ([0, 1], [1.0], ValueError, r"close: expected float64\[2\], one per slot, found shape \(1,\)"),
        ([0], [1.0, np.nan], ValueError, r"close: expected float64\[1\], one per slot, found shape \(2,\)"),
        ([0.0], [1.0], ValueError, r"slots: expected int64\[k\], found float64\[1\]"),
        ([[0]], [[1.0]], ValueError, r"slots: expected int64\[k\], found int64\[1, 1\]"),
        ([0], [[1.0]], ValueError, r"close: expected float64\[1\], one per slot, found shape \(1, 1\)"),
    ],
)
def test_wrong_slots_and_shapes_are_refused_with_the_remedy(
    slots: object, close: object, error: type[Exception], message: str
) -> None:
    indicators = Indicators()
    indicators.grow(3)
    with pytest.raises(error, match=message):
        indicators.update(slots, close)


def test_run_and_reset_refuse_a_slot_that_does_not_exist_and_a_table_of_closes() -> None:
    indicators = Indicators()
    for call in (lambda: indicators.run(0, [1.0]), lambda: indicators.reset(0)):
        with pytest.raises(IndexError, match="slot 0 does not exist, there are 0"):
            call()
    indicators.grow(1)
    with pytest.raises(ValueError, match=r"closes: expected float64\[m\], found shape \(1, 2\)"):
        indicators.run(0, [[1.0, 2.0]])


# -- TA-Lib


def talib_columns(c: Floats) -> dict[str, Floats]:
    names = ("sma_20", "ema_20", "ema_50", "rsi_14", "bb_upper", "bb_middle", "bb_lower")
    values = (talib.SMA(c, 20), talib.EMA(c, 20), talib.EMA(c, 50), talib.RSI(c, 14), *talib.BBANDS(c, 20, 2, 2))
    return dict(zip(names, values, strict=True))


def talib_macd(c: Floats) -> dict[str, Floats]:
    return dict(zip(("macd", "macd_signal", "macd_histogram"), talib.MACD(c, 12, 26, 9), strict=True))


def eqker(symbol: str) -> Floats:
    newest_first = pd.read_csv(RECORDINGS / f"eqker_1min/{symbol}_1min.csv")
    return newest_first.sort_values("datetime")["close"].to_numpy(np.float64)


def walks() -> Iterator[Floats]:
    for seed, move in enumerate([1e-4, 1e-3, 1e-2, 5e-2] * 5):
        yield walk(seed, 400, move)


def test_talib_agrees_on_random_walks() -> None:
    for closes in walks():
        found = history(closes)
        for name, values in talib_columns(closes).items():
            np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)


@needs_data
@pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "SPY", "TSLA"])
def test_talib_agrees_on_recorded_bars(symbol: str) -> None:
    closes = eqker(symbol)
    assert len(closes) > 1_900
    found = history(closes)
    for name, values in talib_columns(closes).items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, err_msg=name)
    for start in range(0, 1_500, 100):
        piece = closes[start : start + 300]
        found, expected = history(piece), talib_macd(piece)
        for bar, tolerance in ((80, 1e-6), (125, 1e-9), (200, 1e-12)):
            late = {name: values[bar:] for name, values in expected.items()}
            assert_close({name: values[bar:] for name, values in found.items()}, late, tolerance, piece.max())


def test_gap_to_talib_macd_shrinks_by_11_13_a_bar() -> None:
    for closes in walks():
        found, expected = history(closes), talib_macd(closes)
        gap = found["macd"] - expected["macd"]
        bars = np.arange(33, len(closes))
        assert abs(gap[33]) > 1e-6
        np.testing.assert_allclose(gap[33:], gap[33] * (11 / 13) ** (bars - 33), rtol=0, atol=1e-12 * closes.max())
        late = {name: values[150:] for name, values in expected.items()}
        assert_close({name: values[150:] for name, values in found.items()}, late, 1e-9, closes.max())


# -- published tables


@needs_data
@pytest.mark.parametrize(
    ("file", "close", "tolerance", "columns"),
    [
        ("pynecore_tradingview/ma.csv", "close", 1e-15, {"ta.ema(close, 20)": "ema_20"}),
        ("pynecore_tradingview/mfi+rsi+stoch.csv", "close", 1e-14, {"ta.rsi(close, 14)": "rsi_14"}),
        ("lean/spy_with_indicators.txt", "Close", 1e-6, {"RSI 14 Wilder": "rsi_14", "MACD 12 26": "macd"}),
        (
            "lean/spy_bollinger_bands.txt",
            "Close",
            1e-6,
            {
                "Moving Average 20": "bb_middle",
                "Bollinger Bands® 20 2 Top": "bb_upper",
                "Bollinger Bands® 20 2 Bottom": "bb_lower",
            },
        ),
        (
            "ta_chartschool/cs-bbands.csv",
            "Close",
            1e-8,
            {"MiddleBand": "bb_middle", "HighBand": "bb_upper", "LowBand": "bb_lower"},
        ),
    ],
)
def test_published_table_is_reproduced_with_its_nulls(
    file: str, close: str, tolerance: float, columns: dict[str, str]
) -> None:
    table = pd.read_csv(RECORDINGS / "oracle" / file)
    found = history(table[close].to_numpy(np.float64))
    expected = {ours: table[theirs].to_numpy(np.float64) for theirs, ours in columns.items()}
    assert_close(found, expected, tolerance, table[close].max())


@needs_data
def test_published_macd_is_reproduced_where_it_is_given() -> None:
    table = pd.read_csv(RECORDINGS / "oracle/lean/spy_with_macd.txt")
    given = table["Signal"].notna().to_numpy()
    assert given.sum() == 183
    found = history(table["Close"].to_numpy(np.float64))
    expected = {"macd": "MACD", "macd_signal": "Signal", "macd_histogram": "Histogram"}
    assert_close(
        {name: values[given] for name, values in found.items()},
        {ours: table[theirs].to_numpy(np.float64)[given] for ours, theirs in expected.items()},
        1e-6,
        table["Close"].max(),
    )
