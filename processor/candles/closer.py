"""Who decides that a bar is closed: rows of `bars` as they come back from the plant, and its clock, into `bar_closes`.

A bar is closed when a later one of its series (symbol and interval) came and its end is past, or once its end and the
grace have passed by the clock. There is one row for each bar, in order of their times within a series, none for a bar
older than the last that closed, and none anew after a correction: it says what was known when it was decided.

Nearly every series has one open bar at a time, kept in an array; those that have several, for a bar that is stamped
ahead of the clock or comes out of order, are kept as lists meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plant.calendars.sessions import Sessions
from plant.errors import QueryError
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols
from plant.rows.intervals import interval_name
from processor.candles.rows import arrivals, built, rounds
from processor.checkpoints.saved import Saved, restore_to, saved_of

_VALUES = ("open", "high", "low", "close", "volume")
_BAR = np.dtype(
    [("slot", "<i8"), ("time", "<i8"), ("end", "<i8"), ("row", "<f8", len(_VALUES)), ("seq", "<i8"), ("came", "<i8")]
)
_STATE = ("_open", "_newest", "_closed", "_told", "_due")
_NONE, _UNSEEN = -1, -2
_NEVER = np.iinfo(np.int64).max
_MANY = 100_000
_BACK_NS = 2 * 10**9
_FEW_ROUNDS = 4


@dataclass(frozen=True)
class _Decided:
    """Bars that were closed: when (int64[k]), which, and whether by the clock."""

    when: np.ndarray
    bars: np.ndarray
    by_clock: int


class Closer:
    """The state machine. `sessions_of(sym, source)` are those of a symbol's calendar.

    Handed its own earlier rows after a restart, it gives none of them again.
    """

    def __init__(self, sessions_of: Callable[[str, str], Sessions], grace_s: float = 2.0) -> None:
        self._sessions_of = sessions_of
        self._grace_ns = int(grace_s * 1e9)
        self._slots: dict[tuple[str, str], int] = {}
        self._names: list[tuple[str, str]] = []
        self._sources: list[str] = []  # of the first bars of each, which may tell the calendar
        self._lengths: list[tuple[Sessions, str] | None] = []  # None: of no length that we know
        self._intervals: dict[str, str] = {}
        self._before: tuple[list[str], list[str], np.ndarray] = [], [], np.zeros((0, 0), np.int64)
        self._open = np.zeros(0, dtype=_BAR)  # of each series, time _NONE: nothing
        self._several: dict[int, list[np.ndarray]] = {}  # of those that have more than one, in order of time
        self._newest, self._closed, self._told, self._due = (np.zeros(0, dtype=np.int64) for _ in range(4))
        self._decided: list[_Decided] = []

    def take(self, batch: Batch) -> None:
        """Take a batch of `bars`, or of its own `bar_closes`, as it came out of the plant."""
        if batch.table == "bars":
            self._take_bars(batch)
        elif batch.table == "bar_closes":
            self._take_own(batch)

    def due(self, now: int, given: Columns | None = None) -> Columns | None:
        """Return the rows of `bar_closes` decided by `now` (ns, the plant's clock) and not told yet; None for none.

        `given` are rows of `bars` that go out now: the clock closes them, and larger bars that they are part of, once
        they came back, after 2 s in any case.
        They are told from now on; what the plant does not have after all is decided anew after a restart.
        """
        over = np.flatnonzero(self._due <= now)
        if given is not None and len(over):
            held = self._among(over, given)
            self._due[over[held]] = now + _BACK_NS  # as it comes back, it is due again
            over = over[~held]
        alone = over[self._open["time"][over] != _NONE]
        self._close_alone(alone, np.full(len(alone), now), 1)
        for slot in over.tolist():
            if slot in self._several:
                self._close_several(slot, now, now)
        self._forget_told()
        decided, self._decided = self._decided, []
        if not decided:
            return None
        when, bars = (np.concatenate([getattr(each, name) for each in decided]) for name in ("when", "bars"))
        by_clock = np.repeat([each.by_clock for each in decided], [len(each.when) for each in decided])
        np.maximum.at(self._told, bars["slot"], bars["time"])
        order = np.argsort(when, kind="stable")
        when, bars, by_clock = when[order], bars[order], by_clock[order]
        names = [self._names[slot] for slot in bars["slot"].tolist()]
        return {
            "time": when,
            "sym": Symbols.of([sym for sym, _ in names]),
            "market_time": bars["time"].copy(),
            "interval": Symbols.of([interval for _, interval in names]),
            **{name: bars["row"][:, i].copy() for i, name in enumerate(_VALUES)},
            "bar_seq": bars["seq"].copy(),
            "by_clock": by_clock,
        }

    def saved(self) -> Saved:
        """Return the state, for a checkpoint: as if all that was given out had come back."""
        series = [(sym, interval, source) for (sym, interval), source in zip(self._names, self._sources, strict=True)]
        several = [bar for bars in self._several.values() for bar in bars]
        return {
            "series": series,
            "several": np.array(several, dtype=_BAR),
            "decided": np.concatenate([np.zeros(0, dtype=_BAR), *(each.bars for each in self._decided)]),
            "when": np.concatenate([np.zeros(0, dtype=np.int64), *(each.when for each in self._decided)]),
            "by_clock": [(each.by_clock, len(each.when)) for each in self._decided],
            **saved_of(self, _STATE),
        }

    def restore(self, saved: Saved) -> None:
        """Go on from there, one that is new. Raises ValueError for the state of something else."""
        for sym, interval, source in saved["series"]:
            self._add((sym, interval), source)
        restore_to(self, saved, _STATE)
        for bar in saved["several"]:
            self._several.setdefault(int(bar["slot"]), []).append(bar.copy())
        at = 0
        for clock, count in saved["by_clock"]:
            part = slice(at, at + count)
            self._decided.append(_Decided(saved["when"][part], saved["decided"][part], clock))
            at += count

    @property
    def next_due(self) -> int | None:
        """When the clock closes the next bar, ns; None if nothing is open."""
        found = int(self._due.min()) if len(self._due) else _NEVER
        return None if found == _NEVER else found

    def _take_bars(self, batch: Batch) -> None:
        rows = batch.columns
        slots = self._series(rows)
        seqs, received = arrivals(batch)
        bars = np.zeros(len(slots), dtype=_BAR)
        bars["slot"], bars["time"], bars["end"] = slots, rows["time"], self._ends(slots, rows["time"])
        bars["seq"], bars["came"] = seqs, received
        for i, name in enumerate(_VALUES):
            bars["row"][:, i] = rows[name]
        lost = built(rows["source"]) & (rows["trades"] == 0)  # it lost its last trade: there is no such bar
        good = np.flatnonzero(slots >= 0)
        often = np.flatnonzero(np.bincount(slots[good]) > _FEW_ROUNDS) if len(good) else good
        slow = np.isin(slots[good], [*often.tolist(), *self._several]) if len(often) or self._several else None
        if slow is not None:
            for row in good[slow].tolist():
                self._take_one(bars[row], bool(lost[row]))
            good = good[~slow]
        for at in rounds(slots, good):
            self._take_each(bars[at], lost[at])

    def _take_each(self, bars: np.ndarray, lost: np.ndarray) -> None:
        """Take one bar of each series."""
        later = bars["time"] > self._closed[bars["slot"]]
        bars, lost = bars[later], lost[later]
        slots, held = bars["slot"], self._open[bars["slot"]]
        none, same = held["time"] == _NONE, bars["time"] == held["time"]
        follows = ~none & (bars["time"] > held["time"]) & (held["end"] <= bars["came"])
        easy = ~lost & (none | same | follows)
        if self._several:  # also of a series that has several since a row before in this batch
            easy &= ~np.isin(slots, list(self._several))
        for row in np.flatnonzero(~easy).tolist():
            self._take_one(bars[row], bool(lost[row]))
        self._close_alone(slots[easy & follows], bars["came"][easy & follows], 0)
        fresh = bars[easy & (bars["time"] > self._closed[slots])]
        self._open[fresh["slot"]] = fresh
        self._newest[fresh["slot"]] = np.maximum(self._newest[fresh["slot"]], fresh["time"])
        behind = fresh["time"] < self._newest[fresh["slot"]]  # a later one came, whose trades were taken away since
        self._due[fresh["slot"]] = fresh["end"] + np.where(behind, 0, self._grace_ns)
        for row in np.flatnonzero(behind & (fresh["end"] <= fresh["came"])).tolist():
            self._close_alone(fresh["slot"][row : row + 1], fresh["came"][row : row + 1], 0)

    def _take_one(self, bar: np.ndarray, lost: bool) -> None:
        """Take a bar of a series that has, or may come to have, several."""
        slot, time = int(bar["slot"]), int(bar["time"])
        if time <= self._closed[slot]:
            return
        held = self._open[slot]
        bars = self._several.pop(slot, [held.copy()] if held["time"] != _NONE else [])
        bars = [each for each in bars if each["time"] != time] + ([] if lost else [bar.copy()])
        self._several[slot] = sorted(bars, key=lambda each: int(each["time"]))
        self._open["time"][slot] = _NONE
        if not lost:
            self._newest[slot] = max(int(self._newest[slot]), time)
        self._close_several(slot, int(bar["came"]), None)

    def _among(self, slots: np.ndarray, given: Columns) -> np.ndarray:
        """Return which series have an open bar that one of the given rows is of, or of whose minutes, bool[k]."""
        bars = {slot: self._several[slot] for slot in slots.tolist() if slot in self._several} if self._several else {}
        last = max([int(self._open["end"][slots].max()), *(int(bar["end"]) for each in bars.values() for bar in each)])
        found = np.zeros(len(slots), dtype=bool)
        early = given["time"] < last  # nearly all that goes out is newer than what is closed
        if early.any():
            times: dict[tuple[str, str], list[int]] = {}
            rows = (given[name][early].tolist() for name in ("sym", "interval", "time"))
            for sym, interval, time in zip(*rows, strict=True):
                times.setdefault((sym, interval), []).append(time)
            some = [self._slots.get((sym, interval), -1) for sym, _ in times for interval in self._intervals]
            for i in np.flatnonzero(np.isin(slots, some)).tolist():
                slot = int(slots[i])
                name = self._names[slot]
                mine = (*times.get(name, ()), *times.get((name[0], "1m"), ()))
                open_ = bars.get(slot, self._open[slot : slot + 1]) if mine else ()
                found[i] = any(bar["time"] <= time < bar["end"] for bar in open_ for time in mine)
        return found

    def _close_alone(self, slots: np.ndarray, when: np.ndarray, by_clock: int) -> None:
        """Close the only open bars of some series."""
        if not len(slots):
            return
        bars = self._open[slots]
        self._decided.append(_Decided(when, bars, by_clock))
        self._closed[slots] = bars["time"]
        self._open["time"][slots] = _NONE
        self._due[slots] = _NEVER

    def _close_several(self, slot: int, when: int, clock: int | None) -> None:
        """Close what is to be closed of a series with several, at `when`; `clock` is given if it is it that says so."""
        bars = self._several.pop(slot)
        while bars:
            bar = bars[0]
            followed = bar["time"] < self._newest[slot] and bar["end"] <= when
            if not followed and not (clock is not None and bar["end"] + self._grace_ns <= clock):
                break
            self._decided.append(_Decided(np.array([when]), bar[None].copy(), int(clock is not None)))
            self._closed[slot] = bar["time"]
            del bars[0]
        self._due[slot] = _NEVER
        if bars:
            self._due[slot] = bars[0]["end"] + (0 if bars[0]["time"] < self._newest[slot] else self._grace_ns)
        if len(bars) > 1:
            self._several[slot] = bars
        elif bars:
            self._open[slot] = bars[0]

    def _take_own(self, batch: Batch) -> None:
        slots = self._series(batch.columns)
        good = slots >= 0
        slots, times = slots[good], batch.columns["market_time"][good]
        np.maximum.at(self._told, slots, times)
        np.maximum.at(self._closed, slots, times)
        over = np.unique(slots)
        gone = over[(self._open["time"][over] != _NONE) & (self._open["time"][over] <= self._closed[over])]
        self._open["time"][gone], self._due[gone] = _NONE, _NEVER
        for slot in over.tolist() if self._several else ():
            if slot in self._several:
                self._several[slot] = [bar for bar in self._several[slot] if bar["time"] > self._closed[slot]]
                self._close_several(slot, -1, None)
        if sum(len(each.when) for each in self._decided) > _MANY:
            self._forget_told()

    def _forget_told(self) -> None:
        kept = []
        for each in self._decided:
            new = each.bars["time"] > self._told[each.bars["slot"]]
            if new.any():
                kept.append(_Decided(each.when[new], each.bars[new], each.by_clock))
        self._decided = kept

    def _series(self, rows: Columns) -> np.ndarray:
        """Return the number of each row's series, -1 where the interval is none: int64[n]."""
        syms, intervals = rows["sym"], rows["interval"]
        if self._before[:2] != (syms.names, intervals.names):  # as those of the batch before mostly are
            none = np.full((len(syms.names), len(intervals.names)), _UNSEEN)
            self._before = syms.names.copy(), intervals.names.copy(), none
        found = self._before[2][syms.codes, intervals.codes]
        new = np.flatnonzero(found == _UNSEEN)
        for row in new[np.unique(syms.codes[new] * len(intervals.names) + intervals.codes[new], return_index=True)[1]]:
            key = syms.names[syms.codes[row]], intervals.names[intervals.codes[row]]
            slot = self._slots.get(key)
            if slot is None:
                source = rows["source"][np.array([row])].tolist()[0] if "source" in rows else ""
                slot = self._add(key, source)
            length = self._lengths[slot]
            self._before[2][syms.codes[row], intervals.codes[row]] = _NONE if length is None else slot
        return self._before[2][syms.codes, intervals.codes] if len(new) else found

    def _add(self, key: tuple[str, str], source: str) -> int:
        slot = self._slots[key] = len(self._names)
        self._names.append(key)
        self._sources.append(source)
        if slot == len(self._open):
            more = max(64, slot)
            fresh = np.zeros(more, dtype=_BAR)
            fresh["time"] = _NONE
            self._open = np.concatenate((self._open, fresh))
            self._newest, self._closed, self._told = (
                np.append(times, np.full(more, _NONE)) for times in (self._newest, self._closed, self._told)
            )
            self._due = np.append(self._due, np.full(more, _NEVER))
        if key[1] not in self._intervals:
            self._intervals[key[1]] = _known(key[1])
        interval = self._intervals[key[1]]
        self._lengths.append((self._sessions_of(key[0], source), interval) if interval else None)
        return slot

    def _ends(self, slots: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the end of each bar, int64[n]; 0 where its interval is none."""
        found = np.zeros(len(times), dtype=np.int64)
        used, inverse = np.unique(slots, return_inverse=True)
        kinds = [self._lengths[slot] if slot >= 0 else None for slot in used.tolist()]
        distinct = {id(each[0]): each[0] for each in kinds if each}
        for which, interval in {(id(each[0]), each[1]) for each in kinds if each}:
            mine = np.array([each is not None and (id(each[0]), each[1]) == (which, interval) for each in kinds])
            at = mine[inverse]
            found[at] = distinct[which].ends(times[at], interval)
        return found


def _known(interval: str) -> str:
    """Return the name of an interval whose bars end at a time that we know, "" for others."""
    try:
        name = interval_name(interval)
        Sessions().ends(np.zeros(1, dtype=np.int64), name)
    except (QueryError, ValueError):
        return ""
    return name
