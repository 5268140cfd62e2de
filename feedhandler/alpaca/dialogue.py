"""What is said on a connection to Alpaca: login, subscriptions, frames; and which trade a correction is about.

https://docs.alpaca.markets/docs/streaming-market-data. Keys go out as soon as there is a connection, within ten
seconds. An acknowledgement has all that is subscribed then. An account has one connection; one that was cut lives on at
the venue for some 90 s, and a new one is refused for so long (406).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Self

from feedhandler.alpaca.messages import Corrected, Current, authentication, parse_frame, subscription_message
from feedhandler.remembered import Remembered, market_day
from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.events import CorrectionRow, Event, Subscribed, Topic, TradeRow
from feedhandler.venue.reading import with_path
from feedhandler.venue.settings import VenueSettings

TOPICS_PER_MESSAGE = 500


class AlpacaDialogue(Dialogue):
    """One connection to Alpaca; `keys` are the id of the key and its secret."""

    ready_at_once = False

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        super().__init__(settings, keys)
        self._trades = Remembered[tuple[int, str]]()  # by `_key`: its time, and the id it had first

    def follow(self, before: Self) -> None:
        self._trades = before._trades

    def address(self, topics: Sequence[Topic]) -> str:
        """Return `url`, with the path of the free feed if it has none."""
        return with_path(self.settings.url, "/v2/iex")

    def opening(self) -> list[str]:
        return [authentication(self.keys)]

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return _messages("subscribe", added)

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return _messages("unsubscribe", removed)

    def parse(self, frame: bytes, received_ns: int) -> list[Event]:
        found: list[Event] = []
        for event in parse_frame(frame):
            if isinstance(event, Current):
                found.append(Subscribed(tuple(Topic(channel, sym) for channel, sym in event.topics)))
            elif isinstance(event, Corrected):
                found.append(self._placed(event))
            else:
                if isinstance(event, TradeRow):
                    self._trades.add(_key(event, event.exchange, event.trade_id), (event.time, event.trade_id))
                found.append(event)
        return found

    def _placed(self, corrected: Corrected) -> CorrectionRow:
        """Return a correction with the time and the id under which its trade is known.

        The venue gives the time of the correction. Of a trade that no connection of this run saw that has to do.
        """
        row, exchange = corrected.row, corrected.exchange
        known = self._trades.get(_key(row, exchange, row.trade_id)) or (row.time, row.trade_id)
        if corrected.new_id:
            self._trades.add(_key(row, exchange, corrected.new_id), known)
        return row._replace(time=known[0], trade_id=known[1])


def _key(row: TradeRow | CorrectionRow, exchange: str, trade_id: str) -> tuple[str, str, str, int]:
    return row.sym, exchange, trade_id, market_day(row.time)


def _messages(action: str, topics: Sequence[Topic]) -> list[str]:
    messages = []
    for at in range(0, len(topics), TOPICS_PER_MESSAGE):
        by_channel: dict[str, list[str]] = defaultdict(list)
        for topic in topics[at : at + TOPICS_PER_MESSAGE]:
            by_channel[topic.channel].append(topic.sym)
        messages.append(subscription_message(action, by_channel))
    return messages
