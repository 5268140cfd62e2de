"""Every kind of ours, bar by bar, against its definition over the whole series, mostly in exact fractions."""

from collections.abc import Callable, Sequence
from math import isnan, nan

import numpy as np
import pine_model as pine
import pytest
from pine_model import Series, series

from plant.indicators.bars import Bar
from plant.indicators.ours import OURS
from plant.indicators.scalar import scalar

BARS = 90


def bars_of(start: float, step: float, seed: int, volume: int = 1_000, edge: float = 1.0) -> list[Bar]:
    """Return bars whose prices are multiples of 1/1024, so that sums are exact; some repeat, some do not trade."""
    random = np.random.default_rng(seed)
    found, close = [], start
    for i in range(BARS):
        open = close
        close = open + round(random.choice([-3, -1, 0, 0, 1, 2]) * step * 1024) / 1024
        edges = [abs(round(random.normal(0, edge * step) * 1024)) / 1024 for _ in range(2)]
        if step and i % 13 == 5:
            edges = [0.0, 0.0]
        row = (open, max(open, close) + edges[0], min(open, close) - edges[1], close)
        found.append(
            Bar(i * 47 * 60 * 10**9, *map(float, row), float(random.integers(0, 4) and random.integers(volume + 1)))
        )
    return found


MARKETS = {
    "a share": bars_of(190.0, 0.25, 1),
    "a million that moves by a thousandth": bars_of(1e6, 1 / 1024, 2),
    "a price that never moved": bars_of(100.0, 0.0, 3),
    "below zero and back": bars_of(0.0, 2.0, 4),
    "bars that reach far": bars_of(80.0, 0.25, 6, edge=8.0),
    "nothing traded": bars_of(50.0, 0.125, 5, volume=0),
}


def supertrend(bars: Sequence[Bar], n: int, factor: float) -> list[list[float]]:
    """Follow ta.supertrend line by line, with Pine's reading of what is not there yet; 1 is up here."""
    atr = floats(pine.rma(pine.true_range(bars), n))
    lines, directions, lower, upper = [], [], [], []
    for i, bar in enumerate(bars):
        low, high = (bar.high + bar.low) / 2 - factor * atr[i], (bar.high + bar.low) / 2 + factor * atr[i]
        low_1, high_1 = (nz(lower[i - 1]), nz(upper[i - 1])) if i else (0.0, 0.0)
        close_1 = bars[i - 1].close if i else nan
        low = low if low > low_1 or close_1 < low_1 else low_1
        high = high if high < high_1 or close_1 > high_1 else high_1
        if i == 0 or isnan(atr[i - 1]):
            direction = -1.0
        elif lines[i - 1] == high_1:
            direction = 1.0 if bar.close > high else -1.0
        else:
            direction = -1.0 if bar.close < low else 1.0
        if isnan(atr[i]):
            low, high, line, direction = nan, nan, nan, nan
        else:
            line = low if direction == 1 else high
        for values, value in zip((lines, directions, lower, upper), (line, direction, low, high), strict=True):
            values.append(value)
    return [lines, directions]


def psar(bars: Sequence[Bar], start: float, step: float, most: float) -> list[list[float]]:
    """Follow ta.sar line by line."""
    found = []
    result = extreme = acceleration = nan
    below = False
    for i, bar in enumerate(bars):
        first = False
        if i == 1:
            below = bar.close > bars[0].close
            extreme, result = (bar.high, bars[0].low) if below else (bar.low, bars[0].high)
            first, acceleration = True, start
        result = result + acceleration * (extreme - result)
        if below:
            if result > bar.low:
                first, below, result, extreme, acceleration = True, False, max(bar.high, extreme), bar.low, start
        elif result < bar.high:
            first, below, result, extreme, acceleration = True, True, min(bar.low, extreme), bar.high, start
        if not first and (bar.high > extreme if below else bar.low < extreme):
            extreme, acceleration = bar.high if below else bar.low, min(acceleration + step, most)
        past = bars[max(0, i - 2) : i]
        result = min(result, *(b.low for b in past), result) if below else max(result, *(b.high for b in past), result)
        found.append(result if i else nan)
        if not i:
            result = nan
    return [found]


def ut_bot(bars: Sequence[Bar], key: float, n: int, heikin_ashi: bool) -> list[list[float]]:
    """Follow the four rules of the script; the position is told from its BUY and SELL."""
    atr = floats(pine.rma(pine.true_range(bars), n))
    source = [(b.open + b.high + b.low + b.close) / 4 if heikin_ashi else b.close for b in bars]
    stops: list[float] = []
    for i, x in enumerate(source):
        loss, p, x1 = key * atr[i], nz(stops[i - 1]) if i else 0.0, source[i - 1] if i else nan
        if isnan(loss):
            stops.append(nan)
        elif x > p and x1 > p:
            stops.append(max(p, x - loss))
        elif x < p and x1 < p:
            stops.append(min(p, x + loss))
        else:
            stops.append(x - loss if x > p else x + loss)
    return [stops, [nan if isnan(s) else float((x > s) - (x < s)) for x, s in zip(source, stops, strict=True)]]


