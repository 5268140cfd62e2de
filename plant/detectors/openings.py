"""Highest and lowest price of the pre-market, and of the first minutes of a session: of bars of 1m, tested by them.

A pre-market level is created by the first bar and updated by each new extreme. An opening range is decided by the bar
that ends at its end, or else by the first one that ends later. Both end with their session.
"""

from math import inf
from typing import ClassVar

from plant.calendars.sessions import PRE, REGULAR
from plant.detectors.annotation import CREATE, UPDATE, Annotation, Change, written
from plant.detectors.levels import ABOVE, BELOW, Watched, expired, watch
from plant.detectors.machine import ClosedBar, Machine, Place

PREMARKET = ("premarket_high", "premarket_low")
OPENING_RANGE = ("opening_range_high", "opening_range_low")
MINUTE_NS = 60 * 10**9

_SIDES = (ABOVE, BELOW)


class OfTheOpening(Machine):
    """What both have: the session they are of, and levels that end with it."""

    STATE: ClassVar[tuple[str, ...]] = ("session", "date", "open", "close", "levels", "high", "low")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.session, self.date = -1, ""
        self.open = self.close = 0
        self.levels: list[Watched] = []
        self.high, self.low = -inf, inf

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take a bar of 1m of any session; `atr` is of regular ones."""
        changes: list[Change] = []
        if bar.session != self.session:
            changes += expired(self.levels, bar.end)
            of = self.place.sessions.session(bar.session)
            self.session, self.date, self.open, self.close = of.number, of.date, of.open, of.close
            self.high, self.low = -inf, inf
            self.begin()
        if self.levels and bar.kind == REGULAR:
            changes += watch(self.levels, bar, atr)
        changes += self.grow(bar)
        if self.levels and bar.end >= self.close:
            changes += expired(self.levels, bar.end)
        return changes

    def begin(self) -> None:
        """Begin a session."""

    def grow(self, bar: ClosedBar) -> list[Change]:
        """Return what a bar makes of the levels, which it does not test itself."""
        raise NotImplementedError


class Premarket(OfTheOpening):
    """premarket_high and premarket_low of one symbol."""

    def grow(self, bar: ClosedBar) -> list[Change]:
        """Return the new extremes."""
        if bar.kind != PRE:
            return []
        before = self.high, self.low
        self.high, self.low = max(self.high, bar.high), min(self.low, bar.low)
        changes = []
        for i, (type_, price) in enumerate(zip(PREMARKET, (self.high, self.low), strict=True)):
            if price == before[i] or type_ not in self.place.terms.types:
                continue
            name, text = f"{type_}/{self.place.sym}/{self.date}", type_.replace("_", " ")
            level = Annotation(name, "level", type_, self.place.interval, bar.time, self.close, price, text=text)
            action = UPDATE if before[i] not in (inf, -inf) else CREATE
            self.levels = [one for one in self.levels if one[0].id != name] + [(level, _SIDES[i])]
            changes.append(Change(bar.end, action, level, f"{text} so far: {written(price)}"))
        return changes


class OpeningRanges(OfTheOpening):
    """opening_range_high and opening_range_low of one symbol, of each length."""

    STATE: ClassVar[tuple[str, ...]] = (*OfTheOpening.STATE, "waiting")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.waiting: list[int] = []  # lengths that are not decided, minutes

    def begin(self) -> None:
        """Wait for all lengths that the session has."""
        whole = (self.close - self.open) // MINUTE_NS
        self.waiting = sorted(length for length in self.place.terms.opening_range if length <= whole)

    def grow(self, bar: ClosedBar) -> list[Change]:
        """Return the ranges that are decided by a bar."""
        changes: list[Change] = []
        if not self.waiting or bar.kind == PRE:
            return changes
        while self.waiting and self.open + self.waiting[0] * MINUTE_NS <= bar.time:
            changes += self._decided(self.waiting.pop(0), bar)  # the bar before its end is not there
        if bar.kind == REGULAR:
            self.high, self.low = max(self.high, bar.high), min(self.low, bar.low)
        while self.waiting and self.open + self.waiting[0] * MINUTE_NS <= bar.end:
            changes += self._decided(self.waiting.pop(0), bar)
        return changes

    def _decided(self, length: int, bar: ClosedBar) -> list[Change]:
        changes = []
        for i, (type_, price) in enumerate(zip(OPENING_RANGE, (self.high, self.low), strict=True)):
            if price in (inf, -inf) or type_ not in self.place.terms.types or bar.end > self.close:
                continue
            name, text = f"{type_}/{self.place.sym}/{self.date}/{length}", f"{type_.replace('_', ' ')} {length}m"
            level = Annotation(name, "level", type_, self.place.interval, self.open, self.close, price, text=text)
            self.levels.append((level, _SIDES[i]))
            changes.append(Change(bar.end, CREATE, level, f"{text} is {written(price)}"))
        return changes
