"""Times that are written as dates, with a time of day or without: ISO 8601 at once, others by their distinct dates.

Most texts of a column differ in few things: Arrow reads ISO 8601, and what is another date with a usual time of day
behind it is ISO 8601 once the date, of which there are few, is written so. What is left is read text by text.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.clocks import Clock, Tell, localized, localized_ns
from plant.files.texts import in_pieces

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %H%M%S", " %I:%M %p", " %I:%M:%S %p")
_YEAR_FIRST = r"^(\d{4})(?:([/.-])(\d\d?)\2(\d\d?)|(\d\d)(\d\d))(?:[T ]\s*(\S.*))?$"
_YEAR_LAST = r"^(\d\d?)([/.-])(\d\d?)\2(\d{4})(?:[T ,]\s*(\S.*))?$"
_USUAL = (
    r"^(?P<date>\d{4}-\d\d-\d\d|\d{4}/\d\d?/\d\d?|\d{4}\.\d\d?\.\d\d?|\d{8}"
    r"|\d\d?/\d\d?/\d{4}|\d\d?-\d\d?-\d{4}|\d\d?\.\d\d?\.\d{4})"
    r"(?:[T ](?P<clock>\d\d?:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: [AaPp][Mm])?))?$"
)
_SHORT_OR_HALF = r"^\d:|[mM]$"
_SAY_DAY = "say which: --day-first or --month-first (of a feed: day_first)"
_NAIVE, _UTC = pa.timestamp("ns"), pa.timestamp("ns", "UTC")


def read_iso(text: Any, zone: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (int64 UTC ns, bool: no such time or two of them, bool: read) of an Arrow array of texts.

    Those that are read are ISO 8601 as Arrow reads it: yyyy-mm-dd, and behind it hh, hh:mm, hh:mm:ss or up to nine
    digits more, with an offset or without.
    """
    times = np.zeros(len(text), dtype=np.int64)
    bad, read = np.zeros(len(text), dtype=bool), np.zeros(len(text), dtype=bool)
    kinds = [_NAIVE, _UTC]
    for piece, found in in_pieces(text, lambda part: _as_iso(part, kinds)):
        if found is not None:
            local, is_local = found
            read[piece] = True
            times[piece], bad[piece] = localized_ns(local, zone) if is_local else (local, False)
    return times, bad, read


def _as_iso(part: Any, kinds: list[Any]) -> tuple[np.ndarray, bool]:
    """Return (int64 ns, whether they have no offset) of texts of one kind; tries the kind first that was right last."""
    try:
        found = part.cast(kinds[0])
    except pa.ArrowInvalid:
        found = part.cast(kinds[1])
        kinds.reverse()
    return found.cast(pa.int64()).to_numpy(), kinds[0] == _NAIVE


