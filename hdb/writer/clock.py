"""When to end a day: once for each, also for one that ended while nobody watched."""

import datetime as dt

from plant.history.days import Days
from plant.rows.batch import Batch

AGAIN = "again"
"""Detail of an end of day that counts even if that day was ended before."""


class Clock:
    """Knows which day was ended last, "" for none yet, and says which one is due.

    A plant that begins has no day behind it: the first one to end is that of its first row. If several days have
    passed, only the last is due, as its end closes them all. A day that lies ahead cannot be ended.
    """

    def __init__(self, days: Days, ended_day: str = "") -> None:
        self.days = days
        self.ended_day = ended_day
        self._announced = ""

    def see(self, received_ns: int) -> None:
        """Note that a row came: it may be the plant's first."""
        if not self.ended_day:
            self.ended_day = str(self.days.last_ended(received_ns))

    def due(self, now_ns: int) -> str | None:
        """Return the day to end now, "2026-11-20", once; None if there is none."""
        day = str(self.days.last_ended(now_ns))
        if not self.ended_day or day <= max(self.ended_day, self._announced):
            return None
        self._announced = day
        return day

    def end(self, day: str, received_ns: int, again: bool = False) -> bool:
        """Take an end of day that came out of the plant; return whether it counts.

        It does if the day was not ended before, or if it is to end `again`: for what came late.
        """
        self.see(received_ns)
        try:
            meant = str(dt.date.fromisoformat(day))
        except ValueError:
            return False
        if (meant <= self.ended_day and not again) or meant > str(self.days.next_roll(received_ns)[0]):
            return False
        self.ended_day = max(meant, self.ended_day)
        return True


def ends_in(batch: Batch) -> list[tuple[str, bool]]:
    """Return the days that a batch of the table `days` ends, and whether again."""
    rows = zip(*(batch.columns[name].tolist() for name in ("state", "day", "detail")), strict=True)
    return [(day, detail == AGAIN) for state, day, detail in rows if state == "end"]
