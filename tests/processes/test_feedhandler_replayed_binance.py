"""Recorded frames of Binance, played as a feed: as many rows, with the values, that the file has in plain sight."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from recordings import RECORDINGS

from feedhandler.replayed import ReplayedFeed, ReplayedFeedSettings

FILE = RECORDINGS / "raw_ws/cryptofeed/BINANCE.ws.1.0.gz"
REST = RECORDINGS / "raw_ws/cryptofeed/BINANCE.http.0.0.gz"
VENUE = "feedhandler.binance.feed:BinanceFeed"


def rows_of(feed: ReplayedFeed) -> dict[str, list[dict[str, Any]]]:
    feed.start(0)
    found: dict[str, list[dict[str, Any]]] = {}
    while not feed.finished:
        for table, columns in feed.poll(0, 0.0):
            named = {name: list(values) for name, values in columns.items()}
            found.setdefault(table, []).extend(
                dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)
            )
    return found


def test_rows_are_those_of_the_file() -> None:
    if not FILE.is_file():
        pytest.skip(f"no recording at {FILE}")
    settings = ReplayedFeedSettings(name="day", venue=VENUE, paths=(str(FILE), str(REST)))
    feed = ReplayedFeed(settings)
    found = rows_of(feed)
    with gzip.open(REST) as answers:  # order books, of which there is no table
        assert feed.status().startswith(f"{265 + sum(b' -> ' in line for line in answers)} frames, ")
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


def test_answers_of_rest_are_played_beside_the_frames_each_trade_once(tmp_path: Path) -> None:
    """Trades that both have are one, a bar that still forms is none, other answers are left out."""
    at_ms = 1_672_515_780_000

    def past(number: int) -> dict[str, Any]:
        return {"id": number, "price": f"{number}.5", "qty": "2", "time": at_ms + number, "isBuyerMaker": True}

    def kline(start_ms: int) -> list[Any]:
        return [start_ms, "1", "3", "0.5", "2", "10", start_ms + 59_999, "20", 7, "5", "10", "0"]

    answers = [
        ("trades?symbol=BTCUSDT&limit=3", [past(n) for n in (1, 2, 3)]),
        ("klines?symbol=BTCUSDT&interval=1m", [kline(at_ms - 60_000), kline(at_ms)]),
        ("depth?symbol=BTCUSDT", {"lastUpdateId": 1, "bids": [], "asks": []}),
        ("aggTrades?symbol=BTCUSDT", [{"a": 1, "p": "1", "q": "1", "f": 1, "l": 3, "T": at_ms, "m": True}]),
        ("exchangeInfo", {"symbols": [listed("BTCUSDT"), listed("ETHUSDT")]}),
        ("klines?symbol=BTCUSDT&interval=1m", {"code": -1}),
    ]
    second = at_ms // 1_000
    rest = "".join(f"https://api.binance.com/api/v3/{url} -> {second}.5: {json.dumps(body)}\n" for url, body in answers)
    frame = {"e": "trade", "s": "BTCUSDT", "p": "3.5", "q": "2", "m": True}
    frames = [frame | {"t": n, "T": at_ms + n, "p": f"{n}.5"} for n in (3, 4)]
    (tmp_path / "rest").write_text(rest)
    (tmp_path / "ws").write_text("".join(f"{second + 1}.{k}: {json.dumps(one)}\n" for k, one in enumerate(frames)))

    def played(**more: Any) -> tuple[ReplayedFeed, dict[str, list[dict[str, Any]]]]:
        feed = ReplayedFeed(
            ReplayedFeedSettings(name="day", venue=VENUE, paths=(str(tmp_path / "rest"), str(tmp_path / "ws")), **more)
        )
        return feed, rows_of(feed)

    feed, found = played()
    assert [(row["venue_seq"], row["price"]) for row in found["trades"]] == [(n, n + 0.5) for n in (1, 2, 3, 4)]
    assert [(row["time"], row["interval"], row["close"]) for row in found["bars"]] == [
        ((at_ms - 60_000) * 10**6, "1m", 2.0)
    ]
    assert [(row["sym"], row["tick"], row["time"]) for row in found["instruments"]] == [
        ("BTCUSDT", 0.01, second * 10**9 + 500_000_000),
        ("ETHUSDT", 0.01, second * 10**9 + 500_000_000),
    ]
    assert "1 malformed (first: https://api.binance.com/api/v3/klines: expected a list of rows" in feed.status()
    _, some = played(symbols=("ETHUSDT",))
    assert {table: len(rows) for table, rows in some.items()} == {"instruments": 1}


def listed(sym: str) -> dict[str, Any]:
    filters = [{"filterType": "PRICE_FILTER", "tickSize": "0.01"}, {"filterType": "LOT_SIZE", "stepSize": "0.001"}]
    return {"symbol": sym, "quoteAsset": "USDT", "filters": filters}
