"""Indicators over many bars of one series at once: what a question about a long history is answered with.

The numbers are those that the bars give one by one, to 1e-12 of the prices' scale. Means and deviations are made of
blocks as long as the window: a window is the end of one block and the beginning of the next, each a running sum of
distances from a bar within it, so that nothing is subtracted that was added before. Recursive averages are TA-Lib's EMA
and RMA, which are the same; what has no such form goes bar by bar.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plant.indicators.bars import LARGEST
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import Declaration, computing_order
from plant.indicators.scalar import STEPS, step_of
from processor.vectors.each import Each
from processor.vectors.parts import Floats, ratio
from processor.vectors.vector import Bars, column_of

_CHUNK = 65_536  # bars; so many fit in the processor's own memory


def computed(declarations: Sequence[Declaration], bars: Bars, folder: Path | None = None) -> dict[str, Floats]:
    """Return the columns of some declarations over all bars of one series, from its first bar on: float64[n] each.

    `bars`: columns of n bars, oldest first, as `Vector.update` takes them of n series. NaN is null. Columns of other
    indicators that these take in must be declared, too, or be among `bars`. Raises KeyError, ValueError for a column
    that is missing or of another length, SettingsError for a class of the user's own that cannot be imported or made.
    """
    return _Computing(declarations, bars, folder).columns()


class _Computing:
    """Declarations over the bars of one series; what several of them take is found once."""

    def __init__(self, declarations: Sequence[Declaration], bars: Bars, folder: Path | None) -> None:
        self._declarations, self._folder = declarations, folder
        self._known: dict[str, Any] = dict(bars)
        self._count = len(np.asarray(next(iter(bars.values()))))
        self._whole: dict[str, bool] = {}  # whether all values of a column are known, and no larger than LARGEST
        self._deviating = {_window(one) for one in declarations if one.kind in ("stdev", "bollinger")}
        self._windows: dict[tuple[str, int], tuple[Floats, Floats]] = {}

    def columns(self) -> dict[str, Floats]:
        for one in computing_order(self._declarations):
            self._known |= zip(one.columns, self._outputs(one), strict=True)
        return {column: np.asarray(self._known[column]) for one in self._declarations for column in one.columns}

    def _outputs(self, one: Declaration) -> list[Floats]:
        if one.own:
            return _own(one, self._known, self._folder)
        inputs = [column_of(self._known, name, self._count) for name in one.inputs]
        if all(self._all_good(name, x) for name, x in zip(one.inputs, inputs, strict=True)):
            return self._over(one, inputs)
        good = np.ones(self._count, bool)
        for x in inputs:
            good &= np.abs(x) <= LARGEST
        found = []
        for values in self._over(one, [x[good] for x in inputs]):
            found.append(np.full(self._count, np.nan))
            found[-1][good] = values
        return found

    def _all_good(self, name: str, x: Floats) -> bool:
        if name not in self._whole:
            self._whole[name] = not len(x) or bool(x.min() >= -LARGEST and x.max() <= LARGEST)  # False with a NaN
        return self._whole[name]

    def _over(self, one: Declaration, inputs: list[Floats]) -> list[Floats]:
        """Return the outputs over bars that are all known."""
        if one.kind not in OF_WINDOWS or not len(inputs[0]):
            return _over(one, inputs)
        window = _window(one)
        if window not in self._windows:
            self._windows[window] = mean_and_deviation(inputs[0], window[1], window in self._deviating)
        return OF_WINDOWS[one.kind](*self._windows[window], one.parameters)


def _window(one: Declaration) -> tuple[str, int]:
    """Return the column and the length of the windows that a mean or a deviation is of."""
    return one.inputs[0], one.parameters["period"]


def _over(one: Declaration, inputs: list[Floats]) -> list[Floats]:
    """Return the outputs over bars that are all known."""
    if not len(inputs[0]):
        return [np.empty(0) for _ in one.outputs]
    if one.kind in WHOLE:
        values = WHOLE[one.kind](*inputs, **one.parameters)
        return list(values) if isinstance(values, tuple) else [values]
    if one.kind not in STEPS:
        return _talib(one, inputs)
    step = step_of(one)
    rows = [step.update(*row) for row in zip(*(x.tolist() for x in inputs), strict=True)]
    return list(np.array(rows, np.float64).reshape(len(rows), -1).T.copy())


def _talib(one: Declaration, inputs: list[Floats]) -> list[Floats]:
    import talib

    values = getattr(talib, one.kind)(*map(np.ascontiguousarray, inputs), **one.parameters)
    lookback, found = CATALOGUE[one.kind].warm_up(one.parameters), []
    for output in values if isinstance(values, tuple | list) else (values,):
        floats = output.astype(np.float64)
        floats[:lookback] = np.nan  # TA-Lib has 0 there, if it answers in whole numbers
        floats[np.isinf(floats)] = np.nan
        found.append(floats)
    return found


def _own(one: Declaration, bars: Bars, folder: Path | None) -> list[Floats]:
    each = Each(one, folder)
    each.grow(1)
    return list(each.run(0, bars).values())


# -- of one series


def ema(x: Floats, period: int) -> Floats:
    """Return the exponential average over a series that may begin with NaN."""
    return _recursive("EMA", x, period)


def rma(x: Floats, period: int) -> Floats:
    """Return Wilder's average over a series that may begin with NaN."""
    return _recursive("RMA", x, period)


