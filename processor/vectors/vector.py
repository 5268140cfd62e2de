"""One indicator of all series at once: a kernel, and its state in arrays with a row for each slot."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plant.indicators.bars import DAY_NS, LARGEST
from plant.indicators.declarations import Declaration
from plant.indicators.scalar import step_of
from processor.vectors.averages import Bollinger, Cci, Macd, Roc, Rsi, Sma, Stdev, Wma
from processor.vectors.extremes import Donchian, Ichimoku, Stochastic, WilliamsR
from processor.vectors.parts import Floats, Kernel, Parts, Window, ema, rma, state_of
from processor.vectors.ranges import Adx, Atr, HeikinAshi, Keltner, Psar, Supertrend, TrueRange, UtBot
from processor.vectors.volumes import Mfi, Obv, Vwap

Ints = NDArray[np.int64]

Bars = Mapping[str, ArrayLike]
"""Columns of k bars: time (int64, ns UTC), open, high, low, close, volume (float64), and those of other indicators.

`session`, if there is one, tells bars of one session from those of the next; without it, sessions are days of UTC.
"""

KERNELS: Mapping[str, Any] = {
    "sma": Sma,
    "ema": ema,
    "wma": Wma,
    "rma": rma,
    "rsi": Rsi,
    "macd": Macd,
    "bollinger": Bollinger,
    "stdev": Stdev,
    "atr": Atr,
    "true_range": TrueRange,
    "vwap": Vwap,
    "donchian": Donchian,
    "keltner": Keltner,
    "supertrend": Supertrend,
    "stochastic": Stochastic,
    "adx": Adx,
    "obv": Obv,
    "volume_sma": Sma,
    "ut_bot": UtBot,
    "heikin_ashi": HeikinAshi,
    "ichimoku": Ichimoku,
    "psar": Psar,
    "cci": Cci,
    "mfi": Mfi,
    "williams_r": WilliamsR,
    "roc": Roc,
}
"""What computes each of our kinds; called with Parts and the kind's parameters."""


