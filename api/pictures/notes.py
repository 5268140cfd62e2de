"""What must be said of the data of a chart, in words: made up, played back, late, or old. Pure."""

import math
from collections.abc import Collection, Iterable

import numpy as np

from plant.calendars.sessions import CLOSED, Sessions
from plant.rows.intervals import interval_ns
from plant.runtime.sections import FeedSection

SIMULATED = "simulated"
PLAYED_BACK = frozenset(("recorded", "replayed"))
"""Kinds of feeds whose rows happened long ago."""

_BUILT = "built:"
_LATE_BARS, _GRACE_S = 1.5, 10.0


def origin_notes(sources: Collection[str], feeds: Iterable[FeedSection]) -> tuple[list[str], str]:
    """Return what must be said of where bars are from, and a word to be written across them, "" for none.

    sources   of the rows of `bars`; feeds: those of plant.toml

    >>> origin_notes({"built:simulated"}, ())
    (['simulated: made-up prices'], 'SIMULATED')
    """
    names = {source.removeprefix(_BUILT) for source in sources}
    notes, faint = [], ""
    if SIMULATED in names:
        part = "" if names == {SIMULATED} else ", in part"
        notes.append(f"simulated{part}: made-up prices")
        faint = "SIMULATED"
    back, late = set(names & PLAYED_BACK), set()
    for feed in feeds:
        if {feed.label, str(feed.own_keys.get("name", ""))} & names:
            back |= {feed.label} if feed.kind in PLAYED_BACK else set()
            late |= {feed.label} if "delayed" in str(feed.own_keys.get("url", "")) else set()
    if back:
        notes.append(f"played back, not live: {', '.join(sorted(back))}")
    if late:
        notes.append(f"delayed by the venue: {', '.join(sorted(late))}")
    return notes, faint


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
