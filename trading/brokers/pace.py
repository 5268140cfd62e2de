"""How many requests a broker allows, obeyed before it has to say so; the time given by hand."""

from collections import deque


class Pace:
    """At most `limit` requests in any `window_s` seconds, of which `kept` are for what cannot wait.

    A broker's own word (`told`, `pause`) counts over that. All times are seconds of one clock.
    """

    def __init__(self, limit: int, window_s: float, kept: int) -> None:
        self._limit, self._window_s, self._kept = limit, window_s, kept
        self._sent: deque[float] = deque()
        self._paused_until = 0.0

    def wait_s(self, now: float, urgent: bool = False) -> float:
        """Return how long to wait before a request; `urgent`: an order or a cancel, which may use those kept."""
        while self._sent and now - self._sent[0] >= self._window_s:
            self._sent.popleft()
        wait = max(0.0, self._paused_until - now)
        most = self._limit if urgent else self._limit - self._kept
        if len(self._sent) >= most:
            wait = max(wait, self._sent[len(self._sent) - most] + self._window_s - now)
        return wait

    def sent(self, now: float) -> None:
        """Count a request."""
        self._sent.append(now)

    def told(self, remaining: int, reset_in_s: float, now: float) -> None:
        """Take the broker's count: none remaining means a pause until its window begins anew."""
        if remaining <= 0:
            self.pause(min(max(reset_in_s, 0.0), self._window_s), now)

    def pause(self, seconds: float, now: float) -> None:
        """Send nothing for so long; a longer pause that was told before stands."""
        self._paused_until = max(self._paused_until, now + seconds)
