"""How the times of a file are to be read, and what a zone's clock makes of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds of the units of Unix time."""

UNIT_OPTIONS = ("", *UNITS, "calendar")

SAY_UNIT = "say the unit: --unit s, ms, us, ns or calendar (of a feed: unit)"

Tell = Callable[[str], None]
"""Takes a sentence of what was decided about a column."""


@dataclass(frozen=True)
class Clock:
    """How the times of a file are to be read.

    zone        of times without an offset
    unit        of times in digits: "s", "ms", "us" or "ns" since 1970, "calendar"; "": as the column decides
    day_first   whether 04/03/2024 is in March; None: as the column decides
    """

    zone: str = "UTC"
    unit: str = ""
    day_first: bool | None = None


def localized(times: Any, time_zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Turn a Series of naive or UTC times into (int64 UTC ns, bool: no such time, or two of them)."""
    in_range = (times >= pd.Timestamp.min.tz_localize(times.dt.tz)) & (
        times <= pd.Timestamp.max.tz_localize(times.dt.tz)
    )
    times = times.where(in_range).dt.as_unit("ns")
    if times.dt.tz is None:
        times = times.dt.tz_localize(time_zone, ambiguous="NaT", nonexistent="NaT")
    bad = times.isna().to_numpy()
    return np.where(bad, 0, times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype(np.int64)), bad


def localized_ns(local: np.ndarray, time_zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Turn what a zone's clock shows, int64 ns, into (int64 UTC ns, bool: no such time, or two of them)."""
    if time_zone == "UTC":
        bad = local == np.iinfo(np.int64).min  # numpy's "not a time"
        return np.where(bad, 0, local) if bad.any() else local, bad
    return localized(pd.Series(local).astype("datetime64[ns]"), time_zone)


def days_before(times: np.ndarray, days: np.ndarray, zone: str) -> np.ndarray:
    """Return the same time of day, some days earlier in a zone, int64 UTC ns: midnights stay midnights.

    Where the clock has that time twice it is the first, where it skips it the moment after.
    """
    local = pd.DatetimeIndex(times.astype("datetime64[ns]"), tz="UTC").tz_convert(zone).tz_localize(None)
    earlier = local - pd.to_timedelta(days, unit="D").as_unit("ns")
    first = np.ones(len(times), dtype=bool)
    moved = earlier.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return moved.tz_convert("UTC").tz_localize(None).as_unit("ns").to_numpy().astype(np.int64)
