"""A replay's pace: so many bars at once, then some a second, and what a person says meanwhile."""

from collections.abc import Callable

PAUSE, RESUME, STEP = "pause", "resume", "step"


class Pace:
    """Says when the next bar is due; the time is handed in, seconds of any clock that only rises.

    at_once      so many bars are due at once
    bars_per_s   then so many a second
    """

    def __init__(self, at_once: int, bars_per_s: float) -> None:
        self._at_once, self._gap_s = at_once, 1.0 / bars_per_s
        self._due: float | None = None
        self._steps = 0
        self.paused = False

    def said(self, word: str) -> None:
        """Take a word: PAUSE, RESUME, or STEP, which lets one bar come while it is paused."""
        if word == STEP:
            self.paused = True
            self._steps += 1
        elif word in (PAUSE, RESUME):
            self.paused, self._steps, self._due = word == PAUSE, 0, None

    def taken(self, now: float) -> None:
        """Note that a bar has come."""
        if self._at_once:
            self._at_once -= 1
        elif self._steps:
            self._steps -= 1
        else:
            due = now if self._due is None else self._due
            self._due = (now if now - due > self._gap_s else due) + self._gap_s  # what was late is not made up for

    def wait_s(self, now: float) -> float | None:
        """Return how long it is until the next bar is due, 0 for now; None: until something is said."""
        if self._at_once or self._steps:
            return 0.0
        if self.paused:
            return None
        if self._due is None:
            self._due = now + self._gap_s
        return max(self._due - now, 0.0)


def held(pace: Pace, clock: Callable[[], float], hear: Callable[[float | None], list[str]]) -> bool:
    """Wait until the next bar is due, hearing what is said (within so many seconds); return whether it was paused."""
    paused = False
    while (wait_s := pace.wait_s(clock())) != 0:
        for word in hear(wait_s):
            pace.said(word)
        paused |= pace.paused
    pace.taken(clock())
    return paused
