"""Times and lengths of time as users write them, in nanoseconds; a range of times in slices."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from plant.errors import BadRows, QueryError


def nanoseconds(moment: Any, zone: dt.tzinfo = dt.UTC, now: dt.datetime | None = None) -> int:
    """Return a moment as int nanoseconds since 1970 UTC.

    `moment` is int nanoseconds, a datetime, a pandas Timestamp, a numpy datetime64, or a string: ISO 8601, or a time of
    day ("09:30"), which is meant today in `zone`; a moment without a zone is in `zone`. Raises BadRows.
    """
    import pandas as pd

    try:
        if isinstance(moment, int | np.integer) and not isinstance(moment, bool):
            if not -(2**63) <= moment < 2**63:
                raise ValueError("more than an int64 holds")
            return int(moment)
        if isinstance(moment, float | np.floating):
            raise ValueError("a float cannot hold nanoseconds exactly")
        if isinstance(moment, str) and ":" in moment[:3]:
            today = (now or dt.datetime.now(zone)).astimezone(zone).date()
            moment = dt.datetime.combine(today, dt.time.fromisoformat("0" * (moment.find(":") == 1) + moment))
        elif isinstance(moment, str):  # pandas would guess at 05/06/2026, and take "now" for UTC
            if not moment[:1].isdigit():
                raise ValueError("not ISO 8601")
            moment = pd.to_datetime(moment, format="ISO8601")
        elif isinstance(moment, dt.time):
            moment = dt.datetime.combine((now or dt.datetime.now(zone)).astimezone(zone).date(), moment)
        stamp = pd.Timestamp(moment)
        if stamp is pd.NaT:
            raise ValueError("not a time")
        stamp = stamp.tz_localize(zone) if stamp.tzinfo is None else stamp
        return int(stamp.tz_convert("UTC").as_unit("ns").value)
    except (TypeError, ValueError, OverflowError) as error:
        reason = str(error).partition(" You might want to try")[0]
        raise BadRows(
            f'expected a time ("09:30", "2026-11-20 09:30", a datetime, int ns since 1970 UTC), '
            f"found {moment!r}: {reason}"
        ) from None


_UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def interval_ns(interval: str) -> int:
    """Return the nanoseconds of "30s", "5m", "1h" or "1d". Raises QueryError."""
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", interval) if isinstance(interval, str) else None
    if not match:
        raise QueryError(f'expected an interval like "30s", "5m", "1h" or "1d", found {interval!r}')
    length = int(match[1]) * _UNITS_NS[match[2]]
    if length >= 2**63:
        raise QueryError(f"expected an interval of less than 292 years, found {interval!r}")
    return length


def time_of_day(text: str) -> tuple[int, int, int]:
    """Return hour, minute and second of "09:30" or "09:30:15". Raises QueryError."""
    match = (
        re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", text, re.ASCII) if isinstance(text, str) else None
    )
    if not match:
        raise QueryError(f'expected a time of day like "09:30", found {text!r}')
    return int(match[1]), int(match[2]), int(match[3] or 0)


def zone_of(name: str) -> ZoneInfo:
    """Return the time zone of this name. Raises QueryError."""
    try:
        return ZoneInfo(name)
    except (ValueError, TypeError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise QueryError(f'expected a time zone like "America/New_York", found {name!r}') from None


SLICE_ROWS = 100_000
"""Rows of one piece, unless more have one and the same time."""


def time_slices(
    count: Callable[[int, int], int], start: int, end: int, rows: int = SLICE_ROWS
) -> Iterator[tuple[int, int]]:
    """Yield pieces [start, end) of a time range, in order, each with 1 to `rows` rows; `count(start, end)` tells.

    Times are ns since 1970 UTC. A piece of one nanosecond is not divided, however many rows it has.

    >>> list(time_slices(lambda start, end: len(range(start, end)), 0, 10, rows=3))
    [(0, 2), (2, 5), (5, 7), (7, 10)]
    """
    waiting = [(start, end)]
    while waiting:
        start, end = waiting.pop()
        found = count(start, end) if start < end else 0
        if found > rows and end - start > 1:
            middle = start + (end - start) // 2
            waiting += [(middle, end), (start, middle)]
        elif found:
            yield start, end
