"""Vectorised indicators of one series: the formulas of plant/indicators/averages.py."""

import numpy as np

from plant.indicators.bars import LARGEST
from processor.vectors.parts import Floats, Parts, Windows, ema, mean_and_deviation, push, ratio, rma, shift_to_mean


class Sma:
    """The mean of the last `period` values."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.earlier = parts.window(period - 1)

    def __call__(self, s: Floats, w: Windows, x: Floats) -> Floats:
        """Return the means with `x`."""
        earlier = w[self.earlier]
        value = x + shift_to_mean(x, earlier)
        push(earlier, x)
        return value


class Wma:
    """The mean of the last `period` values, the newest counted `period` times, the oldest once."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.earlier = parts.window(period - 1)

    def __call__(self, s: Floats, w: Windows, x: Floats) -> Floats:
        """Return the means with `x`."""
        earlier = w[self.earlier]
        n, pull = len(earlier) + 1, np.zeros_like(x)
        for weight, past in enumerate(earlier, 1):
            pull += weight * (past - x)
        push(earlier, x)
        return x + pull / (n * (n + 1) / 2)


class Stdev:
    """The population's standard deviation of the last `period` values."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.earlier = parts.window(period - 1)

    def __call__(self, s: Floats, w: Windows, x: Floats) -> Floats:
        """Return the deviations with `x`."""
        _, deviation = mean_and_deviation(x, w[self.earlier])
        push(w[self.earlier], x)
        return deviation


class Bollinger:
    """upper, middle, lower: the mean, and so many deviations above and below it."""

    def __init__(self, parts: Parts, period: int, deviations: float) -> None:
        self.earlier, self.deviations = parts.window(period - 1), deviations

    def __call__(self, s: Floats, w: Windows, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Return upper, middle and lower bands with `x`."""
        middle, deviation = mean_and_deviation(x, w[self.earlier])
        push(w[self.earlier], x)
        width = self.deviations * deviation
        return middle + width, middle, middle - width


class Rsi:
    """100 * gain / (gain + loss); 50 if there was no change at all."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.gain, self.loss, self.before = rma(parts, period), rma(parts, period), parts.number()

    def __call__(self, s: Floats, w: Windows, x: Floats) -> Floats:
        """Return the indices with `x`."""
        change = x - s[self.before]
        s[self.before] = x
        gain = self.gain(s, w, np.maximum(change, 0.0))
        return 100 * ratio(gain, gain + self.loss(s, w, np.maximum(-change, 0.0)), 0.5)


class Macd:
    """main, signal, histogram: EMA fast - EMA slow; the EMA of that; their difference."""

    def __init__(self, parts: Parts, fast: int, slow: int, signal: int) -> None:
        self.fast, self.slow, self.signal = ema(parts, fast), ema(parts, slow), ema(parts, signal)

    def __call__(self, s: Floats, w: Windows, x: Floats) -> tuple[Floats, Floats, Floats]:
        """Return macd, signal and histogram with `x`."""
        macd = self.fast(s, w, x) - self.slow(s, w, x)
        signal = self.signal(s, w, macd)
        return macd, signal, macd - signal


class Roc:
    """The change over `period` bars in percent of what was then; NaN if that was 0."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.earlier = parts.window(period)

    def __call__(self, s: Floats, w: Windows, x: Floats) -> Floats:
        """Return the changes to `x`."""
        past = w[self.earlier][0].copy()
        push(w[self.earlier], x)
        return ratio(100 * (x - past), np.where(np.abs(past) > 1 / LARGEST, past, 0.0), np.nan)


class Cci:
    """The distance from the mean, in 0.015 of the mean distance from it; 0 if all are equal."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.earlier = parts.window(period - 1)

    def __call__(self, s: Floats, w: Windows, x: Floats) -> Floats:
        """Return the indices with `x`."""
        earlier = w[self.earlier]
        shift = shift_to_mean(x, earlier)
        distance = np.abs(shift)
        for past in earlier:
            distance += np.abs(past - x - shift)
        n = len(earlier) + 1
        push(earlier, x)
        return ratio(-shift, 0.015 * (distance / n), 0.0)
