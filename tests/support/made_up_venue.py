"""The feed of the venue that tests/support/venue_server.py is, and a plant that polls it."""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from pydantic import Field
from venue_server import BEGIN_MS, PAGE, VenueServer

from feedhandler.settings import Symbols
from feedhandler.venue.dialogue import Dialogue, History, Hole, Limit, Page, Request, Unreadable
from feedhandler.venue.events import (
    Complaint,
    Event,
    KeyRefused,
    Malformed,
    NotKnown,
    Ready,
    Subscribed,
    Topic,
    TradeRow,
    Unsubscribed,
)
from feedhandler.venue.feed import VenueFeed
from feedhandler.venue.settings import RestAddress, VenueSettings, WebSocketAddress

MS = 1_000_000


class MadeUpSettings(VenueSettings):
    """Of the venue that is made up."""

    symbols: Symbols = Field(("A", "B"), description="letters")
    url: WebSocketAddress = Field("ws://127.0.0.1:1/ws", description="the WebSocket")
    rest_url: RestAddress = Field("http://127.0.0.1:1/rest", description="the past")


class MadeUpDialogue(Dialogue):
    """Login, topics acknowledged one by one, trades."""

    ready_at_once = False
    numbered = True

    def opening(self) -> list[str]:
        return [json.dumps({"do": "login", "key": self.keys[0]})]

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return [json.dumps({"do": "join", "topics": [" ".join(topic) for topic in added]})]

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return [json.dumps({"do": "leave", "topics": [" ".join(topic) for topic in removed]})]

    def parse(self, frame: bytes, received_ns: int) -> Iterable[Event]:
        try:
            said = json.loads(frame)
        except ValueError:
            return [Malformed(f"expected JSON, found {frame[:20]!r}")]
        match said:
            case {"trade": trade}:
                return [trade_of(trade)]
            case {"login": "good"}:
                return [Ready()]
            case {"login": why}:
                return [KeyRefused(why)]
            case {"joined": topic}:
                return [Subscribed((Topic(*topic.split()),))]
            case {"left": topic}:
                return [Unsubscribed((Topic(*topic.split()),))]
            case {"unknown": topic}:
                return [NotKnown(Topic(*topic.split()), "no such letter")]
            case {"complaint": why}:
                return [Complaint(why)]
        return [Malformed(f"expected a message, found {said!r}")]


def trade_of(trade: dict[str, Any]) -> TradeRow:
    """Return the venue's trade as a row."""
    number = trade["n"]
    return TradeRow(
        trade["t"] * MS, trade["s"], float(trade["p"]), float(trade["q"]), f"id{number}", venue_seq=number
    )  # fmt: skip


class MadeUpHistory(History):
    """Trades by number and by time, its time, its instruments."""

    limit = Limit(1_000.0, 1_000.0)
    lag_s = 0.0

    def request(self, hole: Hole, cursor: Any = None) -> Request | None:
        if hole.table != "trades":
            return None
        if hole.first:
            return self._request("/trades", {"sym": hole.sym, "from": str(cursor or hole.first)})
        begin = cursor or hole.start // MS
        return self._request("/trades", {"sym": hole.sym, "start": str(begin), "end": str(-(-hole.end // MS))})

    def page(self, hole: Hole, body: bytes) -> Page:
        rows = [trade_of(one) for one in _read(body)]
        if len(rows) < PAGE or (hole.first and rows[-1].venue_seq >= hole.last):
            return Page(rows)
        return Page(rows, rows[-1].venue_seq + 1 if hole.first else rows[-1].time // MS)

    def instruments(self, symbols: Sequence[str]) -> Request | None:
        return self._request("/instruments", {"symbols": ",".join(symbols)})

    def instrument_rows(self, symbols: Sequence[str], body: bytes) -> list[dict[str, Any]]:
        common = {"since": None, "lot": 1.0, "multiplier": 1.0}
        return [{"sym": one["s"], "tick": one["tick"], **common} for one in _read(body)]

    def clock(self) -> Request | None:
        return self._request("/time", {})

    def clock_ns(self, body: bytes) -> int:
        return int(_read(body)) * MS

    def _request(self, path: str, query: dict[str, str]) -> Request:
        return Request(path, query, {"X-Key": self.keys[0]})


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise Unreadable(f"expected JSON, found {body[:20]!r}") from None


class MadeUpFeed(VenueFeed):
    """Trades of letters."""

    Settings = MadeUpSettings
    dialogue = MadeUpDialogue
    history = MadeUpHistory
    key_variables = ("MADE_UP_KEY",)
    page = "docs/feeds.md#a-venue"


class TimedDialogue(MadeUpDialogue):
    """The same without numbers."""

    numbered = False

    def parse(self, frame: bytes, received_ns: int) -> Iterable[Event]:
        for event in super().parse(frame, received_ns):
            yield event._replace(venue_seq=0) if isinstance(event, TradeRow) else event


class TimedFeed(MadeUpFeed):
    """Trades whose ids tell nothing of what is missing."""

    dialogue = TimedDialogue


class Clock:
    """Monotonic seconds that a test moves on."""

    def __init__(self) -> None:
        self.skipped_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped_s


class Polled:
    """Polls a feed as the process around it does, and keeps what it gives, by table."""

    def __init__(self, kind: type[VenueFeed], server: VenueServer, clock: Clock, **options: Any) -> None:
        given = {"symbols": ("A", "B"), "url": server.url, "rest_url": server.rest_url, "name": "made-up"}
        self.server, self.clock = server, clock
        self.feed = kind(MadeUpSettings(**{**given, **options}), clock=clock)
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.feed.start(0)

    def poll(self) -> None:
        """Poll once."""
        last = max((one[-1]["t"] for one in self.server.trades.values() if one), default=BEGIN_MS)
        for table, columns in self.feed.poll((last + 1) * MS, 0.005):
            rows = zip(*columns.values(), strict=True)
            self.rows.setdefault(table, []).extend(dict(zip(columns, row, strict=True)) for row in rows)

    def pass_time(self, seconds: float) -> None:
        """Move the clock on, unless REST owes an answer: a slow machine is no slow venue."""
        if not self.feed._rest.busy:
            self.clock.skipped_s += seconds

    def until(self, condition: Callable[[], object], what: str, timeout_s: float = 60) -> None:
        """Poll until `condition` holds; fail with the state."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            counts = {table: len(rows) for table, rows in self.rows.items()}
            assert time.monotonic() < deadline, f"{what}: {self.feed.status()}; {counts}"
            self.poll()

    def ids(self, sym: str) -> list[str]:
        """Return the ids of the trades of a symbol, in the order in which they came."""
        return [row["trade_id"] for row in self.rows.get("trades", []) if row["sym"] == sym]


@contextlib.contextmanager
def polls(venue: VenueServer) -> Iterator[Callable[..., Polled]]:
    """Give what makes a `Polled` of a kind (`MadeUpFeed`), with a clock and options; all are closed at the end."""
    made: list[Polled] = []

    def make(kind: type[VenueFeed] = MadeUpFeed, clock: Clock | None = None, **options: Any) -> Polled:
        made.append(Polled(kind, venue, clock or Clock(), **options))
        return made[-1]

    yield make
    for one in made:
        one.feed.close()
