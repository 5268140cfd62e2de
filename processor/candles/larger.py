"""Larger bars from 1m bars, as those came back through the plant: first open, highest, lowest, last close, sums.

Never of trades directly, so that there is one answer. Of each symbol the last few minutes are kept, and of each larger
bar what lies before them; a minute that is revised later than that has its larger bars made anew of what was recorded.
"""

from collections.abc import Callable, Sequence
from itertools import starmap
from typing import Any

import numpy as np

from plant.calendars.sessions import NO_BAR
from plant.errors import PlantError
from plant.rows.columns import Columns, Symbols, taken
from processor.candles.grids import Grids
from processor.candles.larger_table import KEPT, Feeds, Given, no_bars, no_minutes
from processor.candles.recorded import Key, Remade, by_day, remade
from processor.candles.rows import Pace, Recorded, bars_of, built, differ, rounds, values_of, whole_minutes
from processor.candles.sums import added, emptied_of, sums_of, together, values_from, with_prints
from processor.checkpoints.saved import Saved, restore_to, saved_of, waiting_of, waiting_saved
from processor.trades.counting import Print
from processor.trades.folding import MINUTE_NS
from processor.trades.slots import Slots

_STATE = ("_bars", "_minutes", "_starts", "_newest", "_known_from", "_prints_from", "feeds", "seq")


