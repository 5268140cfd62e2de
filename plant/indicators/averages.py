"""Scalar indicators of one series: means, what is measured from them, and changes."""

from math import isnan, nan

from plant.indicators.bars import LARGEST
from plant.indicators.incremental import Step, ema, empty_window, mean, mean_and_deviation, rma


class Sma(Step):
    """The mean of the last `period` values."""

    __slots__ = ("earlier",)

    def __init__(self, period: int) -> None:
        self.earlier = empty_window(period - 1)

    def update(self, x: float) -> float:
        """Return the mean with `x`."""
        value = mean(x, self.earlier)
        self.earlier.append(x)
        return value


class Wma(Step):
    """The mean of the last `period` values, the newest counted `period` times, the oldest once."""

    __slots__ = ("earlier",)

    def __init__(self, period: int) -> None:
        self.earlier = empty_window(period - 1)

    def update(self, x: float) -> float:
        """Return the mean with `x`."""
        n, pull = len(self.earlier) + 1, 0.0
        for weight, past in enumerate(self.earlier, 1):
            pull += weight * (past - x)
        self.earlier.append(x)
        return x + pull / (n * (n + 1) / 2)


class Stdev(Step):
    """The population's standard deviation of the last `period` values: divisor `period`."""

    __slots__ = ("earlier",)

    def __init__(self, period: int) -> None:
        self.earlier = empty_window(period - 1)

    def update(self, x: float) -> float:
        """Return the deviation with `x`."""
        _, deviation = mean_and_deviation(x, self.earlier)
        self.earlier.append(x)
        return deviation


class Bollinger(Step):
    """upper, middle, lower: the mean of the last `period` values, and so many deviations above and below it."""

    __slots__ = ("deviations", "earlier")

    def __init__(self, period: int, deviations: float) -> None:
        self.earlier, self.deviations = empty_window(period - 1), deviations

    def update(self, x: float) -> tuple[float, float, float]:
        """Return upper, middle and lower band with `x`."""
        middle, deviation = mean_and_deviation(x, self.earlier)
        self.earlier.append(x)
        width = self.deviations * deviation
        return middle + width, middle, middle - width


class Rsi(Step):
    """100 * gain / (gain + loss), Wilder's averages of the changes up and down; 50 if there was no change at all."""

    __slots__ = ("before", "gain", "loss")

    def __init__(self, period: int) -> None:
        self.gain, self.loss, self.before = rma(period), rma(period), nan

    def update(self, x: float) -> float:
        """Return the index with `x`."""
        change = x - self.before
        self.before = x
        gain = self.gain.update(max(change, 0.0))
        moved = gain + self.loss.update(max(-change, 0.0))
        if isnan(moved):
            return nan
        return 100 * (gain / moved if moved > 0 else 0.5)


class Macd(Step):
    """main, signal, histogram: EMA fast - EMA slow; the EMA of that; their difference."""

    __slots__ = ("fast", "signal", "slow")

    def __init__(self, fast: int, slow: int, signal: int) -> None:
        self.fast, self.slow, self.signal = ema(fast), ema(slow), ema(signal)

    def update(self, x: float) -> tuple[float, float, float]:
        """Return macd, signal and histogram with `x`."""
        macd = self.fast.update(x) - self.slow.update(x)
        signal = self.signal.update(macd)
        return macd, signal, macd - signal


class Roc(Step):
    """The change over `period` bars in percent of what was then; NaN if that was 0."""

    __slots__ = ("earlier",)

    def __init__(self, period: int) -> None:
        self.earlier = empty_window(period)

    def update(self, x: float) -> float:
        """Return the change to `x`."""
        past = self.earlier[0]
        self.earlier.append(x)
        if isnan(past) or abs(past) <= 1 / LARGEST:  # beside which any change is infinite
            return nan
        return 100 * (x - past) / past


class Cci(Step):
    """The distance from the mean of the last `period`, in 0.015 of their mean distance from it; 0 if all are equal."""

    __slots__ = ("earlier",)

    def __init__(self, period: int) -> None:
        self.earlier = empty_window(period - 1)

    def update(self, x: float) -> float:
        """Return the index with `x`."""
        n, shift = len(self.earlier) + 1, 0.0
        for past in self.earlier:
            shift += past - x
        shift /= n
        distance = abs(shift)
        for past in self.earlier:
            distance += abs(past - x - shift)
        self.earlier.append(x)
        return -shift / (0.015 * (distance / n)) if distance else 0.0
