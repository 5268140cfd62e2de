"""The kind "tradier": Tradier's words (dialogue.py) and its past (history.py) as a feed."""

from feedhandler.tradier.dialogue import TradierDialogue
from feedhandler.tradier.history import TradierHistory
from feedhandler.tradier.settings import TradierFeedSettings
from feedhandler.venue.feed import VenueFeed


class TradierFeed(VenueFeed):
    """Prints and quotes of `symbols` from Tradier."""

    Settings = TradierFeedSettings
    dialogue = TradierDialogue
    history = TradierHistory
    key_variables = ("TRADIER_API_KEY",)
    page = "docs/feeds.md#tradier"
