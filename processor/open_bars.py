"""Which bars of each series are not closed, and which closed ones are not what they were when they closed.

Arrays by slot. Of the bars behind the last closed one the two newest are kept: the one that forms, and the one before
it, whose row of `bar_closes` is on its way. Those that many later ones push out before they are closed, as in a replay,
are kept aside. Whatever else comes late or revised is remembered by itself, until its bar closes, or makes the series
stale: what was computed of it must be computed anew from the bars that the plant holds.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.checkpoints.saved import Saved, restore_to, saved_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

PRICES = ("open", "high", "low", "close", "volume")
NEVER = -(2**63)
"""The time of a bar that is not there."""

_LATER = 2**63 - 1

_STATE = ("closed", "stale", "_times", "_values", "_changed")


class OpenBars:
    """The newest bars of many series, as rows of `bars` and of `bar_closes` come out of the plant.

    times of bars are int64, ns; values float64[n, 5] in the order of PRICES. `closed`, int64[slots]: the last closed
    bar, NEVER if none is; `stale`: slot -> the first bar from which on the series must be computed anew.
    """

    def __init__(self) -> None:
        self.closed: Ints = np.zeros(0, np.int64)
        self.stale: dict[int, int] = {}
        self._times = np.zeros((2, 0), np.int64)  # of the newest bar, and of the one before it
        self._values = np.zeros((2, 0, len(PRICES)))
        self._changed = np.zeros(0, bool)
        self._late: dict[tuple[int, int], Floats] = {}  # bars before those two that are not closed
        self._aside: list[tuple[Ints, Ints, Floats]] = []  # likewise, that came in order of time

    def __len__(self) -> int:
        return len(self.closed)

    def grow(self, slots: int) -> None:
        """Make the slots 0..slots-1 usable; never shrinks."""
        more = slots - len(self)
        if more > 0:
            self.closed = np.concatenate([self.closed, np.full(more, NEVER)])
            self._times = np.concatenate([self._times, np.full((2, more), NEVER)], axis=1)
            self._values = np.concatenate([self._values, np.zeros((2, more, len(PRICES)))], axis=1)
            self._changed = np.concatenate([self._changed, np.zeros(more, bool)])

    def take(self, slots: Ints, times: Ints, values: Floats) -> None:
        """Take rows of `bars`, in the order in which they came."""
        order = np.argsort(slots, kind="stable")
        slots, times, values = slots[order], times[order], values[order]
        begins = np.append(True, slots[1:] != slots[:-1]) if len(slots) else np.zeros(0, bool)
        highest = _running_most(begins, times)
        on_time = (times == highest) & (times >= self._times[0][slots]) & (times > self.closed[slots])
        self._take_newest(slots[on_time], times[on_time], values[on_time])
        for i in np.flatnonzero(~on_time).tolist():  # behind those on time: of a bar of theirs it is a later revision
            self._take_late(int(slots[i]), int(times[i]), values[i])

    def compare(self, slots: Ints, times: Ints, values: Floats) -> None:
        """Take all rows of `bar_closes` that are about to be closed, for the bars that are kept aside."""
        if not self._aside:
            return
        at, when, what = (np.concatenate(part) for part in zip(*self._aside, strict=True))
        order = np.lexsort((when, at))  # stable: of several revisions the last stays last
        at, when, what = at[order], when[order], what[order]
        last = np.append((at[1:] != at[:-1]) | (when[1:] != when[:-1]), True)
        at, when, what = at[last], when[last], what[last]
        known, ranks = np.unique(when, return_inverse=True)
        keys = at * len(known) + ranks  # ascending
        place = np.minimum(np.searchsorted(known, times), len(known) - 1)
        found = np.minimum(np.searchsorted(keys, slots * len(known) + place), len(keys) - 1)
        there = (at[found] == slots) & (when[found] == times)
        for i in np.flatnonzero(there & (what[found] != values).any(axis=1)).tolist():
            self.doubt(int(slots[i]), int(times[i]))
        over = self.closed.copy()
        np.maximum.at(over, slots, times)
        open_ = when > over[at]
        self._aside = [(at[open_], when[open_], what[open_])] if open_.any() else []

    def close(self, slots: Ints, times: Ints, values: Floats) -> NDArray[np.bool_]:
        """Take rows of `bar_closes`, one of each slot at most, and return which close a bar, bool[k].

        The others are of bars that are closed already. A bar that has another value by now makes its series stale.
        """
        new = times > self.closed[slots]
        slots, times, values = slots[new], times[new], values[new]
        self.closed[slots] = times
        self._changed[slots[self._times[0][slots] > times]] = True  # what forms behind it was not shown yet
        for row in range(2):
            here = self._times[row][slots] == times
            for i in np.flatnonzero(here & (self._values[row][slots] != values).any(axis=1)).tolist():
                self.doubt(int(slots[i]), int(times[i]))
        if self._late:
            values_of = dict(zip(zip(slots.tolist(), times.tolist(), strict=True), values, strict=True))
            for slot, time in [key for key in self._late if key[1] <= self.closed[key[0]]]:
                value = self._late.pop((slot, time))
                if (values_of.get((slot, time), np.nan) != value).any():
                    self.doubt(slot, time)  # another value, or none: it came behind the close of a later one
        return new

    def doubt(self, slot: int, time: int) -> None:
        """Let a series be computed anew from a bar on."""
        self.stale[slot] = min(time, self.stale.get(slot, time))

    @property
    def any_changed(self) -> bool:
        """Whether a bar that forms may have changed since `forming` was last asked."""
        return bool(self._changed.any())

    def forms(self, slots: Ints) -> NDArray[np.bool_]:
        """Return which series have a bar that is not closed, bool[k]."""
        found: NDArray[np.bool_] = self._times[0][slots] > self.closed[slots]
        return found

    def forming(self) -> tuple[Ints, Ints, Floats]:
        """Return slots, times and values of the bars that form and that changed since this was last asked.

        That is the first bar of a series that is not closed; while it is none of the two newest, nothing of the series
        is returned: what forms behind it cannot be computed before it closed.
        """
        slots = np.flatnonzero(self._changed)
        before = self._times[1][slots] > self.closed[slots]
        row = before.astype(np.int64)
        times = self._times[row, slots]
        open_ = (times > self.closed[slots]) & (times < self._first_waiting()[slots])
        self._changed[:] = False
        return slots[open_], times[open_], self._values[row[open_], slots[open_]]

    def show_again(self, slots: Ints) -> None:
        """Let the bars that form in some series be among `forming`, though they have not changed."""
        self._changed[slots] = True

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        late = [(*key, value.tolist()) for key, value in self._late.items()]
        return {"late": late, "aside": list(self._aside), **saved_of(self, _STATE)}

    def restore(self, saved: Saved) -> None:
        """Go on from there, one that is new. Raises ValueError for the state of something else."""
        restore_to(self, saved, _STATE)
        self._aside = list(saved["aside"])
        self._late = {(slot, time): np.array(value) for slot, time, value in saved["late"]}

    def _take_newest(self, slots: Ints, times: Ints, values: Floats) -> None:
        """Take rows that come in order of time within each series, behind what is known or revising the newest."""
        if not len(slots):
            return
        last = np.append((slots[1:] != slots[:-1]) | (times[1:] != times[:-1]), True)  # the last revision of each bar
        slots, times, values = slots[last], times[last], values[last]
        ends = np.append(slots[1:] != slots[:-1], True)
        newest, second = np.flatnonzero(ends), np.flatnonzero(ends) - 1
        which = slots[newest]
        in_batch = (second >= 0) & (slots[second] == which)  # the one before came with it
        moved = ~in_batch & (times[newest] > self._times[0][which])
        kept = ends.copy()
        kept[second[in_batch]] = True
        for row, leaving in ((1, moved | in_batch), (0, in_batch & (self._times[0][which] < times[second]))):
            gone = which[leaving]
            self._put_aside(gone, self._times[row][gone], self._values[row][gone])
        self._put_aside(slots[~kept], times[~kept], values[~kept])  # last: one of them may revise what was known
        self._times[1][which[moved]], self._values[1][which[moved]] = (
            self._times[0][which[moved]],
            self._values[0][which[moved]],
        )
        self._times[1][which[in_batch]], self._values[1][which[in_batch]] = (
            times[second[in_batch]],
            values[second[in_batch]],
        )
        self._times[0][which], self._values[0][which] = times[newest], values[newest]
        self._changed[which] = True

    def _first_waiting(self) -> Ints:
        """Return of each slot the first bar besides the two newest that is not closed, _LATER if there is none."""
        found = np.full(len(self), _LATER)
        late = np.array([*self._late], np.int64).reshape(-1, 2)
        for slots, times in [(late[:, 0], late[:, 1]), *(part[:2] for part in self._aside)]:
            open_ = times > self.closed[slots]
            np.minimum.at(found, slots[open_], times[open_])
        return found

    def _put_aside(self, slots: Ints, times: Ints, values: Floats) -> None:
        open_ = times > self.closed[slots]
        if open_.any():
            self._aside.append((slots[open_], times[open_], values[open_]))

    def _take_late(self, slot: int, time: int, value: Any) -> None:
        known = [row for row in range(2) if self._times[row][slot] == time]
        if known and (self._values[known[0]][slot] == value).all():
            return
        if known:
            self._values[known[0]][slot] = value
            self._changed[slot] = True
        if time <= self.closed[slot]:
            self.doubt(slot, time)
        elif not known:
            self._late[slot, time] = np.array(value)


def _running_most(begins: NDArray[np.bool_], times: Ints) -> Ints:
    """Return the latest time so far of each series, int64[n], of rows by series; `begins`: where one begins."""
    found, ranks = np.unique(times, return_inverse=True)
    series = np.cumsum(begins)
    most = np.maximum.accumulate(series * len(found) + ranks) if len(times) else ranks
    result: Ints = found[most - series * len(found)] if len(times) else times
    return result
