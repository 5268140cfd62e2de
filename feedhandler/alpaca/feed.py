"""The kind "alpaca": Alpaca's words (dialogue.py) and its past (history.py) as a feed."""

from feedhandler.alpaca.dialogue import AlpacaDialogue
from feedhandler.alpaca.history import AlpacaHistory
from feedhandler.alpaca.settings import AlpacaFeedSettings
from feedhandler.venue.feed import VenueFeed


class AlpacaFeed(VenueFeed):
    """Trades, quotes and bars of `symbols` from Alpaca."""

    Settings = AlpacaFeedSettings
    dialogue = AlpacaDialogue
    history = AlpacaHistory
    key_variables = ("ALPACA_API_KEY", "ALPACA_API_SECRET")
    page = "docs/feeds.md#alpaca"
