"""Feeds: one module or folder per venue, each of which turns what the venue sends into batches of rows.

A feed knows its venue and nothing of the plant; the process around it publishes what the feed returns. For a feed of
your own (docs/feeds.md) import from here: `Feed` is what its class has, `FeedSettings` what its settings derive from.
"""

from feedhandler.feed import SIMULATED, Batch, Feed
from feedhandler.settings import FeedSettings, PlantPath, Symbols

__all__ = ["SIMULATED", "Batch", "Feed", "FeedSettings", "PlantPath", "Symbols"]
