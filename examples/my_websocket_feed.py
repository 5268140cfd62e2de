"""A websocket feed of one's own, with all that every venue needs. Copy it beside plant.toml, which names it:

[[feeds]]
kind = "my_websocket_feed:MyFeed"
symbols = ["BTC-USD"]
url = "wss://venue.example/ws"
"""

import json
from collections.abc import Iterable, Sequence

from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.events import Event, Malformed, Subscribed, Topic, TradeRow
from feedhandler.venue.feed import VenueFeed
from feedhandler.venue.settings import VenueSettings


class MyDialogue(Dialogue):
    """{"op": "subscribe", "symbols": [...]} and {"symbol", "price", "size", "id", "ms"}."""

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return [json.dumps({"op": "subscribe", "symbols": [topic.sym for topic in added]})]

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return [json.dumps({"op": "unsubscribe", "symbols": [topic.sym for topic in removed]})]

    def parse(self, frame: bytes, received_ns: int) -> Iterable[Event]:
        match json.loads(frame):
            case {"symbol": sym, "price": price, "size": size, "id": number, "ms": ms}:
                yield TradeRow(ms * 1_000_000, sym, float(price), float(size), str(number))
            case {"subscribed": symbols}:
                yield Subscribed(tuple(Topic("trades", sym) for sym in symbols))
            case other:
                yield Malformed(f"expected a trade, found {other!r}")


class MyFeed(VenueFeed):
    """Trades of a venue."""

    Settings = VenueSettings
    dialogue = MyDialogue
