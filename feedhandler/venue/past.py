"""What is asked of a venue's REST beside the frames: holes, its clock, its instruments. Nothing waits for an answer."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from feedhandler.venue.dialogue import History, Hole, Unreadable
from feedhandler.venue.healing import Fetched, Healing
from feedhandler.venue.rest import Answer, Rest
from feedhandler.venue.token_bucket import TokenBucket

CLOCK_EVERY_S = 600.0
"""Seconds after which the venue's clock is asked for again: clocks drift, and are set."""

_AGAIN_S = 60.0  # after an answer that was none


class Past:
    """Call `step` now and then; `ahead_s` is how far the venue's clock is ahead of ours, None while that is not known.

    wall: UTC ns, for the comparison of the clocks.
    """

    def __init__(self, history: History, rest: Rest, symbols: Sequence[str], wall: Callable[[], int] = time.time_ns):
        self.bucket = TokenBucket(*history.limit)
        self.healing = Healing(history, self.bucket)
        self.ahead_s: float | None = None
        self.within_s = 0.0  # half of the round trip: the error of `ahead_s`
        self.instruments: list[dict[str, Any]] = []  # rows for the caller to take
        self._history, self._rest, self._wall = history, rest, wall
        self._symbols = list(symbols)
        self._waits_for = ""  # hole, clock or instruments
        self._sent_ns = 0
        self._clock_at = self._instruments_at = 0.0
        self._listed: set[str] = set()

    def want(self, symbols: Sequence[str]) -> None:
        """Take a changed list of symbols, as the venue writes them."""
        self._symbols = list(symbols)
        self._instruments_at = 0.0

    def add(self, holes: Iterable[Hole], now: float, hurried: bool = True) -> None:
        """Ask for holes; hurried: rows wait for them."""
        self.healing.add(holes, now, hurried=hurried)

    def has(self, hole: Hole) -> bool:
        """Return whether the venue has a past of the kind of a hole."""
        return self._history.request(hole) is not None

    def paused(self, now: float) -> bool:
        """Return whether the venue wants no requests for now."""
        return self.bucket.paused(now)

    def step(self, now: float, wants: Callable[[Hole], bool]) -> list[Fetched]:
        """Take an answer if there is one, send the next request if it is time to; return what came of holes.

        wants: whether a hole is still one.
        """
        found: list[Fetched] = []
        answer = self._rest.answer() if self._rest.busy else None
        if answer is not None:
            found += self._take(answer, now)
        if not self._rest.busy:
            request, without = self.healing.request(now, wants)
            found += without
            self._waits_for = "hole"
            if request is None:
                request = self._other(now)
            if request is not None:
                self._sent_ns = self._wall()
                self._rest.ask(request)
        return found

    def _other(self, now: float) -> Any:
        if now >= self._clock_at and (request := self._history.clock()) is not None:
            if self.bucket.take(now, request.weight):
                self._waits_for, self._clock_at = "clock", now + CLOCK_EVERY_S
                return request
            return None
        new = [sym for sym in self._symbols if sym not in self._listed]
        if new and now >= self._instruments_at and (request := self._history.instruments(new)) is not None:
            if not self.bucket.take(now, request.weight):
                return None
            self._waits_for, self._instruments_at = "instruments", now + CLOCK_EVERY_S
            return request
        return None

    def _take(self, answer: Answer, now: float) -> list[Fetched]:
        if self._waits_for == "hole":
            fetched = self.healing.take(answer, now)
            return [fetched] if fetched is not None else []
        try:
            if answer.kind != "good":
                raise Unreadable(answer.reason)
            if self._waits_for == "clock":
                self._compare(self._history.clock_ns(answer.body))
            else:
                new = [sym for sym in self._symbols if sym not in self._listed]
                self.instruments += self._history.instrument_rows(new, answer.body)
                self._listed.update(new)
        except Unreadable as error:
            pause_s = max(_AGAIN_S, answer.wait_s)
            if answer.kind == "wait":
                self.bucket.pause(answer.wait_s, now)
            self.healing.note = f"the venue's {self._waits_for} cannot be had: {error}"
            self._clock_at, self._instruments_at = now + pause_s, now + pause_s
        return []

    def _compare(self, venue_ns: int) -> None:
        received_ns = self._wall()
        self.ahead_s = (venue_ns - (self._sent_ns + received_ns) // 2) / 1e9
        self.within_s = (received_ns - self._sent_ns) / 2e9
