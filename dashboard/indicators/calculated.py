"""Numbers of indicators that nobody declared: computed here, bar by bar, as the bars come. No Streamlit, no sockets.

What is computed is the scalar form of the catalogue, which gives what the processor would, to 1e-12. A bar is taken in
once; the newest one, which may still form, is looked at without being taken in. When a bar that was taken in is another
one now, or bars are there before the first, all is computed anew, from so many bars ahead of the first that is shown
that what was before has no weight.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from dashboard.freshness import interval_seconds
from dashboard.indicators.choice import Choice
from plant.indicators.bars import Bar
from plant.indicators.declarations import Declaration
from plant.indicators.scalar import Scalar

LEAST_BARS, PERIODS = 400, 40
"""Bars ahead of the first that is shown: so many, or so many periods of the indicator's longest; what was before weighs
less than 1e-15 then. As the processor begins a series anew."""

DAY_S = 86_400
SERIES = 64  # of all sessions; those longest unused are forgotten

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Earlier = Callable[[int, int], tuple[Times, Floats]]


def bars_ahead(declaration: Declaration, interval: str) -> int:
    """Return how many bars ahead of the first one are wanted; of what begins with a session, a day of them."""
    lengths = [value for value in declaration.parameters.values() if type(value) is int]
    day = DAY_S / interval_seconds(interval) if "session" in declaration.inputs else 0
    return max(LEAST_BARS, PERIODS * max(lengths, default=0), ceil(day))


class CalculatedSeries:
    """One indicator over the bars of one series."""

    def __init__(self, declaration: Declaration, interval: str) -> None:
        self._declaration = declaration
        self._ahead = bars_ahead(declaration, interval)
        self._scalar = Scalar(declaration)
        self._times = np.zeros(0, np.int64)  # of the bars taken in that are still shown
        self._bars = np.zeros((0, 5))
        self._values = np.zeros((0, len(declaration.outputs)))
        self._whole = True

    def values(self, times: Times, bars: Floats, earlier: Earlier, whole: bool = True) -> Floats:
        """Return float64[n, outputs] of n bars: `times` int64[n] ascending, `bars` float64[n, 5], open to volume.

        `earlier(before, count)` is asked for the bars before a time, at most so many, if it must begin anew; `whole`:
        it can tell them all. What was begun without all of them is begun anew once it can.
        """
        if not len(times):
            return np.zeros((0, len(self._declaration.outputs)))
        known = self._continued(times, bars) if self._whole or not whole else None
        if known is None:
            known, self._whole = 0, whole
            self._begin(times, bars, earlier)
        closed = len(times) - 1
        self._take(times[known:closed], bars[known:closed])
        newest = _bar(times[-1], bars[-1])
        return np.vstack([self._values, np.reshape(self._scalar.peek(newest), (1, -1))])

    def _continued(self, times: Times, bars: Floats) -> int | None:
        """Forget what is shown no longer, and return how many of the bars were taken in; None: it must begin anew."""
        gone = int(np.searchsorted(self._times, times[0]))
        held = self._times[gone:]
        count = len(held)
        if not count or count >= len(times):
            return None
        if not (
            np.array_equal(held, times[:count]) and np.array_equal(self._bars[gone:], bars[:count], equal_nan=True)
        ):
            return None
        self._times, self._bars, self._values = held, self._bars[gone:], self._values[gone:]
        return count

    def _begin(self, times: Times, bars: Floats, earlier: Earlier) -> None:
        self._scalar = Scalar(self._declaration)
        for time, bar in zip(*earlier(int(times[0]), self._ahead), strict=True):
            self._scalar.update(_bar(time, bar))
        self._times, self._bars, self._values = times[:0], bars[:0], self._values[:0]

    def _take(self, times: Times, bars: Floats) -> None:
        if not len(times):
            return
        found = [self._scalar.update(_bar(time, bar)) for time, bar in zip(times.tolist(), bars.tolist(), strict=True)]
        self._times = np.concatenate([self._times, times])
        self._bars = np.concatenate([self._bars, bars])
        self._values = np.concatenate([self._values, np.array(found, np.float64).reshape(len(found), -1)])


class Calculator:
    """The series that were asked for lately, shared by all sessions."""

    def __init__(self, most: int = SERIES) -> None:
        self._most = most
        self._series: OrderedDict[tuple[str, str, str], CalculatedSeries] = OrderedDict()
        self._lock = Lock()

    def values(
        self, choice: Choice, series: tuple[str, str], times: Times, bars: Floats, earlier: Earlier, whole: bool = True
    ) -> Floats:
        """Return what `CalculatedSeries.values` does, of a choice for a symbol and an interval, the `series`.

        Raises SettingsError for parameters that TA-Lib refuses though each is within its bounds, and what `earlier`
        raises.
        """
        key = (choice.text, *series)
        with self._lock:
            one = self._series.pop(key, None) or CalculatedSeries(choice.declaration, series[1])
            found = one.values(times, bars, earlier, whole)
            self._series[key] = one  # not after an error: half of it may be taken in
            while len(self._series) > self._most:
                self._series.popitem(last=False)
        return found


def _bar(time: int, prices: list[float] | Floats) -> Bar:
    opened, high, low, close, volume = map(float, prices)
    return Bar(int(time), opened, high, low, close, volume)
