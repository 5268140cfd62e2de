"""A plant's start as it is looked at: which process has failed since the last look, and what is still waited for."""

from collections.abc import Iterable

from plant.control.health import FAILED, WELL, Health
from plant.runtime.sections import MISCONFIGURED


class Start:
    """The start of a plant with `feeds`, by name, since a time (s since 1970); `look` is told how its processes are.

    >>> start = Start(["simulated"], since=0)
    >>> [h.process for h in start.look([Health("rdb", "backoff", detail="no such port"), Health("hdb", "starting")])]
    ['rdb']
    >>> start.failed, start.settled, start.waiting
    (True, False, ['feed-simulated', 'hdb', 'rdb'])
    """

    def __init__(self, feeds: Iterable[str], since: float) -> None:
        self._since = since
        self.waiting = sorted(f"feed-{name}" for name in feeds)
        self._wanted = set(self.waiting)
        self._failed: set[str] = set()

    def look(self, healths: list[Health]) -> list[Health]:
        """Take how the processes are now; return those that have failed and had not before."""
        missing = self._wanted - {h.process for h in healths}
        self.waiting = sorted({*missing, *(h.process for h in healths if h.state not in (WELL, MISCONFIGURED))})
        new = [h for h in healths if self._has_failed(h) and h.process not in self._failed]
        self._failed.update(h.process for h in new)
        return new

    @property
    def failed(self) -> bool:
        """Whether any process ended by itself."""
        return bool(self._failed)

    @property
    def settled(self) -> bool:
        """Whether nothing is waited for: every process is up, or is a feed that cannot be."""
        return not self.waiting

    def _has_failed(self, health: Health) -> bool:
        """Return whether a process has ended by itself, also if supervisord tries it again just now."""
        return health.state in FAILED or (health.state == "starting" and (health.ended or 0) > self._since)
