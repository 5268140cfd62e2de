"""What must be said of the age of a chart, in words. Pure."""

import math

import numpy as np

from plant.calendars.sessions import CLOSED, Sessions
from plant.rows.intervals import interval_ns

_LATE_BARS, _GRACE_S = 1.5, 10.0


def age_note(end: int, interval: str, now: int, sessions: Sessions) -> str:
    """Return what must be said of the age of the newest bar, "" for nothing.

    end   of the newest bar, or until when it is known; now: the time; ns UTC each

    Old is more than a bar and a half after its end, and 10 s for the way; while the exchange is closed, that is said.
    """
    age_s = (now - end) / 1e9
    if age_s <= _LATE_BARS * interval_ns(interval) / 1e9 + _GRACE_S:
        return ""
    told = f"newest bar ended {_age(age_s)} ago"
    closed = sessions.kinds(np.array([now]))[0] == CLOSED and end > sessions.since(now) - 60 * 10**9
    return f"market closed: {told}" if closed else f"stale: {told}"


def _age(seconds: float) -> str:
    whole = math.floor(max(0.0, seconds))
    for unit_s, unit, part_s, part in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit_s:
            rest = whole % unit_s // part_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"
