"""Lengths of bars: one name for each, whatever it is called elsewhere, in nanoseconds.

A name is a number and a unit: ms, s, m (a minute), h, d, w (from Monday on), M (a month). "1Min", "1min", "60s" and "m"
all are "1m"; a number alone names no unit and is refused.
"""

import datetime as dt
import re
from functools import lru_cache
from typing import Any

from plant.errors import QueryError

UNITS_NS = {
    "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9, "w": 7 * 86_400 * 10**9,
}  # fmt: skip
"""Units that always have one length."""

MONTH = "M"

_WORDS = {
    "ms": "ms", "milli": "ms", "millis": "ms", "millisecond": "ms", "milliseconds": "ms",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m", "t": "m",
    "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "d": "d", "day": "d", "days": "d", "daily": "d",
    "w": "w", "wk": "w", "week": "w", "weeks": "w", "weekly": "w",
    "mo": MONTH, "mon": MONTH, "mth": MONTH, "month": MONTH, "months": MONTH, "monthly": MONTH,
}  # fmt: skip

_LARGER = {"ms": ("s", 1000), "s": ("m", 60), "m": ("h", 60)}
"""How many of a unit make one of the next; 24h is no day, which has an end of its own."""


@lru_cache(maxsize=10_000)
def interval_name(text: str) -> str:
    """Return the name of an interval. Raises QueryError for what is none.

    >>> [interval_name(text) for text in ("1Min", "60s", "D", "1H", "1M", "90s", "5 minutes")]
    ['1m', '1m', '1d', '1h', '1M', '90s', '5m']
    """
    match = re.fullmatch(r"\s*(\d{0,9})\s*([A-Za-z]+)\s*", text, re.ASCII) if isinstance(text, str) else None
    unit = None
    if match:
        unit = MONTH if match[2] == "M" else _WORDS.get(match[2].lower())
    count = int(match[1] or 1) if match else 0
    if unit is None or count < 1:
        hint = f', perhaps "{text.strip()}m" or "{text.strip()}s"' if str(text).strip().isdigit() else ""
        raise QueryError(f'expected an interval like "30s", "5m", "1h", "1d", "1w" or "1M", found {text!r}{hint}')
    while unit in _LARGER and count % _LARGER[unit][1] == 0:
        count, unit = count // _LARGER[unit][1], _LARGER[unit][0]
    if count * UNITS_NS.get(unit, 31 * UNITS_NS["d"]) >= 2**63:
        raise QueryError(f"expected an interval of less than 292 years, found {text!r}")
    return f"{count}{unit}"


@lru_cache(maxsize=10_000)
def is_name(text: str) -> bool:
    """Return whether a text is the one name of an interval: "1m", not "1Min".

    >>> is_name("1m"), is_name("60s"), is_name("60")
    (True, False, False)
    """
    try:
        return interval_name(text) == text
    except QueryError:
        return False


def interval_of(value: Any) -> str:
    """Return the name of an interval as a user writes it: text or a timedelta, also of pandas. Raises QueryError."""
    if isinstance(value, dt.timedelta):  # a pandas Timedelta is one
        import pandas as pd

        length = int(pd.Timedelta(value).as_unit("ns").value)
        for unit in ("d", "h", "m", "s", "ms"):
            if length > 0 and length % UNITS_NS[unit] == 0:
                return interval_name(f"{length // UNITS_NS[unit]}{unit}")
        raise QueryError(f"expected an interval of whole milliseconds, found {value!r}")
    return interval_name(value)


def months_of(interval: str) -> int:
    """Return how many months an interval has, 0 if it has one length always. Raises QueryError."""
    name = interval_name(interval)
    return int(name[:-1]) if name.endswith(MONTH) else 0


def interval_ns(interval: str) -> int:
    """Return the nanoseconds of an interval, of a month those of the longest one. Raises QueryError."""
    match = re.fullmatch(r"(\d+)([a-zA-Z]+)", interval_name(interval))
    assert match is not None
    return int(match[1]) * UNITS_NS.get(match[2], 31 * UNITS_NS["d"])
