"""Binance's trades, best bids and asks, and klines: what is said on one connection.

https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md. Streams are subscribed by messages
on /stream, so that each frame names its stream. A connection has at most 1,024 streams and lives 24 hours; the venue
takes five messages a second of ours, of which two are left to the pings and pongs. It replays nothing: the trades
between two connections are those between two numbers, and are fetched (history.py).
"""

from collections.abc import Sequence

from feedhandler.binance.messages import Answer, parse_frame, subscription_message
from feedhandler.binance.settings import CHANNELS, BinanceFeedSettings
from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.events import Complaint, Event, Skipped, Subscribed, Topic, TradeRow, Unsubscribed
from feedhandler.venue.reading import with_path
from feedhandler.venue.settings import VenueSettings

STREAMS_PER_MESSAGE = 300


class BinanceDialogue(Dialogue):
    """One connection to Binance; a `Topic` is a stream."""

    settings: BinanceFeedSettings
    messages_per_s = 3.0
    most_topics = 1_024
    lives_s = 23.5 * 3_600
    numbered = True

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        super().__init__(settings, keys)
        self._request = 0
        self._asked: dict[str, tuple[str, tuple[Topic, ...]]] = {}  # by the number of the request
        self._aggregated: dict[str, bool] = {}  # by symbol

    def address(self, topics: Sequence[Topic]) -> str:
        """Return `url`, with /stream if it has no path."""
        return with_path(self.settings.url, "/stream")

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return self._messages("SUBSCRIBE", added)

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return self._messages("UNSUBSCRIBE", removed)

    def parse(self, frame: bytes, received_ns: int) -> list[Event]:
        event = parse_frame(frame, received_ns)
        if isinstance(event, TradeRow | Skipped):
            return [event] if self._counts(event.sym, b'"aggTrade"' in frame) else []
        if not isinstance(event, Answer):
            return [event]
        method, topics = self._asked.pop(event.request, ("", ()))
        if event.error:
            return [Complaint(f"{method or 'a request'}: {event.error}")]
        return [Unsubscribed(topics) if method == "UNSUBSCRIBE" else Subscribed(topics)]

    def _counts(self, sym: str, aggregated: bool) -> bool:
        """Return whether a trade counts: of a symbol either its trades do or the same aggregated, what came first."""
        return self._aggregated.setdefault(sym, aggregated) == aggregated

    def _messages(self, method: str, topics: Sequence[Topic]) -> list[str]:
        messages = []
        for at in range(0, len(topics), STREAMS_PER_MESSAGE):
            some = tuple(topics[at : at + STREAMS_PER_MESSAGE])
            self._request += 1
            self._asked[str(self._request)] = method, some
            messages.append(subscription_message(method, [self._stream(topic) for topic in some], self._request))
        return messages

    def _stream(self, topic: Topic) -> str:
        kind = CHANNELS[topic.channel]
        return f"{topic.sym.lower()}@{f'kline_{self.settings.interval}' if kind == 'kline' else kind}"
