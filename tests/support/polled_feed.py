"""The feed of a venue, polled as the process around it does, by a clock that tests move."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from feedhandler.venue.dialogue import History, Hole, Request
from feedhandler.venue.feed import VenueFeed
from feedhandler.venue.healing import Healing
from feedhandler.venue.rest import Answer as RestAnswer
from feedhandler.venue.token_bucket import TokenBucket

STEP_S = 2.0
"""A pause passes in steps: REST, which nothing holds up, has its turn between them, before patience is at its end."""


class Clock:
    """Monotonic seconds, and as many more as a test adds."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


class Polled:
    """Polls a feed and keeps what it published: `rows` by table, as dicts in their order."""

    def __init__(self, feed: VenueFeed, clock: Clock) -> None:
        self.feed, self.clock = feed, clock
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        feed.start(0)

    def poll(self) -> None:
        """Poll once; a pause of the feed's passes in a few polls, and what it waits for otherwise soon.

        While REST owes an answer time goes on as it does: a slow machine is no slow venue.
        """
        if not self.feed._rest.busy:
            pauses = [line.link.retry_in_s for line in self.feed._lines]
            self.clock.ahead_s += 0.15 + min(max([pause for pause in pauses if pause < 1e6], default=0.0), STEP_S)
        for table, columns in self.feed.poll(time.time_ns(), 0.01):
            found = {name: list(values) for name, values in columns.items()}
            self.rows[table] += [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    def settle(self) -> None:
        """Poll until nothing waits for what is missing; then the connection has been good for long enough."""
        self.until(lambda: self.feed.status().startswith("connected") and not self.feed._seams.waiting, "all there")
        self.clock.ahead_s += 11.0

    def until(self, condition: Callable[[], object], what: str, within_s: float = 20.0) -> None:
        """Poll until a condition holds; fail with the feed's state if it does not."""
        deadline = time.monotonic() + within_s
        while not condition():
            shown = {table: (len(rows), rows[-2:]) for table, rows in self.rows.items()}
            assert time.monotonic() < deadline, f"{what}: {self.feed.status()}; {shown}"
            self.poll()

    def until_status(self, text: str) -> str:
        """Poll until a text stands in the feed's status, and return that."""
        self.until(lambda: text in self.feed.status(), f"status with {text!r}")
        return self.feed.status()

    def until_rows(self, table: str, count: int) -> list[dict[str, Any]]:
        """Poll until a table has so many rows, and return them."""
        self.until(lambda: len(self.rows[table]) >= count, f"{count} {table}")
        return self.rows[table]


@contextlib.contextmanager
def polled(made_of: type[VenueFeed], **keys: Any) -> Iterator[Polled]:
    """Give a feed of this kind with these keys of plant.toml; closed at the end."""
    clock = Clock()
    feed = made_of(made_of.Settings(name=keys.pop("name", "venue"), **keys), clock=clock)
    try:
        yield Polled(feed, clock)
    finally:
        feed.close()


def fetched(history: History, hole: Hole, answer: Callable[[Request], bytes], most: int = 100) -> list[Any]:
    """Return the rows that a history has of a hole, page by page, as `Healing` takes them."""
    healing = Healing(history, TokenBucket(1e9, 1e9))
    healing.add([hole], 0.0)
    rows: list[Any] = []
    for _ in range(most):
        request, without = healing.request(1e9)
        if request is None:
            assert not without, without
            return rows
        found = healing.take(RestAnswer("good", answer(request)), 1e9)
        assert found is not None, healing.note
        assert not found.lost, found.lost
        rows += found.rows
    raise AssertionError(f"more than {most} pages")
