"""Times of nanoseconds as SQL computes with them: parts, their beginnings, buckets, and intervals added.

Times are int64[n], ns since 1970 by a clock without changes: UTC, or what a clock of some zone shows. What would not
fit is a QueryError. Everything is as DuckDB has it for microseconds.
"""

from collections.abc import Callable, Sequence

import numpy as np

from plant.errors import QueryError

_US, _MS, _S = 10**3, 10**6, 10**9
_MINUTE, _HOUR, _DAY = 60 * _S, 3600 * _S, 86_400 * _S
_LAST_DAY = 106_750
"""Days from 1970 that times of ns reach, either way."""

_MONDAY = 10_959
"""2000-01-03, where buckets of a fixed length begin; those of months do at 2000-01-01."""

_JANUARY = 30 * 12

INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("ns", "<i8")])

Times = np.ndarray
"""int64[n]"""


def _days(ns: Times) -> Times:
    return ns // _DAY


def _months(ns: Times) -> Times:
    """Return months since 1970-01."""
    return _days(ns).astype("M8[D]").astype("M8[M]").astype(np.int64)


def _first_day(months: Times) -> Times:
    """Return the first day of months, both since 1970."""
    return months.astype("M8[M]").astype("M8[D]").astype(np.int64)


def _at(days: Times) -> Times:
    """Return midnights. Raises QueryError beyond what ns reach."""
    if len(days) and (days.min() < -_LAST_DAY or days.max() > _LAST_DAY):
        raise QueryError("a time is before 1677-09-22 or after 2262-04-10, which ns since 1970 do not reach")
    return days * _DAY


def _year(ns: Times) -> Times:
    return _months(ns) // 12 + 1970


def _of_week(ns: Times) -> Times:
    """Return 0 for Monday to 6."""
    return (_days(ns) + 3) % 7


def _day_of_year(ns: Times) -> Times:
    return _days(ns) - _first_day(_months(ns) // 12 * 12) + 1


def _thursday(ns: Times) -> Times:
    """Return the Thursday of the week: it is in the year that the week is counted to (ISO 8601)."""
    return _at(_days(ns) - _of_week(ns) + 3)


def _week(ns: Times) -> Times:
    return (_day_of_year(_thursday(ns)) - 1) // 7 + 1


FIELDS: dict[str, Callable[[Times], Times]] = {
    "year": _year,
    "month": lambda ns: _months(ns) % 12 + 1,
    "day": lambda ns: _days(ns) - _first_day(_months(ns)) + 1,
    "decade": lambda ns: _year(ns) // 10,
    "century": lambda ns: (_year(ns) - 1) // 100 + 1,
    "millennium": lambda ns: (_year(ns) - 1) // 1000 + 1,
    "quarter": lambda ns: _months(ns) % 12 // 3 + 1,
    "week": _week,
    "yearweek": lambda ns: _year(_thursday(ns)) * 100 + _week(ns),
    "isoyear": lambda ns: _year(_thursday(ns)),
    "dayofweek": lambda ns: (_of_week(ns) + 1) % 7,
    "isodow": lambda ns: _of_week(ns) + 1,
    "dayofyear": _day_of_year,
    "hour": lambda ns: ns % _DAY // _HOUR,
    "minute": lambda ns: ns % _HOUR // _MINUTE,
    "second": lambda ns: ns % _MINUTE // _S,
    "millisecond": lambda ns: ns % _MINUTE // _MS,
    "microsecond": lambda ns: ns % _MINUTE // _US,
    "epoch_ms": lambda ns: ns // _MS,
    "epoch_us": lambda ns: ns // _US,
}
"""Functions of a time that give an int, by the name that DuckDB has for them."""

_SYNONYMS = {
    "year": "years yr yrs y",
    "month": "months mon mons",
    "day": "days d dayofmonth",
    "decade": "decades dec decs",
    "century": "centuries cent c",
    "millennium": "millennia mil mils millenium",
    "quarter": "quarters",
    "week": "weeks w weekofyear",
    "dayofweek": "dow weekday",
    "dayofyear": "doy",
    "hour": "hours h hr hrs",
    "minute": "minutes m min mins",
    "second": "seconds s sec secs",
    "millisecond": "milliseconds ms msec msecs",
    "microsecond": "microseconds us usec usecs",
}
PARTS = {name: name for name in FIELDS if not name.startswith("epoch")}
PARTS |= {other: name for name, others in _SYNONYMS.items() for other in others.split()}

_FIXED = {"microsecond": _US, "millisecond": _MS, "second": _S, "minute": _MINUTE, "hour": _HOUR, "day": _DAY}
_IN_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200, "millennium": 12_000}


def _part_of(name: str, known: Sequence[str], asked: str) -> str:
    part = PARTS.get(name.lower(), name.lower())
    if part == "epoch":
        raise QueryError("extract(epoch from ...) would lose digits: write epoch_ns(...), or epoch(...) for a double")
    if part not in known:
        raise QueryError(f"{asked} of ns knows {', '.join(known)}; found {name!r}")
    return part


