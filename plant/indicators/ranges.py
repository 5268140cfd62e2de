"""Scalar indicators of true ranges: how far a bar reached from the close before it, and stops and trends of that."""

from math import isnan, nan

from plant.indicators.incremental import Step, ema, rma


class TrueRange(Step):
    """The largest of high - low and the distances of both from the close before; of the first bar high - low."""

    __slots__ = ("before",)

    def __init__(self) -> None:
        self.before = nan

    def update(self, high: float, low: float, close: float) -> float:
        """Return the range of this bar."""
        value = max(high - low, abs(high - self.before), abs(low - self.before))
        self.before = close
        return value


class Atr(Step):
    """Wilder's average of the true range."""

    __slots__ = ("average", "range")

    def __init__(self, period: int) -> None:
        self.range, self.average = TrueRange(), rma(period)

    def update(self, high: float, low: float, close: float) -> float:
        """Return the average range with this bar."""
        return self.average.update(self.range.update(high, low, close))


class Keltner(Step):
    """upper, middle, lower: the EMA of the input, and `multiplier` average true ranges above and below it."""

    __slots__ = ("atr", "middle", "multiplier")

    def __init__(self, period: int, multiplier: float, atr_period: int) -> None:
        self.middle, self.multiplier, self.atr = ema(period), multiplier, Atr(atr_period)

    def update(self, x: float, high: float, low: float, close: float) -> tuple[float, float, float]:
        """Return upper, middle and lower band."""
        middle, width = self.middle.update(x), self.multiplier * self.atr.update(high, low, close)
        return middle + width, middle, middle - width


class Supertrend(Step):
    """main, direction: a stop `multiplier` ATR from the middle of the bar; 1 while it is below the price, -1 above.

    Bands that are not there yet count as 0, as in Pine.
    """

    __slots__ = ("atr", "before", "line", "lower", "multiplier", "upper")

    def __init__(self, period: int, multiplier: float) -> None:
        self.atr, self.multiplier = Atr(period), multiplier
        self.lower, self.upper, self.line, self.before = 0.0, 0.0, nan, nan

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Return the line, and 1 for a rising trend or -1 for a falling one."""
        middle, width = (high + low) / 2, self.multiplier * self.atr.update(high, low, close)
        before, self.before = self.before, close
        if isnan(width):
            return nan, nan
        lower, upper = middle - width, middle + width
        if not (lower > self.lower or before < self.lower):
            lower = self.lower
        if not (upper < self.upper or before > self.upper):
            upper = self.upper
        if isnan(self.line):
            rising = False
        elif self.line == self.upper:
            rising = close > upper
        else:
            rising = not close < lower
        self.lower, self.upper = lower, upper
        self.line = lower if rising else upper
        return self.line, 1.0 if rising else -1.0


class UtBot(Step):
    """stop, position: a stop `key` ATR from the price that only follows it until it is crossed; 1 above it, -1 below.

    A price that is on its stop (no range at all) is in position 0. The script's BUY is a position that becomes 1, its
    SELL one that becomes -1, each from anything else; on the first bar with a stop there is none.
    """

    __slots__ = ("atr", "before", "heikin_ashi", "key", "stop")

    def __init__(self, key: float, period: int, heikin_ashi: bool) -> None:
        self.key, self.atr, self.heikin_ashi = key, Atr(period), heikin_ashi
        self.stop, self.before = 0.0, nan

    def update(self, open: float, high: float, low: float, close: float) -> tuple[float, float]:
        """Return the stop and the position."""
        x = (open + high + low + close) / 4 if self.heikin_ashi else close
        before, self.before = self.before, x
        loss, p = self.key * self.atr.update(high, low, close), self.stop
        if isnan(loss):
            return nan, nan
        if x > p and before > p:
            stop = max(p, x - loss)
        elif x < p and before < p:
            stop = min(p, x + loss)
        else:
            stop = x - loss if x > p else x + loss
        self.stop = stop
        return stop, float((x > stop) - (x < stop))


class Adx(Step):
    """main, plus_di, minus_di: the strength of a trend, and of its movement up and down, in percent of the range."""

    __slots__ = ("dx", "high", "low", "minus", "plus", "range", "true")

    def __init__(self, period: int, smoothing: int) -> None:
        self.plus, self.minus, self.range, self.dx = rma(period), rma(period), rma(period), rma(smoothing)
        self.true, self.high, self.low = TrueRange(), nan, nan

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        """Return adx, +di and -di."""
        up, down, moved = high - self.high, self.low - low, self.true.update(high, low, close)
        if isnan(up):
            plus = minus = moved = nan
        else:
            plus, minus = up if up > down and up > 0 else 0.0, down if down > up and down > 0 else 0.0
        self.high, self.low = high, low
        reach, plus, minus = self.range.update(moved), self.plus.update(plus), self.minus.update(minus)
        if isnan(reach):
            return nan, nan, nan
        plus, minus = (100 * plus / reach, 100 * minus / reach) if reach > 0 else (0.0, 0.0)
        both = plus + minus
        return 100 * self.dx.update(abs(plus - minus) / (both if both else 1.0)), plus, minus


class Psar(Step):
    """Wilder's stop and reverse: it closes in on the price, the faster the more new extremes a trend makes."""

    __slots__ = (
        *("acceleration", "before", "extreme", "high_1", "high_2", "increment", "low_1", "low_2"),
        *("most", "rising", "start", "stop"),
    )

    def __init__(self, start: float, increment: float, most: float) -> None:
        self.start, self.increment, self.most = start, increment, most
        self.before, self.stop, self.extreme, self.acceleration, self.rising = nan, nan, nan, start, False
        self.high_1 = self.high_2 = self.low_1 = self.low_2 = nan  # of the last bar, and of the one before it

    def update(self, high: float, low: float, close: float) -> float:
        """Return the stop for this bar; NaN on the first."""
        high_1, high_2, low_1, low_2, before = self.high_1, self.high_2, self.low_1, self.low_2, self.before
        self.high_1, self.high_2, self.low_1, self.low_2, self.before = high, high_1, low, low_1, close
        if isnan(before):
            return nan
        begins = isnan(self.stop)
        if begins:
            self.rising = close > before
            self.extreme, self.stop = (high, low_1) if self.rising else (low, high_1)
        stop = self.stop + self.acceleration * (self.extreme - self.stop)
        if self.rising and stop > low:
            begins, self.rising, self.acceleration = True, False, self.start
            stop, self.extreme = max(high, self.extreme), low
        elif not self.rising and stop < high:
            begins, self.rising, self.acceleration = True, True, self.start
            stop, self.extreme = min(low, self.extreme), high
        if not begins and (high > self.extreme if self.rising else low < self.extreme):
            self.extreme = high if self.rising else low
            self.acceleration = min(self.acceleration + self.increment, self.most)
        self.stop = min(stop, low_1, low_2) if self.rising else max(stop, high_1, high_2)
        return self.stop


class HeikinAshi(Step):
    """open, high, low, close of the averaged candle."""

    __slots__ = ("close", "open")

    def __init__(self) -> None:
        self.open = self.close = nan

    def update(self, open: float, high: float, low: float, close: float) -> tuple[float, float, float, float]:
        """Return the averaged open, high, low and close."""
        begin = (open + close) / 2 if isnan(self.open) else (self.open + self.close) / 2
        end = (open + high + low + close) / 4
        self.open, self.close = begin, end
        return begin, max(high, begin, end), min(low, begin, end), end