def _recursive(name: str, x: Floats, period: int) -> Floats:
    import talib

    if period == 1 or np.isnan(x[-1]):  # all of it, then
        return x.copy()
    found: Floats = getattr(talib, name)(np.ascontiguousarray(x), timeperiod=period)
    return found


def mean_and_deviation(x: Floats, n: int, deviation: bool = True) -> tuple[Floats, Floats]:
    """Return mean and population's standard deviation of the last n values, NaN before the n-th; the latter if asked.

    The distances of k values from one of them have squares that add up to at most k times those from their mean, so the
    difference by which the latter are found costs log10(k) digits at worst.
    """
    if n == 1:
        return x.copy(), np.zeros(len(x) if deviation else 0)
    mean, spread = np.empty(len(x)), np.empty(len(x) if deviation else 0)
    mean[: n - 1] = spread[: n - 1] = np.nan
    for start in range(n - 1, len(x), _CHUNK):
        end = min(start + _CHUNK, len(x))
        middle, squares = _moments(x[start + 1 - n : end], n, deviation)
        mean[start:end] = middle
        if deviation:
            spread[start:end] = np.sqrt(np.maximum(squares, 0) / n)
    return mean, spread


def _moments(x: Floats, n: int, deviation: bool) -> tuple[Floats, Floats]:
    """Return the mean of every whole window in `x`, and the sum of squares of distances from it."""
    windows = len(x) - n + 1
    blocks = -(-len(x) // n)
    padded = np.concatenate([x, np.full(blocks * n - len(x), x[-1])])
    values = padded.reshape(blocks, n).T.copy()  # a row for each place in a block
    k = np.arange(1.0, n + 1)[:, np.newaxis]
    head, tail = values - values[0], (values - values[-1])[::-1].copy()
    head_squares, tail_squares = (head * head, tail * tail) if deviation else (head[:0], tail[:0])
    for sums in (head, tail, head_squares, tail_squares):
        for row, before in zip(sums[1:], sums, strict=False):
            row += before
    head_means, tail_means = head / k, tail / k
    # Window j of block b: the last n - j values of the block, and the first j of the next; at j = 0 the block itself.
    after, there = k[:-1], k[:-1][::-1]  # j = 1 .. n-1, and n - j
    gap = values[0, 1:] - values[-1, :-1] + (head_means[:-1, 1:] - tail_means[:-1][::-1, :-1])
    middle = np.empty((n, blocks))
    middle[0] = values[0] + head_means[-1]
    middle[1:, :-1] = values[-1, :-1] + tail_means[:-1][::-1, :-1] + gap * (after / n)
    middle[1:, -1] = np.nan
    squares = np.empty((n, blocks)) if deviation else middle
    if deviation:
        head_squares -= head * head_means
        tail_squares -= tail * tail_means
        squares[0] = head_squares[-1]
        squares[1:, :-1] = head_squares[:-1, 1:] + tail_squares[:-1][::-1, :-1] + gap * gap * (after * there / n)
        squares[1:, -1] = np.nan
    return middle.T.ravel()[:windows], squares.T.ravel()[:windows]


def _bands(mean: Floats, deviation: Floats, deviations: float) -> list[Floats]:
    width = deviation * deviations
    return [mean + width, mean, np.subtract(mean, width, out=width)]


def _rsi(x: Floats, period: int) -> Floats:
    import talib

    if period > 1:
        found: Floats = talib.RSI(np.ascontiguousarray(x), timeperiod=period)
        if len(x) > period and found[period:].min() > 0:
            return found
    change = np.concatenate([[np.nan], np.diff(x)])  # TA-Lib has 0 where nothing moved, and where it moved by 1e-14
    gain, loss = rma(np.maximum(change, 0.0), period), rma(np.maximum(-change, 0.0), period)
    return 100 * ratio(gain, gain + loss, 0.5)


def _macd(x: Floats, fast: int, slow: int, signal: int) -> tuple[Floats, ...]:
    line, other = ema(x, fast), ema(x, slow)
    line -= other
    average = ema(line, signal)
    return line, average, np.subtract(line, average, out=other)


def _true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    before = np.concatenate([[np.nan], close[:-1]])
    return np.fmax(high - low, np.fmax(np.abs(high - before), np.abs(low - before)))


def _atr(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    return rma(_true_range(high, low, close), period)


def _keltner(
    x: Floats, high: Floats, low: Floats, close: Floats, period: int, multiplier: float, atr_period: int
) -> tuple[Floats, ...]:
    middle, width = ema(x, period), multiplier * _atr(high, low, close, atr_period)
    return middle + width, middle, middle - width


def _obv(x: Floats, volume: Floats) -> Floats:
    return np.cumsum(volume * np.concatenate([[0.0], np.sign(np.diff(x))]))


WHOLE: Mapping[str, Callable[..., Any]] = {
    "ema": ema,
    "rma": rma,
    "rsi": _rsi,
    "macd": _macd,
    "true_range": _true_range,
    "atr": _atr,
    "keltner": _keltner,
    "obv": _obv,
}
"""Those of our kinds that have a form over whole series: called with the inputs and the kind's parameters."""

OF_WINDOWS: Mapping[str, Callable[[Floats, Floats, Mapping[str, Any]], list[Floats]]] = {
    "sma": lambda mean, _deviation, _parameters: [mean],
    "volume_sma": lambda mean, _deviation, _parameters: [mean],
    "stdev": lambda _mean, deviation, _parameters: [deviation],
    "bollinger": lambda mean, deviation, parameters: _bands(mean, deviation, parameters["deviations"]),
}
"""Those that are made of means and deviations of windows; called with these and the kind's parameters."""
