"""High and low of each session as levels, and the zones from there to the bodies: of bars of 15m.

After `Merced3/Flag-Zone-Bot`, `objects.py`. Decided at the end of a session; one of an earlier session is deleted by
the first whose range contains the level, or overlaps the zone. A session is over with the bar that ends at its close,
or else with the next one.
"""

from plant.calendars.sessions import REGULAR
from plant.detectors.annotation import CREATE, DELETE, Annotation, Change, written
from plant.detectors.levels import ABOVE, BELOW, Watched, watch
from plant.detectors.machine import ClosedBar, Machine, Place

DAY_LEVEL, DAY_ZONE = "day_level", "day_zone"

NEIGHBOURS = 3
"""Bars on either side that an edge stands out from."""

NEAREST, FARTHEST = 0.06, 0.30
"""How far that edge may be from the session's extreme, as a share of its range."""


class DayObjects(Machine):
    """day_level and day_zone of one symbol."""

    STATE = ("bars", "close", "date", "levels", "zones", "watched")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.bars: list[ClosedBar] = []  # of the session so far
        self.close, self.date = 0, ""
        self.levels: list[Annotation] = []  # that are not deleted
        self.zones: list[Annotation] = []
        self.watched: list[Watched] = []  # of the levels those that are not broken

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take a bar of 15m of any session; `atr` is of regular ones."""
        changes: list[Change] = []
        if self.watched and bar.kind == REGULAR:
            changes += watch(self.watched, bar, atr, final=False)
            now = {change.annotation.id: change.annotation for change in changes}
            self.levels = [now.get(level.id, level) for level in self.levels] if now else self.levels
        if self.bars and bar.time >= self.close:
            changes += self._over(bar.end)
        if bar.kind != REGULAR:
            return changes
        if not self.bars:
            session = self.place.sessions.session(bar.session)
            self.close, self.date = session.close, session.date
        self.bars.append(bar)
        if bar.end >= self.close:
            changes += self._over(bar.end)
        return changes

    def _over(self, time: int) -> list[Change]:
        """Return what the end of a session, proved at `time`, deletes and decides."""
        bars, self.bars = self.bars, []
        high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
        range_ = f"[{written(low)}, {written(high)}] of the session {self.date}"
        gone = [level for level in self.levels if low <= level.price <= high]
        changes = [Change(time, DELETE, level, f"within the range {range_}", final=True) for level in gone]
        self.levels = [level for level in self.levels if not low <= level.price <= high]
        left = {level.id for level in self.levels}
        self.watched = [one for one in self.watched if one[0].id in left]
        overlapped = [zone for zone in self.zones if zone.bottom <= high and zone.top >= low]
        changes += [Change(time, DELETE, zone, f"overlaps the range {range_}", final=True) for zone in overlapped]
        self.zones = [zone for zone in self.zones if not (zone.bottom <= high and zone.top >= low)]
        if DAY_LEVEL in self.place.terms.types:
            for name, price, side in (("resistance", high, ABOVE), ("support", low, BELOW)):
                at = next(bar.time for bar in bars if (bar.high if side == ABOVE else bar.low) == price)
                level = Annotation(self._id(DAY_LEVEL, name), "level", DAY_LEVEL, "15m", at, price=price, text=name)
                self.levels.append(level)
                self.watched.append((level, side))
                what = "high" if side == ABOVE else "low"
                changes.append(Change(time, CREATE, level, f"{what} of the session {self.date}: {written(price)}"))
        if DAY_ZONE in self.place.terms.types:
            for name, zone in zip(("resistance", "support"), zones_of(bars), strict=True):
                if zone is not None:
                    start, top, bottom = zone
                    made = Annotation(
                        self._id(DAY_ZONE, name), "zone", DAY_ZONE, "15m", start, top=top, bottom=bottom, text=name
                    )
                    self.zones.append(made)
                    changes.append(Change(time, CREATE, made, f"between extreme and bodies of the session {self.date}"))
        return changes

    def _id(self, type_: str, name: str) -> str:
        return f"{type_}/{self.place.sym}/{self.date}/{name}"


Zone = tuple[int, float, float]
"""Start (ns), top and bottom."""


def zones_of(bars: list[ClosedBar]) -> tuple[Zone | None, Zone | None]:
    """Return the zones of resistance and of support of a session's bars; None: none.

    Of edges that are equal the first counts, as of extremes.
    """
    high, low = max(bar.high for bar in bars), min(bar.low for bar in bars)
    if high == low:
        return None, None
    tops, bots = [bar.top for bar in bars], [bar.bot for bar in bars]
    edges = _standing_out(tops)
    edge = max(edges, key=tops.__getitem__) if edges else -1
    if edges and NEAREST <= (high - tops[edge]) / (high - low) <= FARTHEST:
        bottom = tops[edge]
    else:
        bottom = max(bots)
        edge = bots.index(bottom)
    extreme = next(i for i, bar in enumerate(bars) if bar.high == high)
    resistance = (bars[min(edge, extreme)].time, high, bottom) if high > bottom else None
    edges = _standing_out([-bot for bot in bots])
    edge = min(edges, key=bots.__getitem__) if edges else -1
    if edges and NEAREST <= (bots[edge] - low) / (high - low) <= FARTHEST:
        top = bots[edge]
    else:
        top = min(tops)
        edge = tops.index(top)
    extreme = next(i for i, bar in enumerate(bars) if bar.low == low)
    support = (bars[min(edge, extreme)].time, top, low) if top > low else None
    return resistance, support


def _standing_out(values: list[float]) -> list[int]:
    """Return the places of values that are greater than those of NEIGHBOURS on either side, all of which are there."""
    around = [*range(-NEIGHBOURS, 0), *range(1, NEIGHBOURS + 1)]
    places = range(NEIGHBOURS, len(values) - NEIGHBOURS)
    return [i for i in places if all(values[i] > values[i + shift] for shift in around)]
