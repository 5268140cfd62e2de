"""Where bars begin and end: intervals count from the opening of a session, and none reaches into another.

Time is cut into stretches without a gap: pre-market, regular session, post-market, a pause at noon, and the time
between sessions. An intraday interval counts from the beginning of its stretch and ends with it at the latest. A day
(1d) is the regular session, labelled with midnight of its date by the exchange's clock; a week begins on Monday, a
month on its first. Without a calendar there is one stretch since 1970 UTC, and a day is a date of UTC.
"""

import datetime as dt
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from plant.calendars.exchange import Exchange

CLOSED, PRE, REGULAR, POST = 0, 1, 2, 3
"""Kinds of stretches; without a calendar all is REGULAR."""

DAY_NS = 86_400 * 10**9
_FOREVER = 2**62
_HALF_A_DAY_NS = DAY_NS // 2

NO_BAR = -1
"""Instead of a start: no bar of this interval holds that time."""


class Session(NamedTuple):
    """One session of an exchange; without a calendar a date of UTC. Times are ns since 1970 UTC.

    number         they count up by one; those of days without a calendar since 1970
    date           "2026-11-20", by the exchange's clock
    week           number of its calendar week, from Monday on
    begin          of the pre-market; where there is none as open
    open, close    of the regular session
    """

    number: int
    date: str
    week: int
    begin: int
    open: int
    close: int


