"""The detectors of one symbol that go by the same bars, what they found, and what a revised bar makes of it.

Of the detectors there is, beside their state by the last bar, that of some bars ago. A closed bar that is revised,
comes late or is taken back among those since then has them go on from there, over all bars once more: where what they
find then differs from what is there, it makes further events.
"""

from array import array
from collections.abc import Iterator
from typing import Any

from plant.calendars.sessions import REGULAR
from plant.detectors.annotation import CREATE, DELETE, UPDATE, Annotation, Change, moment, same
from plant.detectors.closed_rows import bar_of
from plant.detectors.daily import FLOOR_PIVOTS, PREV_DAY, PREV_WEEK, DailyLevels
from plant.detectors.days import DAY_LEVEL, DAY_ZONE, DayObjects
from plant.detectors.flags import BEAR_FLAG, BULL_FLAG, Flag
from plant.detectors.machine import ClosedBar, Machine, Place, Wilder, pack, unpack
from plant.detectors.openings import OPENING_RANGE, PREMARKET, OpeningRanges, Premarket
from plant.detectors.swings import PIVOTS, ZIGZAG, Pivots, ZigZag
from plant.detectors.zones import DEMAND, SUPPLY, SupplyDemand

FINE, DAY = "1m", "1d"
"""The bars of levels of sessions."""

KEPT_BARS = 120
"""At least so many of the last bars may be revised, of an interval of its own; at most twice as many."""

KEPT_FINE = 400
"""Likewise of those of FINE and DAY together."""

Objects = dict[str, Annotation]

_SECOND_NS = 10**9


class Group:
    """Detectors that go by the same bars and the same ATR. `day` is the interval that only DailyLevels take in."""

    def __init__(self, place: Place, day: str = "") -> None:
        self.place, self._day = place, day
        self.atr = Wilder()
        self.last_atr = float("nan")
        wanted = place.terms.types
        made: list[Machine] = []
        if day:
            groups = ((PREV_DAY + PREV_WEEK + (FLOOR_PIVOTS,), DailyLevels),)
            groups += ((PREMARKET, Premarket), (OPENING_RANGE, OpeningRanges))  # type: ignore[assignment]
            made = [kind(place) for types, kind in groups if wanted & {*types}]
        else:
            made += [DayObjects(place)] if place.interval == "15m" and wanted & {DAY_LEVEL, DAY_ZONE} else []
            if place.interval in place.terms.intervals:
                made += [SupplyDemand(place)] if wanted & {SUPPLY, DEMAND} else []
                made += [Pivots(place)] if wanted & {*PIVOTS} else []
                made += [ZigZag(place)] if ZIGZAG in wanted else []
                made += [Flag(place, sign) for sign, type_ in ((1, BULL_FLAG), (-1, BEAR_FLAG)) if type_ in wanted]
        self.machines = made
        self._all_sessions = [one for one in made if isinstance(one, DayObjects | Premarket | OpeningRanges)]

    def update(self, interval: str, bar: ClosedBar) -> list[Change]:
        """Take the next bar of an interval."""
        if interval == self._day:
            return [c for one in self.machines if isinstance(one, DailyLevels) for c in one.update_day(bar)]
        regular = bar.kind == REGULAR
        if regular:
            self.last_atr = self.atr.update(bar)
        atr, changes = self.last_atr, []
        for machine in self.machines if regular else self._all_sessions:
            changes += machine.update(bar, atr)
        return changes

    def saved(self) -> list[Any]:
        """Return the state, not copied."""
        return [self.last_atr, self.atr.saved(), [one.saved() for one in self.machines]]

    def restore(self, saved: list[Any]) -> None:
        """Go on from there, one that is new."""
        self.last_atr = saved[0]
        self.atr.restore(saved[1])
        for machine, state in zip(self.machines, saved[2], strict=True):
            machine.restore(state)