def read_dates(text: Any, clock: Clock, tell: Tell, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (int64 UTC ns, bool: no such time, or two of them) of an Arrow array of texts that are not only digits.

    The texts have no blanks around them. Raises ValueError if the column cannot tell whether the day comes first.
    """
    times, bad = np.zeros(len(text), dtype=np.int64), np.ones(len(text), dtype=bool)
    parts = pc.extract_regex(text, _USUAL)
    usual = np.flatnonzero(parts.is_valid().to_numpy(zero_copy_only=False))
    parts = parts.take(pa.array(usual)) if len(usual) < len(text) else parts
    dates = parts.field("date").dictionary_encode()
    codes = dates.indices.to_numpy(zero_copy_only=False)
    of_each = np.full(len(dates.dictionary), len(text), dtype=np.int64)
    np.minimum.at(of_each, codes, usual)  # the first row of each date speaks for the others
    others = np.ones(len(text), dtype=bool)
    others[usual] = False
    asked = np.flatnonzero(others)
    asked = np.sort(np.concatenate([asked, of_each]))
    times[asked], bad[asked], day_first = _read_distinct(text.take(pa.array(asked)), clock, tell, name)

    days = _days(pd.Series(dates.dictionary.to_pylist(), dtype="str"), bool(day_first))
    clocks = _clocks(parts.field("clock"))
    whole = pc.binary_join_element_wise(pa.array(days, pa.string()).take(dates.indices), clocks, " ")
    whole = pc.utf8_rtrim_whitespace(whole)
    found, wrong, read = read_iso(whole, clock.zone)
    times[usual[read]], bad[usual[read]] = found[read], wrong[read]
    if not read.all():
        rest = usual[~read]
        decided = replace(clock, day_first=clock.day_first if day_first is None else day_first)
        times[rest], bad[rest], _ = _read_distinct(text.take(pa.array(rest)), decided, lambda told: None, name)
    return times, bad


def _days(dates: "pd.Series[str]", day_first: bool) -> list[str]:
    """Return dates as yyyy-mm-dd; "" for what is none."""
    first, last = dates.str.extract(_YEAR_FIRST), dates.str.extract(_YEAR_LAST)
    year = first[0].fillna(last[3]).fillna("")
    month = first[2].fillna(first[4]).fillna(last[2 if day_first else 0]).fillna("")
    day = first[3].fillna(first[5]).fillna(last[0 if day_first else 2]).fillna("")
    return (year + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)).to_list()


def _clocks(clocks: Any) -> Any:
    """Return times of day with two digits for the hour, of 24; "-" for what is none of those of 12 hours."""
    if not pc.any(pc.match_substring_regex(clocks, _SHORT_OR_HALF)).as_py():
        return clocks
    distinct = clocks.dictionary_encode()
    return pa.array(map(_of_24_hours, distinct.dictionary.to_pylist()), pa.string()).take(distinct.indices)


def _of_24_hours(text: str) -> str:
    clock, _, half = text.partition(" ")
    hour, colon, rest = clock.partition(":")
    if not half:
        return f"{hour.zfill(2)}{colon}{rest}" if hour else text
    if "." in rest or not 1 <= int(hour) <= 12:
        return "-"
    return f"{int(hour) % 12 + 12 * (half[0] in 'Pp'):02d}:{rest}"


def _read_distinct(text: Any, clock: Clock, tell: Tell, name: str) -> tuple[np.ndarray, np.ndarray, bool | None]:
    """Return (int64 UTC ns, bool: no such time, whether the day comes first, None if no date leaves that open)."""
    distinct = text.dictionary_encode()
    codes = distinct.indices.to_numpy(zero_copy_only=False)
    times, bad, day_first = _read_each(pd.Series(distinct.dictionary.to_pylist(), dtype="str"), clock, tell, name)
    return times[codes], bad[codes], day_first


def _read_each(
    text: "pd.Series[str]", clock: Clock, tell: Tell, name: str
) -> tuple[np.ndarray, np.ndarray, bool | None]:
    times = np.zeros(len(text), dtype=np.int64)
    bad = np.ones(len(text), dtype=bool)
    day_first: bool | None = None

    def put(where: np.ndarray, parsed: "pd.Series[Any]", zone: str) -> None:
        times[where], bad[where] = localized(parsed, zone)

    iso = text.str.match(r"\d{4}-?\d\d-?\d\d").to_numpy(dtype=bool)
    offset = iso & text.str.contains(r"[T ]\d.*(?:[Zz]|[+-]\d\d(?::?\d\d)?)$").to_numpy(dtype=bool)
    naive = iso & ~offset
    if offset.any():
        put(offset, pd.to_datetime(text[offset], format="ISO8601", utc=True, errors="coerce"), "UTC")
    if naive.any():
        put(naive, _parsed(text[naive], "ISO8601"), clock.zone)
    rest = bad & ~offset
    if rest.any():
        dates, day_first = _iso_dates(text[rest], clock, tell, name)
        places = np.flatnonzero(rest)
        for form in _CLOCKS:
            still = bad[places]
            if still.any():
                times[places[still]], bad[places[still]] = localized(
                    _parsed(dates[still], f"%Y-%m-%d{form}"), clock.zone
                )
    return times, bad, day_first


def _iso_dates(text: "pd.Series[str]", clock: Clock, tell: Tell, name: str) -> tuple["pd.Series[str]", bool | None]:
    """Return texts with the date as 2024-03-04, whichever way it was written, and whether the day was first."""
    first = text.str.extract(_YEAR_FIRST)
    last = text.str.extract(_YEAR_LAST)
    year_last = last[3].notna()
    day_first: bool | None = None
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
    return iso.where(year_last, by_year).fillna("").astype("str"), day_first


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
