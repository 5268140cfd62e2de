"""What our messages are in the words of other systems (api.streams.others.aliases), times in what each has: pure."""

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from api.streams.others.utbot import UtBot

Told = Callable[[dict[str, Any]], Iterable[str]]
"""Takes one of our messages, and returns what the other system would say."""

KEPT = 1000

FIRST, SECOND = 1, 2
"""Numbers of the subscriptions, in the order in which they are made: an empty snapshot tells nothing else of itself."""


def chart_text(message: dict[str, Any]) -> str | None:
    """Return which chart a cue is about, minutes as 2M; None of another message.

    >>> [chart_text({"type": "cue", "chart": chart}) for chart in ("2m", "1h", "zones")], chart_text({"type": "mark"})
    (['chart:2M', 'chart:1h', 'chart:zones'], None)
    """
    if message["type"] != "cue":
        return None
    chart = message["chart"]
    return f"chart:{chart[:-1]}M" if chart[-1:] == "m" and chart[:-1].isdecimal() else f"chart:{chart}"


def run_text(message: dict[str, Any]) -> list[str]:
    """Return how far a run is."""
    names = ("run_id", "state", "current_index", "total", "latest_bar", "summary")
    return [json.dumps({name: row[name] for name in names}) for row in message.get("rows", [])]


class Candles:
    """Bars (FIRST) as `ohlcv` messages: all of them at first and with each new one, else the one that changed.

    Those of one message stand newest first. Runs of the strategy (SECOND) are its updates.
    """

    def __init__(self, symbol: str, timeframe: str, strategy: str, now: Callable[[], float] = time.time) -> None:
        self._of, self._strategy, self._now = {"symbol": symbol, "timeframe": timeframe}, strategy, now
        self._bars: dict[int, dict[str, Any]] = {}

    def connected(self) -> str:
        """Return the first message."""
        words = f"Connected to {self._of['symbol']} {self._of['timeframe']}"
        return json.dumps({"type": "connection", "status": "connected", **self._of, "message": words})

    def told(self, message: dict[str, Any]) -> list[str]:
        """Return what a message is in their words."""
        rows = message.get("rows")
        if rows is None:
            return []
        if message["sub"] == SECOND:
            return [json.dumps({"type": "strategy-update", "strategy": self._strategy, "data": row}) for row in rows]
        if message["type"] == "snapshot":
            self._bars = {}
        known = len(self._bars)
        changed = [_candle(row) for row in rows]
        self._bars |= {bar["timestamp"]: bar for bar in changed}
        if message["type"] == "snapshot" or len(self._bars) > known:
            while len(self._bars) > KEPT:
                del self._bars[min(self._bars)]
            return [self._said("full", [self._bars[at] for at in sorted(self._bars, reverse=True)])]
        return [self._said("incremental", bar) for bar in changed]

    def _said(self, kind: str, data: Any) -> str:
        at = int(self._now() * 1000)
        return json.dumps({"type": "ohlcv", **self._of, "updateType": kind, "data": data, "timestamp": at})


class Prices:
    """Quotes (FIRST) and bars of a minute (SECOND) as one message with the newest of both, and the trailing stop."""

    def __init__(self, symbol: str) -> None:
        self._symbol, self._bot = symbol, UtBot()
        self._bar: dict[str, Any] | None = None
        self._quote: dict[str, Any] = {"bid": None, "ask": None}
        self._closed_at = ""

    def told(self, message: dict[str, Any]) -> list[str]:
        """Return what a message is in their words."""
        rows = message.get("rows") or []
        if message.get("sub") == FIRST:
            self._quote = rows[-1] if rows else self._quote
            return [self._said("HOLD")] if self._bar and rows else []
        if message["type"] == "snapshot" and self._bar is not None:
            self._bot, self._closed_at = UtBot(), ""
        said = [self._taken(row) for row in rows]
        return said[-1:] if message["type"] == "snapshot" else said

    def _taken(self, row: dict[str, Any]) -> str:
        action = "HOLD"
        if row["closed"] and row["time"] > self._closed_at:  # RFC 3339 of whole minutes, so texts are in order
            self._closed_at = row["time"]
            action = self._bot.take(row["high"], row["low"], row["close"])
        if self._bar is None or row["time"] >= self._bar["time"]:
            self._bar = row
        return self._said(action)

    def _said(self, action: str) -> str:
        bar, stop = self._bar or {}, self._bot.stop
        said = {"symbol": self._symbol, "price": bar.get("close")}
        said |= {name: bar.get(name) for name in ("open", "high", "low")}
        said |= {"timestamp": _ms(bar["time"]) / 1000 if bar else None, "dataset": bar.get("source")}
        said |= {"bid": self._quote["bid"], "ask": self._quote["ask"], "ut_action": action}
        stopped = None if stop is None else round(stop, 2)
        return json.dumps({**said, "ut_stop": stopped, "ut_position": self._bot.position})


def _candle(row: dict[str, Any]) -> dict[str, Any]:
    prices = {name: row[name] for name in ("open", "high", "low", "close", "volume")}
    return {"timestamp": _ms(row["time"]), **prices}


def _ms(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ms").astype(np.int64))
