"""Finazon's feed polled as the process around it does, against the local server that speaks its protocol."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from finazon_server import FinazonServer

from feedhandler.feed import NS_PER_SECOND
from feedhandler.finazon.feed import FinazonFeed
from feedhandler.finazon.settings import FinazonFeedSettings

KEY = "s3cr3t/key+of=mine"
NOON = 1_795_176_000  # 2026-11-20 12:00 UTC, which is 07:00 in New York; Unix seconds
MIDNIGHT = NOON - 7 * 3_600


class Clock:
    """Monotonic seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Plant:
    """Polls a feed as the process around it does, and keeps what it published."""

    def __init__(self, feed: FinazonFeed, clock: Clock) -> None:
        self.feed, self.clock = feed, clock
        self.now_ns = NOON * NS_PER_SECOND
        self.rows: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []

    def poll_until(self, condition: Callable[[], object], what: str) -> None:
        """Poll until `condition` holds; fail after 10 s, showing the state."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.feed.status()}; rows {self.rows[-3:]}"
            for table, columns in self.feed.poll(self.now_ns, 0.01):
                assert table in ("bars", "gaps")
                kept = self.rows if table == "bars" else self.gaps
                kept += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def until_rows(self, count: int) -> list[dict[str, Any]]:
        self.poll_until(lambda: len(self.rows) >= count, f"{count} rows")
        return self.rows

    def until_status(self, text: str) -> str:
        self.poll_until(lambda: text in self.feed.status(), f"status with {text!r}")
        return self.feed.status()


StartFeed = Callable[..., Plant]


@contextlib.contextmanager
def feeds_of(server: FinazonServer) -> Iterator[StartFeed]:
    """Give a function that starts a feed of `server`, with options of FinazonFeed; close them all at the end."""
    made: list[FinazonFeed] = []

    def make(**options: Any) -> Plant:
        clock = Clock()
        defaults = {
            "symbols": ["AAPL", "TSLA"],
            "url": server.url,
            "rest_url": server.rest_url,
            "backfill": False,
        }
        key = options.pop("api_key", KEY)
        feed = FinazonFeed(FinazonFeedSettings(**{**defaults, **options}), api_key=key, clock=clock)
        made.append(feed)
        feed.start(0)
        return Plant(feed, clock)

    yield make
    for feed in made:
        feed.close()


def bar(sym: str, time_s: int, close: float = 219.96, volume: float = 4572) -> dict[str, Any]:
    frame = {"d": "us_stocks_essential", "p": "finazon", "ch": "bars", "f": "1s", "aggr": " 1m", "s": sym, "t": time_s}
    return frame | {"o": 220.06, "h": 220.13, "l": 219.92, "c": close, "v": volume}


def past(time_s: int, close: float = 200.5) -> dict[str, Any]:
    return {"t": time_s, "o": 200.1, "h": 201, "l": 200, "c": close, "v": 1000}


def subscribed(server: FinazonServer, made: Plant, count: int = 1) -> None:
    made.poll_until(lambda: len(server.subscriptions()) >= count and made.feed.status().startswith("connected"), "ack")
