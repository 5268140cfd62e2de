"""Times in digits: Unix time in any unit, or calendar stamps (20240304093000); the column decides which."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.clocks import UNITS, Clock, Tell, localized_ns
from plant.rows.schema import EARLIEST, LATEST

MARKET_YEARS = (1971, 2100)
"""Digits that are no Unix time of these years, in any unit, are a calendar stamp or nothing."""

_MARKETS_NS = (365 * 86_400 * 10**9, LATEST)
_STAMPS = (8, 10, 12, *range(14, 24))
"""Digits of a calendar stamp: yyyymmdd, then HH, MM, SS and a fraction."""

_DIGITS = r"^\p{Nd}+(\.\p{Nd}*)?([eE][+-]?\p{Nd}+)?$"
_PARTS = r"^(?P<whole>\d{1,19})(?:\.(?P<part>\d*))?$"
_TEN = 10 ** np.arange(19, dtype=np.int64)
_SAMPLE = 1000
_FARTHEST_S = 9_223_372_035
"""Seconds from 1970 that int64 ns can tell."""


@dataclass
class Found:
    """Times of n texts in digits: `times` int64 UTC ns; those that have `lost` digits, and those that are `neither`.

    `kind` says what a good one would have been.
    """

    times: np.ndarray
    lost: np.ndarray
    neither: np.ndarray
    kind: str


@dataclass
class _Numbers:
    """Numbers as written: the whole part (-1: more than an int64 holds), the first nine decimals, how many digits.

    lengths   of a whole number, and of 14 digits with decimals; 0 for any other with decimals
    stamps    the first 14 digits, filled up with zeros; `nanos` what is behind them
    lost      whether the last digits are not there (1.7e9)
    """

    whole: np.ndarray
    part: np.ndarray
    lengths: np.ndarray
    stamps: np.ndarray
    nanos: np.ndarray
    lost: np.ndarray


def are_digits(text: Any) -> np.ndarray:
    """Return which texts of an Arrow array are a number without a sign, bool[n]."""
    plain: np.ndarray = pc.ascii_is_decimal(text).to_numpy(zero_copy_only=False)
    if plain.all():
        return plain
    return pc.match_substring_regex(text, _DIGITS).to_numpy(zero_copy_only=False)


def read_digits(text: Any, clock: Clock, tell: Tell, name: str) -> Found:
    """Return the times of an Arrow array of texts that are all digits (`are_digits`)."""
    numbers = _numbers(text)
    times, units = _epochs(numbers, "" if clock.unit == "calendar" else clock.unit)
    is_epoch = (units >= 0) & (clock.unit != "calendar")
    is_stamp = np.zeros(len(times), dtype=bool)
    for length in np.flatnonzero(np.bincount(numbers.lengths)).tolist() if clock.unit not in UNITS else ():
        if length in _STAMPS:
            _decide(numbers, numbers.lengths == length, clock.zone, times, is_epoch, is_stamp)
    for code, unit in enumerate(UNITS):
        if (is_epoch & (units == code)).any():
            tell(f"{name} is Unix time in {unit}")
    if is_stamp.any():
        whole, _, _ = f"{Decimal(text[int(np.argmax(is_stamp))].as_py()):f}".partition(".")
        tell(f"{name} is calendar stamps such as {whole}")
    neither = ~(is_epoch | is_stamp)
    times[neither] = 0
    first, end = MARKET_YEARS
    kind = f"Unix time in {clock.unit}" if clock.unit in UNITS else f"Unix time of {first} to {end} or a calendar stamp"
    return Found(times, numbers.lost, neither & ~numbers.lost, f"{kind}, in {clock.zone} once")


def _decide(
    numbers: _Numbers, alike: np.ndarray, zone: str, times: np.ndarray, is_epoch: np.ndarray, is_stamp: np.ndarray
) -> None:
    """Decide whether those that are alike in length are dates: 2024030409 is one, though it is also a second of 2034.

    They are Unix time if one of them that may be that is no date.
    """
    both = alike & is_epoch
    if not _calendar(numbers, np.flatnonzero(both)[:_SAMPLE])[1].all():  # most Unix times are no dates at first sight
        alike = alike & ~both
        both[:] = False
    rows = np.flatnonzero(alike)
    local, good = _calendar(numbers, rows)
    rows = rows[good]
    stamps, bad = localized_ns(local[good], zone)
    rows, stamps = rows[~bad], stamps[~bad]
    if np.isin(np.flatnonzero(both), rows, assume_unique=True).all():
        is_epoch &= ~both
    else:
        dates = ~both[rows]
        rows, stamps = rows[dates], stamps[dates]
    times[rows] = stamps
    is_stamp[rows] = True


def _numbers(text: Any) -> _Numbers:
    try:
        whole = text.cast(pa.int64()).to_numpy(zero_copy_only=False)
        part = np.zeros(len(whole), dtype=np.int64)
        return _of_ints(whole, part, np.zeros(len(whole), dtype=bool))
    except pa.ArrowInvalid:
        pass
    parts = pc.extract_regex(text, _PARTS)
    if not parts.null_count:
        try:
            return _of_parts(parts)
        except pa.ArrowInvalid:
            pass
    distinct = text.dictionary_encode()
    codes = distinct.indices.to_numpy(zero_copy_only=False)
    return _of_texts(distinct.dictionary.to_pylist(), codes)


def _of_parts(parts: Any) -> _Numbers:
    whole, decimals = parts.field("whole").cast(pa.int64()), parts.field("part")
    shown = pc.utf8_rpad(pc.utf8_slice_codeunits(decimals, 0, 9), 9, "0").cast(pa.int64())
    exact = pc.equal(pc.utf8_rtrim(decimals, "0"), "")
    return _of_ints(
        whole.to_numpy(zero_copy_only=False),
        shown.to_numpy(zero_copy_only=False).copy(),
        ~exact.to_numpy(zero_copy_only=False),
    )


def _of_ints(whole: np.ndarray, part: np.ndarray, broken: np.ndarray) -> _Numbers:
    """Return numbers by their whole part and decimals; `broken` are those with decimals that are not 0."""
    digits = np.searchsorted(_TEN[1:], whole, side="right") + 1
    lengths = np.where(~broken | (digits == 14), digits, 0)
    longer = digits > 14
    behind = _TEN[np.where(longer, digits - 14, 0)]
    short = _TEN[np.where(longer, 0, np.maximum(14 - digits, 0))]
    stamps = whole // behind * short
    rest = (whole - whole // behind * behind) * _TEN[np.where(longer, 9 - (digits - 14), 0)]
    nanos = np.where(longer, rest, part)
    return _Numbers(whole, part, lengths, stamps, nanos, np.zeros(len(whole), dtype=bool))


def _of_texts(texts: list[str], codes: np.ndarray) -> _Numbers:
    """Return numbers that are written in another way, or have more digits than an int64, by their distinct texts."""
    found = []
    for each in map(Decimal, texts):
        lost = int(each.as_tuple().exponent) > 0
        whole, _, decimals = f"{each:f}".partition(".")
        exact = not decimals.strip("0")
        length = len(whole) if exact or len(whole) == 14 else 0
        digits = (whole if exact else whole + decimals).ljust(14, "0")
        value = int(whole) if int(whole) < 2**63 else -1
        part, nanos = (int(d[:9].ljust(9, "0")) for d in (decimals, digits[14:]))
        found.append((value, part, length, int(digits[:14]), nanos, lost))
    columns = (np.array(column)[codes] for column in zip(*found, strict=True))
    return _Numbers(*columns)


def _epochs(numbers: _Numbers, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Return int64 ns, and which of UNITS each number is a time of a market in; -1: none."""
    times, units = np.zeros(len(numbers.whole), dtype=np.int64), np.full(len(numbers.whole), -1, dtype=np.int8)
    first, end = (EARLIEST, LATEST) if unit else _MARKETS_NS
    for code, (name, ns) in enumerate(UNITS.items()):
        if unit not in ("", name):
            continue
        inside = (numbers.whole >= max(first // ns, 0)) & (numbers.whole < end // ns)
        if not inside.any():
            continue
        scaled = numbers.whole * ns if inside.all() else np.where(inside, numbers.whole, 0) * ns
        times = np.where(inside, scaled + numbers.part * ns // 10**9, times)
        units[inside] = code
    return times, units


def _calendar(numbers: _Numbers, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (int64 ns as a clock shows them, bool: such a time) of the stamps at some rows."""
    stamps = numbers.stamps[rows]
    date, clock = stamps // 10**6, stamps % 10**6
    years, months, days = date // 10_000, date // 100 % 100, date % 100
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    good = (months >= 1) & (months <= 12) & (days >= 1) & (hours < 24) & (minutes < 60) & (seconds < 60)
    month = np.where(good, (years - 1970) * 12 + months - 1, 0).astype("datetime64[M]")
    first = month.astype("datetime64[D]").astype(np.int64)
    good &= days <= (month + 1).astype("datetime64[D]").astype(np.int64) - first
    since = (first + days - 1) * 86_400 + hours * 3600 + minutes * 60 + seconds
    good &= np.abs(since) <= _FARTHEST_S
    return np.where(good, since, 0) * 10**9 + np.where(good, numbers.nanos[rows], 0), good
