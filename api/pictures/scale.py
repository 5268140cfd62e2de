"""Where things lie in a picture: bars side by side without holes for nights, prices, and where labels stand. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

_MINUTE = 60
_STEPS_S = (1, 5, 10, 15, 30, *(m * _MINUTE for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)))
_DATED = ("%Y-%m-%d", "%G-%V", "%Y-%m", "", "%Y")
"""By what days are grouped: days, weeks, months, quarters, years."""


class Places:
    """The x of times: bar i is at i, whatever time passed since the one before.

    times   int64[n], ns UTC, rising: starts of bars; step: length of a bar in ns
    """

    def __init__(self, times: np.ndarray, step: int) -> None:
        self._times, self._step = times, step

    def bar(self, time: int) -> int | None:
        """Return which bar holds a time, None for one before the first or beyond the end of the last."""
        at = int(np.searchsorted(self._times, time, side="right")) - 1
        if at < 0 or (at == len(self._times) - 1 and time >= int(self._times[-1]) + self._step):
            return None
        return at

    def x(self, time: int) -> float:
        """Return where a time lies: at a bar, or between two; before the first and beyond the last as if bars went on.

        A time in a hole, where no bar is, lies at the bar behind it.
        """
        at = int(np.searchsorted(self._times, time, side="right")) - 1
        if at < 0:
            return (time - int(self._times[0])) / self._step
        part = (time - int(self._times[at])) / self._step
        return at + (part if at == len(self._times) - 1 else min(part, 1.0))


class Tick(NamedTuple):
    """A label of the time axis at bar `x`; `strong`: a new day begins there (of days: a new month or year)."""

    x: int
    text: str
    strong: bool


def time_ticks(local: pd.DatetimeIndex, width: float, apart: float = 64.0) -> list[Tick]:
    """Return the labels of bars that begin at these local times, at least `apart` pixels from one another.

    `width` is that of all bars in pixels.
    """
    if not len(local):
        return []
    pitch = width / len(local)
    dates = local.normalize().asi8
    seconds = (local.hour * 3600 + local.minute * 60 + local.second).to_numpy()
    intraday = bool((np.diff(seconds) != 0).any()) if len(local) > 1 else bool(seconds[0])
    if not intraday:
        return _spread(_days(local, pitch, apart), pitch, apart)
    days = set(_changes(dates).tolist())
    chosen: list[int] = []
    for step in _STEPS_S:
        chosen = sorted({*_changes(dates + seconds // step).tolist()} | days)
        if len(chosen) * apart <= width:
            break
    else:
        chosen = sorted(days)
    ticks = [Tick(i, f"{local[i]:%a} {local[i].day} {local[i]:%b}" if i in days else _clock(local[i]), i in days)
             for i in chosen]  # fmt: skip
    return _spread(ticks, pitch, apart)


def digits_of(prices: np.ndarray, least: int = 2) -> int:
    """Return how many decimals show these prices: as many as they have, at most six significant digits.

    >>> digits_of(np.array([187.5, 188.0])), digits_of(np.array([1.08412])), digits_of(np.array([np.nan]))
    (2, 5, 2)
    """
    values = prices[np.isfinite(prices)][-200:]
    sizes = np.abs(values[values != 0])
    if not len(sizes):
        return least
    most = min(max(least, int(5 - np.floor(np.log10(sizes.min())))), 12)
    for digits in range(least, most):
        if np.allclose(values, np.round(values, digits), rtol=0, atol=10.0 ** -(digits + 3)):
            return digits
    return most


def price_ticks(low: float, high: float, height: float, apart: float = 44.0) -> list[float]:
    """Return round prices within [low, high], about `apart` pixels from one another in `height` pixels."""
    if not low < high:
        return [low]
    count = max(1, int(height / apart))
    found = MaxNLocator(nbins=count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(value) for value in found if low <= value <= high]


def price_range(
    lows: np.ndarray, highs: np.ndarray, others: Sequence[np.ndarray] = (), levels: Sequence[float] = ()
) -> tuple[float, float]:
    """Return from where to where prices go: all bars, and of other lines and of levels what is not far from them.

    Far is more than half of the bars' range away: a level far off would press the bars flat.
    """
    low, high = float(np.nanmin(lows)), float(np.nanmax(highs))
    room = 0.5 * (high - low) or abs(high) * 0.01 or 1.0
    bottom, top = low - room, high + room
    values = np.concatenate([*(np.asarray(each, np.float64) for each in others), np.array(levels, np.float64)])
    near = values[(values >= bottom) & (values <= top)]
    if len(near):
        low, high = min(low, float(near.min())), max(high, float(near.max()))
    pad = 0.07 * (high - low) or room
    return low - pad, high + pad


def spread_apart(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Return places as near as can be to the wanted ones, in their order, at least `apart` from one another.

    All lie within [low, high] as long as they fit; what is wanted need not be sorted.

    >>> spread_apart([10.0, 11.0, 50.0], 10.0, 0.0, 100.0)
    [5.5, 15.5, 50.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    groups: list[tuple[float, list[int]]] = []  # a group lies around its mean, `apart` from one to the next
    for i in order:
        mean, members = min(max(wanted[i], low), high), [i]
        while groups and mean - groups[-1][0] < apart * (len(members) + len(groups[-1][1])) / 2 - 1e-9:
            before, others = groups.pop()
            mean = (before * len(others) + mean * len(members)) / (len(others) + len(members))
            members = others + members
            half = apart * (len(members) - 1) / 2
            mean = max(min(mean, high - half), low + half)
        groups.append((mean, members))
    found = [0.0] * len(wanted)
    for mean, members in groups:
        for place, i in enumerate(members):
            found[i] = mean + apart * (place - (len(members) - 1) / 2)
    return found


def _changes(groups: np.ndarray) -> np.ndarray:
    """Return the places whose group is another than that of the place before."""
    return np.flatnonzero(groups[1:] != groups[:-1]) + 1


def _days(local: pd.DatetimeIndex, pitch: float, apart: float) -> list[Tick]:
    chosen: np.ndarray = np.empty(0, np.int64)
    for form in _DATED:
        groups = local.strftime(form) if form else [f"{t.year}-{t.quarter}" for t in local]
        chosen = _changes(np.array(groups, dtype=object))
        if len(chosen) * apart <= pitch * len(local):
            break
    ticks = []
    for i in chosen.tolist():
        new_year, new_month = local[i].year != local[i - 1].year, local[i].month != local[i - 1].month
        text = str(local[i].year) if new_year else f"{local[i]:%b}" if new_month else f"{local[i].day} {local[i]:%b}"
        ticks.append(Tick(i, text, new_year or new_month))
    return ticks


def _spread(ticks: list[Tick], pitch: float, apart: float) -> list[Tick]:
    """Leave out labels that lie too near; strong ones stay before others."""
    found: list[Tick] = []
    for tick in ticks:
        while found and (tick.x - found[-1].x) * pitch < apart:
            if not tick.strong or found[-1].strong:
                break
            found.pop()
        if not found or (tick.x - found[-1].x) * pitch >= apart:
            found.append(tick)
    return found


def _clock(at: pd.Timestamp) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
