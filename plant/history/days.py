"""The plant's days: which day a row belongs to, by its own `time`, and when a day ends.

`roll_at` is a time of day in `time_zone`. Before 12:00 a day ends at roll_at of the next date (00:00: the date itself;
04:00: what happens in the small hours is still yesterday's). From 12:00 on a day ends at roll_at of its own date, as
with futures: with 17:00, what happens on Monday evening is Tuesday's.

With `calendar`, the code of an exchange (XNYS), only its sessions are days. What happens on a weekend or a holiday
belongs to the session that ends next, and on a day whose session closes early or late, the day ends as much earlier or
later: "20:05" in New York means 17:05 on half-days. Where the calendar does not reach, every weekday is a session.

A roll_at that the clock skips or repeats when daylight saving changes is reckoned with the offset of before the change.
"""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np

from plant.calendars.exchange import exchange

_SECOND = 10**9
_MARGIN = dt.timedelta(days=40)
"""More than any exchange is ever closed at a stretch."""


class Days:
    """The days of a plant, e.g. Days("00:00", "UTC"). Raises SettingsError for a calendar that there is not."""

    def __init__(self, roll_at: str = "00:00", time_zone: str = "UTC", calendar: str = "") -> None:
        self.roll_at = dt.time.fromisoformat(roll_at)
        self.zone = ZoneInfo(time_zone)
        self.calendar = calendar
        self._next_date = dt.timedelta(days=self.roll_at.hour < 12)
        self._sessions: np.ndarray | None = None
        self._earlier: dict[dt.date, dt.timedelta] = {}
        if calendar:
            found = exchange(calendar)
            self._sessions, self._earlier = found.dates, found.earlier
        self._known: tuple[int, int, np.ndarray, np.ndarray] | None = None  # ns from, ns to, days, their ends

    def day_of(self, times: np.ndarray) -> np.ndarray:
        """Return the day of each time (ns since 1970 UTC): datetime64[D][n]."""
        if not len(times):
            return np.empty(0, dtype="datetime64[D]")
        days, ends = self._table(int(times.min()), int(times.max()))
        found: np.ndarray = days[np.searchsorted(ends, times, side="right")]
        return found

    def bounds(self, day: dt.date) -> tuple[int, int]:
        """Return the first ns of a day, and the first ns after it. Raises ValueError if it is no day of the plant."""
        noon = int(dt.datetime.combine(day, dt.time(12), self.zone).timestamp()) * _SECOND
        days, ends = self._table(noon, noon)
        at = int(np.searchsorted(days, np.datetime64(day, "D")))
        if at == len(days) or days[at] != np.datetime64(day, "D"):
            raise ValueError(f"{day} is no session of {self.calendar}; the next one is {days[at]}")
        return int(ends[at - 1]), int(ends[at])

    def next_roll(self, now_ns: int) -> tuple[dt.date, int]:
        """Return the day that `now_ns` lies in, and when it ends, ns since 1970 UTC."""
        days, ends = self._table(now_ns, now_ns)
        at = int(np.searchsorted(ends, now_ns, side="right"))
        return days[at].item(), int(ends[at])

    def last_ended(self, now_ns: int) -> dt.date:
        """Return the last day that had ended by `now_ns`."""
        days, ends = self._table(now_ns, now_ns)
        return days[int(np.searchsorted(ends, now_ns, side="right")) - 1].item()

    def _table(self, first_ns: int, last_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the days around these times, and where each ends."""
        known = self._known
        if known is None or first_ns < known[0] or last_ns >= known[1]:
            since = dt.date(_year_of(min(first_ns, known[0] if known else first_ns)), 1, 1)
            until = dt.date(_year_of(max(last_ns, known[1] - 1 if known else last_ns)) + 1, 1, 1)
            dates = np.arange(np.datetime64(since - _MARGIN, "D"), np.datetime64(until + _MARGIN, "D"))
            days = dates if self._sessions is None else self._only_sessions(dates, self._sessions)
            ends = np.array([self._end(day) for day in days.tolist()], dtype=np.int64)
            known = self._known = (_midnight_ns(since), _midnight_ns(until), days, ends)
        return known[2], known[3]

    def _end(self, day: dt.date) -> int:
        end = dt.datetime.combine(day + self._next_date, self.roll_at)
        end -= self._earlier.get(day, dt.timedelta(0))
        return int(end.replace(tzinfo=self.zone).timestamp()) * _SECOND

    @staticmethod
    def _only_sessions(dates: np.ndarray, sessions: np.ndarray) -> np.ndarray:
        reached = (dates >= sessions[0]) & (dates <= sessions[-1])
        found: np.ndarray = dates[np.where(reached, np.isin(dates, sessions), np.is_busday(dates))]
        return found


def _year_of(ns: int) -> int:
    return (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=ns // _SECOND)).year


def _midnight_ns(day: dt.date) -> int:
    return (day - dt.date(1970, 1, 1)).days * 86_400 * _SECOND
