"""The series of the processor: a symbol and an interval each, numbered (its slot) in the order in which they come."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from plant.rows.columns import Columns, Symbols
from processor.checkpoints.saved import Saved

Ints = NDArray[np.int64]


class Series:
    """Slots 0, 1, 2, ... of pairs of symbol and interval; `len()` is how many there are."""

    def __init__(self) -> None:
        self._syms, self._intervals = _Numbers(), _Numbers()
        self._slots = np.full((0, 0), -1, dtype=np.int64)  # by symbol and interval
        self._pairs: list[tuple[int, int]] = []
        self._codes = np.zeros((0, 2), dtype=np.int32)
        self._names: tuple[list[str], list[str]] = ([], [])

    def __len__(self) -> int:
        return len(self._pairs)

    def of(self, sym: Symbols, interval: Symbols) -> Ints:
        """Return the slot of each row, int64[n]; a pair that is new gets one."""
        syms, intervals = self._syms.of(sym), self._intervals.of(interval)
        wanted = len(self._syms), len(self._intervals)
        for names, known in zip(self._names, (self._syms, self._intervals), strict=True):
            names += list(known)[len(names) :] if len(names) < len(known) else ()
        if wanted[0] > self._slots.shape[0] or wanted[1] > self._slots.shape[1]:
            grown = np.full((max(wanted[0], 2 * self._slots.shape[0]), wanted[1]), -1, dtype=np.int64)
            grown[: self._slots.shape[0], : self._slots.shape[1]] = self._slots
            self._slots = grown
        found = self._slots[syms, intervals]
        if (new := found < 0).any():
            for pair in dict.fromkeys(zip(syms[new].tolist(), intervals[new].tolist(), strict=True)):
                self._slots[pair] = len(self._pairs)
                self._pairs.append(pair)
            self._codes = np.array(self._pairs, dtype=np.int32)
            found = self._slots[syms, intervals]
        return found

    def slot(self, sym: str, interval: str) -> int:
        """Return the slot of one series."""
        return int(self.of(Symbols.of([sym]), Symbols.of([interval]))[0])

    def name(self, slot: int) -> tuple[str, str]:
        """Return symbol and interval of a slot."""
        sym, interval = self._pairs[slot]
        return self._names[0][sym], self._names[1][interval]

    def columns(self, slots: Ints) -> Columns:
        """Return the columns `sym` and `interval` of slots."""
        codes = self._codes[slots]
        return {
            name: Symbols(names.copy(), codes[:, i].copy())
            for i, (name, names) in enumerate(zip(("sym", "interval"), self._names, strict=True))
        }

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        return {"syms": list(self._syms), "intervals": list(self._intervals), "codes": self._codes.copy()}

    def restore(self, saved: Saved) -> None:
        """Go on from there, one that is new."""
        syms, intervals, codes = saved["syms"], saved["intervals"], saved["codes"]
        self._names = (list(syms), list(intervals))
        self._syms, self._intervals = _Numbers(syms), _Numbers(intervals)
        self._codes, self._pairs = codes, [(sym, interval) for sym, interval in codes.tolist()]
        self._slots = np.full((len(syms), len(intervals)), -1, dtype=np.int64)
        self._slots[codes[:, 0], codes[:, 1]] = np.arange(len(codes))


class _Numbers(dict[str, int]):
    """Numbers 0, 1, 2, ... of names, in the order in which they come."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__((name, number) for number, name in enumerate(names))
        self._names: list[str] = []  # of a column whose rows used all of them, as the next one's mostly are
        self._numbers: Ints = np.zeros(0, np.int64)

    def of(self, column: Symbols) -> Ints:
        """Return the number of each row's name, int64[n]; of a column's names those that it uses become known."""
        if column.names != self._names:
            used = np.flatnonzero(np.bincount(column.codes, minlength=1)).tolist()
            numbers = np.zeros(len(column.names), dtype=np.int64)
            numbers[used] = [self.setdefault(column.names[code], len(self)) for code in used]
            if len(used) < len(column.names):
                return np.asarray(numbers[column.codes])
            self._names, self._numbers = column.names.copy(), numbers
        return np.asarray(self._numbers[column.codes])


def turns_of(slots: Ints, rows: Ints | None = None) -> Iterable[Ints]:
    """Yield positions, or those of `rows`, such that each slot is among them once at most, in order."""
    if not len(slots):
        return
    order = np.argsort(slots, kind="stable")
    starts = np.append(True, slots[order][1:] != slots[order][:-1])
    first = np.maximum.accumulate(np.where(starts, np.arange(len(slots)), 0))
    turn = np.arange(len(slots)) - first
    order = order[np.argsort(turn, kind="stable")]
    for chosen in np.split(order, np.cumsum(np.bincount(turn))[:-1]):
        yield np.sort(chosen) if rows is None else rows[np.sort(chosen)]
