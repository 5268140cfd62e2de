"""Tradier on this machine: sessions, prints and quotes, bars of the past, over a `StreamServer`.

A session is good for `session_s` seconds, and a list that is sent with an older one is refused. A list replaces the one
before, and is answered by nothing. A print goes out as `trade` and as `timesale`, in one frame. Without an Accept
header REST answers XML.
"""

import json
import time
from typing import Any

from stream_server import Answered, Client, StreamServer

KEY = "tradier+token/1"
MS = 10**6
SYMBOLS = ("SPY", "AAPL", "MSFT")


class TradierServer(StreamServer):
    """`trade` makes a print: it goes out to those who want it. `bars`: rows of REST by symbol."""

    session_s = 300.0

    def __init__(self, seed: int = 0, faults: float = 0.0, limited: float = 0.0) -> None:
        super().__init__(seed, faults, limited)
        self.trades: dict[str, list[dict[str, Any]]] = {}
        self.bars: dict[str, list[dict[str, Any]]] = {}
        self.sessions: dict[str, float] = {}

    def trade(self, sym: str, price: str = "", size: str = "100", time_ms: int | None = None, flag: str = "@") -> int:
        """Make the next print of a symbol and return its number."""
        with self.lock:
            past = self.trades.setdefault(sym, [])
            seq = 352_795 + 2 * len(past)
            price = price or f"{100 + len(past) / 100:.2f}"
            date = str(time.time_ns() // MS if time_ms is None else time_ms)
            sold = {"type": "timesale", "symbol": sym, "exch": "Q", "bid": "1.0", "ask": "2.0", "last": price}
            sold |= {"size": size, "date": date, "seq": seq, "flag": flag, "cancel": False, "correction": False}
            past.append(sold | {"session": "normal"})
            last = {"type": "trade", "symbol": sym, "exch": "Q", "price": price, "size": size, "cvol": "1"}
            last |= {"date": date, "last": price}
            frame = f"{json.dumps(last)}\n{json.dumps(past[-1])}\n"
            self.publish(f"timesale.{sym}", frame)
            return seq

    def heard(self, client: Client, message: Any) -> None:
        begun = self.sessions.get(message["sessionid"])
        if begun is None or time.monotonic() - begun > self.session_s:
            client.say({"error": "session invalid or expired"})
            self._cut(client)
            return
        unknown = [sym for sym in message["symbols"] if sym not in SYMBOLS]
        client.subscribed = {
            f"{kind}.{sym}" for kind in message["filter"] for sym in message["symbols"] if sym in SYMBOLS
        }
        client.say(*({"error": f"{sym} is not a valid symbol"} for sym in unknown))

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> Answered:
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, f"Invalid Access Token {headers.get('authorization')}"
        if headers.get("accept") != "application/json":
            return 200, "<stream></stream>"
        if (method, path) == ("POST", "/v1/markets/events/session"):
            assert headers["content-length"] == "0"
            name = f"c8638963-{len(self.sessions)}"
            self.sessions[name] = time.monotonic()
            return 200, {"stream": {"url": "https://stream.tradier.com/v1/markets/events", "sessionid": name}}
        if path == "/v1/markets/timesales":
            rows = self.bars.get(query["symbol"], [])
            data: Any = rows[0] if len(rows) == 1 else rows
            return 200, {"series": {"data": data} if rows else None}
        return 404, "not found"
