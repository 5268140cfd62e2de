"""Recorded frames of Binance, played as a feed: as many rows, with the values, that the file has in plain sight."""

import gzip
import json
import re
from collections import Counter
from typing import Any

import pytest
from recordings import RECORDINGS

from feedhandler.replayed import ReplayedFeed, ReplayedFeedSettings

FILE = RECORDINGS / "raw_ws/cryptofeed/BINANCE.ws.1.0.gz"


def test_rows_are_those_of_the_file() -> None:
    if not FILE.is_file():
        pytest.skip(f"no recording at {FILE}")
    settings = ReplayedFeedSettings(name="day", venue="feedhandler.binance.feed:BinanceFeed", paths=(str(FILE),))
    feed = ReplayedFeed(settings)
    feed.start(0)
    found: dict[str, list[dict[str, Any]]] = {}
    while not feed.finished:
        for table, columns in feed.poll(0, 0.0):
            named = {name: list(values) for name, values in columns.items()}
            found.setdefault(table, []).extend(
                dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)
            )
    lines = gzip.decompress(FILE.read_bytes()).decode().splitlines()
    frames = [(match[1], json.loads(match[2])) for line in lines if (match := re.fullmatch(r"([\d.]+): (.*)", line))]
    kinds = Counter(frame["stream"].partition("@")[2] for _, frame in frames)
    assert {table: len(rows) for table, rows in found.items()} == {
        "trades": kinds["aggTrade"],
        "quotes": kinds["bookTicker"],
        "bars": kinds["kline_1m"],
    }
    quotes = [(at, frame["data"]) for at, frame in frames if frame["stream"].endswith("@bookTicker")]
    for row, (at, quote) in zip(found["quotes"], quotes, strict=True):
        assert (row["sym"], row["bid"], row["ask_size"]) == (quote["s"], float(quote["b"]), float(quote["A"]))
        assert abs(row["time"] - float(at) * 1e9) < 1_000
    for row in found["trades"]:
        (trade,) = (
            f["data"] for _, f in frames if f["data"].get("e") == "aggTrade" and f["data"]["a"] == row["venue_seq"]
        )
        assert (row["sym"], row["price"], row["size"]) == (trade["s"], float(trade["p"]), float(trade["q"]))
    assert "malformed" not in feed.status()
