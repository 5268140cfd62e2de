"""Indicators as Pine writes them, over whole series: a plain model for those that go bar by bar.

A series is a list of exact fractions, None for na. Window by window, and slow; only square roots are floats.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import sqrt

from plant.indicators.bars import DAY_NS, Bar

Number = Fraction | None
Series = list[Number]


def series(bars: Sequence[Bar], name: str) -> Series:
    """Return a price, a mean of prices or the volume of bars."""
    parts = {"hl2": ("high", "low"), "hlc3": ("high", "low", "close"), "ohlc4": ("open", "high", "low", "close")}
    names = parts.get(name, (name,))
    return [sum((Fraction(getattr(bar, part)) for part in names), Fraction()) / len(names) for bar in bars]


def each(formula: Callable[..., Number], *inputs: Series) -> Series:
    """Return a formula of each bar's values, na where one of them is."""
    return [None if None in values else formula(*values) for values in zip(*inputs, strict=True)]


def windows(x: Series, n: int, formula: Callable[[list[Fraction]], Number]) -> Series:
    """Return a formula of the last n values, na where one of them is, or is not there."""
    found: Series = []
    for i in range(len(x)):
        last = x[i + 1 - n : i + 1] if i + 1 >= n else [None]
        found.append(None if None in last else formula(last))
    return found


def before(x: Series, n: int = 1) -> Series:
    """Return x[n] of Pine: the value n bars ago."""
    return [None] * min(n, len(x)) + x[: max(0, len(x) - n)]


def mean(values: list[Fraction]) -> Fraction:
    """Return the plain mean."""
    return sum(values, Fraction()) / len(values)


def sma(x: Series, n: int) -> Series:
    """ta.sma."""
    return windows(x, n, mean)


def smoothed(x: Series, n: int, alpha: Fraction) -> Series:
    """ta.ema and ta.rma: begun as the mean of the first n; in floats, since fractions grow without end."""
    found, seen, value = [], [], 0.0
    for one in x:
        if one is None:
            found.append(None)
            continue
        seen.append(one)
        value = float(mean(seen)) if len(seen) <= n else value + float(alpha) * (float(one) - value)
        found.append(Fraction(value) if len(seen) >= n else None)
    return found


def ema(x: Series, n: int) -> Series:
    """ta.ema."""
    return smoothed(x, n, Fraction(2, n + 1))


def rma(x: Series, n: int) -> Series:
    """ta.rma."""
    return smoothed(x, n, Fraction(1, n))


def stdev(x: Series, n: int) -> Series:
    """ta.stdev, biased."""
    return windows(x, n, lambda last: Fraction(sqrt(mean([(one - mean(last)) ** 2 for one in last]))))


def true_range(bars: Sequence[Bar]) -> Series:
    """ta.tr(true)."""
    high, low, close = (series(bars, name) for name in ("high", "low", "close"))
    return [
        high[i] - low[i] if not i else max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1]))
        for i in range(len(bars))
    ]


def rsi(x: Series, n: int) -> list[Series]:
    """ta.rsi; 50 where nothing moved."""
    change = each(lambda a, b: a - b, x, before(x))
    up, down = rma(each(lambda c: max(c, 0), change), n), rma(each(lambda c: max(-c, 0), change), n)
    return [each(lambda u, d: 100 * u / (u + d) if u + d else Fraction(50), up, down)]


def macd(x: Series, fast: int, slow: int, signal: int) -> list[Series]:
    """ta.macd."""
    line = each(lambda a, b: a - b, ema(x, fast), ema(x, slow))
    average = ema(line, signal)
    return [line, average, each(lambda a, b: a - b, line, average)]


def bands(middle: Series, width: Series, times: float) -> list[Series]:
    """Return upper, middle and lower, with middle na where the width is."""
    upper = each(lambda m, w: m + Fraction(times) * w, middle, width)
    return [upper, middle, each(lambda m, w: m - Fraction(times) * w, middle, width)]


