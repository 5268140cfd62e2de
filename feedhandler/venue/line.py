"""One connection of a feed: a `Dialogue` on a socket, and the topics that it has.

The decisions are in `Subscriptions` (what is asked for) and `ConnectionState` (when to connect); here frames come in
and messages go out. A venue whose own client connects gives another `Link` than the WebSocket.
"""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Protocol

from feedhandler.venue.dialogue import Dialogue, Request, Unreadable
from feedhandler.venue.events import (
    ORDERED,
    Alive,
    Complaint,
    Ended,
    Event,
    KeyRefused,
    Malformed,
    NotKnown,
    Ready,
    Reply,
    Row,
    Skipped,
    Standing,
    Subscribed,
    Topic,
    Unsubscribed,
    Wait,
)
from feedhandler.venue.rest import Answer
from feedhandler.venue.subscriptions import Subscriptions
from plant.transport.connection_state import ConnectionState
from plant.transport.secret import Secret

_log = logging.getLogger(__name__)


class Link(Protocol):
    """What a `Line` needs of a connection; plant/transport/websocket.py is one."""

    state: ConnectionState
    received_ns: list[int]

    @property
    def connected(self) -> bool: ...

    @property
    def retry_in_s(self) -> float: ...

    def open(self, messages: Sequence[str], url: str = "") -> bool: ...

    def send(self, message: str) -> bool: ...

    def receive(self, timeout_s: float) -> list[bytes]: ...

    def fileno(self) -> int: ...

    def drop(self, reason: str, refused: bool = False, wait_s: float = 0.0, ended: bool = False) -> None: ...

    def close(self) -> None: ...


class Counts:
    """What came of the frames of a feed, for its status; `standings`: what is unusual of a symbol's market."""

    def __init__(self) -> None:
        self.standings: dict[str, str] = {}
        self.frames = self.malformed = 0
        self.first_malformed = self.complaint = ""


