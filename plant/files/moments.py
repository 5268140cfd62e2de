"""Times of foreign files as UTC nanoseconds: typed, in digits, as dates and times of day.

What a text means is decided by its column: whether digits are Unix time or a calendar stamp, whether the day comes
ahead of the month. What the column cannot decide is a ValueError that names the option which does; what was decided is
told.
"""

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.clocks import SAY_UNIT, UNITS, Clock, Tell, localized_ns
from plant.files.dates import read_dates, read_iso
from plant.files.digits import are_digits, read_digits
from plant.files.foreign_file import Rejects
from plant.files.texts import read_texts, whole_column

_INT64_MAX = np.iinfo(np.int64).max
_DAY_ALONE = re.compile(r"[T ]00:00(:00(\.0+)?)?$|\.0$")
"""What stands behind a date that a sheet keeps as a moment, or as a number."""


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
            times, unclear = localized_ns(times, clock.zone)
            bad |= unclear
        rejects.add(bad, name, once, column)
        return times
    written = _texts(column, name, rejects)
    text = written
    times, bad, read = read_iso(text, clock.zone)
    if not read.all():
        text = pc.utf8_trim_whitespace(text)
        rows = np.flatnonzero(~read)
        if not text.equals(written):
            times[rows], bad[rows], again = read_iso(text.take(pa.array(rows)), clock.zone)
            rows = rows[~again]
        _read_others(text, rows, times, bad, clock, rejects, tell, name)
    rejects.add(bad, name, once, column)
    return times


def dated(dates: Any, times: Any, unit: str, rejects: Rejects, tell: Tell, names: tuple[str, ...]) -> Any:
    """Return two columns as texts, dates with their times of day behind them; None if the second has no times of day.

    `unit` is that of times in digits, as in Clock. Raises ValueError for times of day that may be one thing or another.
    """
    texts = [read_texts(column, name, rejects) for column, name in zip((dates, times), names, strict=True)]
    days, clocks = (text.dictionary_encode() for text in texts)
    found = clock_texts(clocks.dictionary.to_pylist(), unit, tell)
    if found is None:
        return None
    alone = [_DAY_ALONE.sub("", day.strip()) for day in days.dictionary.to_pylist()]
    parts = (pa.array(each, pa.string()).take(of.indices) for each, of in ((alone, days), (found, clocks)))
    return pc.utf8_trim(pc.binary_join_element_wise(*parts, " "), " ")


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
        raise ValueError(f"{given[0]} may be a time of day in digits or {since_midnight} since midnight; {SAY_UNIT}")
    full = [v and v.zfill(width) for v in stripped]
    for value in full:
        if value and (value[:2] > "23" or value[2:4] > "59" or value[4:6] > "59"):
            raise ValueError(f"{value} is no time of day as {_FORM[:width]}; if it counts from midnight, {SAY_UNIT}")
    tell(f"times of day are {_FORM[:width]}")
    return [v and ":".join(filter(None, (v[:2], v[2:4], v[4:6]))) + (f".{v[6:]}" if v[6:] else "") for v in full]


_FORM = "HHMMSSfffffffff"
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?( ?[AaPp][Mm])?|")


def _texts(column: Any, name: str, rejects: Rejects) -> Any:
    """Return a column as texts; a float is the shortest text that is it, and so may have lost digits."""
    if pa.types.is_floating(column.type):
        floats = [np.nan if v is None else float(v) for v in column.to_pylist()]
        texts = ["" if v != v else str(int(v)) if v.is_integer() and abs(v) < 2**53 else repr(v) for v in floats]
        return pa.array(texts, pa.string())
    return read_texts(column, name, rejects)


def _read_others(
    text: Any,
    rows: np.ndarray,
    times: np.ndarray,
    bad: np.ndarray,
    clock: Clock,
    rejects: Rejects,
    tell: Tell,
    name: str,
) -> None:
    """Read the texts at some rows, which are not plainly ISO 8601, into `times`; mark in `bad` those that are none."""
    some = text.take(pa.array(rows)) if len(rows) < len(text) else text
    digits = are_digits(some)
    if digits.any():
        at = rows[digits]
        found = read_digits(some.filter(pa.array(digits)) if not digits.all() else some, clock, tell, name)
        times[at] = found.times
        for wrong, kind in ((found.lost, "a time with all its digits (a whole number, or a text)"),
                            (found.neither, found.kind)):  # fmt: skip
            marked = np.zeros(len(times), dtype=bool)
            marked[at[wrong]] = True
            rejects.add(marked, name, kind, text)
    if not digits.all():
        at = rows[~digits]
        times[at], bad[at] = read_dates(some.filter(pa.array(~digits)), clock, tell, name)


def _to_ns(count: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    if factor == 1:
        return count, np.zeros(len(count), dtype=bool)
    far = (count > _INT64_MAX // factor) | (count < -(_INT64_MAX // factor))
    return (np.where(far, 0, count) if far.any() else count) * factor, far
