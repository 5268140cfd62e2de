"""Alpaca's market data on this machine, over a `StreamServer`.

A control message comes alone in its array, data of any kinds together. An acknowledgement has all that is subscribed;
corrections and cancels come with trades. Keys come within ten seconds, by message. `sessions` says how many
connections the venue counts beside the one that comes.
"""

import time
from datetime import UTC, datetime
from typing import Any

from stream_server import Answered, Client, StreamServer

KEY, SECRET = "PKALPACA0123", "alpaca/secret+1"
CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")


def written(time_ns: int) -> str:
    """Return a time as the venue writes it: no more digits than it needs."""
    text = f"{datetime.fromtimestamp(time_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{time_ns % 10**9:09d}".rstrip("0")
    return text.rstrip(".") + "Z"


class AlpacaServer(StreamServer):
    """`trade` and `bar` make a row: it lies in the past at once, and goes out to those who subscribed it."""

    page = 10_000
    most_pairs = 10_000

    def __init__(self, seed: int = 0, faults: float = 0.0, limited: float = 0.0) -> None:
        super().__init__(seed, faults, limited)
        self.sessions = 0
        self.trades: dict[str, list[dict[str, Any]]] = {}
        self.bars: dict[str, dict[int, dict[str, Any]]] = {}
        self.last_ns = 0

    def trade(
        self, sym: str, price: float = 0.0, time_ns: int | None = None, conditions: Any = ("@",)
    ) -> dict[str, Any]:
        """Make the next trade of a symbol."""
        with self.lock:
            past = self.trades.setdefault(sym, [])
            self.last_ns = max(self.last_ns + 1, time.time_ns() if time_ns is None else time_ns)
            price = price or 100.0 + len(past) / 100
            row = {"t": written(self.last_ns), "x": "D", "p": price, "s": 10, "c": list(conditions), "i": len(past) + 1}
            past.append(row | {"z": "C"})
            message = {"T": "t", "S": sym, **row, "z": "C"}
            self.publish(f"trades.{sym}", [message])
            return message

    def bar(self, sym: str, start_s: int, close: float, updated: bool = False) -> None:
        """Make a bar of a minute, or make it anew."""
        row = {
            "t": written(start_s * 10**9),
            "o": 100.0,
            "h": 300.0,
            "l": 50.0,
            "c": close,
            "v": 1000,
            "n": 7,
            "vw": 101.5,
        }
        with self.lock:
            self.bars.setdefault(sym, {})[start_s] = row
            channel, kind = ("updatedBars", "u") if updated else ("bars", "b")
            self.publish(f"{channel}.{sym}", [{"T": kind, "S": sym, **row}])

    def has(self, client: Client, name: str) -> bool:
        channel = name.partition(".")[0]
        return name in client.subscribed or f"{channel}.*" in client.subscribed

    def greet(self, client: Client) -> None:
        client.say([{"T": "success", "msg": "connected"}])

    def heard(self, client: Client, message: Any) -> None:
        action = message["action"]
        if action == "auth":
            if (message["key"], message["secret"]) != (KEY, SECRET):
                client.say([{"T": "error", "code": 402, "msg": "auth failed"}])
                self._cut(client)
            elif self.sessions:
                client.say([{"T": "error", "code": 406, "msg": "connection limit exceeded"}])
                self._cut(client)
            else:
                client.let_in = True
                client.say([{"T": "success", "msg": "authenticated"}])
            return
        if not client.let_in:
            client.say([{"T": "error", "code": 401, "msg": "not authenticated"}])
            return
        names = {f"{channel}.{sym}" for channel in CHANNELS for sym in message.get(channel, [])}
        if action == "subscribe":
            if len(client.subscribed | names) > self.most_pairs:
                client.say([{"T": "error", "code": 405, "msg": "symbol limit exceeded"}])
                return
            client.subscribed |= names
        else:
            client.subscribed -= names
        held: dict[str, list[str]] = {channel: [] for channel in CHANNELS}
        for name in sorted(client.subscribed):
            channel, _, sym = name.partition(".")
            held[channel].append(sym)
        client.say([{"T": "subscription", **held, "corrections": held["trades"], "cancelErrors": held["trades"]}])

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> Answered:
        if (headers.get("apca-api-key-id"), headers.get("apca-api-secret-key")) != (KEY, SECRET):
            return 401, {"message": f"unauthorized {headers.get('apca-api-key-id')}"}
        _, version, stocks, sym, table = path.split("/")
        assert (version, stocks, query["sort"]) == ("v2", "stocks", "asc"), path
        if table == "bars":
            assert (query["timeframe"], query["adjustment"]) == ("1Min", "raw"), query
            bars = self.bars.get(sym, {})
            rows = [bars[at] for at in sorted(bars)]
        else:
            rows = self.trades.get(sym, [])
        low, high = _comparable(query["start"]), _comparable(query["end"])
        rows = [row for row in rows if low <= _comparable(row["t"]) <= high]
        first = int(query.get("page_token", "0"))
        page = rows[first : first + min(int(query["limit"]), self.page)]
        more = str(first + len(page)) if first + len(page) < len(rows) else None
        return 200, {table: page or None, "symbol": sym, "next_page_token": more}


def _comparable(text: str) -> str:
    return text.rstrip("Z").partition(".")[0] + "." + text.rstrip("Z").partition(".")[2].ljust(9, "0")
