"""How much one caller may ask: moving windows of the `limits` library, and how many streams are open."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from api.answers.problems import Problem
from plant.runtime.service import ApiSettings

READ, CHANGE, ORDER, LOGIN, KNOCK = "read", "change", "order", "login", "knock"
"""What is counted: reads, changes, orders (their own, so that nothing starves them), failed logins, and refusals that
become rows of `audit`."""

LOGINS_PER_MINUTE = 5
KNOCKS_PER_MINUTE = 30


class Quota:
    """Counts by kind and caller. The clock is that of `limits`."""

    def __init__(self, settings: ApiSettings) -> None:
        self._most = {
            READ: RateLimitItemPerSecond(settings.read_per_s),
            CHANGE: RateLimitItemPerSecond(settings.trade_per_s),
            ORDER: RateLimitItemPerSecond(settings.trade_per_s),
            LOGIN: RateLimitItemPerMinute(LOGINS_PER_MINUTE),
            KNOCK: RateLimitItemPerMinute(KNOCKS_PER_MINUTE),
        }
        self._windows = MovingWindowRateLimiter(MemoryStorage())
        self._connections = settings.connections
        self._open: Counter[str] = Counter()

    def hit(self, kind: str, caller: str) -> bool:
        """Count one; return whether it may be."""
        return self._windows.hit(self._most[kind], kind, caller)

    def left(self, kind: str, caller: str) -> bool:
        """Return whether there may be one more, without counting it."""
        return self._windows.test(self._most[kind], kind, caller)

    def take(self, kind: str, caller: str) -> None:
        """Count one. Raises Problem rate_limited, with how long to wait, if it is too many."""
        if not self.hit(kind, caller):
            raise self.refusal(kind, caller)

    def refusal(self, kind: str, caller: str) -> Problem:
        """Return the problem of one too many."""
        item = self._most[kind]
        window = self._windows.get_window_stats(item, kind, caller)
        wait_s = max(1, -int(-(window.reset_time - time.time()) // 1))
        headers = {
            "Retry-After": str(wait_s),
            "RateLimit-Limit": str(item.amount),
            "RateLimit-Remaining": str(window.remaining),
            "RateLimit-Reset": str(wait_s),
        }
        what = {READ: "reads", CHANGE: "changes", ORDER: "orders", LOGIN: "failed logins", KNOCK: "refusals"}[kind]
        per = "minute" if kind in (LOGIN, KNOCK) else "second"
        return Problem(
            "rate_limited", f"at most {item.amount} {what} a {per}; wait {wait_s} s and try again", headers=headers
        )

    @contextmanager
    def connection(self, caller: str) -> Iterator[None]:
        """Count a stream while it is open. Raises Problem rate_limited if the caller has too many open."""
        if self._open[caller] >= self._connections:
            raise Problem(
                "rate_limited",
                f"at most {self._connections} streams open at once; close one first",
                headers={"Retry-After": "1"},
            )
        self._open[caller] += 1
        try:
            yield
        finally:
            self._open[caller] -= 1
            if not self._open[caller]:
                del self._open[caller]

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._open.total()
