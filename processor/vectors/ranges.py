"""Vectorised indicators of true ranges: the formulas of plant/indicators/ranges.py."""

import numpy as np

from processor.vectors.parts import Floats, Parts, Windows, ema, ratio, rma


class TrueRange:
    """The largest of high - low and the distances of both from the close before; of the first bar high - low."""

    def __init__(self, parts: Parts) -> None:
        self.before = parts.number()

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats, close: Floats) -> Floats:
        """Return the ranges of these bars."""
        before = s[self.before]
        value = np.fmax(high - low, np.fmax(np.abs(high - before), np.abs(low - before)))
        s[self.before] = close
        return value


class Atr:
    """Wilder's average of the true range."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.range, self.average = TrueRange(parts), rma(parts, period)

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats, close: Floats) -> Floats:
        """Return the average ranges with these bars."""
        return self.average(s, w, self.range(s, w, high, low, close))


class Keltner:
    """upper, middle, lower: the EMA of the input, and average true ranges above and below it."""

    def __init__(self, parts: Parts, period: int, multiplier: float, atr_period: int) -> None:
        self.middle, self.multiplier, self.atr = ema(parts, period), multiplier, Atr(parts, atr_period)

    def __call__(
        self, s: Floats, w: Windows, x: Floats, high: Floats, low: Floats, close: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return upper, middle and lower bands."""
        middle, width = self.middle(s, w, x), self.multiplier * self.atr(s, w, high, low, close)
        return middle + width, middle, middle - width


class Supertrend:
    """main, direction: a stop some ATR from the middle of the bar; 1 while it is below the price, -1 above."""

    def __init__(self, parts: Parts, period: int, multiplier: float) -> None:
        self.atr, self.multiplier = Atr(parts, period), multiplier
        self.lower, self.upper = parts.number(0.0), parts.number(0.0)
        self.line, self.before = parts.number(), parts.number()

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats, close: Floats) -> tuple[Floats, Floats]:
        """Return the lines, and 1 for a rising trend or -1 for a falling one."""
        middle, width = (high + low) / 2, self.multiplier * self.atr(s, w, high, low, close)
        before, line = s[self.before].copy(), s[self.line]
        s[self.before] = close
        old_lower, old_upper = s[self.lower], s[self.upper]
        lower, upper = middle - width, middle + width
        lower = np.where((lower > old_lower) | (before < old_lower), lower, old_lower)
        upper = np.where((upper < old_upper) | (before > old_upper), upper, old_upper)
        rising = np.where(line == old_upper, close > upper, ~np.isnan(line) & ~(close < lower))
        there = ~np.isnan(width)
        s[self.lower], s[self.upper] = np.where(there, lower, old_lower), np.where(there, upper, old_upper)
        value = np.where(there, np.where(rising, lower, upper), np.nan)
        s[self.line] = value
        return value, np.where(there, np.where(rising, 1.0, -1.0), np.nan)


class UtBot:
    """stop, position: a stop some ATR from the price that only follows it until it is crossed; 1 above it, -1 below."""

    def __init__(self, parts: Parts, key: float, period: int, heikin_ashi: bool) -> None:
        self.key, self.atr, self.heikin_ashi = key, Atr(parts, period), heikin_ashi
        self.stop, self.before = parts.number(0.0), parts.number()

    def __call__(
        self, s: Floats, w: Windows, open: Floats, high: Floats, low: Floats, close: Floats
    ) -> tuple[Floats, Floats]:
        """Return the stops and the positions."""
        x = (open + high + low + close) / 4 if self.heikin_ashi else close
        loss = self.key * self.atr(s, w, high, low, close)
        before, p = s[self.before], s[self.stop]
        below, above = x - loss, x + loss
        stop = np.where(x > p, below, above)
        stop = np.where((x < p) & (before < p), np.minimum(p, above), stop)
        stop = np.where((x > p) & (before > p), np.maximum(p, below), stop)
        s[self.before] = x
        there = ~np.isnan(loss)
        s[self.stop] = np.where(there, stop, p)
        return stop, np.where(there, np.sign(x - stop), np.nan)


