"""The kind "databento": Databento's client (link.py) and its records (dialogue.py) as a feed."""

import time
from collections.abc import Callable
from typing import Any

from feedhandler.databento.dialogue import DatabentoDialogue
from feedhandler.databento.link import DatabentoLink, library
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.venue.dialogue import Dialogue
from feedhandler.venue.feed import JITTER, SETTLED_S, VenueFeed
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

    def link(self, dialogue: type[Dialogue]) -> Link:
        """Return a connection by Databento's own client."""
        assert isinstance(self.settings, DatabentoFeedSettings)
        pauses = Pauses(jitter=JITTER, settled_s=SETTLED_S, refused_s=None, stale_s=self.settings.silence_s)
        return DatabentoLink(self.settings, self.secret, self._clock, pauses)
