"""Scalar indicators of the highest and lowest price of the last bars."""

from itertools import islice

from plant.indicators.averages import Sma
from plant.indicators.incremental import Step, empty_window


class Donchian(Step):
    """upper, middle, lower: the highest high and the lowest low of the last `period` bars, and half way between."""

    __slots__ = ("highs", "lows")

    def __init__(self, period: int) -> None:
        self.highs, self.lows = empty_window(period), empty_window(period)

    def update(self, high: float, low: float) -> tuple[float, float, float]:
        """Return upper, middle and lower with this bar."""
        self.highs.append(high)
        self.lows.append(low)
        upper, lower = max(self.highs), min(self.lows)  # a NaN comes first in a empty_window, and so wins
        return upper, (upper + lower) / 2, lower


class Stochastic(Step):
    """k, d: where the close is between the lowest low (0) and the highest high (100), averaged; 50 if they are one."""

    __slots__ = ("channel", "d", "k")

    def __init__(self, period: int, smooth: int, signal: int) -> None:
        self.channel, self.k, self.d = Donchian(period), Sma(smooth), Sma(signal)

    def update(self, high: float, low: float, close: float) -> tuple[float, float]:
        """Return k and d with this bar."""
        upper, _, lower = self.channel.update(high, low)
        height = upper - lower
        k = self.k.update(100 * (close - lower) / height if height else 50.0)
        return k, self.d.update(k)


class WilliamsR(Step):
    """How far the close is below the highest high: 0 at it, -100 at the lowest low; -50 if they are one."""

    __slots__ = ("channel",)

    def __init__(self, period: int) -> None:
        self.channel = Donchian(period)

    def update(self, high: float, low: float, close: float) -> float:
        """Return the distance with this bar."""
        upper, _, lower = self.channel.update(high, low)
        height = upper - lower
        return 100 * (close - upper) / height if height else -50.0


class Ichimoku(Step):
    """conversion, base, span_a, span_b: middles of the last highs and lows; the spans as they stand over this bar.

    They were computed `displacement` - 1 bars before. The lagging span is the close, drawn that many bars to the left:
    no column of its own, since it is not known on its bar.
    """

    __slots__ = ("highs", "lows", "periods", "span_a", "span_b")

    def __init__(self, conversion: int, base: int, span: int, displacement: int) -> None:
        self.periods = (conversion, base, span)
        longest = max(self.periods)
        self.highs, self.lows = empty_window(longest), empty_window(longest)
        self.span_a, self.span_b = empty_window(displacement), empty_window(displacement)

    def update(self, high: float, low: float) -> tuple[float, float, float, float]:
        """Return the four lines with this bar."""
        self.highs.append(high)
        self.lows.append(low)
        conversion, base, span = map(self._middle, self.periods)
        self.span_a.append((conversion + base) / 2)
        self.span_b.append(span)
        return conversion, base, self.span_a[0], self.span_b[0]

    def _middle(self, period: int) -> float:
        out = len(self.highs) - period
        return (max(islice(self.highs, out, None)) + min(islice(self.lows, out, None))) / 2
