"""Finazon's bars as they form, and the bars of the holes between two connections.

Protocol: https://finazon.io/docs/ws/latest. The venue pushes the bar of the running minute again and again, each frame
being the bar so far; every frame is published as it comes and is a revision of the same row of `bars`. There is no
message that closes a bar, and none is needed: the last revision stands. The venue keeps no memory of a connection, so
that everything is subscribed anew after a reconnect, and the bars between are fetched from its REST endpoint.

    messages.py                     what the frames and pages mean (pure functions)
    history.py                      REST, page by page
    plant/transport/websocket.py    the socket: keep alive, reconnect

The key is a parameter of the socket's address; a JSON heartbeat and a ping go out every 30 s or so.

The key is part of the WebSocket's address. It is held in a `Secret`, and whatever is logged or shown passes `redact`.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from feedhandler.feed import NS_PER_SECOND, Batch
from feedhandler.finazon.history import Backfill, Lost
from feedhandler.finazon.messages import (
    Alive,
    Bar,
    Malformed,
    Refused,
    Subscribed,
    ZeroPrice,
    classify_refusal,
    heartbeat_message,
    parse_frame,
    subscribe_messages,
)
from feedhandler.finazon.settings import FinazonFeedSettings
from feedhandler.past.catching_up import Held, Series
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.feed import notes_of
from feedhandler.venue.line import standing
from feedhandler.venue.seam import Note, note_of
from feedhandler.venue.settings import keys_of
from plant.transport.connection_state import Pauses
from plant.transport.secret import Secret, SecretLike
from plant.transport.websocket import WebSocket

KEY_VARIABLE = "FINAZON_API_KEY"
"""The environment variable that holds the key."""

OLDEST_S = 86_400
"""Bars of so long before the day of the first connection are fetched, if the plant lacks them."""

_NEW_YORK = ZoneInfo("America/New_York")
_log = logging.getLogger(__name__)


class FinazonFeed:
    """Bars of `symbols` from Finazon, as revisions of the minute that forms; interval "1m", source the feed's name.

    api_key: None takes it from the environment. clock: monotonic seconds, for the pauses and the heartbeat.

    A lost connection is tried again after 1, 2, 4 ... 60 s; a refused key is given up, as with any
    venue (feedhandler/venue/line.py): one that is tried again and again locks the account. A poll that connects or
    fetches a page of history takes some seconds (5 per step of the network) more than its timeout at worst.
    Raises ValueError without a key.
    """

    Settings = FinazonFeedSettings
    replayable = False
    key_variables = (KEY_VARIABLE,)
    page = "docs/feeds.md#finazon"

    def __init__(
        self,
        settings: FinazonFeedSettings,
        *,
        api_key: str | SecretLike | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = Secret(keys_of(self.key_variables, self.page)[0] if api_key is None else api_key)
        if not self._key:
            raise ValueError(f"the key that was given is empty; {self.page} says where one comes from")
        self._clock = clock
        self._name = settings.name or "finazon"
        self._symbols = list(settings.symbols)
        self._dataset, self._frequency = settings.dataset, settings.frequency
        self._connection = WebSocket(
            self._name,
            settings.url,
            self._key,
            settings.heartbeat_s,
            clock,
            key_parameter="apikey",
            heartbeat=heartbeat_message(),
            refuses=lambda reason: classify_refusal(reason).kind == "key",
            pauses=Pauses(refused_s=None),
        )
        self._history = Backfill(settings.rest_url, settings.dataset, self._key, clock) if settings.backfill else None
        self._covered: dict[str, int] = {}  # sym -> start (s) of the first minute that may still be missing
        self._since_s = 0  # midnight before the first connection: from here on history is asked for
        self._held: dict[str, int] = {}  # sym -> start (s) of the newest bar that the plant had at the start
        self._lost: list[Lost] = []
        self._unheard: set[str] = set()  # symbols without a bar on this connection
        self._unsupported: set[str] = set()
        self._zero_prices = self._malformed = 0
        self._first_malformed = self._complaint = self._history_note = ""

    def start(self, accepted: int) -> None:
        """Begin; the connection is opened by the first poll."""

    def asks_for(self) -> list[Series]:
        """Return of which series the plant is to say what it has: what came since, before today, is fetched."""
        return [("bars", sym, "1m") for sym in self._symbols] if self._history is not None else []

    def had(self, held: Mapping[Series, Held]) -> None:
        """Take the plant's answer to `asks_for`."""
        self._held |= {sym: one.time // NS_PER_SECOND for (_, sym, _), one in held.items()}
        self._ask_older()

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        if not self._connection.connected:
            if self._connection.retry_in_s > 0:  # inf once it was given up
                time.sleep(min(timeout_s, self._connection.retry_in_s))
            else:
                self._connect(now_ns)
            return []
        bars = self._fetch_history()
        for frame in self._connection.receive(0.0 if bars else timeout_s):
            bars += self._handle(frame)
        found: list[Batch] = [("bars", _columns(bars, self._name))] if bars else []
        if self._history is not None and self._history.lost:
            self._lost += self._history.lost
            self._history.lost.clear()
        if self._lost:
            found += notes_of([_note(lost) for lost in self._lost], now_ns, self._name)
            self._lost.clear()
        return found

    @property
    def finished(self) -> bool:
        return False

    def status(self) -> str:
        if self._connection.connected:
            parts = [f"connected, {len(self._symbols) - len(self._unsupported)} symbols", self._complaint]
        else:
            parts = [standing([self._connection.state], self._clock())]
        if self._unsupported:
            parts.append(f"not supported: {', '.join(sorted(self._unsupported))}")
        if self._history is not None:
            parts += [f"history of {len(self._history)} gaps to fetch" if len(self._history) else ""]
            parts += [self._history.note]
        parts.append(f"{self._malformed} malformed (first: {self._first_malformed})" if self._malformed else "")
        parts.append(f"{self._zero_prices} bars with price 0 dropped" if self._zero_prices else "")
        return self._key.redact("; ".join(part for part in parts if part))

    def close(self) -> None:
        self._connection.close()

    def _connect(self, now_ns: int) -> None:
        wanted = [sym for sym in self._symbols if sym not in self._unsupported]
        if not self._connection.open(subscribe_messages(self._dataset, wanted, self._frequency)):
            return
        self._complaint = ""
        self._unheard = set(wanted)
        minute_s = now_ns // NS_PER_SECOND // 60 * 60
        if not self._since_s:
            self._since_s = _midnight_s(now_ns)
            self._ask_older()
        for sym in wanted:
            start_s = self._covered.get(sym, _midnight_s(now_ns))
            if self._history is None and sym in self._covered and start_s < minute_s:
                self._lost.append(Lost(sym, start_s, minute_s, "backfill is false"))
            self._ask_history(sym, start_s, minute_s)
            self._covered[sym] = max(start_s, minute_s)

    def _ask_older(self) -> None:
        """Ask for what came between the plant's newest bars and the day of the first connection."""
        while self._since_s and self._held:
            sym, start_s = self._held.popitem()
            earliest_s = self._since_s - OLDEST_S
            if start_s < earliest_s:
                self._lost.append(Lost(sym, start_s, earliest_s, "older than what is fetched at the start"))
            self._ask_history(sym, max(start_s, earliest_s), self._since_s)

    def _ask_history(self, sym: str, start_s: int, end_s: int) -> None:
        if self._history is not None:
            self._history.add(sym, start_s, end_s)

    def _fetch_history(self) -> list[Bar]:
        if self._history is None:
            return []
        bars = self._history.step()
        for reason in self._history.malformed:
            self._count_malformed(reason)
        self._history.malformed.clear()
        self._zero_prices, self._history.zero_prices = self._zero_prices + self._history.zero_prices, 0
        if self._history.note != self._history_note:
            self._history_note = self._history.note
            self._warn(self._history_note or "history goes on")
        return bars

    def _handle(self, frame: bytes) -> list[Bar]:
        # Before anything is cut short for a message: half a key would not be recognised any more.
        event = parse_frame(self._key.redact(frame.decode("utf-8", "replace")))
        if isinstance(event, Bar | Subscribed | Alive):
            self._connection.healthy()
        if isinstance(event, Bar):
            self._note_progress(event)
            return [event]
        if isinstance(event, ZeroPrice):
            self._zero_prices += 1
        elif isinstance(event, Malformed):
            self._count_malformed(event.reason)
        elif isinstance(event, Refused):
            self._refuse(event)
        return []

    def _note_progress(self, bar: Bar) -> None:
        covered_s = self._covered.get(bar.sym, bar.time_s)
        if bar.sym in self._unheard:
            self._unheard.discard(bar.sym)
            # Between connecting and the first bar the minute may have turned; then the minute of connecting is missing.
            self._ask_history(bar.sym, covered_s, bar.time_s)
        self._covered[bar.sym] = max(covered_s, bar.time_s)

    def _refuse(self, refusal: Refused) -> None:
        if refusal.kind == "key":
            self._connection.drop(refusal.message, refused=True)
        elif refusal.kind == "unsupported_ticker" and refusal.ticker in self._symbols:
            # The other tickers of the same message stay subscribed: nothing is to be sent again.
            if refusal.ticker not in self._unsupported:
                self._warn(f"{refusal.ticker} is not supported, the others go on: {refusal.message}")
            self._unsupported.add(refusal.ticker)
        elif refusal.kind != "already_subscribed":
            self._complaint = f"the venue says: {refusal.message}"
            self._warn(self._complaint)

    def _count_malformed(self, reason: str) -> None:
        self._malformed += 1
        if self._malformed == 1:
            self._first_malformed = reason
            self._warn(f"malformed message dropped, further ones are only counted: {reason}")

    def _warn(self, text: str) -> None:
        _log.warning("%s: %s", self._name, self._key.redact(text))


def _note(lost: Lost) -> Note:
    hole = Hole("bars", lost.sym, "1m", lost.start_s * NS_PER_SECOND, lost.end_s * NS_PER_SECOND)
    return note_of(hole, "lost", lost.reason)


def _columns(bars: Sequence[Bar], source: str) -> dict[str, Any]:
    numbers = np.array([bar[3:] for bar in bars], dtype=np.float64)
    return {
        "time": np.array([bar.time_s for bar in bars], dtype=np.int64) * NS_PER_SECOND,
        "sym": [bar.sym for bar in bars],
        "interval": [bar.interval for bar in bars],
        **{name: numbers[:, k].copy() for k, name in enumerate(("open", "high", "low", "close", "volume"))},
        "source": [source] * len(bars),
    }


def _midnight_s(now_ns: int) -> int:
    """The last midnight in New York, Unix seconds: before the first pre-market bar of the day."""
    local = datetime.fromtimestamp(now_ns // NS_PER_SECOND, UTC).astimezone(_NEW_YORK)
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp())