class Adx:
    """main, plus_di, minus_di: the strength of a trend, and of its movement up and down, in percent of the range."""

    def __init__(self, parts: Parts, period: int, smoothing: int) -> None:
        self.plus, self.minus, self.range = rma(parts, period), rma(parts, period), rma(parts, period)
        self.dx = rma(parts, smoothing)
        self.high, self.low, self.true = parts.number(), parts.number(), TrueRange(parts)

    def __call__(
        self, s: Floats, w: Windows, high: Floats, low: Floats, close: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return adx, +di and -di."""
        up, down = high - s[self.high], s[self.low] - low
        s[self.high], s[self.low] = high, low
        first = np.isnan(up)
        moved = np.where(first, np.nan, self.true(s, w, high, low, close))
        plus = np.where(first, np.nan, np.where((up > down) & (up > 0), up, 0.0))
        minus = np.where(first, np.nan, np.where((down > up) & (down > 0), down, 0.0))
        reach, plus, minus = self.range(s, w, moved), self.plus(s, w, plus), self.minus(s, w, minus)
        plus, minus = ratio(100 * plus, reach, 0.0), ratio(100 * minus, reach, 0.0)
        both = plus + minus
        dx = np.abs(plus - minus) / np.where(both == 0, 1.0, both)
        return 100 * self.dx(s, w, dx), plus, minus


class Psar:
    """Wilder's stop and reverse."""

    def __init__(self, parts: Parts, start: float, increment: float, most: float) -> None:
        self.start, self.increment, self.most = start, increment, most
        self.before, self.stop, self.extreme = parts.number(), parts.number(), parts.number()
        self.acceleration, self.rising = parts.number(start), parts.number(0.0)
        self.high_1, self.high_2, self.low_1, self.low_2 = (parts.number() for _ in range(4))

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats, close: Floats) -> Floats:
        """Return the stops for these bars; NaN on a first one."""
        high_1, high_2, low_1, low_2 = (s[i].copy() for i in (self.high_1, self.high_2, self.low_1, self.low_2))
        before, stop, extreme = s[self.before].copy(), s[self.stop], s[self.extreme]
        acceleration, rising = s[self.acceleration], s[self.rising] == 1.0
        begins = np.isnan(stop)
        rising = np.where(begins, close > before, rising)
        extreme = np.where(begins, np.where(rising, high, low), extreme)
        stop = np.where(begins, np.where(rising, low_1, high_1), stop)
        stop = stop + acceleration * (extreme - stop)
        turns = np.where(rising, stop > low, stop < high)
        stop = np.where(turns, np.where(rising, np.maximum(high, extreme), np.minimum(low, extreme)), stop)
        extreme = np.where(turns, np.where(rising, low, high), extreme)
        acceleration = np.where(turns, self.start, acceleration)
        rising = rising != turns
        further = ~(begins | turns) & np.where(rising, high > extreme, low < extreme)
        extreme = np.where(further, np.where(rising, high, low), extreme)
        acceleration = np.where(further, np.minimum(acceleration + self.increment, self.most), acceleration)
        stop = np.where(rising, np.fmin(np.fmin(stop, low_1), low_2), np.fmax(np.fmax(stop, high_1), high_2))
        second = ~np.isnan(before)  # or later; on a first bar nothing of this counts
        s[self.stop] = np.where(second, stop, np.nan)
        s[self.extreme] = extreme
        s[self.acceleration] = np.where(second, acceleration, self.start)
        s[self.rising], s[self.before] = rising, close
        s[self.high_1], s[self.high_2], s[self.low_1], s[self.low_2] = high, high_1, low, low_1
        return s[self.stop].copy()


class HeikinAshi:
    """open, high, low, close of the averaged candles."""

    def __init__(self, parts: Parts) -> None:
        self.open, self.close = parts.number(), parts.number()

    def __call__(
        self, s: Floats, w: Windows, open: Floats, high: Floats, low: Floats, close: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the averaged open, high, low and close."""
        begin = np.where(np.isnan(s[self.open]), (open + close) / 2, (s[self.open] + s[self.close]) / 2)
        end = (open + high + low + close) / 4
        s[self.open], s[self.close] = begin, end
        return begin, np.maximum(np.maximum(high, begin), end), np.minimum(np.minimum(low, begin), end), end
