"""Attempts in threads of their own: a service that hangs holds up nothing."""

import queue
import threading
from collections.abc import Mapping

from monitor.services import Outcome, Service
from monitor.told import Alert

MOST_HANGING = 8
"""Attempts of one service that may hang; further ones fail at once until one of them ends."""

Ended = tuple[Alert, int, Outcome]


class Sender:
    """Hands alerts to services, by name, each attempt in a thread that does not keep the process alive."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = dict(services)
        self._results: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._under_way = dict.fromkeys(services, 0)
        self._lock = threading.Lock()

    def begin(self, alert: Alert, attempt: int) -> None:
        """Begin an attempt; its outcome is among those of `ended` later."""
        with self._lock:
            self._under_way[alert.service] += 1
            hanging = self._under_way[alert.service] > MOST_HANGING
        if hanging:
            self._end(alert, attempt, Outcome(False, f"{MOST_HANGING} attempts before it still hang"))
            return
        threading.Thread(
            target=lambda: self._end(alert, attempt, self._services[alert.service].send(alert)),
            name=f"alert {alert.time}",
            daemon=True,
        ).start()

    def ended(self, timeout_s: float = 0.0) -> list[Ended]:
        """Return the attempts that have ended, waiting at most `timeout_s` for the first."""
        found: list[Ended] = []
        while True:
            try:
                found.append(
                    self._results.get(timeout=timeout_s) if timeout_s and not found else self._results.get_nowait()
                )
            except queue.Empty:
                return found

    def _end(self, alert: Alert, attempt: int, outcome: Outcome) -> None:
        with self._lock:
            self._under_way[alert.service] -= 1
        self._results.put((alert, attempt, outcome))
