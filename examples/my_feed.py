"""A feed of one's own, run by the plant: made-up coin prices. Copy it beside plant.toml, which names it:

[[feeds]]
kind = "my_feed:MyFeed"
symbols = ["COIN", "TOKEN"]
"""

import random
import time

import numpy as np
from pydantic import Field

from feedhandler import SIMULATED, Batch, FeedSettings, Symbols


class MyFeedSettings(FeedSettings):
    """What [[feeds]] may say; anything else is an error, and `plant status` tells it."""

    symbols: Symbols = Field(("COIN",), description="symbols that are traded")
    every_s: float = Field(0.1, gt=0, description="seconds between two trades of each")


class MyFeed:
    """A trade of each symbol every `every_s` seconds."""

    Settings = MyFeedSettings
    replayable = False
    finished = False

    def __init__(self, settings: MyFeedSettings) -> None:
        self._prices = dict.fromkeys(settings.symbols, 100.0)
        self._every_ns = round(settings.every_s * 1e9)
        self._next_ns = 0

    def start(self, accepted: int) -> None:
        """Begin; here one would open a connection."""

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        if now_ns < self._next_ns:
            time.sleep(min(timeout_s, (self._next_ns - now_ns) / 1e9))
            return []
        self._next_ns = now_ns + self._every_ns
        for sym, price in self._prices.items():
            self._prices[sym] = round(max(price + random.gauss(0, 0.1), 1.0), 2)
        count = len(self._prices)
        columns = {
            "time": np.full(count, now_ns),
            "sym": list(self._prices),
            "price": np.array(list(self._prices.values())),
            "size": np.ones(count),
            "source": [SIMULATED] * count,  # made up, and shown as such
            "trade_id": [""] * count,
        }
        return [("trades", columns)]

    def status(self) -> str:
        return f"making up trades of {', '.join(self._prices)}"

    def close(self) -> None:
        """Here one would close it."""