def channel(bars: Sequence[Bar], n: int) -> tuple[Series, Series]:
    """ta.highest(high, n) and ta.lowest(low, n)."""
    return windows(series(bars, "high"), n, max), windows(series(bars, "low"), n, min)


def middle_of(bars: Sequence[Bar], n: int) -> Series:
    """Return half way between the highest high and the lowest low."""
    return each(lambda a, b: (a + b) / 2, *channel(bars, n))


def stochastic(bars: Sequence[Bar], n: int, smooth: int, signal: int) -> list[Series]:
    """ta.sma of ta.stoch, and ta.sma of that."""
    raw = each(
        lambda c, h, lo: 100 * (c - lo) / (h - lo) if h > lo else Fraction(50), series(bars, "close"), *channel(bars, n)
    )
    k = sma(raw, smooth)
    return [k, sma(k, signal)]


def wma(x: Series, n: int) -> Series:
    """ta.wma."""
    return windows(x, n, lambda last: sum(w * one for w, one in enumerate(last, 1)) / Fraction(n * (n + 1), 2))


def cci(x: Series, n: int) -> Series:
    """ta.cci; 0 where all are equal."""

    def index(last: list[Fraction]) -> Fraction:
        distance = mean([abs(one - mean(last)) for one in last])
        return (last[-1] - mean(last)) / (Fraction(15, 1000) * distance) if distance else Fraction()

    return windows(x, n, index)


def mfi(x: Series, volume: Series, n: int) -> Series:
    """ta.mfi; 50 where there is no money."""
    up = [v * a if b is None or a > b else Fraction() for a, b, v in zip(x, before(x), volume, strict=True)]
    down = [v * a if b is None or a < b else Fraction() for a, b, v in zip(x, before(x), volume, strict=True)]
    sums = windows(up, n, lambda last: sum(last, Fraction())), windows(down, n, lambda last: sum(last, Fraction()))
    return each(lambda u, d: 100 * u / (u + d) if u + d else Fraction(50), *sums)


def dmi(bars: Sequence[Bar], n: int, smoothing: int) -> list[Series]:
    """ta.dmi as adx, +di, -di."""
    high, low = series(bars, "high"), series(bars, "low")
    up = each(lambda a, b: a - b, high, before(high))
    down = each(lambda a, b: b - a, low, before(low))
    plus = each(lambda u, d: u if u > d and u > 0 else Fraction(), up, down)
    minus = each(lambda u, d: d if d > u and d > 0 else Fraction(), up, down)
    reach = rma([None, *true_range(bars)[1:]], n)
    plus, minus = (each(lambda a, r: 100 * a / r if r else Fraction(), rma(dm, n), reach) for dm in (plus, minus))
    dx = each(lambda p, m: abs(p - m) / (p + m if p + m else 1), plus, minus)
    return [each(lambda a: 100 * a, rma(dx, smoothing)), plus, minus]


def vwap(bars: Sequence[Bar], deviations: float) -> list[Series]:
    """ta.vwap(hlc3, new day of UTC, deviations)."""
    found: list[Series] = [[], [], []]
    for i, bar in enumerate(bars):
        day = [b for b in bars[: i + 1] if b.time // DAY_NS == bar.time // DAY_NS]
        x, volume = series(day, "hlc3"), series(day, "volume")
        total = sum(volume, Fraction())
        if not total:
            values: list[Number] = [None, None, None]
        else:
            middle = sum((a * v for a, v in zip(x, volume, strict=True)), Fraction()) / total
            variance = sum((v * (a - middle) ** 2 for a, v in zip(x, volume, strict=True)), Fraction()) / total
            width = Fraction(deviations) * Fraction(sqrt(variance))
            values = [middle, middle + width, middle - width]
        for output, value in zip(found, values, strict=True):
            output.append(value)
    return found


def obv(x: Series, volume: Series) -> Series:
    """ta.obv."""
    found, balance = [], Fraction()
    for a, b, v in zip(x, before(x), volume, strict=True):
        balance += 0 if b is None or a == b else v if a > b else -v
        found.append(balance)
    return found
