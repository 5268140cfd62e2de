"""What a process tells the plant of itself: heartbeats, and the gaps it met and healed."""

import time

from plant.lifecycle import Timer, Vitals
from plant.publisher import Publisher
from plant.stream import Stream


class Reports:
    """Publishes the rows; silent while the tickerplant is away, so that nothing piles up."""

    def __init__(self, publisher: Publisher, vitals: Vitals, timer: Timer) -> None:
        self._publisher = publisher
        self._vitals = vitals
        self._timer = timer

    def send(self, stream: Stream | None = None) -> None:
        """Publish what is due."""
        if not self._publisher.connected:
            return
        if self._timer.due() and self._publisher.waiting < 10:
            self._publisher.publish("heartbeats", self._vitals.row())
        while stream is not None and stream.gaps:
            gap = stream.gaps.pop(0)
            self._publisher.publish("gaps", {
                "time": time.time_ns(), "sym": self._vitals.name, "table_name": gap.table, "first": gap.first,
                "last": gap.last, "state": gap.state, "detail": gap.detail})
