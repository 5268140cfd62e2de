"""Vectorised indicators of the highest and lowest price: the formulas of plant/indicators/extremes.py."""

from processor.vectors.averages import Sma
from processor.vectors.parts import Floats, Parts, Windows, push, ratio


class Donchian:
    """upper, middle, lower: the highest high, the lowest low, and half way between."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.highs, self.lows = parts.window(period), parts.window(period)

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats) -> tuple[Floats, Floats, Floats]:
        """Return upper, middle and lower with these bars."""
        push(w[self.highs], high)
        push(w[self.lows], low)
        upper, lower = w[self.highs].max(axis=0), w[self.lows].min(axis=0)
        return upper, (upper + lower) / 2, lower


class Stochastic:
    """k, d: where the close is between the lowest low (0) and the highest high (100), averaged; 50 if they are one."""

    def __init__(self, parts: Parts, period: int, smooth: int, signal: int) -> None:
        self.channel, self.k, self.d = Donchian(parts, period), Sma(parts, smooth), Sma(parts, signal)

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats, close: Floats) -> tuple[Floats, Floats]:
        """Return k and d with these bars."""
        upper, _, lower = self.channel(s, w, high, low)
        k = self.k(s, w, ratio(100 * (close - lower), upper - lower, 50.0))
        return k, self.d(s, w, k)


class WilliamsR:
    """How far the close is below the highest high: 0 at it, -100 at the lowest low; -50 if they are one."""

    def __init__(self, parts: Parts, period: int) -> None:
        self.channel = Donchian(parts, period)

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats, close: Floats) -> Floats:
        """Return the distances with these bars."""
        upper, _, lower = self.channel(s, w, high, low)
        return ratio(100 * (close - upper), upper - lower, -50.0)


class Ichimoku:
    """conversion, base, span_a, span_b: middles of the last highs and lows; the spans as they stand over these bars."""

    def __init__(self, parts: Parts, conversion: int, base: int, span: int, displacement: int) -> None:
        self.periods = (conversion, base, span)
        longest = max(self.periods)
        self.highs, self.lows = parts.window(longest), parts.window(longest)
        self.span_a, self.span_b = parts.window(displacement), parts.window(displacement)

    def __call__(self, s: Floats, w: Windows, high: Floats, low: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the four lines with these bars."""
        highs, lows, span_a, span_b = w[self.highs], w[self.lows], w[self.span_a], w[self.span_b]
        push(highs, high)
        push(lows, low)
        conversion, base, span = ((highs[-n:].max(axis=0) + lows[-n:].min(axis=0)) / 2 for n in self.periods)
        push(span_a, (conversion + base) / 2)
        push(span_b, span)
        return conversion, base, span_a[0].copy(), span_b[0].copy()
