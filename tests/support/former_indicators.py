"""A model: the indicators that are always there, as they were computed before there was a catalogue.

A series is the closes of one (sym, interval), oldest first; it lives in a slot, numbered from 0. A bar costs the same
work however long the series is, and one numpy pass serves all slots of a call. Bars count from 0, c is the close:

    column                          definition                                               from bar
    sma_20, bb_middle               mean of the last 20 closes                                     19
    bb_upper, bb_lower              bb_middle +/- 2 sd; sd is the population's, divisor 20         19
    ema_20, ema_50                  ema += 2/(n+1) * (c - ema)                                19 / 49
    rsi_14                          100 * gain / (gain + loss), Wilder's averages of 14            14
    macd                            ema_12 - ema_26                                                25
    macd_signal, macd_histogram     EMA 9 of macd; macd - macd_signal                              33

Before its first bar a column is null (NaN). Every average is seeded with the plain mean of its first n values: a close
for an EMA, a change of close for the RSI, a macd (bars 25 to 33) for the signal. This is what TradingView's Pine shows.

TA-Lib's SMA, EMA, RSI and BBANDS are the same to rounding, but for an RSI without movement (below). Its MACD is not the
same at first: it seeds the fast EMA at bar 25, with the closes 14 to 25, to start both EMAs together. The gap between
the two macd shrinks by 11/13 a bar. On one-minute bars of liquid shares all three columns agree to 1e-6 of the price
from bar 80 and to 1e-9 from bar 125; with moves of 5 % a bar, to 1e-9 from bar 150.

A series that has not moved since its first bar has no RSI, 0/0. It is given 50, neither gains nor losses; TA-Lib says
0 and Pine 100, which would be taken for a signal. All other columns are exact there: the averages are the close, the
bands have no width, the macd is 0.

Sources: J. Welles Wilder, "New Concepts in Technical Trading Systems" (1978), for the RSI; the Pine v5 reference for
ta.sma, ta.ema, ta.rsi, ta.macd, ta.bb; TA-Lib 0.8.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Advance = Callable[[int, Floats], Floats]  # the row of an average and the bars' values of it -> it after each bar

FIRST_BAR = {  # the bar, counted from 0, at which a column stops being null
    "sma_20": 19,
    "ema_20": 19,
    "ema_50": 49,
    "rsi_14": 14,
    "macd": 25,
    "macd_signal": 33,
    "macd_histogram": 33,
    "bb_upper": 19,
    "bb_middle": 19,
    "bb_lower": 19,
}
COLUMNS = tuple(FIRST_BAR)
LARGEST_CLOSE = 1e150  # beyond it, the square of a distance from the mean could overflow

_WINDOW = 20  # bars of the SMA and of the Bollinger bands
_AVERAGES = (  # n, weight of a new value once n are in, bar of the first value
    (12, 2 / 13, 0),
    (20, 2 / 21, 0),
    (26, 2 / 27, 0),
    (50, 2 / 51, 0),
    (14, 1 / 14, 1),
    (14, 1 / 14, 1),
    (9, 2 / 10, 25),
)
_EMA_12, _EMA_20, _EMA_26, _EMA_50, _GAIN, _LOSS, _SIGNAL = range(len(_AVERAGES))
_LAST_STAGE = max(n + first for n, _, first in _AVERAGES)  # from this bar on, all weights stay as they are


def _weights() -> Floats:
    """Return float64[averages, stages]: how far a bar's value pulls each average, from bar 0 to _LAST_STAGE.

    With the weights 1, 1/2, .. 1/n the recursion yields the mean of the first n values: the seed needs no other code.
    """
    weights = np.zeros((len(_AVERAGES), _LAST_STAGE + 1))
    for row, (n, steady, first) in enumerate(_AVERAGES):
        weights[row, first : first + n] = 1 / np.arange(1, n + 1)
        weights[row, first + n :] = steady
    return weights


_WEIGHTS = _weights()


class Indicators:
    """The indicators of many series, and what their next bars need to be told of the bars before.

    `len()` is the number of slots. Answers are dicts of COLUMNS -> float64, NaN for null, one value per close given.
    A refused call changes nothing. Not for several threads at once.

    >>> indicators = Indicators()
    >>> indicators.grow(2)  # one sym in two intervals, say
    >>> indicators.run(0, range(1, 21))["sma_20"][-2:].tolist()
    [nan, 10.5]
    >>> indicators.peek([0, 1], [21.0, 7.0])["sma_20"].tolist()
    [11.5, nan]
    """

    def __init__(self) -> None:
        self._slots = 0
        self._bars = np.zeros(0, np.int64)  # closed bars so far
        self._averages = np.zeros((len(_AVERAGES), 0))
        self._earlier = np.zeros((0, _WINDOW - 1))  # closes of the last 19 bars, oldest first

    def __len__(self) -> int:
        return self._slots

    def grow(self, n_slots: int) -> None:
        """Make the slots 0..n_slots-1 usable: new ones are empty, old ones keep their state; never shrinks."""
        capacity = len(self._bars)
        if n_slots > capacity:
            more = max(n_slots, 2 * capacity) - capacity
            self._bars = np.pad(self._bars, (0, more))
            self._averages = np.pad(self._averages, ((0, 0), (0, more)))
            self._earlier = np.pad(self._earlier, ((0, more), (0, 0)))
        self._slots = max(self._slots, n_slots)

    def update(self, slots: ArrayLike, close: ArrayLike) -> dict[str, Floats]:
        """Close one bar in each of some slots and return the indicators of those bars.

        `slots`: int64[k], each at most once, in any order. `close`: float64[k]. Raises IndexError for a slot that does
        not exist, ValueError for repeated slots, other shapes, or a close that is not finite or above LARGEST_CLOSE.
        """
        slots, close = self._checked(slots, close)
        columns, earlier, averages = self._next(slots, close)
        for row, average in averages.items():
            self._averages[row, slots] = average
        self._earlier[slots, :-1] = earlier[:, 1:]
        self._earlier[slots, -1] = close
        self._bars[slots] += 1
        return columns

    def peek(self, slots: ArrayLike, close: ArrayLike) -> dict[str, Floats]:
        """Return what `update` would, and change nothing: the indicators of bars that are still forming."""
        return self._next(*self._checked(slots, close))[0]

    def run(self, slot: int, closes: ArrayLike) -> dict[str, Floats]:
        """Close m bars of one slot, oldest first: the same values, to the bit, as m calls of `update`.

        `closes`: float64[m]. Raises as `update` does; no bar is taken if one is refused.
        """
        self._check_slot(slot)
        close = np.asarray(closes, np.float64)
        if close.ndim != 1:
            raise ValueError(f"closes: expected float64[m], found shape {close.shape}")
        m = len(close)
        _check_close(close, "bar", np.arange(m))
        if not m:
            return {name: np.empty(0) for name in COLUMNS}
        bar = self._bars[slot] + np.arange(m)
        weights = _WEIGHTS[:, np.minimum(bar, _LAST_STAGE)]
        averages = self._averages[:, slot].copy()

        def advance(row: int, values: Floats) -> Floats:
            average, history = float(averages[row]), []
            for weight, value in zip(weights[row].tolist(), values.tolist(), strict=True):
                average += weight * (value - average)
                history.append(average)
            averages[row] = average
            return np.array(history)

        closes_so_far = np.concatenate([self._earlier[slot], close])
        earlier = np.lib.stride_tricks.sliding_window_view(closes_so_far[:-1], _WINDOW - 1)
        columns = _columns(bar, close, earlier, advance)
        self._averages[:, slot] = averages
        self._earlier[slot] = closes_so_far[-(_WINDOW - 1) :]
        self._bars[slot] += m
        return columns

    def reset(self, slot: int) -> None:
        """Forget one series: to compute it again from its first bar, after an earlier bar was corrected."""
        self._check_slot(slot)
        self._bars[slot] = 0
        self._averages[:, slot] = 0
        self._earlier[slot] = 0

    def _next(self, slots: Ints, close: Floats) -> tuple[dict[str, Floats], Floats, dict[int, Floats]]:
        bar, earlier = self._bars[slots], self._earlier[slots]
        stage = np.minimum(bar, _LAST_STAGE)
        averages = {}

        def advance(row: int, values: Floats) -> Floats:
            average = self._averages[row, slots]
            average += _WEIGHTS[row, stage] * (values - average)
            averages[row] = average
            return average

        return _columns(bar, close, earlier, advance), earlier, averages

    def _checked(self, slots: ArrayLike, close: ArrayLike) -> tuple[Ints, Floats]:
        which = np.asarray(slots)
        if which.ndim != 1 or (which.size and which.dtype.kind not in "iu"):
            raise ValueError(f"slots: expected int64[k], found {which.dtype}{list(which.shape)}")
        which = which.astype(np.int64, copy=False)
        if which.size:
            self._check_slot(which.min())
            self._check_slot(which.max())
            times = np.bincount(which)
            if times.max() > 1:
                raise ValueError(f"slots: slot {times.argmax()} is given more than once; close one bar of it per call")
        values = np.asarray(close, np.float64)
        if values.shape != which.shape:
            raise ValueError(f"close: expected float64[{which.size}], one per slot, found shape {values.shape}")
        _check_close(values, "slot", which)
        return which, values

    def _check_slot(self, slot: int) -> None:
        if not 0 <= slot < self._slots:
            raise IndexError(f"slot {slot} does not exist, there are {self._slots}; call grow({slot + 1}) first")


def _check_close(close: Floats, place: str, numbers: Ints) -> None:
    bad = ~(np.abs(close) <= LARGEST_CLOSE)  # a NaN compares as false
    if bad.any():
        i = bad.argmax()
        raise ValueError(
            f"close: expected a finite number up to {LARGEST_CLOSE:g}, found {close[i]:g} at {place} {numbers[i]}; "
            "no bar was taken, leave that one out"
        )


def _columns(bar: Ints, close: Floats, earlier: Floats, advance: Advance) -> dict[str, Floats]:
    """Return COLUMNS of k bars side by side: one of each of k slots, or k of one slot.

    `earlier` is float64[k, 19], the closes before each bar, oldest first. Every operation is elementwise, so that a
    value never depends on its neighbours, not even in the last bit.
    """
    change = close - earlier[:, -1]
    gain = advance(_GAIN, np.maximum(change, 0))
    moved = gain + advance(_LOSS, np.maximum(-change, 0))
    share = np.divide(gain, moved, out=np.full(len(bar), 0.5), where=moved > 0)
    macd = advance(_EMA_12, close) - advance(_EMA_26, close)
    signal = advance(_SIGNAL, macd)
    middle, sd = _mean_and_deviation(close, earlier)
    columns = {
        "sma_20": middle,
        "ema_20": advance(_EMA_20, close),
        "ema_50": advance(_EMA_50, close),
        "rsi_14": 100 * share,
        "macd": macd,
        "macd_signal": signal,
        "macd_histogram": macd - signal,
        "bb_upper": middle + 2 * sd,
        "bb_middle": middle,
        "bb_lower": middle - 2 * sd,
    }
    return {name: np.where(bar >= FIRST_BAR[name], values, np.nan) for name, values in columns.items()}


def _mean_and_deviation(close: Floats, earlier: Floats) -> tuple[Floats, Floats]:
    """Return mean and population sd of `close` with the 19 before it: two passes over distances from `close`.

    Sums of squares would cancel where moves are small beside the price; distances do not, and are exactly 0 when flat.
    Bar by bar, for one order of adding: that of `sum(axis=...)` depends on the layout and the number of rows.
    """
    shift = np.zeros_like(close)
    for past in earlier.T:
        shift += past - close
    shift /= _WINDOW
    variance = shift * shift  # of `close` itself, at distance 0
    for past in earlier.T:
        deviation = past - close - shift
        variance += deviation * deviation
    return close + shift, np.sqrt(variance / _WINDOW)