class Vector:
    """One declared indicator of our own kinds, of many series.

    A slot is a series, numbered from 0; `len()` is their number. Answers are dicts of output -> float64, one value for
    each slot asked for, NaN for null. A bar with an input that is not known, or not finite, has no value and is
    otherwise as though it had not been. A refused call changes nothing. Not for several threads at once.

    >>> from plant.indicators.declarations import declaration_of
    >>> vector = Vector(declaration_of({"name": "mean", "kind": "sma", "period": 2}))
    >>> vector.grow(2)
    >>> _ = vector.update([0, 1], {"close": [1.0, 7.0]})
    >>> vector.peek([1], {"close": [8.0]})[""].tolist(), vector.update([1, 0], {"close": [9.0, 2.0]})[""].tolist()
    ([7.5], [8.0, 1.5])
    """

    def __init__(self, declaration: Declaration) -> None:
        parts = Parts()
        self.declaration = declaration
        self._kernel: Kernel = KERNELS[declaration.kind](parts, **declaration.parameters)
        self._first = np.array(parts.numbers)[:, np.newaxis]
        self._numbers = np.zeros((len(parts.numbers), 0))  # series side by side: an operation runs along memory
        self._windows = [np.zeros((n, 0)) for n in parts.windows]
        self._slots = 0

    def __len__(self) -> int:
        return self._slots

    def grow(self, slots: int) -> None:
        """Make the slots 0..slots-1 usable: new ones are empty, old ones keep their state; never shrinks."""
        capacity = self._numbers.shape[1]
        if slots > capacity:
            more = max(slots, 2 * capacity) - capacity
            self._numbers = np.hstack([self._numbers, np.tile(self._first, more)])
            self._windows = [np.hstack([w, np.full((len(w), more), np.nan)]) for w in self._windows]
        self._slots = max(self._slots, slots)

    def reset(self, slots: ArrayLike) -> None:
        """Forget the bars of some slots. Raises IndexError for one that does not exist."""
        which = checked_slots(slots, self._slots)
        self._numbers[:, which] = self._first
        for window in self._windows:
            window[:, which] = np.nan

    def update(self, slots: ArrayLike, bars: Bars) -> dict[str, Floats]:
        """Close one bar in each of some slots and return the values of those bars.

        `slots`: int64[k], each at most once, in any order. `bars`: columns of k values, those the indicator takes in at
        least. Raises IndexError for a slot that does not exist, ValueError for repeated slots or other shapes, KeyError
        for a column that is not given.
        """
        return self.advance(checked_slots(slots, self._slots), bars, keep=True)

    def peek(self, slots: ArrayLike, bars: Bars) -> dict[str, Floats]:
        """Return what `update` would, and change nothing: the values of bars that are still forming."""
        return self.advance(checked_slots(slots, self._slots), bars, keep=False)

    def run(self, slot: int, bars: Bars) -> dict[str, Floats]:
        """Close m bars of one slot, oldest first: the same values, to the last bit, as m calls of `update`.

        `bars`: columns of m values. For one slot and many bars this is many times as fast. Raises as `update`.
        """
        checked_slots([slot], self._slots)
        names, outputs = self.declaration.inputs, self.declaration.outputs
        count = len(np.asarray(next(iter(bars.values()))))
        inputs = [column_of(bars, name, count) for name in names]
        good = np.ones(count, bool)
        for x in inputs:
            good &= np.abs(x) <= LARGEST
        step = step_of(self.declaration)
        state = list(state_of(self._kernel, step))
        for place, owner, name in state:
            if isinstance(place, Window):
                getattr(owner, name).extend(self._windows[place][:, slot].tolist())
            else:
                setattr(owner, name, float(self._numbers[place, slot]))
        rows = [step.update(*row) for row in zip(*(x[good].tolist() for x in inputs), strict=True)]
        for place, owner, name in state:
            array = self._windows if isinstance(place, Window) else self._numbers
            array[place][..., slot] = getattr(owner, name)
        found = np.full((count, len(outputs)), np.nan)
        if rows:
            found[good] = np.array(rows, np.float64).reshape(len(rows), -1)
        return {output: found[:, i].copy() for i, output in enumerate(outputs)}

    def advance(self, slots: Ints, bars: Bars, keep: bool) -> dict[str, Floats]:
        """Do as `update`, or `peek` if not `keep`, with slots that are checked already."""
        inputs = [column_of(bars, name, len(slots)) for name in self.declaration.inputs]
        outputs = self.declaration.outputs
        good = np.ones(len(slots), bool)
        for x in inputs:
            good &= np.abs(x) <= LARGEST  # NaN compares as false
        if good.all():
            return dict(zip(outputs, self._advance(slots, inputs, keep), strict=True))
        found = {output: np.full(len(slots), np.nan) for output in outputs}
        for output, values in zip(outputs, self._advance(slots[good], [x[good] for x in inputs], keep), strict=True):
            found[output][good] = values
        return found

    def arrays(self) -> dict[str, Floats]:
        """Return the state of all slots, copied: numbers, float64[slots, n], and each window, float64[slots, bars]."""
        named = {"numbers": self._numbers} | {f"window_{i}": window for i, window in enumerate(self._windows)}
        return {name: array[:, : self._slots].T.copy() for name, array in named.items()}

    def restore(self, arrays: Mapping[str, Floats]) -> None:
        """Go on from what `arrays` gave. Raises ValueError if that is the state of another indicator."""
        named = {"numbers": self._numbers} | {f"window_{i}": window for i, window in enumerate(self._windows)}
        wanted = {name: (len(arrays.get("numbers", ())), len(array)) for name, array in named.items()}
        found = {name: array.shape for name, array in arrays.items()}
        if wanted != found:
            raise ValueError(f"{self.declaration.name}: expected the arrays {wanted}, found {found}")
        self._numbers, *self._windows = (np.array(arrays[name], np.float64).T.copy() for name in named)
        self._slots = self._numbers.shape[1]

    def _advance(self, slots: Ints, inputs: list[Floats], keep: bool) -> tuple[Floats, ...]:
        if keep and _all_in_order(slots, self._slots):  # nothing to gather: change the state where it lies
            whole = self._numbers[:, : self._slots], [window[:, : self._slots] for window in self._windows]
            values = self._kernel(*whole, *inputs)
            return values if isinstance(values, tuple) else (values,)
        numbers, windows = self._numbers[:, slots], [window[:, slots] for window in self._windows]
        values = self._kernel(numbers, windows, *inputs)
        if keep:
            self._numbers[:, slots] = numbers
            for window, changed in zip(self._windows, windows, strict=True):
                window[:, slots] = changed
        return values if isinstance(values, tuple) else (values,)


def _all_in_order(slots: Ints, count: int) -> bool:
    return len(slots) == count and bool((slots == np.arange(count)).all())


def checked_slots(slots: ArrayLike, count: int) -> Ints:
    """Return slots as int64[k]. Raises IndexError for one that does not exist, ValueError for repeated or others."""
    which = np.asarray(slots)
    if which.ndim != 1 or (which.size and which.dtype.kind not in "iu"):
        raise ValueError(f"slots: expected int64[k], found {which.dtype}{list(which.shape)}")
    which = which.astype(np.int64, copy=False)
    if which.size:
        for slot in (int(which.min()), int(which.max())):
            if not 0 <= slot < count:
                raise IndexError(f"slot {slot} does not exist, there are {count}; call grow({slot + 1}) first")
        times = np.bincount(which)
        if times.max() > 1:
            raise ValueError(f"slots: slot {times.argmax()} is given more than once; close one bar of it per call")
    return which


def column_of(bars: Bars, name: str, count: int) -> Floats:
    """Return a column of bars, or what is computed of their prices. Raises KeyError, ValueError for another shape."""
    if name in bars:
        values = np.asarray(bars[name], np.float64)
        if values.shape != (count,):
            raise ValueError(f"{name}: expected float64[{count}], one per slot, found shape {values.shape}")
        return values
    if name == "session":
        return (np.asarray(bars["time"], np.int64) // DAY_NS).astype(np.float64)
    if name not in _COMPUTED:
        raise KeyError(f"bars: no column {name!r}; there are {', '.join(bars)}")
    series = [column_of(bars, part, count) for part in _COMPUTED[name]]
    added = series[0]
    for x in series[1:]:
        added = added + x
    return added / len(series)


_COMPUTED = {"hl2": ("high", "low"), "hlc3": ("high", "low", "close"), "ohlc4": ("open", "high", "low", "close")}