class Sessions:
    """The stretches of one exchange, None: of none. All times are ns since 1970 UTC, int64[n]."""

    def __init__(self, of: Exchange | None = None) -> None:
        self.code = of.code if of else ""
        self._of = of
        self._zone = ZoneInfo(of.zone if of else "UTC")
        if of is None:
            self._starts, self._kinds = np.zeros(1, dtype=np.int64), np.array([REGULAR], dtype=np.int8)
            self._session = np.zeros(1, dtype=np.int64)
        else:
            edges = np.stack((of.begins, of.opens, of.break_starts, of.break_ends, of.closes, of.ends), axis=1)
            kinds = np.tile(np.array([PRE, REGULAR, CLOSED, REGULAR, POST, CLOSED], dtype=np.int8), (len(edges), 1))
            starts = np.concatenate(([0], edges.ravel()))
            filled = np.diff(starts, append=_FOREVER) > 0
            self._starts, self._kinds = starts[filled], np.concatenate(([np.int8(CLOSED)], kinds.ravel()))[filled]
            self._session = np.concatenate(([0], np.repeat(np.arange(len(edges)), 6)))[filled]
        self._stops = np.append(self._starts[1:], _FOREVER)

    @property
    def continuous(self) -> bool:
        """Whether there is no calendar."""
        return self._of is None

    @property
    def zone(self) -> str:
        """The name of the exchange's time zone, UTC without a calendar."""
        return self._zone.key

    def kinds(self, times: np.ndarray) -> np.ndarray:
        """Return the kind of stretch each time lies in, int8[n]."""
        if self._of is None:
            return np.full(len(times), REGULAR, dtype=np.int8)
        return self._kinds[self._stretch(times)]

    def since(self, time: int) -> int:
        """Return when the stretch began that a time lies in."""
        return int(self._starts[self._stretch(np.array([time]))[0]])

    def starts(self, times: np.ndarray, interval: str) -> np.ndarray:
        """Return the start of the bar that holds each time; NO_BAR of a day, week or month outside regular sessions.

        `interval` is a name of plant.rows.intervals of seconds, minutes or hours, or 1d, 1w, 1M. Raises ValueError.
        """
        step = _step_ns(interval)
        if not step:
            return self._dated(times, interval)
        if self._of is None:
            return times // step * step
        begin = self._starts[self._stretch(times)]
        return begin + (times - begin) // step * step

    def ends(self, starts: np.ndarray, interval: str) -> np.ndarray:
        """Return the end of each bar: its start + interval or, if that is earlier, the end of its session.

        Of 1d that is the regular close, of 1w and 1M the close of the last session in them. A day that is labelled
        otherwise is that of the label which is nearest.
        """
        step = _step_ns(interval)
        if step:
            return starts + step if self._of is None else np.minimum(starts + step, self._stops[self._stretch(starts)])
        dates = self._local_dates(starts)
        following = {
            "1d": dates + 1,
            "1w": dates + 7,
            "1M": (dates.astype("M8[M]") + 1).astype("M8[D]"),
        }[interval]
        if self._of is None:
            return _utc(following)
        first = np.searchsorted(self._of.dates, dates)
        last = np.searchsorted(self._of.dates, following) - 1
        ends = self._of.closes[np.clip(last, 0, None)]
        return np.where(last >= first, ends, self._midnights(following))  # no session in it: when it is over

    def day_bounds(self, time: int) -> tuple[int, int]:
        """Return from when to when the bars lie that belong to the day of a time: its session, and all around it.

        That is from the end of the stretches of the session before to the end of its own; without a calendar a date.
        """
        if self._of is None:
            start = time // DAY_NS * DAY_NS
            return start, start + DAY_NS
        at = min(int(np.searchsorted(self._of.ends, time, side="right")), len(self._of.ends) - 1)
        return int(self._of.ends[at - 1]) if at else 0, int(self._of.ends[at])

    def days(self, times: np.ndarray) -> np.ndarray:
        """Return the label of the day that each time belongs to, as `day_bounds` has it: int64[n]."""
        if self._of is None:
            return times // DAY_NS * DAY_NS
        at = np.searchsorted(self._of.ends, times, side="right")
        return self._of.labels[np.minimum(at, len(self._of.ends) - 1)]

    def numbers(self, times: np.ndarray) -> np.ndarray:
        """Return the number of the session that each time belongs to, as `days` has it: int64[n]."""
        if self._of is None:
            return times // DAY_NS
        return np.minimum(np.searchsorted(self._of.ends, times, side="right"), len(self._of.ends) - 1)

    def session(self, number: int) -> Session:
        """Return a session by its number; beyond the last that the calendar has that one."""
        if self._of is None:
            start = number * DAY_NS
            date = dt.date(1970, 1, 1) + dt.timedelta(days=number)
            return Session(number, date.isoformat(), (number + 3) // 7, start, start, start + DAY_NS)
        number = min(number, len(self._of.dates) - 1)
        day = self._of.dates[number]
        times = (int(column[number]) for column in (self._of.begins, self._of.opens, self._of.closes))
        return Session(number, str(day), (int(day.astype(np.int64)) + 3) // 7, *times)

    def boundaries(self) -> np.ndarray:
        """Return the opens and closes of the regular sessions, int64[2k], in order: open, close, open, close, ...

        Without a calendar there are none.
        """
        if self._of is None:
            return np.empty(0, dtype=np.int64)
        return np.stack((self._of.opens, self._of.closes), axis=1).ravel()

    def last_close(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the label and the close of the session that each time comes after, within its post-market or later.

        Both are NO_BAR where there is no calendar, before the first close, and within pre-market or regular session.
        """
        none = np.full(len(times), NO_BAR, dtype=np.int64)
        if self._of is None or not len(times):
            return none, none
        at = np.searchsorted(self._of.closes, times, side="right") - 1
        later = np.clip(at + 1, None, len(self._of.begins) - 1)
        good = (at >= 0) & ((times < self._of.begins[later]) | (later == at))
        return np.where(good, self._of.labels[at], none), np.where(good, self._of.closes[at], none)

    def _stretch(self, times: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._starts, times, side="right") - 1

    def _dated(self, times: np.ndarray, interval: str) -> np.ndarray:
        """Return the midnight that labels the day, week or month of each time."""
        if self._of is None:
            dates = times.astype("M8[ns]").astype("M8[D]")
            return _utc(_first_date(dates, interval))
        at = self._stretch(times)
        session, regular = self._session[at], self._kinds[at] == REGULAR
        if interval == "1d":
            return np.where(regular, self._of.labels[session], NO_BAR)
        labels = self._midnights(_first_date(self._of.dates[session], interval))
        return np.where(regular, labels, NO_BAR)

    def _local_dates(self, labels: np.ndarray) -> np.ndarray:
        """Return the dates that midnights are of, by the exchange's clock; of others the nearest: datetime64[D][n]."""
        dates = (labels + _HALF_A_DAY_NS).astype("M8[ns]").astype("M8[D]")
        if self._of is None:
            return dates
        around = np.stack([self._midnights(dates + shift) for shift in (-1, 0, 1)])
        nearest = np.abs(around - labels).argmin(axis=0)
        return dates + (nearest - 1)

    def _midnights(self, dates: np.ndarray) -> np.ndarray:
        """Return when dates begin by the exchange's clock, int64[n]."""
        each, of = np.unique(dates, return_inverse=True)
        found = [
            int(dt.datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()) * 10**9
            for day in each.tolist()
        ]
        return np.array(found, dtype=np.int64)[of]


def _step_ns(interval: str) -> int:
    """Return the length of an intraday interval, 0 of 1d, 1w and 1M. Raises ValueError for others."""
    if interval in ("1d", "1w", "1M"):
        return 0
    units = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
    unit = interval.lstrip("0123456789")
    if unit not in units or unit == interval:
        raise ValueError(f"expected an interval of seconds, minutes or hours, or 1d, 1w, 1M, found {interval!r}")
    return int(interval[: -len(unit)]) * units[unit]


def _first_date(dates: np.ndarray, interval: str) -> np.ndarray:
    if interval == "1d":
        return dates
    if interval == "1M":
        return dates.astype("M8[M]").astype("M8[D]")
    days = dates.astype(np.int64)
    return (days - (days + 3) % 7).astype("M8[D]")  # 1970-01-01 was a Thursday


def _utc(dates: np.ndarray) -> np.ndarray:
    return dates.astype("M8[ns]").astype(np.int64)
