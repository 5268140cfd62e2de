"""The folds of each symbol's last few minutes, in arrays: one row for each symbol and place, found without a search."""

import numpy as np

from processor.checkpoints.saved import Saved, restore_to, saved_of
from processor.trades.folding import FOLD, MINUTE_NS, VALUES, nothing

RING = 4
"""Minutes kept of each symbol: later trades of them cost nothing. Older ones are made again from what was recorded."""

_STATE = np.dtype(
    [
        ("minute", "<i8"),  # its start, -1: none
        ("fold", FOLD),
        ("had", "<f8", len(VALUES)),  # what the plant has, NaN: nothing
        ("given_at", "<i8"),
        ("feed", "<i4"),  # whose trades they are
        ("changed", "?"),  # since it was given out
        ("foreign", "?"),  # a feed sent this bar itself
        ("final", "?"),  # it was given out after a later minute came
    ]
)


class MinuteTable:
    """Rows of `_STATE`; row slot * RING + minute % RING holds a minute of a slot. `newest` is each slot's last one."""

    def __init__(self) -> None:
        self.rows = np.zeros(0, dtype=_STATE)
        self.newest = np.zeros(0, dtype=np.int64)

    def grow(self, slots: int) -> None:
        """Have room for so many slots; more than that, so that it seldom happens."""
        have = len(self.newest)
        if slots > have:
            more = max(slots - have, have, 64)
            fresh = np.zeros(more * RING, dtype=_STATE)
            _empty(fresh)
            fresh["minute"] = -1
            self.rows = np.concatenate((self.rows, fresh))
            self.newest = np.append(self.newest, np.full(more, -1))

    def find(self, slots: np.ndarray, minutes: np.ndarray) -> np.ndarray:
        """Return the row of each slot's minute, -1 for those that are not here: int64[n]."""
        at = slots * RING + minutes // MINUTE_NS % RING
        return np.where(self.rows["minute"][at] == minutes, at, -1)

    def stays(self, slots: np.ndarray, minutes: np.ndarray) -> np.ndarray:
        """Return which of n minutes are here, or are the last of these in their place: bool[n].

        The others would take a place only to leave it for another of these, without a trace.
        """
        at = slots * RING + minutes // MINUTE_NS % RING
        places, which = np.unique(at, return_inverse=True)
        newest = np.full(len(places), -1)
        np.maximum.at(newest, which, minutes)
        found: np.ndarray = (minutes == newest[which]) | (self.rows["minute"][at] == minutes)
        return found

    def claim(self, slots: np.ndarray, minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the row of each slot's minute, made if there is none, -1 if it is too old: int64[n]; and what went.

        Each slot is given once. A place is only ever taken by a later minute, so one that is made here was never here
        before. What went for it: copies of rows that were changed and not given out since, with their slots.
        """
        at = slots * RING + minutes // MINUTE_NS % RING
        held = self.rows["minute"][at]
        newer = minutes > held
        leaving = at[newer & self.rows["changed"][at]]
        gone = self.rows[leaving].copy()
        fresh = np.zeros(int(newer.sum()), dtype=_STATE)
        _empty(fresh)
        fresh["minute"] = minutes[newer]
        self.rows[at[newer]] = fresh
        self.newest[slots] = np.maximum(self.newest[slots], minutes)
        return np.where(minutes >= held, at, -1), leaving // RING, gone

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        return saved_of(self, ("rows", "newest"))

    def restore(self, saved: Saved) -> None:
        """Go on from there. Raises ValueError for the state of something else."""
        restore_to(self, saved, ("rows", "newest"))


def _empty(rows: np.ndarray) -> None:
    rows["fold"] = nothing(len(rows))
    rows["had"] = np.nan
    rows["given_at"] = -1
    rows["feed"] = -1