def heikin_ashi(bars: Sequence[Bar]) -> list[Series]:
    end, begin = series(bars, "ohlc4"), []
    for i, (open, close) in enumerate(zip(series(bars, "open"), series(bars, "close"), strict=True)):
        begin.append((open + close) / 2 if not i else (begin[-1] + end[i - 1]) / 2)
    high = pine.each(max, series(bars, "high"), begin, end)
    return [begin, high, pine.each(min, series(bars, "low"), begin, end), end]


def ichimoku(bars: Sequence[Bar], conversion: int, base: int, span: int, displacement: int) -> list[Series]:
    turning, standard, slow = (pine.middle_of(bars, n) for n in (conversion, base, span))
    lead = pine.each(lambda a, b: (a + b) / 2, turning, standard)
    return [turning, standard, pine.before(lead, displacement - 1), pine.before(slow, displacement - 1)]


def donchian(bars: Sequence[Bar], n: int) -> list[Series]:
    upper, lower = pine.channel(bars, n)
    return [upper, pine.middle_of(bars, n), lower]


def nz(x: float) -> float:
    return 0.0 if isnan(x) else x


def floats(values: Sequence[object]) -> list[float]:
    return [nan if value is None else float(value) for value in values]  # type: ignore[arg-type]


DEFINITIONS: dict[str, tuple[dict[str, object], Callable[[Sequence[Bar]], list[Series] | list[list[float]]]]] = {
    "sma": ({"period": 7}, lambda b: [pine.sma(series(b, "close"), 7)]),
    "ema": ({"period": 7, "input": "hl2"}, lambda b: [pine.ema(series(b, "hl2"), 7)]),
    "wma": ({"period": 7}, lambda b: [pine.wma(series(b, "close"), 7)]),
    "rma": ({"period": 7}, lambda b: [pine.rma(series(b, "close"), 7)]),
    "rsi": ({"period": 7}, lambda b: pine.rsi(series(b, "close"), 7)),
    "macd": ({"fast": 4, "slow": 9, "signal": 3}, lambda b: pine.macd(series(b, "close"), 4, 9, 3)),
    "bollinger": (
        {"period": 7, "deviations": 2.5},
        lambda b: pine.bands(pine.sma(series(b, "close"), 7), pine.stdev(series(b, "close"), 7), 2.5),
    ),
    "stdev": ({"period": 7}, lambda b: [pine.stdev(series(b, "close"), 7)]),
    "atr": ({"period": 7}, lambda b: [pine.rma(pine.true_range(b), 7)]),
    "true_range": ({}, lambda b: [pine.true_range(b)]),
    "vwap": ({"deviations": 2.0}, lambda b: pine.vwap(b, 2.0)),
    "donchian": ({"period": 7}, lambda b: donchian(b, 7)),
    "keltner": (
        {"period": 7, "multiplier": 1.5, "atr_period": 5},
        lambda b: pine.bands(pine.ema(series(b, "close"), 7), pine.rma(pine.true_range(b), 5), 1.5),
    ),
    "supertrend": ({"period": 5, "multiplier": 1.5}, lambda b: supertrend(b, 5, 1.5)),
    "stochastic": ({"period": 7, "smooth": 3, "signal": 2}, lambda b: pine.stochastic(b, 7, 3, 2)),
    "adx": ({"period": 5, "smoothing": 7}, lambda b: pine.dmi(b, 5, 7)),
    "obv": ({}, lambda b: [pine.obv(series(b, "close"), series(b, "volume"))]),
    "volume_sma": ({"period": 7}, lambda b: [pine.sma(series(b, "volume"), 7)]),
    "ut_bot": ({"key": 2.0, "period": 5, "heikin_ashi": True}, lambda b: ut_bot(b, 2.0, 5, True)),
    "heikin_ashi": ({}, heikin_ashi),
    "ichimoku": (
        {"conversion": 3, "base": 6, "span": 9, "displacement": 4},
        lambda b: ichimoku(b, 3, 6, 9, 4),
    ),
    "psar": ({"most": 0.1}, lambda b: psar(b, 0.02, 0.02, 0.1)),
    "cci": ({"period": 7, "input": "close"}, lambda b: [pine.cci(series(b, "close"), 7)]),
    "mfi": ({"period": 7}, lambda b: [pine.mfi(series(b, "hlc3"), series(b, "volume"), 7)]),
    "williams_r": (
        {"period": 7},
        lambda b: [pine.each(lambda k: k - 100, pine.stochastic(b, 7, 1, 1)[0])],
    ),
    "roc": (
        {"period": 7},
        lambda b: [
            pine.each(
                lambda a, c: 100 * (a - c) / c if c else None, series(b, "close"), pine.before(series(b, "close"), 7)
            )
        ],
    ),
}


@pytest.mark.parametrize("market", MARKETS)
@pytest.mark.parametrize("kind", [kind.name for kind in OURS])
def test_a_kind_is_its_definition_over_the_whole_series(kind: str, market: str) -> None:
    told, definition = DEFINITIONS[kind]
    bars = MARKETS[market]
    indicator = scalar(kind, **told)
    found = np.array([np.atleast_1d(indicator.update(bar)) for bar in bars]).T
    expected = np.array([floats(values) for values in definition(bars)])
    scale = max(100.0, *(abs(bar.high) for bar in bars), *(abs(bar.low) for bar in bars))
    np.testing.assert_allclose(found, expected, rtol=1e-9 if kind in ("adx", "rsi") else 1e-12, atol=1e-12 * scale)
