"""The kind "binance": Binance's words (dialogue.py) and its past (history.py) as a feed."""

from feedhandler.binance.dialogue import BinanceDialogue
from feedhandler.binance.history import BinanceHistory
from feedhandler.binance.settings import BinanceFeedSettings
from feedhandler.venue.feed import VenueFeed


class BinanceFeed(VenueFeed):
    """Trades, quotes and bars of `symbols` from Binance."""

    Settings = BinanceFeedSettings
    dialogue = BinanceDialogue
    history = BinanceHistory
    page = "docs/feeds.md#binance"
