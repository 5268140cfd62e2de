"""When to end a day: once for each, also for one that ended while nobody watched."""

import datetime as dt

from plant.batch import Batch
from plant.days import Days


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

    def end(self, day: str, received_ns: int) -> bool:
        """Take an end of day that came out of the plant; return whether it ends a day that was not ended before."""
        self.see(received_ns)
        try:
            meant = str(dt.date.fromisoformat(day))
        except ValueError:
            return False
        if meant <= self.ended_day or meant > str(self.days.next_roll(received_ns)[0]):
            return False
        self.ended_day = meant
        return True


def ends_in(batch: Batch) -> list[str]:
    """Return the days that a batch of the table `days` ends."""
    columns = batch.columns
    return [
        day
        for state, day in zip(columns["state"].tolist(), columns["day"].tolist(), strict=True)
        if state == "end"
    ]  # fmt: skip
