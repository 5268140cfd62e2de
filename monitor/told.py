"""What was told already: rows of `alerts`, folded to the newest of each thing; without sockets and clocks.

So a monitor that starts again goes on where the one before it was, and tells nothing twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from monitor.causes import BEGUN, BETWEEN, Cause, read_back

SENDING, SENT, FAILED, UNKNOWN = "sending", "sent", "failed", "unknown"
"""States of an alert."""

AGAIN = "tried again"
"""Stands in the detail of a `failed` row that is not the last word."""

_WHY = f"{BETWEEN}not sent: "


class Alert(NamedTuple):
    """Something decided to be told to one service. `time` (ns UTC) is when that was decided, and no two have the same.

    ended, within_ns   it is not sent any more that long after `ended`; 0: at any age
    urgent             it is sent also while the tickerplant takes no row of it
    """

    time: int
    sym: str
    event: str
    service: str
    held_back: int
    detail: str
    ended: int = 0
    within_ns: int = 0
    urgent: bool = False

    def row(self, state: str, attempt: int, why: str = "") -> dict[str, Any]:
        """Return the row of `alerts` that says what has become of it."""
        return {
            "time": self.time,
            "sym": self.sym,
            "event": self.event,
            "service": self.service,
            "state": state,
            "attempt": attempt,
            "held_back": self.held_back,
            "detail": self.detail + (f"{_WHY}{why}" if why else ""),
        }


@dataclass(slots=True)
class Record:
    """The newest alert of one thing at one service: what it told (`told`), and what has become of it (`state`).

    `begun` is the time of the newest alert that told of its beginning.
    """

    alert: Alert
    head: str
    told: str
    state: str
    attempt: int
    begun: int
    final: bool = False

    @property
    def reached(self) -> bool:
        """Whether somebody may have it: it was not given up as failed."""
        return not (self.state == FAILED and self.final)


Place = tuple[str, str, str, str]
"""Service, event, sym and head."""


class Told:
    """The newest record of each thing at each service."""

    def __init__(self) -> None:
        self._records: dict[Place, Record] = {}
        self._own: set[int] = set()
        self.newest = 0

    def get(self, service: str, cause: Cause) -> Record | None:
        """Return what a service was told of a cause; None for nothing."""
        return self._records.get((service, cause.event, cause.sym, cause.head))

    def standing(self, service: str) -> Iterator[Record]:
        """Yield what a service was told has begun and was not told is over."""
        for (whose, *_), record in self._records.items():
            if whose == service and record.told == BEGUN and record.reached:
                yield record

    def take(self, row: Mapping[str, Any]) -> None:
        """Take a row of `alerts`, `time` in ns.

        One of an alert that is older than the newest of the same thing changes nothing, nor does one of this process:
        it knows better already.
        """
        if row["time"] in self._own:
            return
        detail, _, why = row["detail"].partition(_WHY)
        alert = Alert(row["time"], row["sym"], row["event"], row["service"], row["held_back"], detail)
        record = self._noted(alert)
        if record is not None:
            record.state, record.attempt = row["state"], row["attempt"]
            record.final = record.state != FAILED or AGAIN not in why

    def decided(self, alert: Alert) -> None:
        """Note an alert that is to be sent."""
        self._own.add(alert.time)
        self._noted(alert)

    def became(self, alert: Alert, state: str, final: bool = True) -> None:
        """Note what has become of an alert."""
        record = self._noted(alert)
        if record is not None:
            record.state, record.final = state, final

    def unresolved(self) -> Iterator[Record]:
        """Yield the records whose alert an earlier monitor left without a result, oldest first."""
        for record in sorted(self._records.values(), key=lambda r: r.alert.time):
            if record.state == SENDING or (record.state == FAILED and not record.final):
                yield record

    def _noted(self, alert: Alert) -> Record | None:
        """Return the record of an alert, made if it is the newest; None if there is a newer alert of that thing."""
        self.newest = max(self.newest, alert.time)
        told, head = read_back(alert.detail)
        place = (alert.service, alert.event, alert.sym, head)
        before = self._records.get(place)
        if before is None or alert.time > before.alert.time:
            begun = alert.time if told == BEGUN else before.begun if before else 0
            self._records[place] = Record(alert, head, told, SENDING, 0, begun)
        elif alert.time < before.alert.time:
            return None
        return self._records[place]
