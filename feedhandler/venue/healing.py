"""Holes, fetched from a venue's past one after another, page by page: pure; requests go out and answers come in.

Those that rows wait for come first, between two pages of one that nobody waits for.

A request that fails for the network's or the venue's own trouble is sent `MOST_TRIES` times, with growing pauses. Too
many requests make a pause, as long as the venue says. A refused key ends it: nothing more is asked for, where it is not
entitled to a table (HTTP 403) nothing more of that.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from feedhandler.venue.dialogue import History, Hole, Request, Unreadable
from feedhandler.venue.events import BarRow, OtherRow, Row, TradeRow
from feedhandler.venue.rest import Answer
from feedhandler.venue.token_bucket import TokenBucket
from plant.rows.intervals import interval_ns

MOST_TRIES = 4
"""Times that a request is sent before its hole is given up."""

RETRY_S = 2.0
"""Pause before the second try; each further one is twice as long."""

MOST_PAGES = 100_000
"""A hole that has more is given up: the venue goes round in a circle."""


class Fetched(NamedTuple):
    """What came of a hole; `done`: nothing more will, `lost` says why if something is missing.

    again: what is lost may be had later: it was the network's or the venue's trouble.
    """

    hole: Hole
    rows: list[Row]
    done: bool = False
    lost: str = ""
    again: bool = False


class _Fetching:
    __slots__ = ("cursor", "hole", "not_before", "pages", "tries")

    def __init__(self, hole: Hole, not_before: float, cursor: Any = None) -> None:
        self.hole, self.not_before, self.cursor = hole, not_before, cursor
        self.tries = self.pages = 0


class Healing:
    """A queue of holes; `note` is the latest trouble as one line, "" when the last request went well.

    bucket: what the venue takes, `History.limit`; shared by all that ask it.
    """

    def __init__(self, history: History, bucket: TokenBucket) -> None:
        self.note = ""
        self.refused = False
        self._not_entitled: set[str] = set()  # tables
        self._history, self._bucket = history, bucket
        self._queue: deque[_Fetching] = deque()
        self._unhurried: deque[_Fetching] = deque()
        self._asked: _Fetching | None = None

    def __len__(self) -> int:
        return len(self._queue) + len(self._unhurried)

    @property
    def cursor(self) -> Any:
        """Where the first hole goes on, None at its beginning."""
        return self._queue[0].cursor if self._queue else None

    def add(self, holes: Iterable[Hole], now: float, cursor: Any = None, hurried: bool = True) -> None:
        """Ask for holes, from `cursor` on, as soon as the venue's past has them (`History.lag_s`).

        hurried: rows wait for them.
        """
        queue = self._queue if hurried else self._unhurried
        for hole in holes:
            queue.append(_Fetching(hole, now + self._history.lag_s, cursor))

    def request(
        self, now: float, wants: Callable[[Hole], bool] = lambda hole: True
    ) -> tuple[Request | None, list[Fetched]]:
        """Return the request to send now, None if it is not time or there is none; and holes that have none.

        wants: whether a hole is still one; else it is passed over.
        """
        without: list[Fetched] = []
        while self._asked is None and (first := self._first(now)) is not None:
            if first.cursor is None and not wants(first.hole):
                self._over(first)
                continue
            if self.refused or first.hole.table in self._not_entitled:
                without.append(self._give_up(first, "the key was refused"))
                continue
            if now < first.not_before:
                return None, without
            request = self._history.request(first.hole, first.cursor)
            if request is None:
                without.append(self._give_up(first, "the venue has no such past"))
            elif self._bucket.take(now, request.weight):
                self._asked = first
                return request, without
            else:
                return None, without
        return None, without

    def wait_s(self, now: float) -> float:
        """Return how long `request` has nothing to send at least, 0 if that is not known."""
        first = self._first(now)
        return max(first.not_before - now, self._bucket.wait_s(now)) if first is not None else 0.0

    def take(self, answer: Answer, now: float) -> Fetched | None:
        """Take the answer to the last request; return what came of its hole, None if it is tried again."""
        asked, self._asked = self._asked, None
        assert asked is not None
        if answer.kind == "good":
            try:
                page = self._history.page(asked.hole, answer.body)
            except Unreadable as error:
                return self._later(asked, str(error), now)
            self.note = ""
            asked.tries = 0
            asked.pages += 1
            rows = [row for row in page.rows if _within(asked.hole, row)]
            if page.cursor is None:
                self._over(asked)
                return Fetched(asked.hole, rows, done=True)
            if page.cursor == asked.cursor or asked.pages >= MOST_PAGES:
                return self._give_up(asked, f"after {asked.pages} pages the next would be the same")._replace(rows=rows)
            asked.cursor = page.cursor
            return Fetched(asked.hole, rows)
        if answer.kind == "wait":
            self._bucket.pause(answer.wait_s, now)
            self.note = f"history waits {answer.wait_s:.0f} s: too many requests ({answer.reason})"
            return None
        if answer.kind == "key":
            of = f" of {asked.hole.table}" if answer.partly else ""
            self.refused = self.refused or not answer.partly
            self._not_entitled.add(asked.hole.table)
            self.note = f"no history{of}: the key was refused ({answer.reason})"
            return self._give_up(asked, self.note)
        return self._later(asked, answer.reason, now) if answer.kind == "later" else self._give_up(asked, answer.reason)

    def _first(self, now: float) -> _Fetching | None:
        """Return what is to be asked for next: what rows wait for, unless it is to be tried again only later."""
        if self._queue and (self._queue[0].not_before <= now or not self._unhurried):
            return self._queue[0]
        return self._unhurried[0] if self._unhurried else None

    def _later(self, asked: _Fetching, reason: str, now: float) -> Fetched | None:
        asked.tries += 1
        if asked.tries >= MOST_TRIES:
            return self._give_up(asked, reason, again=True)
        pause_s = RETRY_S * 2 ** (asked.tries - 1)
        asked.not_before = now + pause_s
        self.note = f"history of {asked.hole.sym} is tried again in {pause_s:.0f} s: {reason}"
        return None

    def _give_up(self, fetching: _Fetching, reason: str, again: bool = False) -> Fetched:
        self._over(fetching)
        self.note = f"history of {fetching.hole.sym} is missing: {reason}"
        return Fetched(fetching.hole, [], done=True, lost=reason, again=again)

    def _over(self, fetching: _Fetching) -> None:
        (self._queue if fetching in self._queue else self._unhurried).remove(fetching)


def _within(hole: Hole, row: Row) -> bool:
    """Return whether a row is of the hole; a bar only if it was over when the hole ended."""
    if isinstance(row, TradeRow) and hole.first:
        return hole.first <= row.venue_seq <= hole.last
    if isinstance(row, BarRow):
        return hole.start <= row.time and row.time + interval_ns(row.interval) <= hole.end
    return isinstance(row, OtherRow) or hole.start <= row.time < hole.end
