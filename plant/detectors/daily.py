"""Levels of the session and of the week before, and floor pivots: of bars of 1d, tested by those of 1m.

They are decided by a bar of 1d, whose end is the close of its session, and end with the next session (week) that the
calendar has. Which of the two series comes first does not matter: bars of 1m that come ahead of the day before theirs
wait for it, and the end of a level waits for the bars of 1m up to it.
"""

from plant.detectors.annotation import CREATE, UPDATE, Annotation, Change, written
from plant.detectors.levels import ABOVE, BELOW, EITHER, Watched, watch
from plant.detectors.machine import ClosedBar, Machine, Place

PREV_DAY = ("prev_day_high", "prev_day_low", "prev_day_close", "prev_day_open")
PREV_WEEK = ("prev_week_high", "prev_week_low", "prev_week_close")
FLOOR_PIVOTS = "floor_pivots"

MOST_WAITING = 200_000
"""Bars of 1m that wait for their day before at most; the oldest go."""

_SIDES = {"high": ABOVE, "low": BELOW, "R": ABOVE, "S": BELOW}

Day = tuple[int, float, float, float, float]
"""Number of a session, and open, high, low, close of its bar of 1d."""

Waiting = tuple[ClosedBar, float]


class DailyLevels(Machine):
    """prev_day_*, prev_week_* and floor_pivots of one symbol."""

    STATE = ("levels", "until", "ending", "week", "last_day", "fine_end", "fine_session", "fine_before", "waiting")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.levels: list[Watched] = []
        self.until = 0  # none of them ends before
        self.ending: list[tuple[int, Annotation]] = []  # when the end was proved, and what it is of
        self.week: list[Day] = []  # the days so far of the week of the last one
        self.last_day = -1  # session of the last bar of 1d
        self.fine_end = 0  # of the last bar of 1m
        self.fine_session = self.fine_before = -1  # the last session of which there are such bars, and the one before
        self.waiting: list[Waiting] = []

    def update(self, bar: ClosedBar, atr: float) -> list[Change]:
        """Take a bar of 1m of a regular session, with its ATR."""
        if bar.session != self.fine_session:
            self.fine_before, self.fine_session = self.fine_session, bar.session
        self.fine_end = bar.end
        changes = self._tested(self.levels, bar, atr) if self.levels else []
        if self.last_day < self.fine_before and (self.place.terms.days or self.last_day >= 0):
            self.waiting.append((bar, atr))
            del self.waiting[:-MOST_WAITING]
        if self.ending:
            changes += self._end()
        return changes

    def update_day(self, bar: ClosedBar) -> list[Change]:
        """Take a bar of 1d."""
        changes = self._over(bar)
        found = [*self._of_the_day(bar), *self._of_the_week(bar)]
        wanted = self.place.terms.types
        levels = [(level, side) for level, side in found if level.type in wanted]
        changes += [Change(bar.end, CREATE, level, _reason(level)) for level, _ in levels]
        for fine, atr in self.waiting:
            if fine.end > bar.end and levels:
                changes += self._tested(levels, fine, atr)
        self.levels += levels
        self.until = min((level.end_at for level, _ in self.levels), default=0)
        self.last_day = bar.session
        if bar.session >= self.fine_before:
            self.waiting.clear()
        else:
            self.waiting = [one for one in self.waiting if one[0].session > bar.session + 1]
        return changes

    def _tested(self, levels: list[Watched], bar: ClosedBar, atr: float) -> list[Change]:
        """Have those levels tested that are not over before the bar ends."""
        if levels is self.levels and bar.end <= self.until:
            return watch(levels, bar, atr)
        late = [one for one in levels if one[0].end_at < bar.end]
        rest = [one for one in levels if one[0].end_at >= bar.end]
        changes = watch(rest, bar, atr) if rest else []
        levels[:] = [*late, *rest]
        return changes

    def _over(self, bar: ClosedBar) -> list[Change]:
        """Return the end of what a bar of 1d proves to be over, once all bars of 1m up to it are there."""
        for level, _ in self.levels:
            if level.end_at <= bar.end and level.id not in {one.id for _, one in self.ending}:
                self.ending.append((bar.end, level))
        return self._end(bar.end)

    def _end(self, proved: int = 0) -> list[Change]:
        """Return the end of levels up to which the bars of 1m are there, or that a later day proves anyway."""
        changes, ids = [], set()
        for time, level in self.ending:
            if self.fine_end >= level.end_at or self.fine_session < 0 or time < proved:
                ids.add(level.id)
                changes += [
                    Change(time, UPDATE, one._replace(state="expired"), "its time is over", final=True)
                    for one, _ in self.levels
                    if one.id == level.id
                ]
        if ids:
            self.ending = [one for one in self.ending if one[1].id not in ids]
            self.levels[:] = [one for one in self.levels if one[0].id not in ids]
            self.until = min((level.end_at for level, _ in self.levels), default=0)
        return changes

    def _of_the_day(self, bar: ClosedBar) -> list[Watched]:
        session = self.place.sessions.session(bar.session)
        until = self.place.sessions.session(bar.session + 1).close
        prices = {"high": bar.high, "low": bar.low, "close": bar.close, "open": bar.open}
        found = [self._level(f"prev_day_{n}", n, price, session.date, bar.end, until) for n, price in prices.items()]
        for name, price in floor_pivots(bar.high, bar.low, bar.close).items():
            found.append(self._level(FLOOR_PIVOTS, name, price, session.date, bar.end, until, f"/{name}"))
        return found

    def _of_the_week(self, bar: ClosedBar) -> list[Watched]:
        """Return the levels of a week that is over with this bar, or was before it."""
        sessions = self.place.sessions
        week = sessions.session(bar.session).week
        found: list[Watched] = []
        if self.week and sessions.session(self.week[0][0]).week != week:
            found, self.week = self._week_s(bar.end), []
        self.week.append((bar.session, bar.open, bar.high, bar.low, bar.close))
        if sessions.session(bar.session + 1).week != week:
            found += self._week_s(bar.end)
            self.week = []
        return found

    def _week_s(self, time: int) -> list[Watched]:
        """Return the levels of the days so far, decided at `time`; none if the week after them is over as well."""
        sessions = self.place.sessions
        last = self.week[-1][0]
        after = sessions.session(last + 1)
        while after.week == sessions.session(last).week and after.number > last:  # its last sessions had no bars
            last, after = after.number, sessions.session(after.number + 1)
        week = after.week
        while (later := sessions.session(after.number + 1)).week == week and later.number > after.number:
            after = later
        if after.close <= time:
            return []
        date = sessions.session(self.week[-1][0]).date
        prices = {
            "high": max(day[2] for day in self.week),
            "low": min(day[3] for day in self.week),
            "close": self.week[-1][4],
        }
        return [self._level(f"prev_week_{n}", n, price, date, time, after.close) for n, price in prices.items()]

    def _level(self, type_: str, name: str, price: float, date: str, start: int, end: int, more: str = "") -> Watched:
        text = name if more else type_.replace("_", " ")
        level = Annotation(f"{type_}/{self.place.sym}/{date}{more}", "level", type_, "1d", start, end, price, text=text)
        return level, _SIDES.get(name.rstrip("123"), EITHER)


def floor_pivots(high: float, low: float, close: float) -> dict[str, float]:
    """Return the pivots of a session by their names, P R1 S1 R2 S2 R3 S3.

    >>> floor_pivots(12.0, 9.0, 12.0)
    {'P': 11.0, 'R1': 13.0, 'S1': 10.0, 'R2': 14.0, 'S2': 8.0, 'R3': 16.0, 'S3': 7.0}
    """
    p, width = (high + low + close) / 3, high - low
    return {
        "P": p,
        "R1": 2 * p - low,
        "S1": 2 * p - high,
        "R2": p + width,
        "S2": p - width,
        "R3": high + 2 * (p - low),
        "S3": low - 2 * (high - p),
    }


def _reason(level: Annotation) -> str:
    date = level.id.split("/")[-2 if level.type == FLOOR_PIVOTS else -1]
    return f"{level.text} of the session {date}: {written(level.price)}"
