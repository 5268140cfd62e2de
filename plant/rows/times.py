"""Times and lengths of time as users write them, in nanoseconds; a range of times in slices."""

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from plant.errors import BadRows, QueryError
from plant.rows.intervals import interval_ns
from plant.rows.schema import UNKNOWN_TIME


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


def spoken(moment: Any, zone: dt.tzinfo, now: dt.datetime | None = None) -> Any:
    """Return the datetime that a moment counted from now means; any other moment as it is.

    "now", "-5m" (and "+1h", "-2d"), a timedelta (how long ago, whatever its sign), "today", "yesterday", and one of
    these two with a time of day.

    >>> noon = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    >>> [str(spoken(text, dt.UTC, noon))[:16] for text in ("-5m", "today", "yesterday 15:30")]
    ['2026-11-20 11:55', '2026-11-20 00:00', '2026-11-19 15:30']
    """
    now = (now or dt.datetime.now(zone)).astimezone(zone)
    if isinstance(moment, dt.timedelta):
        return (now.astimezone(dt.UTC) - abs(moment)).astimezone(zone)
    if not isinstance(moment, str):
        return moment
    if moment == "now":
        return now
    if match := re.fullmatch(r"([+-])([1-9]\d{0,5}[smhd])", moment):
        length = dt.timedelta(microseconds=interval_ns(match[2]) // 1000)
        return (now.astimezone(dt.UTC) + (length if match[1] == "+" else -length)).astimezone(zone)
    day, _, clock = moment.partition(" ")
    if day in ("today", "yesterday"):
        date = now.date() - dt.timedelta(days=day == "yesterday")
        return dt.datetime.combine(date, dt.time(*time_of_day(clock or "00:00")), zone)
    return moment


TIME_UNITS_NS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Units of int times since 1970 UTC."""

_MARKETS_NS = (31_536_000 * 10**9, 4_102_444_800 * 10**9)
"""1971 and 2100: an int that is no time between them is of another unit."""


def unit_like(number: int) -> str | None:
    """Return the unit in which an int since 1970 UTC is a time from 1971 on and before 2100, None if in none.

    >>> unit_like(1_709_544_600), unit_like(1_709_544_600_000), unit_like(5)
    ('s', 'ms', None)
    """
    first, end = _MARKETS_NS
    return next((unit for unit, ns in TIME_UNITS_NS.items() if first <= number * ns < end), None)


def int_range(unit: str | None) -> tuple[int, int]:
    """Return the first int that may be a time of a unit, and the first beyond the last; `unit` as in `in_ns`."""
    if unit == "ns":
        return -(2**63), 2**63
    scale = TIME_UNITS_NS[unit or "ns"]
    return _MARKETS_NS[0] // scale, 2**63 if unit is None else _MARKETS_NS[1] // scale


def in_ns(times: np.ndarray, unit: str | None) -> np.ndarray:
    """Return int64 times of a unit as int64 ns since 1970 UTC.

    "ns" takes them as they are; None does, too, but raises ValueError for one before 1971, which is of another unit. So
    do s, ms and us for one that is not in [1971, 2100). UNKNOWN_TIME is that in any unit.
    """
    if unit == "ns" or not len(times):
        return times
    first, end = int_range(unit)
    if times.min() < first or (end < 2**63 and times.max() >= end):
        wrong = ((times < first) | (times > end - 1)) & (times != UNKNOWN_TIME)  # 2**63 is no int64
        if wrong.any():
            found = int(times[int(np.argmax(wrong))])
            like = unit_like(found)
            told = f'it looks like {like}: say so, publisher(..., unit="{like}")' if like else "that is no unit we know"
            raise ValueError(f"found {found}, which as {unit or 'ns'} is no time of a market; {told}")
    return times if unit is None else scaled_times(times, TIME_UNITS_NS[unit])


def scaled_times(times: np.ndarray, scale: int) -> np.ndarray:
    """Return int64 times in units of `scale` ns as int64 ns; UNKNOWN_TIME stays. None may be too large for that."""
    unknown = times == UNKNOWN_TIME
    found: np.ndarray = times * scale
    if unknown.any():
        found[unknown] = UNKNOWN_TIME
    return found


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
