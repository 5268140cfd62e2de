"""The kind "polygon": the words of Massive (dialogue.py) and its past (history.py) as a feed."""

from feedhandler.polygon.dialogue import PolygonDialogue
from feedhandler.polygon.history import PolygonHistory
from feedhandler.polygon.settings import PolygonFeedSettings
from feedhandler.venue.feed import VenueFeed


class PolygonFeed(VenueFeed):
    """Trades, quotes and bars of `symbols` from Massive."""

    Settings = PolygonFeedSettings
    dialogue = PolygonDialogue
    history = PolygonHistory
    key_variables = ("MASSIVE_API_KEY",)
    page = "docs/feeds.md#polygon"
