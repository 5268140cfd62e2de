"""Supply and demand: where the price stood before it left fast.

A base is one to six bars with bodies of half their range at most, together no higher than an ATR; within three bars a
close leaves it by 1.5 ATR, both as of the base's last bar. Of the bases that a bar leaves the one that ended last
counts, as many bars of it as there are; bars of a base that was left are part of no other.
"""

from math import isnan

from plant.detectors.annotation import CREATE, UPDATE, Annotation, Change, moment, written
from plant.detectors.machine import ClosedBar, Machine, Place

SUPPLY, DEMAND = "supply", "demand"

MOST_BARS, DEPARTURE_BARS = 6, 3
BODY, HEIGHT_ATR, DEPARTURE_ATR = 0.5, 1.0, 1.5

Live = tuple[Annotation, bool]
"""A zone, and whether the last bar was in it."""


class SupplyDemand(Machine):
    """supply and demand of one symbol and interval."""

    STATE = ("bars", "zones")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.bars: list[tuple[ClosedBar, float]] = []  # the last that are part of no base that was left, with their ATR
        self.zones: list[Live] = []  # oldest first

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take a bar of a regular session."""
        changes = self._returns(bar) if self.zones else []
        changes += self._leaves(bar)
        self.bars.append((bar, atr))
        del self.bars[: -(MOST_BARS + DEPARTURE_BARS - 1)]
        return changes

    def _returns(self, bar: ClosedBar) -> list[Change]:
        """Return which zones a bar tests or breaks."""
        changes, kept = [], []
        for zone, inside in self.zones:
            within = bar.low <= zone.top and bar.high >= zone.bottom
            broken = bar.close < zone.bottom if zone.type == DEMAND else bar.close > zone.top
            tested = within and not inside
            if tested:
                reason = f"return {zone.strength + 1:g}, from {written(bar.low)} to {written(bar.high)}"
                zone = zone._replace(state="tested", strength=zone.strength + 1)
            if broken:
                edge = zone.bottom if zone.type == DEMAND else zone.top
                reason = f"closed at {written(bar.close)}, beyond {written(edge)}"
                zone = zone._replace(state="broken", end_at=bar.end)
            else:
                kept.append((zone, within))
            if tested or broken:
                changes.append(Change(bar.end, UPDATE, zone, reason, broken))
        self.zones = kept
        return changes

    def _leaves(self, bar: ClosedBar) -> list[Change]:
        """Return the zone that a bar makes by leaving a base, and the one that has to go for it."""
        for back in range(1, min(DEPARTURE_BARS, len(self.bars)) + 1):
            last = len(self.bars) - back
            atr = self.bars[last][1]
            base = self._base(last, atr) if not isnan(atr) else []
            if not base:
                continue
            high, low = max(one.high for one in base), min(one.low for one in base)
            if bar.close >= high + DEPARTURE_ATR * atr:
                type_, top, bottom = DEMAND, max(one.top for one in base), low
            elif bar.close <= low - DEPARTURE_ATR * atr:
                type_, top, bottom = SUPPLY, high, min(one.bot for one in base)
            else:
                continue
            self.bars = self.bars[last + 1 :]
            if top <= bottom or type_ not in self.place.terms.types:
                return []
            return self._found(type_, top, bottom, base, bar, atr)
        return []

    def _base(self, last: int, atr: float) -> list[ClosedBar]:
        """Return the bars of the base that ends with `last`, as many as there can be; none if it is no base."""
        base: list[ClosedBar] = []
        high, low = -float("inf"), float("inf")
        for bar, _ in self.bars[last::-1][:MOST_BARS]:
            high, low = max(high, bar.high), min(low, bar.low)
            if abs(bar.close - bar.open) > BODY * (bar.high - bar.low) or high - low > HEIGHT_ATR * atr:
                break
            base.insert(0, bar)
        return base

    def _found(
        self, type_: str, top: float, bottom: float, base: list[ClosedBar], bar: ClosedBar, atr: float
    ) -> list[Change]:
        name = f"{type_}/{self.place.sym}/{self.place.interval}/{moment(base[0].time)}"
        zone = Annotation(
            name, "zone", type_, self.place.interval, base[0].time, top=top, bottom=bottom, strength=0.0, text=type_
        )
        reason = f"a base of {len(base)} bars, left by a close at {written(bar.close)} (ATR {written(atr)})"
        changes = [Change(bar.end, CREATE, zone, reason)]
        self.zones.append((zone, bar.low <= top and bar.high >= bottom))
        if len(self.zones) > self.place.terms.keep:
            oldest, _ = self.zones.pop(0)
            over = oldest._replace(state="expired", end_at=bar.end)
            changes.append(Change(bar.end, UPDATE, over, f"more than {self.place.terms.keep} zones", final=True))
        return changes
