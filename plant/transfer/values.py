"""Text and typed columns of foreign files as UTC nanoseconds, float64 and str, with the unreadable rows marked.

Each `read_*` returns a value for every row, and marks in `Rejects` those rows whose value means nothing.
"""

import math
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from plant.transfer.formats import KEPT_REASONS, ForeignFile

OTHER_DATES = tuple(
    f"{date}{clock}"
    for date in ("%m/%d/%Y", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%d.%m.%Y")
    for clock in ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %H%M%S", " %I:%M %p", " %I:%M:%S %p")
)
"""Forms of a time besides ISO 8601 and Unix time; with slashes and the year at the end, the month comes first."""

NS_PER_SECOND = 1_000_000_000
_INT64_MAX = np.iinfo(np.int64).max
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


class Rejects:
    """Which rows of one file cannot be used, and why: the first reason of each, for the first KEPT_REASONS rows."""

    def __init__(self, file: ForeignFile) -> None:
        self.rows = np.zeros(len(file.lines), dtype=bool)
        self._lines = file.lines
        self._reasons: dict[int, str] = dict(file.broken)
        self._broken_rows = file.broken_rows

    def add(self, bad: np.ndarray, column: str, expected: str, found: Any) -> None:
        """Mark the rows where `bad` (bool[n]); `found` is the column as it stood, list or Arrow array."""
        for row in np.flatnonzero(bad & ~self.rows)[:KEPT_REASONS].tolist():
            self._reasons[int(self._lines[row])] = f"{column}: expected {expected}, found {_show(found[row])}"
        self.rows |= bad

    @property
    def count(self) -> int:
        """Rows that cannot be used, and lines that are no rows."""
        return self._broken_rows + int(self.rows.sum())

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """(line, why) in the order of the file, KEPT_REASONS at most."""
        return sorted(self._reasons.items())[:KEPT_REASONS]


def read_times(column: Any, time_zone: str, rejects: Rejects) -> np.ndarray:
    """Return int64 UTC ns; a time without an offset is one of `time_zone`, which must have it exactly once.

    Accepts timestamps, dates, Unix time in s, ms, us or ns (told apart by size), ISO 8601 and `OTHER_DATES`.
    """
    column = _plain(column)
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_timestamp(column.type):
        count = column.cast(pa.int64())
        bad = count.is_null().to_numpy(zero_copy_only=False)
        times, far = _to_ns(count.fill_null(0).to_numpy(), _PER_SECOND[column.type.unit])
        bad |= far
        if column.type.tz is None:
            times, unclear = _localized(pd.Series(times).astype("datetime64[ns]"), time_zone)
            bad |= unclear
    else:
        text = pd.Series(read_texts(column), dtype="str").str.strip()
        times, bad = _parse_times(text, time_zone)
    rejects.add(bad, "time", f"a time that exists once in {time_zone}", column)
    return times


def read_numbers(column: Any, name: str, rejects: Rejects) -> np.ndarray:
    """Return finite float64; a decimal text becomes the float64 next to it, so that repr() gives the text back."""
    column = _plain(column)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    else:
        text = pc.utf8_trim_whitespace(column.cast(pa.string()))
        try:
            numbers = text.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:  # one bad text is enough: take them one by one
            numbers = np.array([_number(each) for each in text.to_pylist()], dtype=np.float64)
    rejects.add(~np.isfinite(numbers), name, "a number", column)
    return numbers


def read_texts(column: Any) -> list[str]:
    """Return str for every row, "" for a missing one."""
    return [each or "" for each in _plain(column).cast(pa.string()).to_pylist()]


def scaled(numbers: np.ndarray, factor: float) -> np.ndarray:
    """Return `numbers` x `factor`; dividing by 10,000 gives the nearest float64 where multiplying by 1e-4 does not."""
    divisor = round(1 / factor) if 0 < factor < 1 else 0
    if divisor and math.isclose(1 / factor, divisor, rel_tol=1e-12):
        return numbers / divisor
    return numbers * factor


def _plain(column: Any) -> Any:
    """One Arrow array without chunks and without a dictionary."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def _show(found: Any) -> str:
    try:
        return f"{(found.as_py() if isinstance(found, pa.Scalar) else found)!r:.60}"
    except (ValueError, OverflowError):  # an Arrow time that Python's datetime cannot hold
        return "a time out of range"


def _number(text: str | None) -> float:
    try:
        return math.nan if text is None or "_" in text else float(text)
    except ValueError:
        return math.nan


def _to_ns(count: np.ndarray, per_second: int) -> tuple[np.ndarray, np.ndarray]:
    factor = NS_PER_SECOND // per_second
    far = (count > _INT64_MAX // factor) | (count < -(_INT64_MAX // factor))
    return np.where(far, 0, count) * factor, far


def _parse_times(text: "pd.Series[str]", time_zone: str) -> tuple[np.ndarray, np.ndarray]:
    times = np.zeros(len(text), dtype=np.int64)
    bad = np.ones(len(text), dtype=bool)

    def put(where: np.ndarray, values: np.ndarray, unclear: np.ndarray) -> None:
        times[where], bad[where] = values, unclear

    unix = text.str.fullmatch(r"\d{9,19}(\.\d*)?").to_numpy(dtype=bool)
    iso = text.str.match(r"\d{4}-?\d\d-?\d\d").to_numpy(dtype=bool) & ~unix
    offset = iso & text.str.contains(r"[T ]\d.*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$").to_numpy(dtype=bool)
    if unix.any():
        found = [_unix_ns(each) for each in text[unix]]
        put(unix, np.array([each or 0 for each in found], dtype=np.int64), np.array([each is None for each in found]))
    if offset.any():
        put(offset, *_localized(pd.to_datetime(text[offset], format="ISO8601", utc=True, errors="coerce"), "UTC"))
    if (iso & ~offset).any():
        naive = iso & ~offset
        put(naive, *_localized(pd.to_datetime(text[naive], format="ISO8601", errors="coerce"), time_zone))
    for form in OTHER_DATES:
        if bad.any():
            rest = bad & ~unix & ~offset
            put(rest, *_localized(pd.to_datetime(text[rest], format=form, errors="coerce"), time_zone))
    return times, bad


def _unix_ns(text: str) -> int | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    unit = next((unit for unit, limit in (("s", 10**11), ("ms", 10**14), ("us", 10**17)) if number < limit), "ns")
    nanoseconds = int(number * (NS_PER_SECOND // _PER_SECOND[unit]))
    return nanoseconds if nanoseconds <= _INT64_MAX else None


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
