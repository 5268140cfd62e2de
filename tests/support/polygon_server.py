"""Massive on this machine: login, subscriptions, trades and bars, and the pages of REST, over a `StreamServer`.

Every frame is an array. Each topic is acknowledged by itself, several in a frame; one with an unknown code by nothing,
one of an unknown symbol as any other. A wrong key costs the connection without a close frame. Of two connections of an
account one is told so, and closed with 1008.
"""

import time
from typing import Any

from stream_server import Answered, Client, StreamServer

KEY = "massive/key+1"
MS = 10**6
CODES = ("T", "Q", "A", "AM")


class PolygonServer(StreamServer):
    """`trade` and `bar` make a row: it lies in the past at once, and goes out to those who subscribed it."""

    page = 50_000
    most_connections = 10

    def __init__(self, seed: int = 0, faults: float = 0.0, limited: float = 0.0) -> None:
        super().__init__(seed, faults, limited)
        self.trades: dict[str, list[dict[str, Any]]] = {}
        self.bars: dict[str, dict[int, dict[str, Any]]] = {}

    def trade(self, sym: str, price: float = 0.0, time_ns: int | None = None) -> dict[str, Any]:
        """Make the next trade of a symbol; the socket has its time in milliseconds, REST in nanoseconds."""
        with self.lock:
            past = self.trades.setdefault(sym, [])
            time_ns = time.time_ns() if time_ns is None else time_ns
            if past:
                time_ns = max(time_ns, past[-1]["sip_timestamp"] + 1)
            number = 1_000 + 3 * len(past)  # with gaps, which are normal
            price = price or 100.0 + len(past) / 100
            row = {"id": str(len(past)), "price": price, "size": 10, "exchange": 4, "tape": 3, "conditions": [12, 37]}
            past.append(
                row | {"sequence_number": number, "sip_timestamp": time_ns, "participant_timestamp": time_ns - 9}
            )
            message = {"ev": "T", "sym": sym, "x": 4, "i": row["id"], "z": 3, "p": price, "s": 10, "ds": "10.0"}
            message |= {"c": [12, 37], "t": time_ns // MS, "q": number}
            self.publish(f"T.{sym}", [message])
            return message

    def bar(self, sym: str, start_ms: int, close: float) -> None:
        """Make a bar of a minute, or make it anew."""
        prices = {"o": 100.0, "h": 300.0, "l": 50.0, "c": close, "v": 1000, "vw": 101.5}
        message = {
            "ev": "AM",
            "sym": sym,
            "av": 10,
            "op": 1.0,
            "a": 99.0,
            "z": 685,
            "s": start_ms,
            "e": start_ms + 60_000,
        }
        with self.lock:
            self.bars.setdefault(sym, {})[start_ms] = {"t": start_ms, "n": 7, **prices}
            self.publish(f"AM.{sym}", [message | prices])

    def greet(self, client: Client) -> None:
        client.say([{"ev": "status", "status": "connected", "message": "Connected Successfully"}])

    def heard(self, client: Client, message: Any) -> None:
        action, params = message["action"], message["params"]
        if action == "auth":
            if params != KEY:
                client.say([{"ev": "status", "status": "auth_failed", "message": "authentication failed"}])
                self._cut(client)
                return
            client.let_in = True
            client.say([{"ev": "status", "status": "auth_success", "message": "authenticated"}])
            if len(self.clients) > self.most_connections:
                text = "Maximum number of websocket connections exceeded. You have reached the connection limit."
                client.say([{"ev": "status", "status": "max_connections", "message": text}])
                self._cut(client)
            return
        if not client.let_in:
            client.say([{"ev": "status", "status": "error", "message": "not authorized"}])
            return
        names = [name for name in params.split(",") if name.partition(".")[0] in CODES]
        if action == "subscribe":
            names = [name for name in names if name not in client.subscribed]
            client.subscribed.update(names)
            done = "subscribed to"
        else:
            client.subscribed.difference_update(names)
            done = "unsubscribed to"
        if names:
            client.say([{"ev": "status", "status": "success", "message": f"{done}: {name}"} for name in names])

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> Answered:
        if headers.get("authorization") != f"Bearer {KEY}":
            return 401, {
                "status": "ERROR",
                "request_id": "1",
                "error": f"Unknown API Key {headers.get('authorization')}",
            }
        parts = path.strip("/").split("/")
        first = int(query.get("cursor", "0"))
        if parts[:2] == ["v3", "trades"]:
            low, high = int(query["timestamp.gte"]), int(query["timestamp.lt"])
            rows = [row for row in self.trades.get(parts[2], []) if low <= row["sip_timestamp"] < high]
        elif parts[:3] == ["v2", "aggs", "ticker"]:
            low, high = int(parts[7]), int(parts[8])
            bars = self.bars.get(parts[3], {})
            rows = [bars[at] for at in sorted(bars) if low <= at <= high]
        else:
            return 404, {"status": "NOT_FOUND", "message": "page not found"}
        page = rows[first : first + min(int(query["limit"]), self.page)]
        answer: dict[str, Any] = {"status": "OK", "request_id": "1", "results": page}
        if first + len(page) < len(rows):
            terms = "&".join(f"{name}={value}" for name, value in (query | {"cursor": first + len(page)}).items())
            answer["next_url"] = f"https://another-host.example{path}?{terms}"
        return 200, answer
