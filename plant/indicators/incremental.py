"""What the scalar indicators are made of: averages, windows, and how a state is copied.

A `Step` is handed one value of each of its inputs a bar, in order, all of them finite, and returns its output, or a
tuple of them, NaN while it warms up. Every sum is made in one order, the one in which processor/vectors/ makes it for
all symbols at once, so that both have the same value to the last bit. No sum rolls: what left a window is not
subtracted again, so nothing drifts, and prices of a million that move by a cent cost no digits.
"""

from collections import deque
from math import isnan, nan, sqrt
from typing import Any, Self


class Step:
    """An indicator without its bars: `update(*inputs)`, `peek(*inputs)`, `copy()`. State lies in `__slots__`."""

    __slots__: tuple[str, ...] = ()

    def update(self, *inputs: Any, **_: Any) -> Any:
        """Take the inputs of one bar and return the output, or a tuple of outputs; NaN: none yet."""
        raise NotImplementedError

    def peek(self, *inputs: Any, **_: Any) -> Any:
        """Return what `update` would, and change nothing."""
        return self.copy().update(*inputs)

    def copy(self) -> Self:
        """Return one that goes on from here by itself."""
        twin = object.__new__(type(self))
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(twin, name, value.copy() if hasattr(value, "copy") else value)
        return twin


class Average(Step):
    """A mean that gives each new value the weight `steady`, begun as the plain mean of the first n; NaN is left out.

    With the weights 1, 1/2, .. 1/n the same recursion yields the mean of the first n: the seed needs no other code.
    """

    __slots__ = ("count", "n", "steady", "value")

    def __init__(self, n: int, steady: float) -> None:
        self.n, self.steady = n, steady
        self.count, self.value = 0, 0.0

    def update(self, x: float) -> float:
        """Return the average with `x`, NaN before the n-th value."""
        if isnan(x):
            return nan
        if self.count < self.n:
            self.count += 1
            self.value += 1 / self.count * (x - self.value)
            return self.value if self.count == self.n else nan
        self.value += self.steady * (x - self.value)
        return self.value


def ema(period: int) -> Average:
    """Return the exponential average: weight 2 / (period + 1)."""
    return Average(period, 2 / (period + 1))


def rma(period: int) -> Average:
    """Return Wilder's average: weight 1 / period."""
    return Average(period, 1 / period)


def empty_window(n: int) -> deque[float]:
    """Return the last n values, none yet: n times NaN, so that what is computed of too few is NaN as well."""
    return deque([nan] * n, maxlen=n)


def mean(x: float, earlier: deque[float]) -> float:
    """Return the mean of `x` and the values before it, by their distances from `x`: exactly `x` where all are equal."""
    shift = 0.0
    for past in earlier:
        shift += past - x
    return x + shift / (len(earlier) + 1)


def mean_and_deviation(x: float, earlier: deque[float]) -> tuple[float, float]:
    """Return mean and population standard deviation of `x` and the values before it, in two passes.

    Sums of squares would cancel where moves are small beside the price; distances do not, and are exactly 0 when flat.
    """
    n = len(earlier) + 1
    shift = 0.0
    for past in earlier:
        shift += past - x
    shift /= n
    variance = shift * shift  # of `x` itself, at distance 0
    for past in earlier:
        deviation = past - x - shift
        variance += deviation * deviation
    return x + shift, sqrt(variance / n)


def total(x: float, earlier: deque[float]) -> float:
    """Return the sum of the values before `x`, oldest first, and `x`."""
    added = 0.0
    for past in earlier:
        added += past
    return added + x
