"""Indicators whose window is long, computed of all bars at once: the same sums in the same order, so the same bits.

The scalar ones (plant/indicators) add up their whole window with every bar, so that nothing drifts; an SMA of 200 over
a million bars would be 200 million additions in Python. Here the same additions are numpy's. A value is shown with the
bar it belongs to, and it depends on no later one.
"""

from collections.abc import Callable
from math import isnan, nan
from operator import length_hint
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.indicators.bars import LARGEST, OF_A_BAR
from plant.indicators.scalar import Scalar
from trading.strategy import Window

Floats = NDArray[np.float64]
_BLOCK = 8192
"""Bars that are computed together: what they need stays in the processor's cache."""


def _sma(x: Floats, period: int) -> Floats:
    """Return the means of the last `period` values, as `plant.indicators.incremental.mean` sums them; NaN before."""
    means = np.full(len(x), nan)
    for first in range(period - 1, len(x), _BLOCK):
        last = min(first + _BLOCK, len(x))
        now, shift = x[first:last], np.zeros(last - first)
        for back in range(period - 1, 0, -1):
            shift += x[first - back : last - back] - now
        means[first:last] = now + shift / period
    return means


def _mean_and_deviation(x: Floats, period: int) -> tuple[Floats, Floats]:
    """Return means and population deviations, as `plant.indicators.incremental.mean_and_deviation`; NaN before."""
    means, deviations = np.full(len(x), nan), np.full(len(x), nan)
    for first in range(period - 1, len(x), _BLOCK):
        last = min(first + _BLOCK, len(x))
        now, shift = x[first:last], np.zeros(last - first)
        for back in range(period - 1, 0, -1):
            shift += x[first - back : last - back] - now
        shift /= period
        variance = shift * shift
        for back in range(period - 1, 0, -1):
            deviation = x[first - back : last - back] - now - shift
            variance += deviation * deviation
        means[first:last], deviations[first:last] = now + shift, np.sqrt(variance / period)
    return means, deviations


def _bollinger(x: Floats, period: int, deviations: float) -> tuple[Floats, ...]:
    middle, deviation = _mean_and_deviation(x, period)
    width = deviations * deviation
    return middle + width, middle, middle - width


WHOLE: dict[str, Callable[..., tuple[Floats, ...]]] = {
    "sma": lambda x, period: (_sma(x, period),),
    "volume_sma": lambda x, period: (_sma(x, period),),
    "stdev": lambda x, period: (_mean_and_deviation(x, period)[1],),
    "bollinger": _bollinger,
}
"""Kinds that are computed so: inputs and parameters -> their outputs."""


class Prepared:
    """An indicator with its values of all bars; used like a Scalar.

    value, ready   of the last bar, as those of Scalar
    advance        gives the `value` of the next bar, which whoever calls it sets; None: call `update` instead
    """

    __slots__ = ("_left", "_window", "advance", "indicator", "update", "value")

    def __init__(self, indicator: Scalar, outputs: tuple[Floats, ...], window: Window) -> None:
        self.indicator, self._window = indicator, window
        self.value: Any = None
        self.advance: Callable[[], Any] | None = None
        self.update = self._updater(indicator._make, outputs)

    @property
    def ready(self) -> bool:
        """Whether the last bar had a value, of every output."""
        return self.value is not None

    def _updater(self, make: Any, outputs: tuple[Floats, ...]) -> Callable[[Any], Any]:
        """Return what goes on to the next bar; a function of its own is faster than a method that looks things up."""
        if make is None:
            shown = outputs[0].astype(object)
            shown[np.isnan(outputs[0])] = None
            self._left = iter(shown.tolist())
            alone = self.advance = self._left.__next__

            def update_one(bar: Any) -> Any:
                value = self.value = alone()
                return nan if value is None else value

            return update_one
        lists = [output.tolist() for output in outputs]
        first = self._left = iter(lists[0])
        advance = map(make, zip(first, *lists[1:], strict=True)).__next__

        def update(bar: Any) -> Any:
            value = advance()
            self.value = None if any(map(isnan, value)) else value
            return value

        return update

    def peek(self, bar: Any) -> Any:
        """Return what `update` would with this bar, and change nothing."""
        return self.copy().peek(bar)

    def copy(self) -> Scalar:
        """Return a Scalar that goes on from here by itself."""
        twin = self.indicator.copy()
        (column,) = self.indicator.declaration.inputs
        of: Any = OF_A_BAR[column]
        for x in of(self._window)[: len(self._window.close) - length_hint(self._left)].tolist():
            twin.update(x)
        return twin


def prepared(indicator: Scalar, window: Window) -> Any:
    """Return an indicator at its beginning with its values of all bars, or itself where there is no way to."""
    declaration = indicator.declaration
    compute = WHOLE.get(declaration.kind)
    if compute is None or indicator._value is not None or len(declaration.inputs) != 1:
        return indicator
    made = OF_A_BAR.get(declaration.inputs[0])
    if made is None or declaration.inputs[0] == "session":
        return indicator
    x = np.asarray(made(window), dtype=np.float64)  # type: ignore[arg-type]  # arrays as well
    if not np.all(np.abs(x) <= LARGEST):  # a bar that such an input leaves out
        return indicator
    parameters = dict(declaration.parameters)
    return Prepared(indicator, compute(x, **parameters), window)
