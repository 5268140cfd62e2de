"""Binance spot: REST and the user data stream of its WebSocket API, as its docs describe them, over a `FakeBroker`.

Every signature is checked, and the time it was made. An id is taken again once its order is done. A cancel's report
names the cancel in `c` and the order in `C`. A purchase pays 0.1 % of what it bought, a sale 0.1 % of what it got. What
is held for an open sale is not sold twice; both of a pair are open, and any execution of one ends the other.
"""

import hashlib
import hmac
import json
import time
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qsl, urlencode

from fake_broker import KEY, OPEN, SECRET, Answer, Done, FakeOrder, Refusal, Servers
from websockets.sync.server import ServerConnection

FEE = Fraction(1, 1000)
_STATUS = {"open": "NEW", "partial": "PARTIALLY_FILLED"}


class FakeBinance(Servers):
    """`url` and `stream_url` are what the adapter is given; its clock is `ahead_ms` before ours."""

    ahead_ms = 0

    def __init__(self, broker: Any, ports: tuple[int, int] = (0, 0)) -> None:
        super().__init__(broker, ports)
        self.windows: set[str] = set()

    @property
    def url(self) -> str:
        return f"{self.http}/api/v3"

    @property
    def stream_url(self) -> str:
        return f"{self.ws}/ws-api/v3"

    def now_ms(self) -> int:
        return time.time_ns() // 10**6 + self.ahead_ms

    def parsed(self, raw: str) -> dict[str, Any]:
        return dict(parse_qsl(raw))

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any], headers: Any) -> Answer:
        name = path.removeprefix("/api/v3/")
        if name == "time":
            return 200, {"serverTime": self.now_ms()}
        if name == "exchangeInfo":
            return 200, {"timezone": "UTC", "serverTime": self.now_ms(), "symbols": [_symbol()]}
        fields = {**query, **body}
        if headers.get("X-MBX-APIKEY") != KEY:
            # An unkind server: what was wrong stands in its answer.
            text = f"Invalid API-key {headers.get('X-MBX-APIKEY')}, IP, or permissions for action."
            raise Refusal(401, {"code": -2015, "msg": text})
        self._check(fields)
        match method, name:
            case "POST", "order":
                return 200, self._place(fields)
            case "POST", "orderList/oco":
                return 200, self._place_pair(fields)
            case "GET", "order":
                return 200, self._json(self._found(fields, -2013, "Order does not exist."))
            case "DELETE", "order":
                return 200, self._cancel(self._found(fields, -2011, "Unknown order sent."))
            case "GET", "openOrders":
                return 200, [self._json(one) for one in self.broker.orders.values() if one.status in OPEN]
            case "GET", "myTrades":
                return 200, self._trades(fields)
            case "GET", "account":
                return 200, {"accountType": "SPOT", "balances": self._balances()}
        return 404, {"code": -1, "msg": "no such path"}

    def message(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"id": message["id"], "status": 200}
        if message["method"] == "time":
            answer["result"] = {"serverTime": self.now_ms()}
        else:
            fields = {name: str(value) for name, value in message["params"].items()}
            try:
                self._check(fields, ordered=True)
                answer["result"] = {"subscriptionId": 0}
            except Refusal as refusal:
                answer |= {"status": refusal.status, "error": refusal.body}
        with self.broker.lock:
            connection.send(json.dumps(answer))
            if "subscriptionId" in answer.get("result", {}):
                self.listeners.append(connection)

    def telling(self, order: FakeOrder, what: str, done: Done | None) -> str:
        cancelled = what == "canceled"
        event: dict[str, Any] = {
            "e": "executionReport",
            "E": self.now_ms(),
            "s": order.sym,
            "c": f"cancel-{order.number}" if cancelled else order.client_id,
            "C": order.client_id if cancelled else "",
            "S": order.side.upper(),
            "o": order.fields["type"],
            "f": order.fields.get("timeInForce", "GTC"),
            "q": _text(order.qty),
            "p": order.fields.get("price", "0.00000000"),
            "x": "TRADE" if done else what.upper(),
            "X": self._status(order),
            "r": "NONE",
            "i": order.number,
            "l": "0.00000000",
            "z": _text(order.filled),
            "L": "0.00000000",
            "n": "0",
            "N": None,
            "T": order.changed_ns // 10**6,
            "t": -1,
            "m": False,
            "O": order.made_ns // 10**6,
            "Z": _text(order.paid),
        }
        if done is not None:
            fee, asset = _fee(order, done)
            event |= {"l": _text(done.qty), "L": _text(done.price), "z": _text(done.cumulative), "t": done.number}
            event |= {"n": _text(fee), "N": asset, "T": done.time_ns // 10**6}
        return json.dumps({"subscriptionId": 0, "event": event})

    def _check(self, fields: dict[str, str], ordered: bool = False) -> None:
        signed = {name: value for name, value in fields.items() if name != "signature"}
        payload = urlencode(sorted(signed.items()) if ordered else list(signed.items()))
        made = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if fields.get("signature") != made:
            raise Refusal(400, {"code": -1022, "msg": "Signature for this request is not valid."})
        window, stamp = fields.get("recvWindow", "5000"), int(fields["timestamp"])
        self.windows.add(window)
        if stamp >= self.now_ms() + 1000 or self.now_ms() - stamp > int(window):
            raise Refusal(400, {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."})

    def _place(self, fields: dict[str, str]) -> dict[str, Any]:
        name = fields["newClientOrderId"]
        if len(name) > 36:
            raise Refusal(400, {"code": -1100, "msg": "Illegal characters found in parameter 'newClientOrderId'."})
        old = self.broker.orders.get(name)
        if old is not None and old.status in OPEN:
            self.broker.arrived(name)
            raise Refusal(400, {"code": -2010, "msg": "Duplicate order sent."})
        side, qty = fields["side"].lower(), Fraction(fields["quantity"])
        self._held(name, side, qty)
        order = self.broker.place(name, fields["symbol"], side, qty, fields)
        return self._json(order) | {"transactTime": order.made_ns // 10**6, "fills": []}

    def _place_pair(self, fields: dict[str, str]) -> dict[str, Any]:
        names, qty = (fields["aboveClientOrderId"], fields["belowClientOrderId"]), Fraction(fields["quantity"])
        whose = [self.broker.orders[name] for name in names if name in self.broker.orders]
        if any(order.status in OPEN for order in whose):
            self.broker.arrived(names[0])
            raise Refusal(400, {"code": -2010, "msg": "Duplicate order sent."})
        kinds = (fields["side"], fields["aboveType"], fields["belowType"])
        good = max(len(name) for name in (*names, fields["listClientOrderId"])) <= 36
        if kinds != ("SELL", "LIMIT_MAKER", "STOP_LOSS") or not good:
            raise Refusal(400, {"code": -1106, "msg": "Parameter sent when not required."})
        if Fraction(fields["abovePrice"]) <= Fraction(fields["belowStopPrice"]):
            raise Refusal(400, {"code": -2010, "msg": "The relationship of the prices for the orders is not correct."})
        self._held(names[0], "sell", qty)
        target = {"type": "LIMIT_MAKER", "price": fields["abovePrice"]}
        stop = {"type": "STOP_LOSS", "stopPrice": fields["belowStopPrice"]}
        both = self.broker.place_pair(names, fields["symbol"], qty, (target, stop), resized=False)
        reports = [self._json(order) | {"transactTime": order.made_ns // 10**6} for order in both]
        named = {"contingencyType": "OCO", "listClientOrderId": fields["listClientOrderId"], "orderListId": 7}
        return {**named, "symbol": fields["symbol"], "orderReports": reports}

    def _held(self, name: str, side: str, qty: Fraction) -> None:
        """Refuse a sale of more than is there and not held for another."""
        if side == "sell" and qty > self._base() - self.broker.held("BTCUSDT", "sell"):
            self.broker.arrived(name)
            raise Refusal(400, {"code": -2010, "msg": "Account has insufficient balance for requested action."})

    def _cancel(self, order: FakeOrder) -> dict[str, Any]:
        if order.status not in OPEN:
            raise Refusal(400, {"code": -2011, "msg": "Unknown order sent."})
        self.broker.end(order.client_id)
        return self._json(order) | {"origClientOrderId": order.client_id, "clientOrderId": f"cancel-{order.number}"}

    def _trades(self, fields: dict[str, str]) -> list[dict[str, Any]]:
        given = set(fields) - {"timestamp", "recvWindow", "signature", "limit"}
        if given not in ({"symbol"}, {"symbol", "orderId"}, {"symbol", "startTime"}, {"symbol", "fromId"}):
            assert given == {"symbol", "orderId", "fromId"}, given
        rows = [
            self._trade(order, done)
            for order in self.broker.orders.values()
            for done in order.executions
            if order.sym == fields["symbol"] and str(order.number) == fields.get("orderId", str(order.number))
        ]
        rows = [row for row in rows if row["id"] >= int(fields.get("fromId", 0))]
        rows = [row for row in rows if row["time"] >= int(fields.get("startTime", 0))]
        return sorted(rows, key=lambda row: row["id"])[: int(fields.get("limit", 500))]

    def _trade(self, order: FakeOrder, done: Done) -> dict[str, Any]:
        fee, asset = _fee(order, done)
        return {
            "symbol": order.sym,
            "id": done.number,
            "orderId": order.number,
            "orderListId": -1,
            "price": _text(done.price),
            "qty": _text(done.qty),
            "quoteQty": _text(done.qty * done.price),
            "commission": _text(fee),
            "commissionAsset": asset,
            "time": done.time_ns // 10**6,
            "isBuyer": order.side == "buy",
            "isMaker": False,
            "isBestMatch": True,
        }

    def _balances(self) -> list[dict[str, str]]:
        base, locked = self._base(), self.broker.held("BTCUSDT", "sell")
        had = {"BTC": (base - locked, locked), "USDT": (self.broker.cash - self._fees("USDT"), 0), "LTC": (0, 0)}
        return [
            {"asset": asset, "free": _text(Fraction(free)), "locked": _text(Fraction(held))}
            for asset, (free, held) in had.items()
        ]

    def _base(self) -> Fraction:
        return self.broker.positions().get("BTCUSDT", Fraction(0)) - self._fees("BTC")

    def _fees(self, asset: str) -> Fraction:
        paid = [_fee(order, done) for order in self.broker.orders.values() for done in order.executions]
        return sum((fee for fee, of in paid if of == asset), Fraction(0))

    def _found(self, fields: dict[str, str], code: int, text: str) -> FakeOrder:
        order = self.broker.orders.get(fields.get("origClientOrderId", ""))
        if order is None and "orderId" in fields:
            order = self.broker.by_number(int(fields["orderId"]))
        if order is None:
            raise Refusal(400, {"code": code, "msg": text})
        return order

    def _status(self, order: FakeOrder) -> str:
        return _STATUS.get(order.status, order.status.upper())

    def _json(self, order: FakeOrder) -> dict[str, Any]:
        return {
            "symbol": order.sym,
            "orderId": order.number,
            "orderListId": -1,
            "clientOrderId": order.client_id,
            "price": order.fields.get("price", "0.00000000"),
            "origQty": _text(order.qty),
            "executedQty": _text(order.filled),
            "cummulativeQuoteQty": _text(order.paid),
            "status": self._status(order),
            "timeInForce": order.fields.get("timeInForce", "GTC"),
            "type": order.fields["type"],
            "side": order.side.upper(),
            "stopPrice": order.fields.get("stopPrice", "0.0"),
            "time": order.made_ns // 10**6,
            "updateTime": order.changed_ns // 10**6,
            "isWorking": True,
        }


def _fee(order: FakeOrder, done: Done) -> tuple[Fraction, str]:
    return (done.qty * FEE, "BTC") if order.side == "buy" else (done.qty * done.price * FEE, "USDT")


def _text(number: Fraction) -> str:
    return f"{float(number):.8f}"


def _symbol() -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "ocoAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }
