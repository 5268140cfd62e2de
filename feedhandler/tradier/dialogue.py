"""What is said on a connection to Tradier: a session, the whole list of symbols, frames.

https://documentation.tradier.com/brokerage-api/streaming/wss-market-websocket. REST gives a session, which is good for
five minutes to connect and then to send the list; a user has one at a time. A list replaces the one before. One that is
sent later than that is refused, which ends the connection here, and the next one has a session of its own.
"""

from collections.abc import Sequence
from typing import Self
from urllib.parse import urlsplit

from feedhandler.remembered import Remembered, market_day
from feedhandler.tradier.messages import parse_frame, parse_session, subscription_message
from feedhandler.venue.dialogue import Dialogue, Request
from feedhandler.venue.events import CorrectionRow, Event, Topic, TradeRow
from feedhandler.venue.reading import with_path
from feedhandler.venue.settings import VenueSettings


def base_of(rest_url: str) -> str:
    """Return what stands before the paths of REST: /v1 if `rest_url` has no path, else nothing."""
    return "" if urlsplit(rest_url).path.strip("/") else "/v1"


class TradierDialogue(Dialogue):
    """One connection to Tradier; the token is the only one of `keys`."""

    acknowledges = False

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        super().__init__(settings, keys)
        self._session = ""
        self._times = Remembered[int]()  # of prints, by symbol, number and day

    def follow(self, before: Self) -> None:
        self._times = before._times

    def address(self, topics: Sequence[Topic]) -> str:
        """Return `url`, with the path of the market's events if it has none."""
        return with_path(self.settings.url, "/v1/markets/events")

    def before(self) -> Request:
        headers = {"Authorization": f"Bearer {self.keys[0]}"}
        return Request(f"{base_of(self.settings.rest_url)}/markets/events/session", headers=headers, post=True)

    def prepared(self, body: bytes) -> None:
        self._session = parse_session(body)

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        symbols = dict.fromkeys(topic.sym for topic in whole)
        channels = dict.fromkeys(topic.channel for topic in whole)
        return [subscription_message(self._session, [*symbols], [*channels])]

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return self.subscribe((), whole) if whole else []

    def parse(self, frame: bytes, received_ns: int) -> list[Event]:
        found: list[Event] = []
        for event in parse_frame(frame):
            if isinstance(event, TradeRow) and event.venue_seq:
                self._times.add((event.sym, event.venue_seq, market_day(event.time)), event.time)
            elif isinstance(event, CorrectionRow):
                # Its own time is that of the correction, where the print was seen in this run.
                key = event.sym, event.venue_seq, market_day(event.time)
                event = event._replace(time=self._times.get(key) or event.time)
            found.append(event)
        return found
