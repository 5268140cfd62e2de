"""The way of an alert to its service: announced as a row, tried, tried again; without sockets, threads and clocks.

    added ── announce ──► `sending` ── begin ──► under way ── ended ──► `sent`
                 ▲                                    │ ├─────────────► `failed`, and again after a pause
                 └────────────────────────────────────┘ └── overdue ──► `unknown`, not repeated

A service has one attempt under way. An alert waits for an earlier one of the same event and symbol, so that an end does
not come before its beginning; others pass one that is in a pause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.services import DEADLINE_S, Outcome
from monitor.told import AGAIN, FAILED, SENDING, SENT, UNKNOWN, Alert

PAUSES_S = (2.0, 8.0, 30.0, 120.0)
"""Pauses after attempts that failed; after the last one it is given up."""

_WAITING, _ANNOUNCED, _UNDER_WAY = range(3)

SECOND = 10**9


@dataclass(slots=True)
class _Pending:
    alert: Alert
    attempt: int  # those that were begun
    due: int
    phase: int = _WAITING
    begun: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What has become of an alert, to be written down as `row`. `final`: nothing more will."""

    alert: Alert
    state: str
    attempt: int
    why: str = ""
    final: bool = False

    @property
    def row(self) -> dict[str, Any]:
        """The row of `alerts`."""
        return self.alert.row(self.state, self.attempt, self.why)


class Delivery:
    """The alerts under way to any number of services; `now` in ns UTC."""

    def __init__(self, pauses_s: Sequence[float] = PAUSES_S, deadline_s: float = DEADLINE_S) -> None:
        self._pauses_s = pauses_s
        self._deadline_ns = int(deadline_s * SECOND)
        self._queues: dict[str, list[_Pending]] = {}
        self._late: dict[tuple[int, int], Alert] = {}  # by time and attempt: those nobody waits for any more

    def add(self, alert: Alert, now: int, attempt: int = 0) -> None:
        """Take an alert that is to be sent; `attempt` is how often that was tried before."""
        self._queues.setdefault(alert.service, []).append(_Pending(alert, attempt, now, begun=now if attempt else 0))

    @property
    def waiting(self) -> dict[str, int]:
        """How many alerts each service still has to get."""
        return {service: len(queue) for service, queue in self._queues.items() if queue}

    @property
    def announced(self) -> bool:
        """Whether alerts wait for the row that announces them to be written."""
        return any(pending.phase == _ANNOUNCED for queue in self._queues.values() for pending in queue)

    @property
    def under_way(self) -> bool:
        """Whether an attempt is under way."""
        return any(pending.phase == _UNDER_WAY for queue in self._queues.values() for pending in queue)

    def announce(self, now: int) -> list[Change]:
        """Return the alerts whose turn it is, and those that waited too long: rows to be written before `begin`."""
        found = []
        for queue in self._queues.values():
            for pending in [p for p in queue if not p.begun and p.phase != _UNDER_WAY and _too_old(p.alert, now)]:
                queue.remove(pending)
                found.append(Change(pending.alert, FAILED, pending.attempt, "it waited too long; given up", True))
            if all(p.phase == _WAITING for p in queue) and (turn := _next(queue, now)):
                turn.phase = _ANNOUNCED
                turn.attempt += 1
                found.append(Change(turn.alert, SENDING, turn.attempt))
        return found

    def begin(self, now: int, written: bool) -> list[tuple[Alert, int]]:
        """Return the announced alerts that are to be handed to their services now, and the number of the attempt.

        `written`: the rows that announce them are in the journal; else only urgent ones go.
        """
        found = []
        for queue in self._queues.values():
            for pending in queue:
                if pending.phase == _ANNOUNCED and (written or pending.alert.urgent):
                    pending.phase, pending.begun = _UNDER_WAY, now
                    found.append((pending.alert, pending.attempt))
        return found

    def ended(self, alert: Alert, attempt: int, outcome: Outcome, now: int) -> Change:
        """Take the outcome of an attempt; return what has become of the alert."""
        if self._late.pop((alert.time, attempt), None):  # `unknown` so far
            why = f"attempt {attempt}: {outcome.why}; given up"
            return (
                Change(alert, SENT, attempt, final=True) if outcome.sent else Change(alert, FAILED, attempt, why, True)
            )
        queue = self._queues[alert.service]
        (pending,) = (p for p in queue if p.alert == alert)
        if outcome.sent:
            queue.remove(pending)
            return Change(alert, SENT, attempt, final=True)
        why = f"attempt {attempt}: {outcome.why}"
        if attempt > len(self._pauses_s):
            queue.remove(pending)
            return Change(alert, FAILED, attempt, f"{why}; given up", True)
        pause_s = self._pauses_s[attempt - 1]
        pending.phase, pending.due = _WAITING, now + int(pause_s * SECOND)
        return Change(alert, FAILED, attempt, f"{why}; {AGAIN} in {pause_s:g} s")

    def overdue(self, now: int) -> list[Change]:
        """Return the attempts that have taken too long; their services are free for the next."""
        found = []
        for queue in self._queues.values():
            for pending in [p for p in queue if p.phase == _UNDER_WAY and now - p.begun > self._deadline_ns]:
                queue.remove(pending)
                self._late[pending.alert.time, pending.attempt] = pending.alert
                why = f"attempt {pending.attempt}: no answer for {self._deadline_ns / SECOND:g} s"
                found.append(Change(pending.alert, UNKNOWN, pending.attempt, why, True))
        return found


def _next(queue: list[_Pending], now: int) -> _Pending | None:
    """Return the first that is due, and has no earlier one of its event and symbol before it."""
    before: set[tuple[str, str]] = set()
    for pending in queue:
        about = (pending.alert.event, pending.alert.sym)
        if pending.due <= now and about not in before:
            return pending
        before.add(about)
    return None


def _too_old(alert: Alert, now: int) -> bool:
    return alert.within_ns > 0 and now - alert.ended > alert.within_ns
