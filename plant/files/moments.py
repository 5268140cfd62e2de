"""Times of foreign files as UTC nanoseconds: typed, in digits, as dates and times of day.

What a text means is decided by its column: whether digits are Unix time or a calendar stamp, whether the day comes
ahead of the month. What the column cannot decide is a ValueError that names the option which does; what was decided is
told.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from plant.files.foreign_file import Rejects
from plant.files.values import read_texts, whole_column
from plant.rows.schema import EARLIEST, LATEST

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds of the units of Unix time."""

UNIT_OPTIONS = ("", *UNITS, "calendar")

MARKET_YEARS = (1971, 2100)
"""Digits that are no Unix time of these years, in any unit, are a calendar stamp or nothing."""

_MARKETS_NS = (365 * 86_400 * 10**9, LATEST)
_CALENDAR_DIGITS = (8, 10, 12, *range(14, 24))
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %H%M%S", " %I:%M %p", " %I:%M:%S %p")
_YEAR_FIRST = r"^(\d{4})(?:([/.-])(\d\d?)\2(\d\d?)|(\d\d)(\d\d))(?:[T ]\s*(\S.*))?$"
_YEAR_LAST = r"^(\d\d?)([/.-])(\d\d?)\2(\d{4})(?:[T ,]\s*(\S.*))?$"
_INT64_MAX = np.iinfo(np.int64).max

_SAY_DAY = "say which: --day-first or --month-first (of a feed: day_first)"
_SAY_UNIT = "say the unit: --unit s, ms, us, ns or calendar (of a feed: unit)"

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


def read_times(column: Any, clock: Clock, rejects: Rejects, tell: Tell, name: str = "time") -> np.ndarray:
    """Return int64 UTC ns; a time without an offset is one of the clock's zone, which must have it exactly once.

    Accepts timestamps, dates, Unix time, calendar stamps, ISO 8601, and dates with the year first or last. Raises
    ValueError for a column that may mean one thing or another.
    """
    column = whole_column(column)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    once = f"a time that exists once in {clock.zone}"
    if pa.types.is_timestamp(column.type):
        count = column.cast(pa.int64())
        bad = count.is_null().to_numpy(zero_copy_only=False)
        times, far = _to_ns(count.fill_null(0).to_numpy(), UNITS[column.type.unit])
        bad |= far
        if column.type.tz is None:
            times, unclear = _localized(pd.Series(times).astype("datetime64[ns]"), clock.zone)
            bad |= unclear
        rejects.add(bad, name, once, column)
        return times
    text = pd.Series(_texts(column, name, rejects), dtype="str").str.strip()
    times = np.zeros(len(text), dtype=np.int64)
    digits = text.str.fullmatch(r"\d+(\.\d*)?([eE][+-]?\d+)?").to_numpy(dtype=bool)
    if digits.any():
        times[digits] = _read_digits(text, digits, clock, rejects, tell, name)
    if not digits.all():
        written = ~digits
        times[written], bad = _read_dates(text[written], clock, tell, name)
        marked = np.zeros(len(text), dtype=bool)
        marked[written] = bad
        rejects.add(marked, name, once, column)
    return times


def days_before(times: np.ndarray, days: np.ndarray, zone: str) -> np.ndarray:
    """Return the same time of day, some days earlier in a zone, int64 UTC ns: midnights stay midnights.

    Where the clock has that time twice it is the first, where it skips it the moment after.
    """
    local = pd.DatetimeIndex(times.astype("datetime64[ns]"), tz="UTC").tz_convert(zone).tz_localize(None)
    earlier = local - pd.to_timedelta(days, unit="D").as_unit("ns")
    first = np.ones(len(times), dtype=bool)
    moved = earlier.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return moved.tz_convert("UTC").tz_localize(None).as_unit("ns").to_numpy().astype(np.int64)


