"""Alpaca's trading API and order socket, as /docs/trading-api describes them, over a `FakeBroker`.

Numbers come as texts, paper's frames are binary, DELETE answers 204, an id that was used is refused with 422, and the
executions of one millisecond are listed in any order, with other ids than the socket gave them. A pair is the target,
and its stop as a leg: with an id that is nobody's, `held` until it is triggered, and in no list of open orders but that
with nested=true. What is held for an open order is not sold twice.
"""

import json
import time
from fractions import Fraction
from typing import Any
from uuid import UUID

from fake_broker import KEY, OPEN, SECRET, Answer, Done, FakeOrder, Refusal, Servers, text
from websockets.sync.server import ServerConnection

_STATUS = {"open": "new", "partial": "partially_filled"}


class FakeAlpaca(Servers):
    """`url` and `stream_url` are what the adapter is given; `page` bounds lists, as 500 and 100 do there."""

    account = "e6fe16f3-64a4-4921-8928-cadf02f92f98"

    @property
    def url(self) -> str:
        return f"{self.http}/v2"

    @property
    def stream_url(self) -> str:
        return f"{self.ws}/stream"

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any], headers: Any) -> Answer:
        if headers.get("APCA-API-KEY-ID") != KEY or headers.get("APCA-API-SECRET-KEY") != SECRET:
            # An unkind server: what was wrong stands in its answer.
            return 401, {"message": f"unauthorized. {headers.get('APCA-API-KEY-ID')}"}
        parts = path.removeprefix("/v2/").split("/")
        match method, parts:
            case "POST", ["orders"]:
                return 200, self._place(body)
            case "GET", ["orders"]:
                return 200, self._orders(query)
            case "GET", ["orders:by_client_order_id"]:
                return 200, self._json(self._found(self.broker.orders.get(query["client_order_id"])))
            case "GET", ["orders", broker_id]:
                return 200, self._json(self._found(self._by_id(broker_id)), query.get("nested", "").lower() == "true")
            case "DELETE", ["orders", broker_id]:
                return self._cancel(self._found(self._by_id(broker_id)))
            case "GET", ["account"]:
                return 200, self._account()
            case "GET", ["assets", sym]:
                return 200, {"class": "us_equity", "symbol": sym, "tradable": True, "shortable": sym == "AAPL"}
            case "GET", ["positions"]:
                return 200, [self._position(sym, qty) for sym, qty in self.broker.positions().items()]
            case "GET", ["account", "activities", "FILL"]:
                return 200, self._fills(query)
        return 404, {"code": 40410000, "message": f"endpoint not found: {path}"}

    def message(self, connection: ServerConnection, message: dict[str, Any]) -> None:
        data = message["data"]
        if message["action"] == "authenticate":
            good = (data.get("key_id"), data.get("secret_key")) == (KEY, SECRET)
            connection.authorized = good  # type: ignore[attr-defined]
            status = "authorized" if good else "unauthorized"
            self._say(connection, "authorization", {"status": status, "action": "authenticate"})
        elif not getattr(connection, "authorized", False):
            self._say(connection, "authorization", {"status": "unauthorized", "action": message["action"]})
        else:
            with self.broker.lock:
                self._say(connection, "listening", {"streams": data["streams"]})
                self.listeners.append(connection)

    def telling(self, order: FakeOrder, what: str, done: Done | None) -> bytes:
        data: dict[str, Any] = {
            "event": what,
            "execution_id": None,
            "order": self._json(order),
            "timestamp": _time(order),
        }
        if done is not None:
            data |= {
                "event": "fill" if order.status == "filled" else "partial_fill",
                "execution_id": str(UUID(int=done.number)),
                "price": text(done.price),
                "qty": text(done.qty),
                "position_qty": text(self.broker.positions().get(order.sym, Fraction(0))),
                "timestamp": _rfc(done.time_ns),
            }
        return json.dumps({"stream": "trade_updates", "data": data}).encode()

    def _say(self, connection: ServerConnection, stream: str, data: dict[str, Any]) -> None:
        connection.send(json.dumps({"stream": stream, "data": data}).encode())

    def _place(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body.get("client_order_id") or f"auto-{len(self.broker.orders)}"
        if name in self.broker.orders:
            self.broker.arrived(name)
            raise Refusal(422, {"code": 40010001, "message": "client_order_id must be unique"})
        if len(name) > 48 or ("qty" in body) == ("notional" in body):
            raise Refusal(422, {"code": 42210000, "message": "invalid order"})
        sym, side, qty = body["symbol"], body["side"], Fraction(str(body["qty"]))
        pair = body.get("order_class") == "oco"
        self._held(name, sym, side, qty, pair)
        if not pair:
            return self._json(self.broker.place(name, sym, side, qty, body))
        target = {**body, "limit_price": body["take_profit"]["limit_price"]}
        stop = {"type": "stop", "time_in_force": body["time_in_force"], "stop_price": body["stop_loss"]["stop_price"]}
        good = body["type"] == "limit" and body["time_in_force"] in ("day", "gtc")
        if not good or float(target["limit_price"]) < float(stop["stop_price"]) + 0.01:
            raise Refusal(422, {"code": 42210000, "message": "oco orders must be limit, day or gtc, stop below limit"})
        names = (name, str(UUID(int=10**20 + len(self.broker.orders))))
        return self._json(self.broker.place_pair(names, sym, qty, (target, stop), resized=True)[0], nested=True)

    def _held(self, name: str, sym: str, side: str, qty: Fraction, pair: bool) -> None:
        """Refuse what closes more than is there and not held for another order; or turns it."""
        there = self.broker.positions().get(sym, Fraction(0)) * (1 if side == "sell" else -1)
        left = there - self.broker.held(sym, side)
        if (there > 0 or pair) and qty > left:
            self.broker.arrived(name)
            text_ = f"insufficient qty available for order (requested: {text(qty)}, available: {text(left)})"
            raise Refusal(403, {"code": 40310000, "message": text_})

    def _cancel(self, order: FakeOrder) -> Answer:
        if order.status not in (*OPEN, "held"):
            return 422, {"code": 42210000, "message": f'order is already in "{order.status}" state'}
        self.broker.end(order.client_id)
        return 204, None

    def _orders(self, query: dict[str, str]) -> list[dict[str, Any]]:
        wanted = query.get("status", "open")
        found = [o for o in self.broker.orders.values() if wanted == "all" or (o.status in OPEN) == (wanted == "open")]
        found = [o for o in found if _rfc(o.made_ns) > query.get("after", "")]
        nested = query.get("nested", "").lower() == "true"
        found = [o for o in found if not (nested and o.leg)]
        found.sort(key=lambda o: o.made_ns, reverse=query.get("direction", "desc") == "desc")
        return [self._json(o, nested) for o in found[: int(query.get("limit", 50))]]

    def _fills(self, query: dict[str, str]) -> list[dict[str, Any]]:
        listed = [
            (done.time_ns // 10**6, f"{done.number:04d}"[::-1], order, done)
            for order in self.broker.orders.values()
            for done in order.executions
        ]
        listed.sort(key=lambda one: one[:2])
        rows = [self._fill(order, done) for _, _, order, done in listed]
        rows = [row for row in rows if row["transaction_time"] > query.get("after", "")]
        rows = [row for row in rows if query.get("order_id", row["order_id"]) == row["order_id"]]
        if "page_token" in query:
            names = [row["id"] for row in rows]
            rows = rows[names.index(query["page_token"]) + 1 :]
        return rows[: min(int(query.get("page_size", 100)), 100)]

    def _fill(self, order: FakeOrder, done: Done) -> dict[str, Any]:
        return {
            "id": f"{done.time_ns // 10**6}::{UUID(int=done.number + 10**9)}",
            "activity_type": "FILL",
            "type": "fill" if done.cumulative == order.qty else "partial_fill",
            "price": text(done.price),
            "qty": text(done.qty),
            "cum_qty": text(done.cumulative),
            "leaves_qty": text(order.qty - done.cumulative),
            "side": order.side,
            "symbol": order.sym,
            "order_id": _id(order),
            "transaction_time": _rfc(done.time_ns),
        }

    def _account(self) -> dict[str, Any]:
        cash = text(self.broker.cash)
        yes = {"trading_blocked": False, "transfers_blocked": False, "account_blocked": False}
        names = {"id": self.account, "account_number": "PA1", "status": "ACTIVE", "currency": "USD"}
        return {**names, **yes, "cash": cash, "equity": cash, "buying_power": cash, "created_at": _rfc(0)}

    def _position(self, sym: str, qty: Fraction) -> dict[str, Any]:
        return {
            "asset_id": str(UUID(int=5)),
            "symbol": sym,
            "exchange": "NASDAQ",
            "asset_class": "us_equity",
            "avg_entry_price": "1",
            "qty": text(qty),
            "side": "long" if qty > 0 else "short",
            "cost_basis": "1",
        }

    def _by_id(self, broker_id: str) -> FakeOrder | None:
        return next((one for one in self.broker.orders.values() if _id(one) == broker_id), None)

    def _found(self, order: FakeOrder | None) -> FakeOrder:
        if order is None:
            raise Refusal(404, {"code": 40410000, "message": "order not found"})
        return order

    def _json(self, order: FakeOrder, nested: bool = False) -> dict[str, Any]:
        legs = [self._json(self.broker.orders[order.other])] if nested and order.other and not order.leg else None
        average = text(order.paid / order.filled) if order.filled else None
        given = order.fields
        return {
            "id": _id(order),
            "client_order_id": order.client_id,
            "created_at": _rfc(order.made_ns),
            "updated_at": _rfc(order.changed_ns),
            "submitted_at": _rfc(order.made_ns),
            "filled_at": None,
            "expired_at": None,
            "canceled_at": None,
            "failed_at": None,
            "replaced_at": None,
            "replaced_by": None,
            "replaces": None,
            "asset_id": str(UUID(int=5)),
            "symbol": order.sym,
            "asset_class": "us_equity",
            "notional": None,
            "qty": text(order.qty),
            "filled_qty": text(order.filled),
            "filled_avg_price": average,
            "order_class": "oco" if order.other else "",
            "order_type": given["type"],
            "type": given["type"],
            "side": order.side,
            "time_in_force": given["time_in_force"],
            "limit_price": given.get("limit_price"),
            "stop_price": given.get("stop_price"),
            "status": _STATUS.get(order.status, order.status),
            "extended_hours": False,
            "legs": legs,
            "trail_percent": None,
            "trail_price": given.get("trail_price"),
            "hwm": None,
        }


def _id(order: FakeOrder) -> str:
    return str(UUID(int=10**12 + order.number))


def _time(order: FakeOrder) -> str:
    return _rfc(order.changed_ns)


def _rfc(ns: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns % 10**9:09d}Z"
