"""Freshness: how old the newest tick is, and whether that is still good.

A tick is a row of `bars`. A venue may send a bar once, when it closes, so silence is judged against the length of the
bar: live up to one bar and a half (and a little for the way), late up to four bars, silent after that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from plant.errors import QueryError
from plant.rows.intervals import interval_ns

LATE_AFTER_BARS = 1.5
SILENT_AFTER_BARS = 4.0
GRACE_S = 10.0  # for the way from the venue to the page, its timers included

Level = Literal["live", "late", "silent", "none"]


@dataclass(frozen=True)
class Freshness:
    """`level` as above, "none" if there was no tick yet; `age_s` is the age of the newest tick in seconds."""

    level: Level
    age_s: float | None

    @property
    def text(self) -> str:
        if self.age_s is None:
            return "no tick yet"
        return f"{self.level} · last tick {age_text(self.age_s)} ago"


def freshness(last_bars: pd.DataFrame | None, now_ns: int) -> Freshness:
    """Return how fresh the newest row of `last_bars` is at `now_ns`, UTC nanoseconds.

    Takes the newest row of each symbol, and goes by `received` (when the plant took the row) if that column is there,
    else by the end of the bar.
    """
    if last_bars is None or last_bars.empty:
        return Freshness("none", None)
    lengths_s = last_bars["interval"].astype(str).map(interval_seconds)
    if "received" in last_bars.columns:
        ticks_ns = utc_nanoseconds(last_bars["received"])
    else:
        ticks_ns = utc_nanoseconds(last_bars["time"]) + (lengths_s.to_numpy() * 1e9).astype(np.int64)
    newest = int(ticks_ns.argmax())
    age_s = max(0.0, (now_ns - int(ticks_ns[newest])) / 1e9)
    bar_s = float(lengths_s.iloc[newest])
    if age_s <= LATE_AFTER_BARS * bar_s + GRACE_S:
        return Freshness("live", age_s)
    return Freshness("late" if age_s <= SILENT_AFTER_BARS * bar_s + GRACE_S else "silent", age_s)


def interval_seconds(interval: str) -> float:
    """Return the length of a bar in seconds: "10s", "1m", "1d". An interval in no known form counts as a minute.

    >>> interval_seconds("5m"), interval_seconds("1M")
    (300.0, 2678400.0)
    """
    try:
        return interval_ns(interval) / 1e9
    except QueryError:
        return 60.0


def age_text(seconds: float) -> str:
    """Return an age as a person says it.

    >>> [age_text(s) for s in (0.4, 75, 7300, 200_000)]
    ['0 s', '1 min 15 s', '2 h 1 min', '2 d 7 h']
    """
    whole = int(max(0.0, seconds))
    for unit_s, unit, part_s, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit_s:
            rest = whole % unit_s // part_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def utc_nanoseconds(times: pd.Series) -> np.ndarray:
    """Return int64 UTC nanoseconds of a column of timestamps (zone-aware, or naive UTC) or of such integers."""
    if pd.api.types.is_integer_dtype(times):
        return times.to_numpy(dtype=np.int64)
    stamps = pd.DatetimeIndex(pd.to_datetime(times, utc=True))
    return stamps.as_unit("ns").asi8
