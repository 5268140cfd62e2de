"""How many requests or messages a venue takes, obeyed before it has to say so; the time is handed in."""


class TokenBucket:
    """At most `tokens` at once, and `per_s` more every second; all times are seconds of one clock.

    >>> bucket = TokenBucket(2, 1.0)
    >>> [bucket.take(0.0), bucket.take(0.0), bucket.take(0.0)], bucket.wait_s(0.25)
    ([True, True, False], 0.75)
    """

    def __init__(self, tokens: float, per_s: float) -> None:
        self._most, self._per_s = tokens, per_s
        self._tokens = tokens
        self._at = 0.0
        self._paused_until = 0.0

    def wait_s(self, now: float, weight: float = 1.0) -> float:
        """Return how long to wait for `weight` tokens; one that weighs more than all of them needs a full bucket."""
        self._fill(now)
        lacking = min(weight, self._most) - self._tokens
        return max(self._paused_until - now, lacking / self._per_s, 0.0)

    def take(self, now: float, weight: float = 1.0) -> bool:
        """Take `weight` tokens; False, and none taken, if there are not enough."""
        if self.wait_s(now, weight) > 0:
            return False
        self._tokens -= weight
        return True

    def pause(self, seconds: float, now: float) -> None:
        """Give nothing for so long, by the venue's word; a longer pause that was told before stands."""
        self._paused_until = max(self._paused_until, now + seconds)

    def paused(self, now: float) -> bool:
        """Return whether it gives nothing by the venue's word."""
        return now < self._paused_until

    def _fill(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_s)
            self._at = now
