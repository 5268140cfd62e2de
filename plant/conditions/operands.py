"""Levels and zones as values beside a bar, for conditions: `level:prev_day_high`, `zone:support.bottom`.

They are found by plant.detectors, over the bars that a strategy itself is given: so a backtest and a run
that follows the plant have the same. A value is that of the annotation in force **when the bar began**, decided by a
bar that had ended by then; null (NaN) while there is none. Of several the one that was decided last counts.

    level:prev_day_high _low _close _open    level:prev_week_high _low _close    level:premarket_high _low
    level:opening_range_high.N _low.N        of the first N minutes
    level:P R1 S1 R2 S2 R3 S3                floor pivots
    level:resistance level:support           high and low of an earlier session that no later one reached
    zone:resistance zone:support             their zones; zone:supply zone:demand those of the bars at hand

A zone has two edges, `.top` and `.bottom`; without either it is the one that a price in front of it meets first: the
top of support and demand, the bottom of resistance and supply.
"""

from math import nan
from typing import NamedTuple

import numpy as np

from plant.calendars.sessions import DAY_NS, REGULAR, Sessions
from plant.detectors.annotation import DELETE, Annotation, Change
from plant.detectors.daily import FLOOR_PIVOTS, PREV_DAY, PREV_WEEK
from plant.detectors.days import DAY_LEVEL, DAY_ZONE
from plant.detectors.machine import ClosedBar, DetectorTerms, Place
from plant.detectors.openings import OPENING_RANGE, PREMARKET
from plant.detectors.track import DAY, FINE, Group
from plant.detectors.zones import DEMAND, SUPPLY
from plant.errors import ConditionError
from plant.rows.intervals import interval_ns
from plant.rows.schema import UNKNOWN_TIME

MINUTE_NS = 60 * 10**9
QUARTER = "15m"

LENGTHS = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120)
"""Minutes that an opening range may have here."""

PIVOTS = ("P", "R1", "S1", "R2", "S2", "R3", "S3")
_SIDES = ("resistance", "support")
_BROKEN_TOO = ("broken", "expired", "failed")
_OVER = {"level": _BROKEN_TOO[1:], "zone": _BROKEN_TOO}
"""States of what is not in force: a level that was broken is still there, a zone is not."""


class Operand(NamedTuple):
    """What a name means: a type, what its id ends with ("" for any), and the field that is its value."""

    type: str
    part: str
    field: str


def _operands() -> dict[str, Operand]:
    found = {f"level:{name}": Operand(name, "", "price") for name in (*PREV_DAY, *PREV_WEEK, *PREMARKET)}
    found |= {f"level:{n}.{length}": Operand(n, str(length), "price") for n in OPENING_RANGE for length in LENGTHS}
    found |= {f"level:{name}": Operand(FLOOR_PIVOTS, name, "price") for name in PIVOTS}
    found |= {f"level:{side}": Operand(DAY_LEVEL, side, "price") for side in _SIDES}
    for name, type_, part in (*((side, DAY_ZONE, side) for side in _SIDES), (SUPPLY, SUPPLY, ""), (DEMAND, DEMAND, "")):
        near = "top" if name in ("support", DEMAND) else "bottom"
        found |= {f"zone:{name}{dot}": Operand(type_, part, dot[1:] or near) for dot in ("", ".top", ".bottom")}
    return found


OPERANDS = _operands()
"""Every name that a condition may use, and what it means."""


def check_operands(names: tuple[str, ...], interval: str) -> None:
    """Raise ConditionError for a name whose annotation cannot be found over bars of an interval."""
    for name in OPERANDS.keys() & set(names):
        if not interval:
            raise ConditionError(f"{name}: the strategy does not say its interval, so nothing can be found")
        type_, part, _ = OPERANDS[name]
        whole = {DAY_LEVEL: 15, DAY_ZONE: 15}.get(type_, int(part) if type_ in OPENING_RANGE else 0)
        if interval[-1] in "dwM":
            fits = interval == DAY and type_ in (*PREV_DAY, *PREV_WEEK, FLOOR_PIVOTS)
        else:
            fits = not whole or (whole * MINUTE_NS) % interval_ns(interval) == 0
        if not fits:
            wanted = f"bars of which {whole}m are so many" if whole else "bars of less than a day"
            raise ConditionError(f"{name} is found over {wanted}, not over those of {interval}")