class Line:
    """Poll it: rows come out. `news`, for its caller to take: a connection is subscribed.

    make       makes the Dialogue of a new connection
    ask        sends a request of the Dialogue's and returns its answer, waiting for it
    capture    is handed frames, and when each came, UTC ns
    """

    def __init__(
        self,
        name: str,
        link: Link,
        make: Callable[[], Dialogue],
        topics: Sequence[Topic],
        secret: Secret,
        clock: Callable[[], float],
        ask: Callable[[Request], Answer],
        capture: Callable[[list[bytes], list[int]], None],
        counts: Counts,
    ) -> None:
        self.subscriptions = Subscriptions(topics)
        self.link = link
        self.news = False
        self._name, self._make, self._secret, self._clock = name, make, secret, clock
        self._ask, self._capture, self._counts = ask, capture, counts
        self._dialogue: Dialogue | None = None
        self._opened_at = 0.0
        self._told: set[Topic] = set()  # missing acknowledgements that were logged

    def poll(self, timeout_s: float, expected: bool) -> list[Row | Skipped]:
        """Return the rows that came, after waiting at most so long for the first; connect if it is time to.

        expected: whether data is to be expected now, as while the market is open.
        """
        if not self.link.connected:
            if self.link.retry_in_s > 0 or not self.subscriptions.topics:
                return []
            self._open()
            return []
        rows: list[Row | Skipped] = []
        frames = self.link.receive(timeout_s)
        if frames:
            times = self.link.received_ns
            self._capture(frames, times)
            self._counts.frames += len(frames)
            for frame, received_ns in zip(frames, times, strict=True):
                self._handle(frame, received_ns, rows)
        now = self._clock()
        if rows:
            self.link.state.data(now)
            self.link.state.good(now)
        self._say(now)
        if self.link.connected and self.link.state.silent(now, expected):
            self.link.drop(f"no data for {2 * self.link.state.pauses.stale_s:g} s")
        return rows

    def missing(self) -> list[Topic]:
        """Return topics that the venue never acknowledged."""
        return self.subscriptions.missing(self._clock()) if self.link.connected else []

    def close(self) -> None:
        """Disconnect for good."""
        self.link.close()

    def _open(self) -> None:
        before, dialogue = self._dialogue, self._make()
        if before is not None:
            dialogue.follow(before)
        self._dialogue = dialogue
        request = dialogue.before()
        if request is not None and not self._prepared(dialogue, request):
            return
        topics = self.subscriptions.topics
        if self.link.open(dialogue.opening(), dialogue.address(topics)):
            self._opened_at = self._clock()
            self.subscriptions.opened(dialogue, self._opened_at)
            self._say(self._opened_at)

    def _prepared(self, dialogue: Dialogue, request: Request) -> bool:
        answer = self._ask(request)
        if answer.kind == "good":
            try:
                dialogue.prepared(answer.body)
                return True
            except Unreadable as error:
                answer = Answer("later", reason=str(error))
        self.link.drop(answer.reason, refused=answer.kind == "key", wait_s=answer.wait_s)
        return False

    def _handle(self, frame: bytes, received_ns: int, rows: list[Row | Skipped]) -> None:
        assert self._dialogue is not None
        try:
            for event in self._dialogue.parse(frame, received_ns):
                if type(event) in ORDERED:
                    rows.append(event)  # type: ignore[arg-type]
                else:
                    self._control(event)
        except Exception as error:  # a frame that the parser did not expect costs itself only
            shown = frame[:120].decode("utf-8", "replace")
            self._control(Malformed(f"{type(error).__name__}: {error}, found {shown!r}"))

    def _control(self, event: Event) -> None:
        now, link = self._clock(), self.link
        if isinstance(event, Subscribed):
            link.state.good(now)
            self.subscriptions.acknowledged(event.topics)
        elif isinstance(event, Ready):
            link.state.good(now)
            self.subscriptions.ready()
        elif isinstance(event, NotKnown):
            if self.subscriptions.is_unknown(event.topic, event.reason):
                self._warn(f"{event.topic.channel} of {event.topic.sym} is not to be had: {event.reason}")
        elif isinstance(event, Reply):
            self.subscriptions.reply(event.message)
        elif isinstance(event, Malformed):
            self._counts.malformed += 1
            if self._counts.malformed == 1:
                self._counts.first_malformed = self._secret.redact(event.reason)
                self._warn(f"malformed message dropped, further ones are only counted: {event.reason}")
        elif isinstance(event, Complaint):
            self._counts.complaint = self._secret.redact(event.reason)
            self._warn(f"the venue says: {event.reason}")
        elif isinstance(event, Standing):
            before = self._counts.standings.pop(event.sym, "")
            if event.words:
                self._counts.standings[event.sym] = event.words
            if event.words != before:
                self._warn(f"{event.sym} {f'is {event.words}' if event.words else 'trades again'}")
        elif isinstance(event, KeyRefused):
            link.drop(event.reason, refused=True)
        elif isinstance(event, Wait):
            link.drop(event.reason, wait_s=event.seconds)
        elif isinstance(event, Ended):
            link.drop(event.reason, ended=True)
        else:
            assert isinstance(event, Alive | Unsubscribed), event

    def _say(self, now: float) -> None:
        """Send what is to be sent, and see how far the subscriptions are."""
        link, wanted = self.link, self.subscriptions
        for message in wanted.messages(now) if link.connected else ():
            if not link.send(message):
                return
        if not link.connected or self._dialogue is None:
            return
        missing = wanted.missing(now)
        for topic in missing:
            if topic not in self._told:
                self._told.add(topic)
                self._warn(f"{topic.channel} of {topic.sym} was not acknowledged")
        if link.state.name == "connecting" and wanted.subscribed(missing):
            link.state.subscribed(now)
            if not missing:  # else it may say why
                self._counts.complaint = ""
            self.news = True
        if now - self._opened_at >= self._dialogue.lives_s and not math.isinf(self._dialogue.lives_s):
            link.drop(f"the venue would end it: it is {(now - self._opened_at) / 3600:.1f} hours old", ended=True)

    def _warn(self, text: str) -> None:
        _log.warning("%s: %s", self._name, self._secret.redact(text))


def standing(states: Sequence[ConnectionState], now: float) -> str:
    """Return how the connections of a feed stand, the worst in words: a refused key with what is to be done."""
    if not states:
        return "nothing to subscribe"
    bad = [state for state in states if state.name != "subscribed"]
    if not bad:
        return "connected" if len(states) == 1 else f"{len(states)} connections"
    worst = max(bad, key=lambda state: state.retry_in_s(now))
    words: str = worst.name
    if worst.name == "given up":
        words = f"given up: {worst.trouble}; set another key in the environment and start the feed again"
    elif worst.name == "reconnecting":
        words = f"reconnecting in {worst.retry_in_s(now):.0f} s: {worst.trouble}"
    elif worst.name == "stale":
        words = f"stale: no data for more than {worst.pauses.stale_s:g} s"
    return words if len(states) == 1 else f"{len(bad)} of {len(states)} connections: {words}"
