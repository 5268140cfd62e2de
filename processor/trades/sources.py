"""Which feed's trades count for a symbol, where several send the same prints.

The first of `ranked` that sends the symbol counts, then any other in the order in which they came. One that is silent
for SILENT_NS within a session while another sends hands over to that one from the next minute on, and takes over again
in the same way. A late trade counts if its feed counted at its time: what a feed missed while another counted, and
sends once it is back, is of the minutes before. All is decided by rows and when the plant took them, in the order of
the journal, so that it is decided again alike.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from processor.checkpoints.saved import Saved, restore_to, saved_of
from processor.trades.folding import MINUTE_NS

SILENT_NS = 15 * 10**9
_NONE = -1
_STATE = ("now", "_before", "_from", "_earlier", "_first", "_newest", "_last", "_reigns", "dropped")

MOST_REIGNS = 16
"""Of each symbol so many feeds are remembered that counted before the last two."""


class Switch(NamedTuple):
    """Another feed counts from `minute` (ns UTC) on; decided at `time`, when the plant took a row of it."""

    time: int
    slot: int
    sym: str
    before: str
    after: str
    minute: int
    silent: bool

    @property
    def state(self) -> str:
        """What the table `gaps` says of it."""
        return "opened" if self.silent else "healed"

    @property
    def detail(self) -> str:
        """The sentence for the table `gaps`."""
        when = np.datetime64(self.minute, "ns").astype("M8[s]")
        why = f"no trade of {self.before} for 15 s" if self.silent else f"{self.after} sends again"
        return f"{self.sym}: {why}; trades of {self.after} count from {when}Z on"


class Sources:
    """What counts, of each slot. `session_since(slot, time)` says since when the session runs, None outside of one."""

    def __init__(self, ranked: Sequence[str], session_since: Callable[[int, int], int | None]) -> None:
        self._ranked = list(ranked)
        self._since_open = session_since
        self.names: list[str] = []
        self._ids: dict[str, int] = {}
        self._rank = np.empty(0, dtype=np.int64)
        self.now = np.empty(0, dtype=np.int64)  # of each slot, the feed that counts
        self._before = np.empty(0, dtype=np.int64)  # that counted before `_from`
        self._from = np.empty(0, dtype=np.int64)
        self._earlier = np.empty(0, dtype=np.int64)  # from when on `_before` counted
        self._reigns: list[tuple[int, int, int]] = []  # those before that: slot, from when on, feed; oldest first
        self._first = np.empty(0, dtype=np.int64)  # the first minute of all: before it, any feed counts
        self._newest = np.empty(0, dtype=np.int64)
        self._last = np.zeros((0, 0), dtype=np.int64)  # when the plant took a row of slot and feed last
        self.dropped = 0

    def id_of(self, name: str) -> int:
        """Return the number of a feed."""
        if name not in self._ids:
            self._ids[name] = len(self.names)
            self.names.append(name)
            rank = self._ranked.index(name) if name in self._ranked else len(self._ranked)
            self._rank = np.append(self._rank, rank)
            self._last = np.pad(self._last, ((0, 0), (0, 1)))
        return self._ids[name]

    def grow(self, slots: int) -> None:
        """Have room for so many slots."""
        more = slots - len(self.now)
        if more > 0:
            self.now, self._before = (np.append(a, np.full(more, _NONE)) for a in (self.now, self._before))
            self._from, self._earlier, self._first, self._newest = (
                np.append(a, np.zeros(more, dtype=np.int64))
                for a in (self._from, self._earlier, self._first, self._newest)
            )
            self._last = np.pad(self._last, ((0, more), (0, 0)))

    def counting(
        self, slots: np.ndarray, feeds: np.ndarray, times: np.ndarray, received: np.ndarray, syms: Sequence[str]
    ) -> tuple[np.ndarray, list[Switch]]:
        """Return which of n trades count, bool[n], and what was decided; rows in the order of the journal, int64[n].

        `feeds` are numbers of `id_of`, `syms` the names of all slots.
        """
        new = np.flatnonzero(self.now[slots] == _NONE)
        if len(new):
            fresh, first = np.unique(slots[new], return_index=True)
            rows = new[first]
            self.now[fresh] = self._before[fresh] = feeds[rows]
            self._from[fresh] = self._earlier[fresh] = self._first[fresh] = times[rows] // MINUTE_NS * MINUTE_NS
        current = self.now[slots]
        other = feeds != current
        switches: list[Switch] = []
        if not other.any():
            good = self._good(slots, feeds, times)
            self._note(slots, feeds, times, received)
            self.dropped += int(len(good) - good.sum())
            return good, switches
        silent = received - self._last[slots, current] > SILENT_NS
        hard = other & (silent | (self._rank[feeds] < self._rank[current])) & (times >= self._newest[slots])
        careful = np.isin(slots, np.unique(slots[hard])) if hard.any() else np.zeros(len(slots), dtype=bool)
        good = self._good(slots, feeds, times)
        easy = ~careful
        self._note(slots[easy], feeds[easy], times[easy], received[easy])
        for row in np.flatnonzero(careful).tolist():
            slot, feed, time, came = int(slots[row]), int(feeds[row]), int(times[row]), int(received[row])
            if (switch := self._decide(slot, feed, time, came, syms)) is not None:
                switches.append(switch)
            good[row] = self._good(slots[row : row + 1], feeds[row : row + 1], times[row : row + 1])[0]
            self._note(slots[row : row + 1], feeds[row : row + 1], times[row : row + 1], received[row : row + 1])
        self.dropped += int(len(good) - good.sum())
        return good, switches

    def chosen(self) -> dict[str, int]:
        """Return of how many symbols each feed's trades count, those with most first."""
        counts = np.bincount(self.now[self.now != _NONE], minlength=len(self.names))
        return {self.names[i]: int(counts[i]) for i in np.argsort(-counts, kind="stable").tolist() if counts[i]}

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        return {"names": list(self.names), **saved_of(self, _STATE)}

    def restore(self, saved: Saved) -> None:
        """Go on from there. Raises ValueError for the state of something else."""
        for name in saved["names"]:
            self.id_of(name)
        restore_to(self, saved, _STATE)

    def best(self, candidates: Sequence[str], now: int) -> str:
        """Return which feed of several that have trades of one old minute counts: that of the slot, else by rank."""
        ids = [self.id_of(name) for name in candidates]
        return self.names[min(ids, key=lambda i: (i != now, self._rank[i], i))]

    def _good(self, slots: np.ndarray, feeds: np.ndarray, times: np.ndarray) -> np.ndarray:
        counts = np.where(times >= self._from[slots], self.now[slots], self._before[slots])
        free = times < self._first[slots]
        for row in np.flatnonzero((times < self._earlier[slots]) & ~free).tolist():
            counts[row] = self._feed_at(int(slots[row]), int(times[row]), int(counts[row]))
        found: np.ndarray = (counts == feeds) | free
        return found

    def _feed_at(self, slot: int, time: int, otherwise: int) -> int:
        """Return which feed counted before the last two; `otherwise`: that is not remembered."""
        of_slot = [(since, feed) for one, since, feed in self._reigns if one == slot]
        return next((feed for since, feed in reversed(of_slot) if since <= time), otherwise)

    def _note(self, slots: np.ndarray, feeds: np.ndarray, times: np.ndarray, received: np.ndarray) -> None:
        np.maximum.at(self._last, (slots, feeds), received)
        counted = feeds == self.now[slots]
        np.maximum.at(self._newest, slots[counted], times[counted])

    def _decide(self, slot: int, feed: int, time: int, came: int, syms: Sequence[str]) -> Switch | None:
        current = int(self.now[slot])
        if feed == current or time < self._newest[slot]:
            return None
        opened = self._since_open(slot, came)
        silent = opened is not None and came - max(int(self._last[slot, current]), opened) > SILENT_NS
        if not silent and self._rank[feed] >= self._rank[current]:
            return None
        minute = max(time // MINUTE_NS * MINUTE_NS + MINUTE_NS, int(self._from[slot]))
        self._remember(slot)
        self._earlier[slot] = self._from[slot]
        self.now[slot], self._before[slot], self._from[slot] = feed, current, minute
        return Switch(came, slot, syms[slot], self.names[current], self.names[feed], minute, silent)

    def _remember(self, slot: int) -> None:
        """Keep who counted before the two that will be the last."""
        self._reigns.append((slot, int(self._earlier[slot]), int(self._before[slot])))
        of_slot = [number for number, (one, _, _) in enumerate(self._reigns) if one == slot]
        if len(of_slot) > MOST_REIGNS:
            del self._reigns[of_slot[0]]