class LargerBuilder:
    """The state machine; it is handed all 1m bars of `known_from` (ns), all closing prints of `prints_from` and later.

    `prints_of(slot, label)` asks for the closing prints of a day.
    """

    def __init__(
        self,
        intervals: Sequence[str],
        slots: Slots,
        recorded: Recorded,
        prints_of: Callable[[int, int], list[Print]],
        pace: Pace,
        known_from: int = 0,
        prints_from: int = 0,
    ) -> None:
        self.intervals = [name for name in intervals if name != "1m"]
        self.slots = slots
        self._recorded = recorded
        self._prints_of = prints_of
        self._pace = pace
        self._known_from, self._prints_from = known_from, prints_from
        self._bars = no_bars(0, len(self.intervals))
        self._minutes = no_minutes(0)
        self._starts = np.zeros((0, KEPT, len(self.intervals)), dtype=np.int64)  # of the bars those minutes belong to
        self._newest = np.zeros(0, dtype=np.int64)
        self._grids = Grids(slots)
        self._prints: dict[tuple[int, int], dict[tuple[int, int, int], Print]] = {}
        self._old: dict[Key, None] = {}  # to be made anew, in the order in which they are asked for
        self._finished: dict[Key, tuple[np.ndarray, str]] = {}
        self.feeds, self.seq = Feeds(), 0

    @property
    def waiting(self) -> int:
        """How many bars are still to be made anew."""
        return len(self._old)

    def saved(self) -> Saved:
        """Return the state, for a checkpoint; that of the slots is not among it."""
        prints = [(key, list(day.values())) for key, day in self._prints.items()]
        kept = {"finished": waiting_saved(self._finished), "prints": prints, "old": list(self._old)}
        return {**kept, **saved_of(self, _STATE)}

    def restore(self, saved: Saved) -> None:
        """Go on from there. Raises ValueError for the state of something else."""
        restore_to(self, saved, _STATE)
        self._finished, self._old = waiting_of(saved["finished"]), dict.fromkeys(saved["old"])
        self._prints = {key: {each.key: each for each in starmap(Print, day)} for key, day in saved["prints"]}

    def take_minutes(self, rows: Columns, slots: np.ndarray) -> None:
        """Take rows of 1m bars as they came back through the plant."""
        rows, slots = whole_minutes(rows, slots)
        if not self.intervals or not len(slots):
            return
        self._grow()
        values = values_of(rows)
        values[built(rows["source"]) & (values[:, 6] == 0)] = np.nan  # it lost its last trade
        feeds = np.array([self.feeds.place(name) for name in rows["source"].names], dtype=np.int64)[
            rows["source"].codes
        ]
        order = np.lexsort((np.arange(len(slots)), rows["time"], slots))
        ahead = np.append((np.diff(slots[order]) != 0) | (np.diff(rows["time"][order]) != 0), True)
        order = order[ahead]  # the last revision of each
        sums, times = sums_of(values), rows["time"]
        starts = np.stack([self._grids.starts(slots, times, name) for name in self.intervals], axis=1)
        for now in rounds(slots, order):
            self._advance(slots[now], times[now], sums[now], feeds[now], starts[now])

    def take_larger(self, rows: Columns, slots: np.ndarray) -> None:
        """Take rows of larger bars as they came back: what the plant has."""
        self._grow()
        own, values = built(rows["source"]), values_of(rows)
        names = rows["interval"].names
        which = np.array([self.intervals.index(n) if n in self.intervals else -1 for n in names], dtype=np.int64)
        of = which[rows["interval"].codes]
        for j in range(len(self.intervals)):
            at = np.flatnonzero(of == j)
            at = at[self._bars["start"][slots[at], j] == rows["time"][at]]
            self._bars["had"][slots[at], j] = values[at]  # of several rows the last
            self._bars["foreign"][slots[at], j] = ~own[at]
            of[at] = -1
        for row in np.flatnonzero(of >= 0).tolist():
            slot, j, start = int(slots[row]), int(of[row]), int(rows["time"][row])
            bar = self._bars[slot, j]
            if start > bar["start"]:
                if not self._grids.is_start(slot, start, self.intervals[j]):
                    continue
                self._begin(np.array([slot]), j, np.array([start]))
            if start == self._bars[slot, j]["start"]:
                self._bars[slot, j]["had"], self._bars[slot, j]["foreign"] = values[row], not own[row]
            held = self._finished.get((slot, j, start))
            if held is not None and not (own[row] and differ(held[0][None], values[row][None])[0]):
                del self._finished[slot, j, start]

    def take_prints(self, prints: Sequence[Print]) -> None:
        """Take closing prints that came after their day's close."""
        if "1d" not in self.intervals:
            return
        j = self.intervals.index("1d")
        self._grow()
        for each in prints:
            self._prints.setdefault((each.slot, each.label), {})[each.key] = each
            if self._bars[each.slot, j]["start"] == each.label:
                self._bars[each.slot, j]["changed"] = True
            else:
                self._old[each.slot, j, each.label] = None

    def make_anew(self, slot: int, time: int) -> None:
        """Have the day's bar made anew that a time after its close belongs to: a trade there was corrected."""
        label = int(self.slots.sessions(slot).last_close(np.array([time]))[0][0])
        if "1d" in self.intervals and label >= 0:
            self._old[slot, self.intervals.index("1d"), label] = None

    def due(self, now: int, allowed: Any = None) -> Columns | None:
        """Return the rows of `bars` to be given out at `now` (ns), None for none.

        `allowed(slots, starts, interval)` says which may be built at all, bool[k]; all if it is None.
        """
        self._grow()
        anew = self._made_anew()
        parts = [self._due_of(j, now) for j in range(len(self.intervals))]
        for (slot, j, start), (one, feed) in [*self._finished.items(), *anew.items()]:
            parts.append((np.array([slot]), np.array([j]), np.array([start]), one[None], [feed]))
        self._finished.clear()
        slots, of, starts = (np.concatenate([part[i] for part in parts] or [np.empty(0, np.int64)]) for i in range(3))
        if not len(slots):
            return None
        values = np.concatenate([part[3] for part in parts])
        feeds = [feed for part in parts for feed in part[4]]
        kept = np.ones(len(slots), dtype=bool)
        for j, interval in enumerate(self.intervals):
            at = np.flatnonzero(of == j)
            if allowed is not None and len(at):
                kept[at] = allowed(slots[at], starts[at], interval)
            current = at[kept[at] & (self._bars[slots[at], j]["start"] == starts[at])]
            self._bars["had"][slots[current], j] = values[current]
            self._bars["given_at"][slots[current], j] = now
        if not kept.any():
            return None
        order = np.lexsort((of, starts))
        order = order[kept[order]]
        lengths, fed = Symbols(list(self.intervals), of[order].astype(np.int32)), [feeds[i] for i in order.tolist()]
        return bars_of(slots[order], starts[order], lengths, values[order], fed, self.slots.names)

    def _due_of(self, j: int, now: int) -> Given:
        bars = self._bars[:, j]
        changed = np.flatnonzero(bars["changed"] & ~bars["stale"])
        ends = self._grids.ends(changed, bars["start"][changed], self.intervals[j])
        at = changed[self._pace.ready(ends, bars["given_at"][changed], now)]
        bars["changed"][at] = False
        values = self._computed(at, j)
        had = bars["had"][at]
        there = ~np.isnan(values[:, 0])
        lost = ~there & ~np.isnan(had[:, 0]) & (had[:, 6] != 0)
        values[lost] = emptied_of(had[lost])
        given = np.flatnonzero(((there & differ(values, had)) | lost) & ~bars["foreign"][at])
        at = at[given]
        feeds = [self.feeds[i] if i >= 0 else "" for i in bars["feed"][at].tolist()]
        return at, np.full(len(at), j), bars["start"][at], values[given], feeds

    def _computed(self, slots: np.ndarray, j: int) -> np.ndarray:
        """Return the values of the current bars of slots, float64[k, 7]."""
        bars = self._bars[slots, j]
        sums = np.where((bars["base_start"] == bars["start"])[:, None], bars["base"], np.nan)
        minutes, starts = self._minutes[slots], self._starts[slots, :, j]
        order, rows = np.argsort(minutes["minute"], axis=1, kind="stable"), np.arange(len(slots))
        for at in order.T:
            one = minutes[rows, at]
            mine = (starts[rows, at] == bars["start"]) & (one["minute"] >= 0)
            sums = added(sums, np.where(mine[:, None], one["sums"], np.nan))
        if self.intervals[j] == "1d" and self._prints:
            for row, slot in enumerate(slots.tolist()):
                prints = self._prints.get((slot, int(bars["start"][row])))
                if prints and not np.isnan(sums[row, 0]):
                    sums[row] = with_prints(sums[row], list(prints.values()))
        return values_from(sums)

    def _advance(
        self, slots: np.ndarray, minutes: np.ndarray, sums: np.ndarray, feeds: np.ndarray, starts: np.ndarray
    ) -> None:
        """Take a minute of each slot, each slot once; `starts` of its bars, int64[k, intervals]."""
        late = minutes <= self._newest[slots] - KEPT * MINUTE_NS
        current, some = self._bars["start"][slots], starts != NO_BAR
        for row, j in np.argwhere(some & (late[:, None] | (starts < current))).tolist():
            self._make_old(int(slots[row]), j, int(starts[row, j]))
        some &= ~late[:, None]
        newer = some & (starts > current)
        for j in np.flatnonzero(newer.any(axis=0)).tolist():
            self._begin(slots[newer[:, j]], j, starts[newer[:, j], j])
        rows, of = np.nonzero(some & (starts == self._bars["start"][slots]))
        self._bars["changed"][slots[rows], of] = True
        newest = minutes[rows] >= self._newest[slots[rows]]
        self._bars["feed"][slots[rows[newest]], of[newest]] = feeds[rows[newest]]
        good = ~late
        slots, minutes, sums, starts = slots[good], minutes[good], sums[good], starts[good]
        self._let_go(slots, minutes)
        at = minutes // MINUTE_NS % KEPT
        self._minutes["minute"][slots, at] = minutes
        self._minutes["sums"][slots, at] = sums
        self._starts[slots, at] = starts
        self._newest[slots] = np.maximum(self._newest[slots], minutes)

    def _let_go(self, slots: np.ndarray, minutes: np.ndarray) -> None:
        """Add the minutes to their bars' bases that are no longer kept once these came, in order of time."""
        held = self._minutes["minute"][slots]
        order, rows = np.argsort(held, axis=1, kind="stable"), np.arange(len(slots))
        for at in order.T:
            leaving = (held[rows, at] >= 0) & (held[rows, at] <= minutes - KEPT * MINUTE_NS)
            if not leaving.any():
                continue
            who, where = slots[leaving], at[leaving]
            sums = self._minutes["sums"][who, where]
            for j in range(len(self.intervals)):
                start = self._starts[who, where, j]
                base_start = self._bars["base_start"][who, j]
                same = (base_start == start)[:, None]
                new = added(np.where(same, self._bars["base"][who, j], np.nan), sums)
                put = (start != NO_BAR) & (start == self._bars["start"][who, j])
                self._bars["base"][who[put], j] = new[put]
                self._bars["base_start"][who[put], j] = start[put]
            self._minutes["minute"][who, where] = -1

    def _begin(self, slots: np.ndarray, j: int, starts: np.ndarray) -> None:
        """Begin bars; those before them are given out as they are now."""
        bars = self._bars[slots, j]
        before = slots[bars["changed"] & ~bars["foreign"] & ~bars["stale"]]
        if len(before):
            values, had = self._computed(before, j), self._bars["had"][before, j]
            for row in np.flatnonzero(~np.isnan(values[:, 0]) & differ(values, had)).tolist():
                bar = self._bars[before[row], j]
                key = (int(before[row]), j, int(bar["start"]))
                self._finished[key] = (values[row], self.feeds[bar["feed"]] if bar["feed"] >= 0 else "")
        self._bars["start"][slots, j] = starts
        self._bars["had"][slots, j] = np.nan
        self._bars["given_at"][slots, j] = -1
        for name in ("changed", "foreign", "stale"):
            self._bars[name][slots, j] = False
        unknown = starts < self._known_from
        if self.intervals[j] == "1d" and self._prints_from:  # trades after its close may be of before that
            unknown |= self._grids.ends(slots, starts, "1d") < self._prints_from
        for row in np.flatnonzero(unknown).tolist():
            self._make_old(int(slots[row]), j, int(starts[row]))

    def _make_old(self, slot: int, j: int, start: int) -> None:
        self._old[slot, j, start] = None
        self._finished.pop((slot, j, start), None)
        if self._bars["start"][slot, j] == start:
            self._bars["stale"][slot, j] = True

    def _made_anew(self) -> dict[Key, tuple[np.ndarray, str]]:
        found: dict[Key, tuple[np.ndarray, str]] = {}
        for keys in by_day(self._old):
            for key in keys:
                del self._old[key]
            try:
                self._make_day_anew(keys, found)
            except PlantError:
                self._old |= dict.fromkeys(keys)  # asked again the next time, behind the others
        return found

    def _make_day_anew(self, keys: list[Key], found: dict[Key, tuple[np.ndarray, str]]) -> None:
        """Make bars of a symbol anew, of what is asked for once; what raises does so before anything is changed."""
        slot = keys[0][0]
        starts = {j: [start for _, of, start in keys if of == j] for _, j, _ in keys}
        one = np.array([slot])
        ends = [int(self._grids.ends(one, np.array([start]), self.intervals[j])[0]) for _, j, start in keys]
        rows = self._held(slot, "1m", min(start for *_, start in keys), max(ends))
        held = {j: self._held(slot, self.intervals[j], min(each), max(each) + 1) for j, each in starts.items()}
        of_day = [start for _, j, start in keys if self.intervals[j] == "1d"]
        prints = {start: self._prints_of(slot, start) for start in of_day}
        for (_, j, start), end in zip(keys, ends, strict=True):
            within = (rows["time"] >= start) & (rows["time"] < end)
            within &= self._grids.starts(np.full(len(within), slot), rows["time"], self.intervals[j]) == start
            one_held = taken(held[j], held[j]["time"] == start)
            self._put((slot, j, start), remade(taken(rows, within), one_held), prints.get(start, []), found)

    def _held(self, slot: int, interval: str, start: int, end: int) -> Columns:
        rows = self._recorded.bars(self.slots.names[slot], interval, start, end)
        return taken(rows, rows["seq"] <= self.seq)

    def _put(self, key: Key, of: Remade, prints: list[Print], found: dict[Key, tuple[np.ndarray, str]]) -> None:
        """Put a bar made anew back in its place, if it is the current one, or among those to be given out."""
        slot, j, start = key
        if self.intervals[j] == "1d":
            self._prints.pop((slot, start), None)
            if prints:
                self._prints[slot, start] = {each.key: each for each in prints}
        bar = self._bars[slot, j : j + 1]
        if bar["start"][0] == start:
            bar["stale"], bar["changed"], bar["foreign"] = False, True, of.foreign
            bar["had"] = np.nan if of.had is None else of.had
            newest = of.times[-1:]
            if (newest > self._newest[slot]).any():  # it came before what was handed over
                self._let_go(np.array([slot]), newest)
                self._newest[slot] = newest[0]
            earlier = of.times <= self._newest[slot] - KEPT * MINUTE_NS
            bar["base"] = together(of.sums[earlier]) if earlier.any() else np.nan
            bar["base_start"] = start
            self._keep_recorded(slot, of.times[~earlier], of.sums[~earlier])
            if len(of.times):
                bar["feed"] = self.feeds.place(of.feed)
        elif (made := of.to_be_given(prints)) is not None:
            found[key] = made

    def _keep_recorded(self, slot: int, minutes: np.ndarray, sums: np.ndarray) -> None:
        """Keep those of the last minutes that were never handed over: of before `known_from`."""
        kept = self._minutes[slot]
        for i in np.flatnonzero(~np.isin(minutes, kept["minute"])).tolist():
            place = int(minutes[i] // MINUTE_NS % KEPT)
            kept["minute"][place], kept["sums"][place] = minutes[i], sums[i]
            one = np.array([slot]), minutes[i : i + 1]
            self._starts[slot, place] = [int(self._grids.starts(*one, name)[0]) for name in self.intervals]

    def _grow(self) -> None:
        if len(self.slots) > (have := len(self._newest)):
            more = max(len(self.slots) - have, have, 64)
            bars, minutes = no_bars(more, len(self.intervals)), no_minutes(more)
            self._bars, self._minutes = np.concatenate((self._bars, bars)), np.concatenate((self._minutes, minutes))
            self._starts = np.concatenate((self._starts, np.full((more, *self._starts.shape[1:]), NO_BAR)))
            self._newest = np.append(self._newest, np.full(more, -1))
