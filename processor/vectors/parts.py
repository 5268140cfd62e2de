"""What the vectorised indicators are made of: where their state lies, averages, windows.

A kernel declares its state when it is made (`Parts`: numbers, windows) and is called with that of k series, to be
changed in place, and with one value of each input for each of them; it returns k values of each output. Every operation
is elementwise and sums go value by value, oldest first, so that a value never depends on its neighbours, not even in
the last bit, and is the one that plant/indicators/ has for the series alone.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.indicators.incremental import Step

Floats = NDArray[np.float64]

Kernel = Callable[..., Any]
"""(numbers float64[n, k], windows [float64[n, k], ..] oldest first, *inputs float64[k]) -> float64[k], or a tuple."""

Windows = list[Floats]


class Place(int):
    """Where a number of the state lies, or (`Window`) a window."""


class Window(Place):
    """Where a window of the state lies."""


class Parts:
    """The state of one series, as its kernel declares it: so many numbers, with what they are at first, and windows."""

    def __init__(self) -> None:
        self.numbers: list[float] = []
        self.windows: list[int] = []

    def number(self, first: float = np.nan) -> Place:
        """Add a number and return its place."""
        self.numbers.append(first)
        return Place(len(self.numbers) - 1)

    def window(self, n: int) -> Window:
        """Add the last n values, all NaN at first, and return its place."""
        self.windows.append(n)
        return Window(len(self.windows) - 1)


class Average:
    """As plant.indicators.incremental.Average, of k series."""

    def __init__(self, parts: Parts, n: int, steady: float) -> None:
        self.n, self.steady = n, steady
        self.count, self.value = parts.number(0.0), parts.number(0.0)

    def __call__(self, s: Floats, w: Windows, x: Floats) -> Floats:
        """Return the averages with `x`."""
        count, value = s[self.count], s[self.value]
        there = ~np.isnan(x)
        young = there & (count < self.n)
        weight: Any = self.steady
        if young.any():
            count += young
            weight = np.where(young, 1 / np.maximum(count, 1), self.steady)
        value += np.where(there, weight * (x - value), 0.0)
        return np.where(there & (count >= self.n), value, np.nan)


def state_of(kernel: Any, step: Step) -> Iterator[tuple[Place, Step, str]]:
    """Yield where each part of a kernel's state lies, and the attribute of a scalar step that is the same.

    Both are made of the same parts under the same names.
    """
    for name, part in vars(kernel).items():
        if isinstance(part, Place):
            yield part, step, name
        elif hasattr(part, "__dict__"):
            yield from state_of(part, getattr(step, name))


def ema(parts: Parts, period: int) -> Average:
    """Return exponential averages: weight 2 / (period + 1)."""
    return Average(parts, period, 2 / (period + 1))


def rma(parts: Parts, period: int) -> Average:
    """Return Wilder's averages: weight 1 / period."""
    return Average(parts, period, 1 / period)


def push(window: Floats, x: Floats) -> None:
    """Add a value to each series' window, and drop its oldest."""
    if len(window):
        window[:-1] = window[1:]
        window[-1] = x


def shift_to_mean(x: Floats, earlier: Floats) -> Floats:
    """Return how far the mean of `x` and the values before it is from `x`: exactly 0 where all are equal."""
    shift = np.zeros_like(x)
    for past in earlier:
        shift += past - x
    return shift / (len(earlier) + 1)


def mean_and_deviation(x: Floats, earlier: Floats) -> tuple[Floats, Floats]:
    """Return mean and population standard deviation of `x` and the values before it, in two passes."""
    shift = shift_to_mean(x, earlier)
    variance = shift * shift  # of `x` itself, at distance 0
    for past in earlier:
        deviation = past - x - shift
        variance += deviation * deviation
    return x + shift, np.sqrt(variance / (len(earlier) + 1))


def total(x: Floats, earlier: Floats) -> Floats:
    """Return the sum of the values before `x`, oldest first, and `x`."""
    added = np.zeros_like(x)
    for past in earlier:
        added += past
    return added + x


def ratio(above: Floats, below: Floats, otherwise: float) -> Floats:
    """Return `above` / `below`, and `otherwise` where `below` is 0; NaN where either is."""
    out = np.full(len(above), otherwise)
    return np.divide(above, below, out=out, where=below != 0)
