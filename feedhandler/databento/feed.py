"""The kind "databento": Databento's client (link.py) and its records (dialogue.py) as a feed."""

import time
from collections.abc import Callable
from typing import Any

from feedhandler.databento.dialogue import DatabentoDialogue
from feedhandler.databento.link import DatabentoLink, library
from feedhandler.databento.past import DatabentoPast
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.feed import Batch
from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.feed import JITTER, SETTLED_S, VenueFeed, notes_of
from feedhandler.venue.line import Link
from plant.transport.connection_state import Pauses


class DatabentoFeed(VenueFeed):
    """Trades, quotes and bars of `symbols` of a dataset of Databento. Raises ValueError without its client."""

    Settings = DatabentoFeedSettings
    dialogue = DatabentoDialogue
    key_variables = ("DATABENTO_API_KEY",)
    page = "docs/feeds.md#databento"

    def __init__(self, settings: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(settings, clock=clock)
        library()

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        found = super().poll(now_ns, timeout_s)
        for line in self._lines:
            if isinstance(line.link, DatabentoLink) and line.link.notes:
                found += notes_of(line.link.notes, now_ns, self.settings.name)
                line.link.notes.clear()
        return found

    @classmethod
    def past_of(cls, settings: DatabentoFeedSettings) -> DatabentoPast:
        """Return what `plant backfill` asks. Raises ValueError without a key, or the client."""
        return DatabentoPast(settings, cls.page)

    def link(self, dialogue: type[Dialogue]) -> Link:
        """Return a connection by Databento's own client."""
        assert isinstance(self.settings, DatabentoFeedSettings)
        pauses = Pauses(jitter=JITTER, settled_s=SETTLED_S, refused_s=None, stale_s=self.settings.silence_s)
        return DatabentoLink(self.settings, self.secret, self._clock, pauses)
