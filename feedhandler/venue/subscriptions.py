"""What one connection is to have, what was asked for, what the venue acknowledged: pure, clock handed in.

Messages go out as fast as the venue takes them (`Dialogue.messages_per_s`), so that a list of thousands does not cost
the connection. What was wanted when a connection was lost is asked for again on the next one.
"""

import math
from collections import deque
from collections.abc import Iterable

from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.events import Topic
from feedhandler.venue.token_bucket import TokenBucket


class Subscriptions:
    """Topics of one connection: `wanted`; `unknown`: those the venue does not have, with its reason."""

    def __init__(self, wanted: Iterable[Topic]) -> None:
        self.wanted = dict.fromkeys(wanted)
        self.unknown: dict[Topic, str] = {}
        self._dialogue: Dialogue | None = None
        self._sent: dict[Topic, float] = {}  # when
        self._acknowledged: set[Topic] = set()
        self._outgoing: deque[str] = deque()
        self._bucket = TokenBucket(1.0, 1.0)
        self._ready = False

    @property
    def topics(self) -> list[Topic]:
        """What is to be asked for: all that is wanted and not unknown."""
        return [topic for topic in self.wanted if topic not in self.unknown]

    def subscribed(self, missing: Iterable[Topic] = ()) -> bool:
        """Return whether all was asked for and acknowledged, but for what is `missing`."""
        return self._ready and not self._outgoing and self._acknowledged.issuperset({*self.topics} - {*missing})

    def opened(self, dialogue: Dialogue, now: float) -> None:
        """Begin on a new connection with these words; its `opening` was sent already."""
        self._dialogue = dialogue
        self._sent, self._acknowledged = {}, set()
        self._outgoing.clear()
        rate = dialogue.messages_per_s
        self._bucket = TokenBucket(1.0 if rate < 1 else min(rate, 1e9), min(rate, 1e9))
        for _ in dialogue.opening():
            self._bucket.take(now)
        self._ready = dialogue.ready_at_once

    def ready(self) -> None:
        """Note that the venue takes subscriptions."""
        self._ready = True

    def want(self, topics: Iterable[Topic]) -> None:
        """Change what is wanted; what is new or over is asked for by `messages`."""
        self.wanted = dict.fromkeys(topics)
        self.unknown = {topic: why for topic, why in self.unknown.items() if topic in self.wanted}

    def reply(self, message: str) -> None:
        """Send a message before what waits."""
        self._outgoing.appendleft(message)

    def messages(self, now: float) -> list[str]:
        """Return the messages that are to be sent now."""
        dialogue = self._dialogue
        if dialogue is None:
            return []
        if self._ready and not self._outgoing:
            whole = self.topics
            asked = set(whole)
            removed = [topic for topic in self._sent if topic not in asked and topic not in self.unknown]
            added = [topic for topic in whole if topic not in self._sent]
            for topic in removed:
                del self._sent[topic]
                self._acknowledged.discard(topic)
            if removed:
                self._outgoing += dialogue.unsubscribe(removed, [*self._sent])
            if added:
                self._outgoing += dialogue.subscribe(added, whole)
                self._sent |= dict.fromkeys(added, math.inf)
                if not dialogue.acknowledges:
                    self._acknowledged.update(added)
        found = []
        while self._outgoing and self._bucket.take(now):
            found.append(self._outgoing.popleft())
        if found and not self._outgoing:  # the time to acknowledge begins when all was sent
            self._sent = {topic: now if math.isinf(at) else at for topic, at in self._sent.items()}
        return found

    def acknowledged(self, topics: Iterable[Topic]) -> None:
        """Note that the venue subscribed these."""
        self._acknowledged.update(topic for topic in topics if topic in self._sent)

    def is_unknown(self, topic: Topic, reason: str) -> bool:
        """Note that the venue does not have a topic; return whether that is news."""
        if topic not in self.wanted or topic in self.unknown:
            return False
        self.unknown[topic] = reason
        self._sent.pop(topic, None)
        return True

    def missing(self, now: float) -> list[Topic]:
        """Return topics that should have been acknowledged by now."""
        if self._dialogue is None or not self._ready:
            return []
        limit = now - self._dialogue.acknowledge_s
        return [topic for topic, at in self._sent.items() if at <= limit and topic not in self._acknowledged]
