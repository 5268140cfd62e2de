"""What is said on a connection to Polygon, now Massive: login, subscriptions, frames.

https://massive.com/docs/websocket/quickstart. The venue greets, is told the key, and takes subscriptions then. Each
topic is acknowledged by itself; one with an unknown code by nothing, and one of an unknown symbol stays silent. An
account has one connection in each cluster: one more is let in, and then one of the two is told `max_connections`.
"""

from collections.abc import Sequence

from feedhandler.polygon.messages import Done, Greeted, authentication, parse_frame, subscription_messages
from feedhandler.polygon.settings import PolygonFeedSettings
from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.events import Alive, Event, Reply, Subscribed, Topic, Unsubscribed
from feedhandler.venue.reading import with_path
from feedhandler.venue.settings import VenueSettings


class PolygonDialogue(Dialogue):
    """One connection to Massive; the key is the only one of `keys`."""

    settings: PolygonFeedSettings
    ready_at_once = False

    def __init__(self, settings: VenueSettings, keys: tuple[str, ...] = ()) -> None:
        super().__init__(settings, keys)
        self._channels = {code: channel for channel, code in self.settings.codes.items()}

    def address(self, topics: Sequence[Topic]) -> str:
        """Return `url`, with the cluster if it has none."""
        return with_path(self.settings.url, f"/{self.settings.cluster}")

    def subscribe(self, added: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return subscription_messages("subscribe", self._names(added))

    def unsubscribe(self, removed: Sequence[Topic], whole: Sequence[Topic]) -> list[str]:
        return subscription_messages("unsubscribe", self._names(removed))

    def parse(self, frame: bytes, received_ns: int) -> list[Event]:
        return [self._meant(event) for event in parse_frame(frame)]

    def _meant(self, event: Event | Greeted | Done) -> Event:
        if isinstance(event, Greeted):
            return Reply(authentication(self.keys[0])) if self.keys else Alive()  # without a key: a recorded greeting
        if not isinstance(event, Done):
            return event
        pairs = (name.partition(".")[::2] for name in event.topics)
        topics = tuple(Topic(self._channels.get(code, code), sym) for code, sym in pairs)
        return Subscribed(topics) if event.action == "subscribe" else Unsubscribed(topics)

    def _names(self, topics: Sequence[Topic]) -> list[str]:
        return [f"{self.settings.codes[topic.channel]}.{topic.sym}" for topic in topics]
