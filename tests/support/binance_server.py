"""Binance on this machine: streams, klines and trades of the past, as its docs describe them, over a `StreamServer`.

A stream that does not exist is acknowledged and stays silent. More than five messages within a second cost the
connection, pings and pongs included.
"""

import time
from collections import deque
from typing import Any
from urllib.parse import parse_qs, urlsplit

from stream_server import Answered, Client, StreamServer

MS = 10**6
SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")


class BinanceServer(StreamServer):
    """`trade` and `kline` make a row: it lies in the past at once, and goes out to those who subscribed it.

    page      rows of an answer at most, whatever is asked for
    too_fast  connections that were cut for more than five messages a second
    """

    page = 1_000

    def __init__(self, seed: int = 0, faults: float = 0.0, limited: float = 0.0) -> None:
        super().__init__(seed, faults, limited)
        self.trades: dict[str, list[dict[str, Any]]] = {sym: [] for sym in SYMBOLS}
        self.klines: dict[tuple[str, str], dict[int, list[Any]]] = {}
        self.too_fast = 0
        self.keyed = False  # historicalTrades needs a key, as at the futures
        self.error: dict[str, Any] | None = None  # instead of the next acknowledgement
        self._times: dict[Client, deque[float]] = {}

    def trade(
        self, sym: str, price: str = "", size: str = "1.5", time_ms: int | None = None, **more: Any
    ) -> dict[str, Any]:
        """Make the next trade of a symbol; `more` is what futures have beside."""
        with self.lock:
            past = self.trades[sym]
            number = 1_000 + len(past)
            price = price or f"{100 + number % 7}.{number % 100:02d}"
            time_ms = time.time_ns() // MS if time_ms is None else time_ms
            message = {"e": "trade", "E": time_ms, "s": sym, "t": number, "p": price, "q": size, "T": time_ms}
            message |= {"m": bool(number % 2), "M": True, **more}
            past.append(message)
            self.publish(f"{sym.lower()}@trade", message)
            return message

    def kline(self, sym: str, start_ms: int, close: str, closed: bool, at_ms: int, interval: str = "1m") -> None:
        """Make a revision of a kline of a minute."""
        end_ms = start_ms + 59_999
        k = {"t": start_ms, "T": end_ms, "s": sym, "i": interval, "f": 1, "L": 2, "o": "100", "c": close, "h": "200"}
        k |= {"l": "50", "v": "10", "n": 2, "x": closed, "q": "1000", "V": "5", "Q": "500", "B": "0"}
        row = [start_ms, "100", "200", "50", close, "10", end_ms, "1000", 2, "5", "500", "0"]
        with self.lock:
            self.klines.setdefault((sym, interval), {})[start_ms] = row
            self.publish(f"{sym.lower()}@kline_{interval}", {"e": "kline", "E": at_ms, "s": sym, "k": k})

    def wrapped(self, client: Client, name: str, message: Any) -> Any:
        return {"stream": name, "data": message} if client.path.startswith("/stream") else message

    def greet(self, client: Client) -> None:
        self._times[client] = deque()
        for streams in parse_qs(urlsplit(client.path).query).get("streams", []):
            client.subscribed.update(streams.split("/"))

    def heard(self, client: Client, message: Any) -> None:
        now, times = time.monotonic(), self._times[client]
        times.append(now)
        while now - times[0] > 1.0:
            times.popleft()
        if len(times) > 5:
            self.too_fast += 1
            self._cut(client)
            return
        if self.error is not None:
            client.say(self.error | {"id": message["id"]})
            self.error = None
            return
        if message["method"] == "SUBSCRIBE":
            client.subscribed.update(message["params"])
        elif message["method"] == "UNSUBSCRIBE":
            client.subscribed.difference_update(message["params"])
        else:
            client.say({"code": 2, "msg": f"Invalid request: unknown variant {message['method']}", "id": message["id"]})
            return
        client.say({"result": None, "id": message["id"]})

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str]) -> Answered:
        name = path.removeprefix("/api/v3/")
        if name == "time":
            return 200, {"serverTime": time.time_ns() // MS + 2_000}
        if name == "exchangeInfo":
            return 200, {"symbols": [_listed(sym) for sym in SYMBOLS]}
        sym = query.get("symbol", "")
        if sym not in self.trades:
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        limit = min(int(query.get("limit", "500")), self.page)
        if name == "historicalTrades" and self.keyed:
            return 401, {"code": -2014, "msg": "API-key format invalid."}
        if name == "historicalTrades":
            found = [trade for trade in self.trades[sym] if trade["t"] >= int(query["fromId"])]
            return 200, [_past(trade) for trade in found[:limit]]
        if name == "aggTrades":
            found = [trade for trade in self.trades[sym] if trade["T"] >= int(query.get("startTime", "0"))]
            found = [trade for trade in found if trade["t"] + 500 >= int(query.get("fromId", "0"))]
            return 200, [_aggregated(trade) for trade in found[:limit]]
        if name == "klines":
            rows = self.klines.get((sym, query["interval"]), {})
            low, high = int(query.get("startTime", "0")), int(query.get("endTime", str(2**63)))
            asked = [rows[at] for at in sorted(rows) if low <= at <= high]
            return 200, asked[:limit]
        return 404, "<html>not found</html>"


def _past(trade: dict[str, Any]) -> dict[str, Any]:
    named = {"id": trade["t"], "price": trade["p"], "qty": trade["q"], "quoteQty": "0", "time": trade["T"]}
    return named | {"isBuyerMaker": trade["m"], "isBestMatch": True}


def _aggregated(trade: dict[str, Any]) -> dict[str, Any]:
    """One aggregated trade for each; its number is another."""
    return {"a": trade["t"] + 500, "f": trade["t"], "l": trade["t"], **{name: trade[name] for name in "pqTmM"}}


def _listed(sym: str) -> dict[str, Any]:
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ]
    return {"symbol": sym, "status": "TRADING", "baseAsset": sym[:3], "quoteAsset": "USDT", "filters": filters}
