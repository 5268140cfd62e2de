"""The sessions of an exchange as exchange_calendars has them, which is imported on first use.

What that library does not know is data here: pre- and post-market, which many feeds send and no calendar has.
"""

import datetime as dt
import functools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from plant.errors import SettingsError

_CALENDAR_FROM = "1970-01-01"
_YEARS_AHEAD = 2

US_EQUITIES = frozenset(("XNYS", "NYSE", "XNAS", "NASDAQ", "ARCX", "XASE", "BATS", "ASEX"))
"""Codes under which the one calendar of US equities is known; where they trade, the rules of their tapes hold."""

EXTENDED = dict.fromkeys(US_EQUITIES, (dt.timedelta(hours=4), dt.timedelta(hours=4)))
"""When the pre-market begins, by the clock on the session's date, and how long after the close trading goes on: in New
York from 04:00, and until 20:00, on half-days 17:00."""


@dataclass(frozen=True)
class Exchange:
    """The k sessions of an exchange: dates (datetime64[D][k]), and times in ns since 1970 UTC (int64[k]).

    labels                    midnight, by the exchange's clock, of each session's date
    begins, opens             pre-market and regular opening, the same where there is no pre-market
    closes, ends              regular close and end of trading after it, likewise
    break_starts, break_ends  the pause at noon, where there is none the close
    earlier                   by how much earlier than usual a session closes, of those that do; less than 0: later
    """

    code: str
    zone: str
    dates: np.ndarray
    labels: np.ndarray
    begins: np.ndarray
    opens: np.ndarray
    break_starts: np.ndarray
    break_ends: np.ndarray
    closes: np.ndarray
    ends: np.ndarray
    earlier: dict[dt.date, dt.timedelta]


@functools.cache
def exchange(code: str, place: str = "[hdb] calendar") -> Exchange:
    """Return the sessions of an exchange, e.g. "XNYS". Raises SettingsError, naming `place`, for one there is not."""
    with warnings.catch_warnings():  # exchange_calendars 4.13 uses what pandas 3.1 calls old
        warnings.simplefilter("ignore")
        return _made(_calendar(code, place), code)


def _calendar(code: str, place: str) -> Any:
    import exchange_calendars as xcals

    if code not in xcals.get_calendar_names():
        raise SettingsError(
            f"{place}: exchange_calendars knows no {code!r}; use a code like XNYS, XLON or 24/7, or none"
        )
    end = f"{dt.date.today().year + _YEARS_AHEAD}-12-31"
    try:
        try:
            return xcals.get_calendar(code, start=_CALENDAR_FROM, end=end)
        except ValueError:  # it reaches less far: what it has by itself
            return xcals.get_calendar(code)
    except Exception as error:  # what a calendar raises that its library cannot make is of every kind
        raise SettingsError(
            f"{place}: exchange_calendars {xcals.__version__} cannot make {code!r} here "
            f"({type(error).__name__}: {' '.join(str(error).split())[:100]}); use another one, or none"
        ) from None


def _made(found: Any, code: str) -> Exchange:
    import pandas as pd

    def ns(times: Any) -> np.ndarray:
        return np.array(pd.DatetimeIndex(times).as_unit("ns").asi8)

    def on_the_dates(clock: dt.timedelta) -> np.ndarray:
        local = (found.sessions + pd.Timedelta(clock)).tz_localize(
            found.tz, ambiguous=np.ones(len(found.sessions), dtype=bool), nonexistent="shift_forward"
        )
        return ns(local)

    opens, closes = ns(found.opens), ns(found.closes)
    starts, stops = ns(found.break_starts), ns(found.break_ends)
    paused = starts > 0  # NaT is the least of int64
    begins, ends = opens, closes
    if code in EXTENDED:
        begin, after = EXTENDED[code]
        begins = np.minimum(on_the_dates(begin), opens)
        ends = closes + int(after / dt.timedelta(microseconds=1)) * 1000
        ends[:-1] = np.minimum(ends[:-1], begins[1:])
    return Exchange(
        code,
        str(found.tz),
        found.sessions.to_numpy().astype("datetime64[D]"),
        on_the_dates(dt.timedelta(0)),
        begins,
        opens,
        np.where(paused, starts, closes),
        np.where(paused, stops, closes),
        closes,
        ends,
        _shifts(found),
    )


def _shifts(calendar: Any) -> dict[dt.date, dt.timedelta]:
    """Return by how much the sessions that do not close when they usually did at their time close earlier.

    Less than 0 for one that closes later, as in Seoul when the country sits its exams.
    """
    sessions, closes = calendar.sessions, calendar.closes.dt.tz_convert(calendar.tz).dt.tz_localize(None)
    taken = closes.to_numpy() - sessions.to_numpy()  # from the midnight that begins the session's date, by the clock
    usual = np.empty(len(sessions), dtype="timedelta64[ns]")
    for since, time in calendar.close_times:
        begin = 0 if since is None else sessions.searchsorted(since)
        usual[begin:] = np.timedelta64(dt.timedelta(days=calendar.close_offset, hours=time.hour, minutes=time.minute))
    shift = usual - taken
    other = np.flatnonzero(shift)
    return {sessions[i].date(): dt.timedelta(seconds=int(shift[i] // np.timedelta64(1, "s"))) for i in other}
