"""Where a connection to a venue stands, and when to open it again: a state machine without sockets and clocks.

    connecting ──► subscribed ◄──► stale
        ▲              │             │
        └─ reconnecting ◄────────────┘        given up: the key was refused

The pause before the next attempt is 1, 2, 4 ... 60 s, each shortened by chance so that many that were cut at once do
not come back at once. It is short again only once a connection was good for `settled_s`: a venue that takes every
connection and cuts it a moment later is not asked every second. All times are seconds of one clock, handed in.
"""

import math
import random
from collections.abc import Callable
from typing import Literal, NamedTuple

State = Literal["connecting", "subscribed", "stale", "reconnecting", "given up"]


class Pauses(NamedTuple):
    """How long to wait before the next attempt, seconds.

    first_s, most_s   pause after the first failure, and the longest; each is twice the one before
    jitter     the part of a pause that chance may take away, 0 to 1
    settled_s  a connection that was good for so long begins again with the shortest pause
    refused_s  pause after a refused key; None: give up
    stale_s    without data for so long a subscribed connection is stale, for twice as long it is to be opened anew;
               0: it never is
    """

    first_s: float = 1.0
    most_s: float = 60.0
    jitter: float = 0.0
    settled_s: float = 0.0
    refused_s: float | None = 60.0
    stale_s: float = 0.0


USUAL = Pauses()
"""Of a socket that nobody else opens at the same moment, as a broker's."""


class ConnectionState:
    """State of one connection; `trouble` is the reason of the last loss, "" while all is well.

    chance: returns a number in [0, 1), for the jitter.

    >>> state = ConnectionState(Pauses())
    >>> state.lost("reset", 10.0)
    1.0
    >>> state.name, state.retry_in_s(10.25)
    ('reconnecting', 0.75)
    """

    def __init__(self, pauses: Pauses, chance: Callable[[], float] = random.random) -> None:
        self.pauses = pauses
        self.name: State = "connecting"
        self.trouble = ""
        self.losses = 0
        self._chance = chance
        self._failures = 0  # since a connection was good
        self._retry_at = -math.inf
        self._good_since: float | None = None
        self._data_at = 0.0

    def retry_in_s(self, now: float) -> float:
        """Return how long to wait before opening, 0 if it is time; inf once given up."""
        return max(0.0, self._retry_at - now)

    def opened(self, now: float) -> None:
        """Note that there is a connection; nothing is subscribed on it yet."""
        self.name, self.trouble = "connecting", ""
        self._good_since, self._data_at = None, now

    def good(self, now: float) -> None:
        """Note that the venue answered as it should, which is more than a connection."""
        if self._good_since is None:
            self._good_since = now

    def subscribed(self, now: float) -> None:
        """Note that what we want is subscribed."""
        self.good(now)
        if self.name == "connecting":
            self.name, self._data_at = "subscribed", now

    def data(self, now: float) -> None:
        """Note that data came."""
        self._data_at = now
        if self.name == "stale":
            self.name = "subscribed"

    def silent(self, now: float, expected: bool = True) -> bool:
        """Become stale if no data came for `stale_s`; return whether it has been so long that it is to be opened anew.

        `expected`: whether data is to be expected now, as while the market is open; else silence counts for nothing.
        """
        if not expected or not self.pauses.stale_s or self.name not in ("subscribed", "stale"):
            self._data_at = now if not expected else self._data_at
            return False
        silence_s = now - self._data_at
        if silence_s >= self.pauses.stale_s:
            self.name = "stale"
        return silence_s >= 2 * self.pauses.stale_s

    def lost(self, reason: str, now: float) -> float:
        """Note a loss, or an attempt that failed; return the pause before the next."""
        self._settle(now)
        return self._again(reason, self._pause_s(), now)

    def ended(self, reason: str, now: float) -> float:
        """Note that the connection came to its end as it had to, by the venue's word or by its age; return the pause.

        The next is opened at once, if this one was good for long enough.
        """
        self._settle(now)
        return self._again(reason, self._pause_s() if self._failures else 0.0, now)

    def told_to_wait(self, reason: str, seconds: float, now: float) -> float:
        """Note that the venue wants no connection of ours for so long; return the pause, which is no shorter."""
        self._settle(now)
        return self._again(reason, max(seconds, self._pause_s()), now)

    def refused(self, reason: str, now: float) -> float:
        """Note that the key was refused; return the pause, inf: given up."""
        pause_s = math.inf if self.pauses.refused_s is None else self.pauses.refused_s
        self._again(reason, pause_s, now)
        if math.isinf(pause_s):
            self.name = "given up"
        return pause_s

    def _pause_s(self) -> float:
        pauses = self.pauses
        pause_s = min(pauses.most_s, pauses.first_s * 2.0 ** min(self._failures, 16))
        return pause_s * (1.0 - pauses.jitter * self._chance())

    def _settle(self, now: float) -> None:
        if self._good_since is not None and now - self._good_since >= self.pauses.settled_s:
            self._failures = 0
        self._good_since = None

    def _again(self, reason: str, pause_s: float, now: float) -> float:
        self.name, self.trouble = "reconnecting", reason
        self._failures += 1
        self.losses += 1
        self._retry_at = now + pause_s
        return pause_s