def clock_texts(values: list[str], unit: str, tell: Tell) -> list[str] | None:
    """Return times of day beside a date column as "09:30:00", or None if they are none.

    Digits are HHMM, HHMMSS or HHMMSS with three, six or nine more; leading zeros may be missing. With a unit "s", "ms",
    "us" or "ns" they count from midnight. Raises ValueError for digits that may be either, or are no time of day.
    """
    stripped = [value.strip().removesuffix(".0") for value in values]
    given = [value for value in stripped if value]
    if all(_TIME_OF_DAY.fullmatch(value) for value in given):
        return stripped
    if not all(re.fullmatch(r"\d{1,9}|\d{11,12}|\d{14,15}", value) for value in given):
        return None
    if unit in UNITS:
        tell(f"times of day count {unit} from midnight")
        return [v and f"{pd.Timestamp(0) + pd.Timedelta(int(v), unit):%H:%M:%S.%f}" for v in stripped]  # type: ignore
    longest = max(map(len, given))
    width = next(w for w in (4, 6, 9, 12, 15) if longest <= w)
    since_midnight = {6: "s", 9: "ms", 12: "us", 15: "ns"}.get(width)
    padded = any(len(v) == width and v[0] == "0" for v in given)
    day = 86_400 * 10 ** max(width - 6, 0)
    if since_midnight and not unit and not padded and all(int(v) < day for v in given):
        raise ValueError(f"{given[0]} may be a time of day in digits or {since_midnight} since midnight; {_SAY_UNIT}")
    full = [v and v.zfill(width) for v in stripped]
    for value in full:
        if value and (value[:2] > "23" or value[2:4] > "59" or value[4:6] > "59"):
            raise ValueError(f"{value} is no time of day as {_FORM[:width]}; if it counts from midnight, {_SAY_UNIT}")
    tell(f"times of day are {_FORM[:width]}")
    return [v and ":".join(filter(None, (v[:2], v[2:4], v[4:6]))) + (f".{v[6:]}" if v[6:] else "") for v in full]


_FORM = "HHMMSSfffffffff"
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?|")


def _texts(column: Any, name: str, rejects: Rejects) -> list[str]:
    """Return a column as texts; a float is the shortest text that is it, and so may have lost digits."""
    if pa.types.is_floating(column.type):
        floats = [np.nan if v is None else float(v) for v in column.to_pylist()]
        return ["" if v != v else str(int(v)) if v.is_integer() and abs(v) < 2**53 else repr(v) for v in floats]
    return read_texts(column, name, rejects)


def _read_digits(
    text: "pd.Series[str]", where: np.ndarray, clock: Clock, rejects: Rejects, tell: Tell, name: str
) -> np.ndarray:
    """Return the times of texts in digits, all of them those `where`."""
    rows = np.flatnonzero(where)
    written = [Decimal(each) for each in text[where]]
    lost = np.array([int(each.as_tuple().exponent) > 0 for each in written])
    marked = np.zeros(len(text), dtype=bool)
    marked[rows[lost]] = True
    rejects.add(marked, name, "a time with all its digits (a whole number, or a text)", text.tolist())
    plain = pd.Series([f"{each:f}" for each in written], dtype="str").str.replace(r"\.0*$", "", regex=True)
    epochs, units = _epochs(written, clock.unit)
    whole = plain.str.replace(r"\..*", "", regex=True)
    lengths = whole.str.len().where((plain == whole) | (whole.str.len() == 14), 0)  # only seconds have a fraction
    stamps, no_stamp = _calendar(plain.str.replace(".", "", regex=False), lengths, clock.zone)
    is_epoch, is_stamp = units != "", ~no_stamp
    if clock.unit:
        is_epoch, is_stamp = is_epoch & (clock.unit in UNITS), is_stamp & (clock.unit == "calendar")
    for length in lengths.unique().tolist():  # 2024030409 is also a second of 2034: a date if all of its length are
        alike = (lengths == length).to_numpy()
        dates = is_stamp[alike & is_epoch].all()
        is_epoch[alike & is_stamp] &= not dates
        is_stamp[alike & is_epoch] &= bool(dates)
    for unit in UNITS:
        if (is_epoch & (units == unit)).any():
            tell(f"{name} is Unix time in {unit}")
    if is_stamp.any():
        tell(f"{name} is calendar stamps such as {whole[is_stamp].iloc[0]}")
    neither = ~(is_epoch | is_stamp) & ~lost
    marked[:] = False
    marked[rows[neither]] = True
    first, end = MARKET_YEARS
    kind = f"Unix time in {clock.unit}" if clock.unit in UNITS else f"Unix time of {first} to {end} or a calendar stamp"
    rejects.add(marked, name, f"{kind}, in {clock.zone} once", text.tolist())
    return np.where(is_epoch, epochs, np.where(is_stamp, stamps, 0))