class Operands:
    """The values of some operands beside the bars of one symbol, oldest first.

    names      of OPERANDS
    interval   of the bars; raises ConditionError if a name cannot be found over those
    sessions   of the symbol; None: days of UTC
    """

    def __init__(self, names: tuple[str, ...], sym: str, interval: str, sessions: Sessions | None) -> None:
        check_operands(names, interval)
        self.names = names
        self._wanted = [OPERANDS[name] for name in names]
        self._sessions = sessions or Sessions()
        self._interval, self._daily = interval, interval == DAY
        types = frozenset(one.type for one in self._wanted)
        lengths = tuple(sorted({int(one.part) for one in self._wanted if one.type in OPENING_RANGE}))
        terms = DetectorTerms(types, (interval,), lengths)

        def group(bars: str, day: str = "") -> Group:
            return Group(Place(sym, bars, self._sessions, terms), day)

        self._fine = group(FINE, DAY)
        self._quarter = group(QUARTER) if types & {DAY_LEVEL, DAY_ZONE} else None
        self._own = group(interval) if types & {SUPPLY, DEMAND} else None
        self._objects: dict[str, Annotation] = {}
        self._values = [nan] * len(names)
        self._until = 0  # the values are these up to then
        self._stretch = (0, 0, 0, 0)  # since, until, kind, session
        self._day: ClosedBar | None = None
        self._part: ClosedBar | None = None  # of a bar of 15m

    def update(self, time: int, open: float, high: float, low: float, close: float) -> list[float]:
        """Return the values in force when a closed bar began (its `time`, ns), and take it."""
        if self._day is not None and time >= self._day.end:
            self._end_day()
        if self._part is not None and time >= self._part.end:
            self._end_part()
        if time >= self._until:
            self._look(time)
        values = self._values
        self._take(self._closed(time, open, high, low, close))
        return values

    def _take(self, bar: ClosedBar) -> None:
        if self._daily:
            self._apply(self._fine.update(DAY, bar))
            return
        self._apply(self._fine.update(FINE, bar))
        if self._own is not None and bar.kind == REGULAR:
            self._apply(self._own.update(self._interval, bar))
        if self._quarter is not None:
            self._part = _joined(self._part, bar, *self._quarter_of(bar.time))
        if bar.kind == REGULAR:
            session = self._sessions.session(bar.session)
            self._day = _joined(self._day, bar, session.open, session.close)

    def _end_day(self) -> None:
        day, self._day = self._day, None
        if day is not None:
            self._apply(self._fine.update(DAY, day))

    def _end_part(self) -> None:
        part, self._part = self._part, None
        if part is not None and self._quarter is not None:
            self._apply(self._quarter.update(QUARTER, part))

    def _apply(self, changes: list[Change]) -> None:
        for change in changes:
            one = change.annotation
            if change.action == DELETE or one.state in _OVER[one.kind]:
                self._objects.pop(one.id, None)
            else:
                self._objects[one.id] = one
        if changes:
            self._until = 0

    def _look(self, time: int) -> None:
        """Note the values at a time, and until when they are so if nothing is decided."""
        self._objects = {
            name: one for name, one in self._objects.items() if one.end_at == UNKNOWN_TIME or one.end_at > time
        }
        self._until = min(
            (one.end_at for one in self._objects.values() if one.end_at != UNKNOWN_TIME), default=2**63 - 1
        )
        newest = list(reversed(self._objects.values()))
        self._values = [
            next(
                (getattr(o, field) for o in newest if o.type == type_ and o.id.endswith(f"/{part}" if part else "")),
                nan,
            )
            for type_, part, field in self._wanted
        ]

    def _closed(self, time: int, open: float, high: float, low: float, close: float) -> ClosedBar:
        at = np.array([time])
        if self._daily:
            end = int(self._sessions.ends(at, DAY)[0])
            number = int(self._sessions.numbers(np.array([end - 1]))[0])
            return ClosedBar(time, end, open, high, low, close, REGULAR, number)
        if not self._stretch[0] <= time < self._stretch[1]:
            until = int(self._sessions.ends(at, "24h")[0])
            if self._sessions.continuous:
                since, until = time // DAY_NS * DAY_NS, time // DAY_NS * DAY_NS + DAY_NS
            else:
                since = self._sessions.since(time)
            self._stretch = since, until, int(self._sessions.kinds(at)[0]), int(self._sessions.numbers(at)[0])
        _, until, kind, number = self._stretch
        end = time + interval_ns(self._interval)
        return ClosedBar(
            time, end if self._sessions.continuous else min(end, until), open, high, low, close, kind, number
        )

    def _quarter_of(self, time: int) -> tuple[int, int]:
        """Return start and end of the bar of 15m that holds a time."""
        since, until, *_ = self._stretch
        start = since + (time - since) // (15 * MINUTE_NS) * 15 * MINUTE_NS
        return start, min(start + 15 * MINUTE_NS, until)


def _joined(before: ClosedBar | None, bar: ClosedBar, start: int, end: int) -> ClosedBar:
    """Return the larger bar at [start, end) with one more bar in it."""
    if before is None:
        return bar._replace(time=start, end=end)
    return before._replace(high=max(before.high, bar.high), low=min(before.low, bar.low), close=bar.close)
