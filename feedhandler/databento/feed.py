"""The kind "databento": Databento's client (link.py) and its records (dialogue.py) as a feed."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from feedhandler.databento.dialogue import DatabentoDialogue
from feedhandler.databento.link import DatabentoLink, library
from feedhandler.databento.past import DatabentoPast
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.databento.since import Since
from feedhandler.feed import NS_PER_SECOND, Batch
from feedhandler.past.catching_up import Held, Series
from feedhandler.venue.dialogue import Dialogue, Hole
from feedhandler.venue.events import Row
from feedhandler.venue.feed import JITTER, SETTLED_S, VenueFeed, notes_of
from feedhandler.venue.line import Line, Link
from feedhandler.venue.seam import Note, note_of
from plant.transport.connection_state import Pauses

KNOWN_WITHIN_S = 5.0
"""A run waits so long for what the plant has, before it connects: then the first session replays what came since."""


class DatabentoFeed(VenueFeed):
    """Trades, quotes and bars of `symbols` of a dataset of Databento. Raises ValueError without its client."""

    Settings = DatabentoFeedSettings
    dialogue = DatabentoDialogue
    key_variables = ("DATABENTO_API_KEY",)
    page = "docs/feeds.md#databento"
    tells_cuts = True

    def __init__(self, settings: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(settings, clock=clock)
        library()
        self._held_by = 0.0
        self._since: Since | None = None
        self._told: list[Note] = []

    def start(self, accepted: int) -> None:
        """Begin; nothing is connected before the plant said what it has, or KNOWN_WITHIN_S are over."""
        self._held_by = self._clock() + KNOWN_WITHIN_S if self.asks_for() else 0.0

    def asks_for(self) -> list[Series]:
        """Return of which series the plant is to say what it has: trades and bars of symbols that are named."""
        settings = self.settings
        assert isinstance(settings, DatabentoFeedSettings)
        named = settings.stype_in == "raw_symbol" and "ALL_SYMBOLS" not in settings.symbols
        if not (named and settings.backfill and settings.catch_up_h):
            return []
        tables = [channel for channel in settings.channels if channel in ("trades", "bars")]
        return [(each, sym, settings.interval if each == "bars" else "") for each in tables for sym in settings.symbols]

    def had(self, held: Mapping[Series, Held]) -> None:
        """Take the plant's answer to `asks_for`; the first session replays what came since."""
        names, settings, now_ns = self.settings.names, self.settings, time.time_ns()
        assert isinstance(settings, DatabentoFeedSettings)
        known = {(table, names.get(sym, sym), of): one for (table, sym, of), one in held.items()}
        since = Since(known, now_ns)
        newest = {table: since.newest(table) for table in {series[0] for series in known}}
        links = [line.link for line in self._lines if isinstance(line.link, DatabentoLink)]
        if any(link.connected for link in links) or not self._held_by:
            why = "the plant said too late what it has; plant backfill has what came since"
            holes = [Hole(table, settings.dataset, "", start, now_ns) for table, start in newest.items()]
            self._told += [note_of(hole, "lost", why) for hole in holes]
            return
        self._held_by, self._since = 0.0, since
        for link in links:
            for table, start in newest.items():
                link.catch_up(table, start, now_ns - int(settings.catch_up_h * 3_600 * NS_PER_SECOND))

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        if self._clock() < self._held_by:
            time.sleep(min(timeout_s, 0.05))
            return []
        self._held_by = 0.0
        found = super().poll(now_ns, timeout_s)
        if self._told:
            found += notes_of(self._told, now_ns, self.settings.name)
            self._told = []
        for line in self._lines:
            if isinstance(line.link, DatabentoLink) and line.link.notes:
                found += notes_of(line.link.notes, now_ns, self.settings.name)
                line.link.notes.clear()
        return found

    def _polled(self, line: Line, timeout_s: float, now_ns: int) -> list[Row]:
        rows = super()._polled(line, timeout_s, now_ns)
        if self._since is not None and isinstance(line.link, DatabentoLink) and line.link.replaying:
            return [row for row in rows if self._since.is_new(row)]
        return rows

    @classmethod
    def past_of(cls, settings: DatabentoFeedSettings) -> DatabentoPast:
        """Return what `plant backfill` asks. Raises ValueError without a key, or the client."""
        return DatabentoPast(settings, cls.page)

    def link(self, dialogue: type[Dialogue]) -> Link:
        """Return a connection by Databento's own client."""
        assert isinstance(self.settings, DatabentoFeedSettings)
        pauses = Pauses(jitter=JITTER, settled_s=SETTLED_S, refused_s=None, stale_s=self.settings.silence_s)
        return DatabentoLink(self.settings, self.secret, self._clock, pauses)