class KeptBars:
    """The last bars of a track, in the order in which they came, small in memory: 49 bytes each."""

    def __init__(self) -> None:
        columns: list[array[Any]] = [array(code) for code in "qiibd"]
        self._columns = columns  # time, length in s, session, kind, prices

    def __len__(self) -> int:
        return len(self._columns[0])

    def append(self, bar: ClosedBar, day: bool) -> None:
        """Add the next bar."""
        times, lengths, sessions, kinds, prices = self._columns
        times.append(bar.time)
        lengths.append((bar.end - bar.time) // _SECOND_NS)
        sessions.append(bar.session)
        kinds.append(-1 if day else bar.kind)
        prices.extend(bar[2:6])

    def drop(self, count: int) -> None:
        """Forget so many of the oldest bars."""
        for column in self._columns:
            del column[: count * (4 if column.typecode == "d" else 1)]

    def bars(self) -> list[tuple[bool, ClosedBar]]:
        """Return the bars, and which are of DAY."""
        found, prices = [], self._columns[-1]
        for i, (time, length, session, kind) in enumerate(zip(*self._columns[:4], strict=True)):
            day, four = kind == -1, prices[4 * i : 4 * i + 4]
            found.append((day, bar_of(time, time + length * _SECOND_NS, four, REGULAR if day else kind, session)))
        return found

    def saved(self) -> list[bytes]:
        """Return the state."""
        return [column.tobytes() for column in self._columns]

    def restore(self, saved: list[bytes]) -> None:
        """Go on from there, one that is new."""
        for column, data in zip(self._columns, saved, strict=True):
            column.frombytes(data)


class Track:
    """A group of detectors with its objects; `day` as in Group."""

    def __init__(self, place: Place, day: str = "") -> None:
        self.place, self._day = place, day
        self._kept = KEPT_FINE if day else KEPT_BARS
        self.group = Group(place, day)
        self.objects: Objects = {}
        self.last_end = 0
        self._window = KeptBars()
        self._final: list[str] = []  # ids of which nothing becomes any more, since the newer state
        self._final_before: list[str] = []  # since the older one
        self._older = self._newer = self._packed()
        self._newer_at = 0  # bars between the two
        self._begins = True  # whether there was no bar before the older one

    def take(self, interval: str, bar: ClosedBar) -> list[Change]:
        """Take the next closed bar of an interval, and return what it changes."""
        changes = self.group.update(interval, bar)
        for change in changes:
            self._apply(self.objects, change, self._final)
        self._window.append(bar, interval == self._day)
        self.last_end = max(self.last_end, bar.end)
        return changes

    def forgotten(self) -> list[str]:
        """Return the ids of objects of which nothing becomes any more; asked after each bar."""
        if len(self._window) - self._newer_at < self._kept:
            return []
        self._window.drop(self._newer_at)
        self._begins = self._begins and not self._newer_at
        self._older, self._newer, self._newer_at = self._newer, self._packed(), len(self._window)
        gone, self._final_before, self._final = self._final_before, self._final, []
        for name in gone:
            self.objects.pop(name, None)
        return gone

    def revised(self, interval: str, time: int, bar: ClosedBar | None) -> list[Change] | None:
        """Put another bar in the place of a closed one that begins at `time`, or there, and return what that changes.

        `bar` None: there is none any more. Returns None for one that is older than those that are kept.
        """
        bars, newer_at = self._window.bars(), self._newer_at
        day = interval == self._day
        at = next((i for i, (of_day, one) in enumerate(bars) if of_day == day and one.time >= time), None)
        if at is None:
            return []
        there = bars[at][1].time == time
        if not there and not self._begins and not any(of_day == day for of_day, _ in bars[:at]):
            return None
        if not there if bar is None else there and bars[at][1][2:6] == bar[2:6]:
            return []
        if bar is None:
            del bars[at]
        elif there:
            bars[at] = day, bar
        else:
            bars.insert(at, (day, bar))
        newer_at += (len(bars) - len(self._window)) if at < newer_at else 0
        before = self.objects
        self._again(bars, newer_at, interval)
        changes = list(self._differences(before, f"the bar of {interval} of {moment(time)} was revised"))
        self._final += [change.annotation.id for change in changes if change.action == DELETE]
        return changes

    def _again(self, bars: list[tuple[bool, ClosedBar]], newer_at: int, interval: str) -> None:
        """Go on from the older state, over some bars."""
        self.group = Group(self.place, self._day)
        state, self.objects = unpack(self._older)
        self.group.restore(state)
        self._window = KeptBars()
        self._final_before, self._final, self._newer_at = [], [], newer_at
        for i, (day, bar) in enumerate(bars):
            if i == newer_at:
                self._newer, self._final_before, self._final = self._packed(), self._final, []
            for change in self.group.update(self._day if day else self.place.interval, bar):
                self._apply(self.objects, change, self._final)
            self._window.append(bar, day)
        if newer_at == len(bars):
            self._newer, self._final_before, self._final = self._packed(), self._final, []

    def _differences(self, before: Objects, reason: str) -> Iterator[Change]:
        for name, one in self.objects.items():
            if name not in before:
                yield Change(self.last_end, CREATE, one, reason)
            elif not same(one, before[name]):
                yield Change(self.last_end, UPDATE, one, reason)
        for name, one in before.items():
            if name not in self.objects:
                yield Change(self.last_end, DELETE, one, reason)

    @staticmethod
    def _apply(objects: Objects, change: Change, final: list[str]) -> None:
        if change.action == DELETE:
            objects.pop(change.annotation.id, None)
        else:
            objects[change.annotation.id] = change.annotation
        if change.final:
            final.append(change.annotation.id)

    def _packed(self) -> bytes:
        """Return the state; objects of which nothing becomes any more are not in it."""
        over = {*self._final, *self._final_before}
        return pack([self.group.saved(), {name: one for name, one in self.objects.items() if name not in over}])

    def saved(self) -> list[Any]:
        """Return the state, as plain values."""
        now = pack([self.group.saved(), self.objects])
        states = [now, self._older, self._newer, self._newer_at, self._begins]
        return [*states, self._window.saved(), self._final, self._final_before, self.last_end]

    def restore(self, saved: list[Any]) -> None:
        """Go on from there, one that is new."""
        now, self._older, self._newer, self._newer_at, self._begins, window, final, before, self.last_end = saved
        state, self.objects = unpack(now)
        self.group.restore(state)
        self._window.restore(window)
        self._final, self._final_before = list(final), list(before)