def _epochs(numbers: list[Decimal], unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Return int64 ns, and the unit in which each number is a time of a market; "": in none."""
    times, units = np.zeros(len(numbers), dtype=np.int64), np.full(len(numbers), "", dtype=object)
    first, end = (EARLIEST, LATEST) if unit else _MARKETS_NS
    tried = [(u, ns, first // ns, end // ns) for u, ns in UNITS.items() if unit in ("", u)]
    for row, number in enumerate(numbers):
        for name, scale, low, high in tried:
            if low <= number < high:
                times[row], units[row] = int(number * scale), name
                break
    return times, units


def _calendar(digits: "pd.Series[str]", lengths: Any, zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (int64 UTC ns, bool: no such time) of digits yyyymmdd, then HH, MM, SS and a fraction."""
    times, bad = np.zeros(len(digits), dtype=np.int64), np.ones(len(digits), dtype=bool)
    for length in lengths.unique().tolist():
        if length in _CALENDAR_DIGITS:
            there = (lengths == length).to_numpy()
            t = digits[there].str.pad(14, "right", "0")
            iso = t.str[:4] + "-" + t.str[4:6] + "-" + t.str[6:8] + " " + t.str[8:10] + ":" + t.str[10:12]
            iso = iso + ":" + t.str[12:14] + "." + t.str[14:23].str.pad(9, "right", "0")
            times[there], bad[there] = _localized(_parsed(iso, "ISO8601"), zone)
    return times, bad


def _read_dates(text: "pd.Series[str]", clock: Clock, tell: Tell, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (int64 UTC ns, bool: no such time, or two of them) of texts that are not only digits."""
    times = np.zeros(len(text), dtype=np.int64)
    bad = np.ones(len(text), dtype=bool)

    def put(where: np.ndarray, parsed: "pd.Series[Any]", zone: str) -> None:
        times[where], bad[where] = _localized(parsed, zone)

    iso = text.str.match(r"\d{4}-?\d\d-?\d\d").to_numpy(dtype=bool)
    offset = iso & text.str.contains(r"[T ]\d.*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$").to_numpy(dtype=bool)
    naive = iso & ~offset
    if offset.any():
        put(offset, pd.to_datetime(text[offset], format="ISO8601", utc=True, errors="coerce"), "UTC")
    if naive.any():
        put(naive, _parsed(text[naive], "ISO8601"), clock.zone)
    rest = bad & ~offset
    if rest.any():
        dates = _iso_dates(text[rest], clock, tell, name)
        places = np.flatnonzero(rest)
        for form in _CLOCKS:
            still = bad[places]
            if still.any():
                times[places[still]], bad[places[still]] = _localized(
                    _parsed(dates[still], f"%Y-%m-%d{form}"), clock.zone
                )
    return times, bad


def _iso_dates(text: "pd.Series[str]", clock: Clock, tell: Tell, name: str) -> "pd.Series[str]":
    """Return texts with the date as 2024-03-04, whichever way it was written."""
    first = text.str.extract(_YEAR_FIRST)
    last = text.str.extract(_YEAR_LAST)
    year_last = last[3].notna()
    if year_last.any():
        day_first = _day_first(text[year_last], last[year_last], clock, name)
        word = "day" if day_first else "month"
        tell(f"{name} has the {word} first ({text[year_last].iloc[0]})")
        days, months = (last[0], last[2]) if day_first else (last[2], last[0])
        iso = last[3] + "-" + months + "-" + days + (" " + last[4]).fillna("")
    else:
        iso = text
    month, day = first[2].fillna(first[4]), first[3].fillna(first[5])
    by_year = first[0] + "-" + month + "-" + day + (" " + first[6]).fillna("")
    return iso.where(year_last, by_year).fillna("").astype("str")


def _day_first(text: "pd.Series[str]", parts: pd.DataFrame, clock: Clock, name: str) -> bool:
    """Return whether the day stands first, by the option or by the column. Raises ValueError if it cannot be told."""
    if clock.day_first is not None:
        return clock.day_first
    one, two = parts[0].astype(int), parts[2].astype(int)
    days = text[(one > 12) & (two <= 12)]
    months = text[(two > 12) & (one <= 12)]
    if len(days) and len(months):
        raise ValueError(f"{name}: {days.iloc[0]} has the day first and {months.iloc[0]} the month; {_SAY_DAY}")
    if len(days) or len(months):
        return bool(len(days))
    if (parts[1] == ".").all():
        return True
    if (one == two).all():
        return False
    unclear = text[one != two].iloc[0]
    raise ValueError(
        f"{name}: {unclear} may have the day or the month first, and no date of the column tells; {_SAY_DAY}"
    )


def _parsed(text: "pd.Series[str]", form: str) -> Any:
    return pd.to_datetime(text, format=form, errors="coerce")


def _to_ns(count: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    far = (count > _INT64_MAX // factor) | (count < -(_INT64_MAX // factor))
    return np.where(far, 0, count) * factor, far


def _localized(times: Any, time_zone: str) -> tuple[np.ndarray, np.ndarray]:
    """Turn a Series of naive or UTC times into (int64 UTC ns, bool: no such time, or two of them)."""
    in_range = (times >= pd.Timestamp.min.tz_localize(times.dt.tz)) & (
        times <= pd.Timestamp.max.tz_localize(times.dt.tz)
    )
    times = times.where(in_range).dt.as_unit("ns")
    if times.dt.tz is None:
        times = times.dt.tz_localize(time_zone, ambiguous="NaT", nonexistent="NaT")
    bad = times.isna().to_numpy()
    return np.where(bad, 0, times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype(np.int64)), bad
