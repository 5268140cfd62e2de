"""The kind "ccxt": trades, quotes and bars of an exchange that CCXT knows. It is the extra `crypto`, imported late."""

import difflib
import importlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from feedhandler.ccxt.past import CcxtPast
from feedhandler.ccxt.settings import CcxtFeedSettings
from feedhandler.ccxt.streams import Streams
from feedhandler.feed import Batch
from feedhandler.past.catching_up import Held, Series
from feedhandler.venue.columns import batches
from feedhandler.venue.events import Malformed, OtherRow, Row, Topic
from feedhandler.venue.feed import notes_of
from feedhandler.venue.seam import Note
from feedhandler.venue.seams import Seams

KNOWN_WITHIN_S = 5.0
"""Rows wait so long for what the plant has of before the start."""

_SHOWN = 5


class CcxtFeed:
    """Trades, quotes and bars of `symbols` from an exchange by CCXT.

    Raises ValueError if CCXT is not installed, or does not know the exchange.
    """

    Settings: ClassVar[type[CcxtFeedSettings]] = CcxtFeedSettings
    replayable: ClassVar[bool] = False
    finished: ClassVar[bool] = False

    def __init__(self, settings: CcxtFeedSettings) -> None:
        self.settings = settings
        self._ours = {venues: ours for ours, venues in settings.names.items()}
        self._seams = Seams(numbered=False, fetches=False)
        self._troubles: dict[Topic, str] = {}
        self._over: dict[Topic, str] = {}
        self._heard: set[Topic] = set()
        self._malformed, self._first_malformed = 0, ""
        self._held_by = 0.0
        library = _checked(settings.exchange)
        errors = (library.OperationFailed, OSError), (library.BaseError,)
        self._streams = Streams(self.exchange, errors, settings.interval, settings.most_waiting)

    def exchange(self) -> Any:
        """Return CCXT's exchange of that name, new, as it is within the thread of the streams."""
        streaming = _library("ccxt.pro")
        name = self.settings.exchange
        made = getattr(streaming if name in streaming.exchanges else _library(), name)({"enableRateLimit": True})
        made.streaming = {**(made.streaming or {}), "keepAlive": int(self.settings.heartbeat_s * 1000)}
        return made

    @classmethod
    def past_of(cls, settings: CcxtFeedSettings) -> CcxtPast:
        """Return what `plant backfill` asks. Raises ValueError as the feed does."""
        library = _checked(settings.exchange)
        return CcxtPast(settings, lambda: cls.asked(settings), (library.OperationFailed, OSError))

    @staticmethod
    def asked(settings: CcxtFeedSettings) -> Any:
        """Return CCXT's exchange of that name, new, as it waits for its answers."""
        return getattr(_library("ccxt"), settings.exchange)({"enableRateLimit": True})

    def start(self, accepted: int) -> None:
        """Begin to listen; what comes waits a moment for what the plant has: at the start many send again."""
        self._streams.start(self._topics(self.settings.symbols))
        if self.asks_for():
            self._held_by = time.monotonic() + KNOWN_WITHIN_S

    def asks_for(self) -> list[Series]:
        """Return of which series the plant is to say what it has, by our symbols: what came since is fetched."""
        if not (self.settings.backfill and self.settings.catch_up_h):
            return []
        channels = [channel for channel in self.settings.channels if channel != "quotes"]
        interval = self.settings.interval
        return [(each, sym, interval if each == "bars" else "") for each in channels for sym in self.settings.symbols]

    def had(self, held: Mapping[Series, Held]) -> None:
        """Take the plant's answer to `asks_for`: what it has does not come again, and what came since is fetched."""
        self._held_by = 0.0
        for (table, sym, _), one in held.items():
            venues = self.settings.names.get(sym, sym)
            if table == "trades":
                self._seams.know(venues, one.known)
            self._streams.catch_up(Topic(table, venues), one, int(self.settings.catch_up_h * 3_600_000))

    def resubscribe(self, settings: Any) -> None:
        """Take a changed list of symbols."""
        self.settings = settings
        topics = self._topics(settings.symbols)
        for kept in (self._troubles, self._over):
            for topic in kept.keys() - {*topics}:
                del kept[topic]
        self._heard &= {*topics}
        self._streams.want(topics)

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        if time.monotonic() < self._held_by:
            time.sleep(min(timeout_s, 0.05))
            return []
        rows: list[Row] = []
        notes: list[Note] = []
        for told in self._streams.take(timeout_s):
            notes += told.notes
            if told.trouble:
                (self._over if told.over else self._troubles)[told.topic] = told.trouble
                self._heard.discard(told.topic)
                continue
            self._troubles.pop(told.topic, None)
            self._heard.add(told.topic)
            for row in told.rows:
                if isinstance(row, Malformed):
                    self._malformed += 1
                    self._first_malformed = self._first_malformed or row.reason
                elif isinstance(row, OtherRow):
                    rows.append(OtherRow(row.table, {"time": now_ns, **row.columns}))
                else:
                    rows.append(row)
        on = self._seams.take(rows, time.monotonic()) if rows else []
        found = batches(on, self.settings.name, self._ours) if on else []
        return found + (notes_of(notes, now_ns, self.settings.name) if notes else [])

    def status(self) -> str:
        topics = self._topics(self.settings.symbols)
        parts = [f"{len(self._heard)} of {len(topics)} streams of {self.settings.exchange}"]
        parts += [f"{channel} of {sym}: {why}" for (channel, sym), why in [*self._troubles.items()][:_SHOWN]]
        parts += [
            f"{channel} of {sym} is not to be had: {why}" for (channel, sym), why in [*self._over.items()][:_SHOWN]
        ]
        if self._seams.repeats:
            parts.append(f"{self._seams.repeats:,} repeated trades dropped")
        if self._malformed:
            parts.append(f"{self._malformed:,} malformed (first: {self._first_malformed})")
        return "; ".join(parts)

    def close(self) -> None:
        self._streams.close()

    def _topics(self, symbols: Sequence[str]) -> list[Topic]:
        venues = [self.settings.names.get(sym, sym) for sym in symbols]
        return [Topic(channel, sym) for sym in venues for channel in self.settings.channels]


def _checked(exchange: str) -> Any:
    """Return CCXT. Raises ValueError if it does not know the exchange."""
    library = _library()
    if exchange not in library.exchanges:
        close = difflib.get_close_matches(exchange, library.exchanges, 3)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise ValueError(f"exchange: CCXT knows none called {exchange!r}{hint}")
    return library


def _library(name: str = "ccxt.async_support") -> Any:
    """Return the client: ccxt.pro streams, but has fewer exchanges."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ValueError(f"CCXT is not installed ({error}): pip install 'tickplant[crypto]'") from None
