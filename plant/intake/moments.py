"""Moments as users hold them, straight to int nanoseconds since 1970 UTC, without a Series between.

Each way takes exactly what `plant.intake.values` takes as a time, gives the same, or gives nothing (None, ValueError):
then that one decides, and says what is wrong. A moment without a zone is UTC, a missing one UNKNOWN_TIME.
"""

import datetime as dt
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from plant.rows.schema import UNKNOWN_TIME
from plant.rows.times import TIME_UNITS_NS, in_ns, scaled_times

_EPOCH = dt.datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=dt.UTC)

_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z|([+-])(0\d|1[0-3]):([0-5]\d))?",
    re.ASCII,
)
"""The common forms of ISO 8601; pandas reads the others."""

_OFFSET = re.compile(r":\d\d(\.\d+)?[+-]\d\d", re.ASCII)

_MANY = 8
"""Texts from which on Arrow reads them faster than we do one by one."""

_UNITS_NS = {**TIME_UNITS_NS, "m": 60 * 10**9, "h": 3_600 * 10**9, "D": 86_400 * 10**9}
"""Units of numpy's times that have one length."""

WHOLE = (int, np.int64, np.int32)
"""Types of an int since 1970."""


def _of_datetime(moment: dt.datetime) -> int:
    since = moment - (_EPOCH if moment.tzinfo is None else _EPOCH_UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


@functools.lru_cache(1_000)
def _day_s(day: str) -> int:
    return (dt.date.fromisoformat(day).toordinal() - _EPOCH.toordinal()) * 86_400


def _of_text(text: str) -> int:
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(text)
    day, hour, minute, second, fraction, sign, hours, minutes = match.groups()
    seconds = _day_s(day) + int(hour) * 3_600 + int(minute) * 60 + int(second)
    if sign:
        offset = int(hours) * 3_600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    return seconds * 1_000_000_000 + (int(fraction.ljust(9, "0")) if fraction else 0)


def _of_timestamp(moment: Any) -> int:
    return int(moment.value)  # of pandas, in ns whatever its unit; OverflowError beyond


def _of_datetime64(moment: np.datetime64) -> int:
    unit, count = np.datetime_data(moment)
    scale, number = _UNITS_NS.get(unit), int(moment.astype(np.int64))
    if scale is None or count != 1 or number == UNKNOWN_TIME:
        raise ValueError(moment)
    return number * scale


_WAYS: dict[type, Callable[[Any], int] | None] = {
    dt.datetime: _of_datetime,
    np.datetime64: _of_datetime64,
    str: _of_text,
}


def way_of(kind: type) -> Callable[[Any], int] | None:
    """Return what makes int ns of a moment of this type; None if that is not to be had straight.

    It raises ValueError or OverflowError for a moment that it cannot give.
    """
    try:
        return _WAYS[kind]
    except KeyError:
        known = kind.__name__ == "Timestamp" and kind.__module__.partition(".")[0] == "pandas"
        return _WAYS.setdefault(kind, _of_timestamp if known else None)


def moments_ns(values: Sequence[Any], unit: str | None) -> np.ndarray | None:
    """Return a list of moments of one type as int64 ns, or None; `unit` is that of ints (plant.rows.times.in_ns).

    Raises ValueError for ints that are of another unit.
    """
    kinds = set(map(type, values))
    if any(map(_says_missing, kinds)):
        known = np.array([not is_missing(value) for value in values])
        others = [value for value, there in zip(values, known, strict=True) if there]
        return placed(known, moments_ns(others, unit) if others else np.empty(0, dtype="<i8"))
    if kinds.issubset(WHOLE):
        if not -(2**63) <= min(values) <= max(values) < 2**63:
            return None
        return in_ns(np.array(values, dtype="<i8"), unit)
    if kinds == {str} and len(values) >= _MANY:
        return _texts_ns(values)
    way = way_of(kinds.pop()) if len(kinds) == 1 else None
    if way is None:
        return None
    try:
        found = np.array([*map(way, values)], dtype="<i8")
    except (ValueError, OverflowError):
        return None
    return None if found.min() == UNKNOWN_TIME else found


def is_missing(value: Any) -> bool:
    """Return whether a value says that there is none: None, pandas' NaT and NA."""
    return _says_missing(type(value))


def _says_missing(kind: type) -> bool:
    return kind is type(None) or (kind.__name__ in ("NaTType", "NAType") and kind.__module__.startswith("pandas."))


def placed(known: np.ndarray, times: np.ndarray | None) -> np.ndarray | None:
    """Return times at the places that are `known`, bool[n], the others UNKNOWN_TIME; None for no times."""
    if times is None:
        return None
    found = np.full(len(known), UNKNOWN_TIME, dtype="<i8")
    found[known] = times
    return found


def _texts_ns(texts: Sequence[str]) -> np.ndarray | None:
    """Return many texts of ISO 8601, all with a zone or all without, read by Arrow."""
    import pyarrow as pa

    zone = "UTC" if texts[0].endswith("Z") or _OFFSET.search(texts[0]) else None
    if not "1700" <= min(texts) <= max(texts) < "2262":  # Arrow does not tell of those that int64 ns cannot hold
        return None
    try:
        return np.array(pa.array(texts, pa.string()).cast(pa.timestamp("ns", zone)).view("int64").to_numpy())
    except (pa.ArrowException, UnicodeEncodeError):
        return None


def stamps_ns(stamps: np.ndarray, unit: str) -> np.ndarray | None:
    """Return int64 times of a unit, as libraries hold them, as ns, NaT as UNKNOWN_TIME; None if one is too large."""
    scale = _UNITS_NS.get(unit)
    if scale is None or not len(stamps):
        return None
    if scale == 1:
        return stamps
    most = (2**63 - 1) // scale
    if stamps.max() > most or ((stamps < -most) & (stamps != UNKNOWN_TIME)).any():
        return None
    return scaled_times(stamps, scale)
