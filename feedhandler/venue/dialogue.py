"""What a venue gives: its words on one connection, and its words for the past. Pure: no sockets, no clocks.

A venue is a folder of feedhandler/ with a `Dialogue` and, if it has a past to ask for, a `History`. The kind of feed is
a `VenueFeed` (feedhandler/venue/feed.py) of the two:

    class KrakenFeed(VenueFeed):
        '''Trades and quotes of Kraken.'''

        Settings = KrakenSettings
        dialogue = KrakenDialogue
        history = KrakenHistory             # None: it has none
        key_variables = ()                  # e.g. ("MASSIVE_API_KEY",)
        page = "docs/feeds.md#kraken"

What is not said here a venue need not care for: connecting, pauses, rates, acknowledgements that do not come, order,
repeats, holes, capture, columns.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, Self

from feedhandler.venue.events import Event, Row, Topic
from feedhandler.venue.settings import VenueSettings


class Hole(NamedTuple):
    """Rows of a table and symbol that are missing: by number, both ends included, if `first` is not 0; else by time.

    table    trades, quotes or bars; sym as the venue writes it
    interval of bars
    start    UTC ns; also of a hole by number, where it is a hint: the time of the row before
    end      UTC ns, exclusive. Of bars it is their start that counts, and only whole ones are to be given
    """

    table: str
    sym: str
    interval: str = ""
    start: int = 0
    end: int = 0
    first: int = 0
    last: int = 0


class Request(NamedTuple):
    """A GET of `rest_url` + `path`; `weight` of what `History.limit` counts. `post`: a POST without a body instead."""

    path: str
    query: dict[str, str] = {}  # noqa: RUF012 - nobody writes to it
    headers: dict[str, str] = {}  # noqa: RUF012
    weight: float = 1.0
    post: bool = False


class Page(NamedTuple):
    """Rows of an answer, oldest first; `cursor` is what the next request of the same hole is given, None: no more."""

    rows: list[Row]
    cursor: Any = None


class Limit(NamedTuple):
    """How many requests a venue takes: `tokens` at once, and `per_s` more every second."""

    tokens: float
    per_s: float


class Unreadable(Exception):
    """An answer of the venue that is not what was expected: expected, found."""


class Dialogue:
    """One connection's words; made anew for each connection. Subclasses fill in `subscribe`, `unsubscribe`, `parse`.

    settings   the feed's
    keys       values of the feed's `key_variables`, in their order
    """

    ready_at_once: ClassVar[bool] = True
    """False: the venue takes subscriptions only after a frame that `parse` calls `Ready`, e.g. behind a login."""

    acknowledges: ClassVar[bool] = True
    """False: the venue does not answer subscriptions; they count as acknowledged once they are sent."""

    acknowledge_s: ClassVar[float] = 5.0
    """A topic that is not acknowledged within so long is told as missing; the others go on."""

    messages_per_s: ClassVar[float] = math.inf
    """The venue takes so many messages a second of ours."""

    most_topics: ClassVar[int] = 1_000_000
    """Topics on one connection; a feed of more opens several."""

    lives_s: ClassVar[float] = math.inf
    """The venue ends a connection that is older; we open a new one before."""

    numbered: ClassVar[bool] = False
    """True: the `venue_seq` of trades grows by exactly 1 within a symbol, so that a jump is a hole."""

    heartbeat: ClassVar[str] = ""
    """A message that goes out with each ping; "": none."""

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        self.settings = settings
        self.keys = keys

    def follow(self, before: Self) -> None:
        """Take over from the connection before this one what outlives it, e.g. which trades it saw."""

    def address(self, topics: Sequence[Topic]) -> str:
        """Return the address to connect to, for a connection that will have these topics."""
        return self.settings.url

    def before(self) -> Request | None:
        """Return the request whose answer is needed before connecting, e.g. for a session; None: there is none."""
        return None

    def prepared(self, body: bytes) -> None:
        """Take the answer to `before`. Raises Unreadable."""

    def opening(self) -> list[str]:
        """Return the messages that are sent as soon as there is a connection, e.g. a login."""
        return []

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        """Return the messages that add `added`; `whole` is all that is wanted then, `added` included."""
        raise NotImplementedError

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        """Return the messages that end `removed`; `whole` is all that is wanted then."""
        raise NotImplementedError

    def parse(self, frame: bytes, received_ns: int) -> Iterable[Event]:
        """Return what a frame means, in its order. Never raises for what a frame holds: that is `Malformed`.

        received_ns: when it came, UTC ns; the time of rows to which the venue gives none, as quotes of Binance's spot.
        """
        raise NotImplementedError


class History:
    """A venue's past: which request has it, and what its answer means."""

    limit: Limit = Limit(5.0, 1.0)

    lag_s: float = 1.0
    """What happened less than so long ago may not be in the past yet: it is asked for only then."""

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        self.settings = settings
        self.keys = keys

    def request(self, hole: Hole, cursor: Any = None) -> Request | None:
        """Return the request for a hole, or for what follows on `cursor`; None: the venue has no such past."""
        raise NotImplementedError

    def page(self, hole: Hole, body: bytes) -> Page:
        """Return what an answer holds; rows beyond the hole are left out by the caller. Raises Unreadable."""
        raise NotImplementedError

    def instruments(self, symbols: Sequence[str]) -> Request | None:
        """Return the request for the venue's list of instruments; None: it has none."""
        return None

    def instrument_rows(self, symbols: Sequence[str], body: bytes) -> list[dict[str, Any]]:
        """Return the rows of `instruments` of these symbols, without `time` and `source`. Raises Unreadable."""
        return []

    def recorded(self, url: str, body: bytes, received_ns: int) -> Iterable[Row]:
        """Return the rows of an answer that somebody recorded, of any address of the venue; none of one without rows.

        Bars are those that were over when it came, at `received_ns`, UTC ns. Raises Unreadable.
        """
        return []

    def clock(self) -> Request | None:
        """Return the request for the venue's time; None: it has none."""
        return None

    def clock_ns(self, body: bytes) -> int:
        """Return the time in an answer to `clock`, UTC ns. Raises Unreadable."""
        raise NotImplementedError
