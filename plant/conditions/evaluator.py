"""One condition, followed over the bars of many series: what it needs of the bars before lies in arrays by slot."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plant.conditions.condition import Condition
from plant.conditions.evaluation import PRICE_DIFFERENCES, Bools, Evaluation, Floats, state_rows
from plant.conditions.sentences import Told, sentences

Slots = NDArray[np.int64]


class Evaluator:
    """Whether a condition is true, bar by bar, of each of many series.

    A series lives in a slot, numbered from 0; `len()` is how many there are. `columns` are the names that the values of
    every bar must have: those of the condition, and of what their rounding is measured by (`scales`: column -> column,
    see `plant.conditions.evaluation`). A condition that reads a null, or a bar before the first, is false, whatever
    else it says. A refused call changes nothing. Not for several threads at once.

    >>> from plant.conditions.parsing import condition_of
    >>> oversold = Evaluator(condition_of("rsi_14 crosses below 30"))
    >>> oversold.grow(2)
    >>> oversold.update([0, 1], {"rsi_14": [31.2, 50.0]}).tolist()
    [False, False]
    >>> oversold.peek([0], {"rsi_14": [29.9]}).tolist()
    [True]
    >>> oversold.events([0, 1], {"rsi_14": [29.4, 51.0]})
    {0: 'RSI 14 fell below 30 (29.4, was 31.2)'}
    """

    def __init__(self, condition: Condition, scales: Mapping[str, str] = PRICE_DIFFERENCES) -> None:
        self.condition = condition
        self._scales = {name: scales[name] for name in condition.names if name in scales}
        self.columns = tuple(dict.fromkeys((*condition.names, *self._scales.values())))
        self._slots = 0
        self._state = {name: np.empty((rows, 0)) for name, rows in state_rows(condition, self._scales).items()}

    def __len__(self) -> int:
        return self._slots

    def grow(self, n_slots: int) -> None:
        """Make the slots 0..n_slots-1 usable: new ones have had no bar, old ones keep their state; never shrinks."""
        for name, rows in self._state.items():
            if n_slots > (capacity := rows.shape[1]):
                more = max(n_slots, 2 * capacity) - capacity
                self._state[name] = np.pad(rows, ((0, 0), (0, more)), constant_values=np.nan)
        self._slots = max(self._slots, n_slots)

    def reset(self, slots: ArrayLike) -> None:
        """Forget the bars of some series, int64[k]: to go through them again. Raises as `update` does."""
        which = self._checked(slots)
        for rows in self._state.values():
            rows[:, which] = np.nan

    def update(self, slots: ArrayLike, values: Mapping[str, ArrayLike]) -> Bools:
        """Close one bar in each of some slots, and return where the condition is true, bool[k].

        `slots`: int64[k], each at most once, in any order. `values`: float64[k] for each of `columns`, NaN for null;
        other columns may be there too. Raises IndexError for a slot that does not exist, ValueError for repeated slots,
        other shapes or a missing column.
        """
        which = self._checked(slots)
        return self._stored(which, self._evaluated(which, values, len(which))).true[0]

    def peek(self, slots: ArrayLike, values: Mapping[str, ArrayLike]) -> Bools:
        """Return what `update` would, and change nothing: for bars that are still forming."""
        which = self._checked(slots)
        return self._evaluated(which, values, len(which)).true[0]

    def events(self, slots: ArrayLike, values: Mapping[str, ArrayLike]) -> dict[int, str]:
        """Do what `update` does, and return the sentence of each place in `slots` where the condition is true."""
        which = self._checked(slots)
        found = self._stored(which, self._evaluated(which, values, len(which)))
        series = np.flatnonzero(found.true[0])
        return dict(zip(series.tolist(), _told(found, np.zeros(len(series), np.int64), series), strict=True))

    def run(self, slot: int, values: Mapping[str, ArrayLike]) -> Bools:
        """Close m bars of one slot, oldest first, and return where the condition is true, bool[m].

        `values`: float64[m] for each of `columns`. The same as m calls of `update`. Raises as that does.
        """
        which = self._checked([slot])
        return self._stored(which, self._evaluated(which, values, None)).true[:, 0]

    def run_events(self, slot: int, values: Mapping[str, ArrayLike]) -> dict[int, str]:
        """Do what `run` does, and return the sentence of each bar, counted from 0, on which the condition is true."""
        which = self._checked([slot])
        found = self._stored(which, self._evaluated(which, values, None))
        bars = np.flatnonzero(found.true[:, 0])
        return dict(zip(bars.tolist(), _told(found, bars, np.zeros(len(bars), np.int64)), strict=True))

    def arrays(self) -> dict[str, Floats]:
        """Return a copy of the state, for a checkpoint: float64[rows, slots] by name, see `evaluation`."""
        return {name: rows[:, : self._slots].copy() for name, rows in self._state.items()}

    def restore(self, arrays: Mapping[str, ArrayLike], n_slots: int) -> None:
        """Take up the state that `arrays` gave out, of so many slots.

        Raises ValueError if it is that of another condition, and changes nothing.
        """
        given = {name: np.array(rows, np.float64) for name, rows in arrays.items()}
        found = {name: rows.shape for name, rows in given.items()}
        wanted = {name: (len(rows), n_slots) for name, rows in self._state.items()}
        if found != wanted:
            raise ValueError(f"state of {self.condition.text!r}: expected arrays {wanted}, found {found}")
        self._state, self._slots = given, n_slots

    def _evaluated(self, which: Slots, values: Mapping[str, ArrayLike], series: int | None) -> Evaluation:
        """Evaluate one bar of so many series, or of one series (None) as many bars as there are."""
        rows: dict[str, Floats] = {}
        for name in self.columns:
            if name not in values:
                raise ValueError(f"values: expected {', '.join(self.columns)}, found no {name}")
            row = np.asarray(values[name], np.float64)
            expected = (len(next(iter(rows.values()))) if rows else row.size,) if series is None else (series,)
            if row.shape != expected:
                raise ValueError(f"values: expected float64[{expected[0]}] of {name}, found shape {row.shape}")
            rows[name] = row[:, None] if series is None else row[None, :]
        past = {name: state[:, which] for name, state in self._state.items()}
        return Evaluation(self.condition, rows, past, self._scales)

    def _stored(self, which: Slots, found: Evaluation) -> Evaluation:
        for name, rows in found.after.items():
            self._state[name][:, which] = rows
        return found

    def _checked(self, slots: ArrayLike) -> Slots:
        which = np.asarray(slots)
        if which.ndim != 1 or (which.size and which.dtype.kind not in "iu"):
            raise ValueError(f"slots: expected int64[k], found {which.dtype}{list(which.shape)}")
        which = which.astype(np.int64, copy=False)
        if which.size:
            for slot in (which.min(), which.max()):
                if not 0 <= slot < self._slots:
                    raise IndexError(
                        f"slot {slot} does not exist, there are {self._slots}; call grow({slot + 1}) first"
                    )
            times = np.bincount(which)
            if times.max() > 1:
                raise ValueError(f"slots: slot {times.argmax()} is given more than once; close one bar of it per call")
        return which


class OneSeries:
    """Whether a condition is true of one series, bar by bar, on plain numbers.

    A bar is column -> number; a column that is absent or None is null.

    >>> from plant.conditions.parsing import condition_of
    >>> rising = OneSeries(condition_of("close rising 2"))
    >>> [rising.update({"close": close}) for close in (10.0, 11.0, 12.0, 12.0)]
    [False, False, True, False]
    """

    def __init__(self, condition: Condition, scales: Mapping[str, str] = PRICE_DIFFERENCES) -> None:
        self.condition = condition
        self._evaluator = Evaluator(condition, scales)
        self._evaluator.grow(1)

    def update(self, bar: Mapping[str, float | None]) -> bool:
        """Close a bar and return whether the condition is true."""
        return bool(self._evaluator.update([0], self._values(bar))[0])

    def peek(self, bar: Mapping[str, float | None]) -> bool:
        """Return what `update` would, and change nothing."""
        return bool(self._evaluator.peek([0], self._values(bar))[0])

    def event(self, bar: Mapping[str, float | None]) -> str | None:
        """Close a bar and return the sentence if the condition is true, else None."""
        return self._evaluator.events([0], self._values(bar)).get(0)

    def _values(self, bar: Mapping[str, float | None]) -> dict[str, list[float]]:
        given = {name: bar.get(name) for name in self._evaluator.columns}
        return {name: [np.nan if value is None else float(value)] for name, value in given.items()}


def _told(found: Evaluation, bars: Slots, series: Slots) -> list[str]:
    """Return the sentences of some bars, each of a series, on which a condition is true."""
    if not len(bars):
        return []

    def at(arrays: tuple[Floats, ...]) -> tuple[Floats, ...]:
        return tuple(array[bars, series] for array in arrays)

    told = {atom: Told(fact.true[bars, series], at(fact.now), at(fact.was)) for atom, fact in found.facts.items()}
    return sentences(found.condition.tree, told)