def _since_year_0(ns: Times) -> Times:
    return _months(ns) + 1970 * 12


def truncated(part: str, ns: Times) -> Times:
    """Return the beginnings of the parts that times are in (date_trunc)."""
    part = _part_of(part, [*_FIXED, "week", *_IN_MONTHS, "isoyear"], "date_trunc")
    if part in _FIXED:
        return ns - ns % _FIXED[part]
    if part == "week":
        return _at(_days(ns) - _of_week(ns))
    if part == "isoyear":
        fourth = _first_day((_year(_thursday(ns)) - 1970) * 12) + 3  # of January: always in week 1
        return _at(fourth - _of_week(_at(fourth)))
    months = _since_year_0(ns)
    return _at(_first_day(months - months % _IN_MONTHS[part] - 1970 * 12))


def field(part: str, ns: Times) -> Times:
    """Return what extract and date_part do."""
    return FIELDS[_part_of(part, list(dict.fromkeys(PARTS.values())), "extract")](ns)


def boundaries(part: str, start: Times, end: Times) -> Times:
    """Return how many beginnings of a part lie after `start` and up to `end` (date_diff); of weeks, how many fit in."""
    part = _part_of(part, [*_FIXED, "week", *_IN_MONTHS], "date_diff")
    if part in _FIXED:
        return end // _FIXED[part] - start // _FIXED[part]
    if part == "week":
        days = _days(end) - _days(start)
        return np.sign(days) * (np.abs(days) // 7)
    return _since_year_0(end) // _IN_MONTHS[part] - _since_year_0(start) // _IN_MONTHS[part]


def shifted(ns: Times, interval: np.ndarray, sign: int = 1) -> Times:
    """Return times an interval later (sign -1: earlier): months first, to the last day of a shorter one."""
    months, days = (sign * interval[name].astype(np.int64) for name in ("months", "days"))
    if months.any():
        first = _first_day(_months(ns) + months)
        length = _first_day(_months(ns) + months + 1) - first
        ns = _at(first + np.minimum(FIELDS["day"](ns), length) - 1) + ns % _DAY
    found = ns + sign * interval["ns"]
    wrapped = (found > ns) != (sign * interval["ns"] > 0)
    if (wrapped & (interval["ns"] != 0)).any():
        raise QueryError("a time would be before 1677 or after 2262, which ns since 1970 do not reach")
    return _at(found // _DAY + days) + found % _DAY


def interval_between(start: Times, end: Times) -> np.ndarray:
    """Return intervals from start to end. Raises QueryError for one that has no whole number of microseconds."""
    found = np.zeros(len(start), INTERVAL)
    lasts = end - start
    if ((end > start) != (lasts > 0)).any():
        raise QueryError("two times are more than 292 years apart, which ns do not reach: write date_diff")
    if odd := lasts[lasts % _US != 0][:1].tolist():
        raise QueryError(
            f"two times are {odd[0]:,} ns apart, and an INTERVAL of SQL holds microseconds: "
            "write epoch_ns(a) - epoch_ns(b)"
        )
    days = np.abs(lasts) // _DAY * np.sign(lasts)
    found["days"], found["ns"] = days, lasts - days * _DAY
    return found


def bucketed(width: np.ndarray, ns: Times, origin: Times | None = None) -> Times:
    """Return the beginnings of the buckets that times are in (time_bucket), counted from `origin`."""
    of_months, fixed = width["months"].astype(np.int64), width["days"].astype(np.int64) * _DAY + width["ns"]
    if ((of_months != 0) & (fixed != 0)).any() or ((of_months <= 0) & (fixed <= 0)).any():
        raise QueryError("time_bucket takes a width of months, or of days and shorter, greater than 0")
    if len(width) and of_months[0]:
        opens = np.full(len(ns), _JANUARY, np.int64) if origin is None else _months(origin)
        return _at(_first_day(opens + (_months(ns) - opens) // of_months * of_months))
    opens = np.full(len(ns), _MONDAY * _DAY, np.int64) if origin is None else origin
    return ns - (ns - opens % fixed) % fixed


def bucketed_apart(width: np.ndarray, ns: Times, offset: np.ndarray) -> Times:
    """Return the beginnings of buckets that begin an interval later than they would."""
    return shifted(bucketed(width, shifted(ns, offset, -1)), offset)


def last_day(ns: Times) -> np.ndarray:
    """Return the last day of the month, int32[n] since 1970."""
    return (_first_day(_months(ns) + 1) - 1).astype(np.int32)


_DAYS = np.array(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])
_MONTHS = "January February March April May June July August September October November December"
NAMES = {
    "dayname": lambda ns: _DAYS[_of_week(ns)],
    "monthname": lambda ns: np.array(_MONTHS.split())[_months(ns) % 12],
}
