"""Where bars of many symbols begin and end at once, each by its own calendar."""

from collections.abc import Callable

import numpy as np

from plant.calendars.sessions import Sessions
from processor.trades.slots import Slots


class Grids:
    """`Sessions` for rows of several symbols: `slots` are their numbers, int64[n] as the times."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._sessions: list[Sessions] = []

    def starts(self, slots: np.ndarray, times: np.ndarray, interval: str) -> np.ndarray:
        """Return the start of the bar that holds each time, NO_BAR for none, int64[n]."""
        return self._each(slots, times, lambda sessions, some: sessions.starts(some, interval))

    def ends(self, slots: np.ndarray, starts: np.ndarray, interval: str) -> np.ndarray:
        """Return the end of each bar, int64[n]."""
        return self._each(slots, starts, lambda sessions, some: sessions.ends(some, interval))

    def is_start(self, slot: int, start: int, interval: str) -> bool:
        """Return whether a bar of a symbol may begin there; one that a feed labels otherwise is none of ours."""
        one, time = np.array([slot]), np.array([start])
        if interval == "1d":
            time = self.ends(one, time, interval) - 1
        return int(self.starts(one, time, interval)[0]) == start

    def _each(
        self, slots: np.ndarray, times: np.ndarray, asked: Callable[[Sessions, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        self._sessions += [self._slots.sessions(slot) for slot in range(len(self._sessions), len(self._slots))]
        used, inverse = np.unique(slots, return_inverse=True)
        kinds = [self._sessions[slot] for slot in used.tolist()]
        distinct = list({id(k): k for k in kinds}.values())
        if len(distinct) == 1:
            return asked(distinct[0], times)
        found = np.empty(len(times), dtype=np.int64)
        numbers = {id(sessions): i for i, sessions in enumerate(distinct)}
        which = np.array([numbers[id(k)] for k in kinds], dtype=np.int64)[inverse]
        for i, sessions in enumerate(distinct):
            at = which == i
            found[at] = asked(sessions, times[at])
        return found
