"""Alpaca: orders by REST, what becomes of them by its order socket; the paper endpoint unless told otherwise.

https://docs.alpaca.markets/docs/trading-api and /docs/websocket-streaming. One connection of the order socket an
account; it replays nothing, so after each connect the account is surveyed (`desk.py`). Paper sends binary frames that
hold JSON. 200 requests a minute are allowed; 20 of them are kept for orders and cancels.
"""

import functools
import json
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, TypeVar

from plant.transport.websocket import WebSocket
from trading.brokers import alpaca_messages as messages
from trading.brokers.broker import (
    Absent,
    Down,
    Execution,
    Instruments,
    Known,
    Limited,
    News,
    Reference,
    Unclear,
    Up,
)
from trading.brokers.credentials import Credentials
from trading.brokers.decimals import in_money
from trading.brokers.pace import Pace
from trading.brokers.rest import ANSWER_TIMEOUT_S, Answer, Rest
from trading.instruments import Instrument
from trading.orders import Order

PAPER = "https://paper-api.alpaca.markets/v2"
LIVE = "https://api.alpaca.markets/v2"

ORDERS_A_PAGE, FILLS_A_PAGE = 500, 100
MOST_PAGES, MOST_REPLACED = 1_000, 10
HEARTBEAT_S = 10.0
WAIT_FOR_PACE_S = 2.0
"""What the limit of requests would hold up for longer is not sent: an order would be decided on what is past."""

_T = TypeVar("_T")


class Alpaca:
    """One account with Alpaca; a `Broker`.

    url, stream_url   of the REST API with its version, and of the order socket, by default on the same host
    timeout_s         how long an answer is waited for
    clock, wall       monotonic seconds, and Unix seconds
    """

    name = "alpaca"

    def __init__(
        self,
        credentials: Credentials,
        instruments: Instruments,
        url: str = PAPER,
        stream_url: str = "",
        timeout_s: float = ANSWER_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._credentials, self._instruments, self._clock, self._wall = credentials, instruments, clock, wall
        self._rest = Rest(url, credentials, _headers, timeout_s)
        self._pace = Pace(200, 60.0, kept=20)
        self._socket = WebSocket("alpaca", stream_url or socket_url(url), credentials.both, HEARTBEAT_S, clock)
        self._listening = False

    def place(self, order: Order) -> Known:
        body = messages.order_body(order, self._instruments(order.sym))
        answer = self._ask("POST", "/orders", body=body, urgent=True)
        # From here on it was taken; an answer that cannot be read only means that it has to be asked for.
        return self._known(answer.body)

    def place_pair(self, target: Order, stop: Order) -> list[Known]:
        body = messages.pair_body(target, stop, self._instruments(target.sym))
        return self._knowns(self._ask("POST", "/orders", body=body, urgent=True).body)

    def cancel(self, order: Reference) -> None:
        broker_id = order.broker_id or self.find(order).broker_id
        self._ask("DELETE", f"/orders/{broker_id}", urgent=True)

    def find(self, order: Reference) -> Known:
        return self._known(self._found(order))

    def _found(self, order: Reference) -> dict[str, Any]:
        """Return an order by our id; the stop of a pair, which has none there, by Alpaca's or by its target."""
        if not order.leg_of:
            return self._ours(order.order_id)
        if order.broker_id:
            body = self._order(f"/orders/{order.broker_id}", {})
        else:
            target = self._ours(order.leg_of)
            if not target.get("legs"):
                target = self._order(f"/orders/{target['id']}", {"nested": "true"})
            leg = _read(lambda: messages.leg_of(target), "order")
            if leg is None:
                raise Absent("the target is there, and no stop with it")
            body = dict(leg)
        for _ in range(MOST_REPLACED):
            successor = _read(functools.partial(messages.successor_of, body), "order")
            following = self._order(f"/orders/{successor}", {}) if successor else body
            if not successor or following.get("client_order_id") == order.leg_of:
                return body
            body = following
        raise Unclear(f"the order was replaced more than {MOST_REPLACED} times")

    def _ours(self, order_id: str) -> dict[str, Any]:
        return self._order("/orders:by_client_order_id", {"client_order_id": order_id})

    def _order(self, path: str, query: dict[str, Any]) -> dict[str, Any]:
        body = self._ask("GET", path, query=query).body
        if not isinstance(body, dict) or "id" not in body:
            raise Unclear(f"GET {path}: expected an order")
        return body

    def open_orders(self) -> list[Known]:
        return self._orders("open", "")

    def orders(self, since: int) -> list[Known]:
        return self._orders("all", _text_of_time(since))

    def _orders(self, status: str, after: str) -> list[Known]:
        found: dict[str, list[Known]] = {}
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            query = {"status": status, "limit": ORDERS_A_PAGE, "direction": "asc", "nested": "true"}
            page = self._list("/orders", query | ({"after": after} if after else {}))
            found |= {one["id"]: self._knowns(one) for one in page if messages.is_ours(one)}
            new = {one["id"] for one in page} - seen
            seen |= new
            if len(page) < ORDERS_A_PAGE:
                return [known for each in found.values() for known in each]
            if not new:
                break
            # `after` leaves out what was submitted at that time or before it: one second less, so none is missed.
            after = _second_before(page[-1]["submitted_at"])
        raise Unclear("the list of orders has no end")

    def executions(self, since: int) -> list[Execution]:
        return self._executions({"after": _text_of_time(since)})

    def executions_of(self, order: Reference) -> list[Execution]:
        body = self._found(order)
        known = self._known(body)
        listed = self._executions({"order_id": known.broker_id, "after": _second_before(body.get("created_at"))})
        # The parameter order_id is of July 2026; a server that does not know it lists all.
        return [one for one in listed if one.broker_id == known.broker_id]

    def positions(self) -> dict[str, int | Fraction]:
        held = (messages.position_of(one, self._instruments) for one in self._list("/positions", {}))
        return {sym: lots for sym, lots in held if lots}

    def cash(self) -> int | None:
        body = self._ask("GET", "/account").body
        return _read(lambda: in_money(body["cash"]), "account")

    def instruments(self, symbols: Iterable[str]) -> list[Instrument]:
        """Return the venue's own word on symbols, for rows of `instruments`. Raises Absent for one it does not have."""
        answers = [self._ask("GET", f"/assets/{sym}").body for sym in symbols]
        return _read(lambda: [messages.instrument_of(one) for one in answers], "asset")

    def events(self, timeout_s: float) -> list[News]:
        socket = self._socket
        if not socket.connected:
            if socket.retry_in_s > 0:
                time.sleep(min(timeout_s, socket.retry_in_s))
                return []
            self._listening = False
            key, secret = self._credentials.key.reveal(), self._credentials.secret.reveal()
            login = {"action": "authenticate", "data": {"key_id": key, "secret_key": secret}}
            return [] if socket.open([json.dumps(login)]) else [Down(socket.trouble)]
        news: list[News] = []
        for frame in socket.receive(timeout_s):
            news += self._message(frame)
        if not socket.connected:
            self._listening = False
            news.append(Down(socket.trouble))
        return news

    def close(self) -> None:
        self._socket.close()
        self._rest.close()

    def _message(self, frame: bytes) -> list[News]:
        try:
            message = messages.frame_of(frame)
            stream, data = message.get("stream"), message["data"]
            if stream == "trade_updates":
                told = messages.update_of(data, self._instruments)
                return [told] if told is not None else []
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return self._give_up(f"a message that cannot be read: {type(error).__name__}")
        if stream == "authorization":
            if data.get("status") == "authorized":
                self._socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            else:
                self._socket.drop("unauthorized", refused=True)
        elif stream == "listening":
            if "trade_updates" not in data.get("streams", ()):
                return self._give_up("the order socket does not offer trade_updates")
            self._socket.healthy()
            if not self._listening:
                self._listening = True
                return [Up()]
        return []

    def _give_up(self, reason: str) -> list[News]:
        # What it said is lost, and may have been a fill: a new connection is followed by a survey, which finds it.
        self._socket.drop(reason)
        return []

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, Any] | None = None,
        body: dict[str, Any] | None = None,
        urgent: bool = False,
    ) -> Answer:
        wait = self._pace.wait_s(self._clock(), urgent)
        if wait > WAIT_FOR_PACE_S:
            raise Limited(f"not sent: {wait:.0f} s more until another request is allowed", wait)
        if wait:
            time.sleep(wait)
        self._pace.sent(self._clock())
        try:
            answer = self._rest.ask(method, path, query=query, body=body)
        except Limited as error:
            self._pace.pause(error.retry_s, self._clock())
            raise
        self._note_limits(answer)
        return answer

    def _note_limits(self, answer: Answer) -> None:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            remaining = int(headers["x-ratelimit-remaining"])
            reset = float(headers["x-ratelimit-reset"]) - self._wall()
        except (KeyError, ValueError):
            return
        self._pace.told(remaining, reset, self._clock())

    def _known(self, body: Any) -> Known:
        return _read(lambda: messages.known_of(body, self._instruments), "order")

    def _knowns(self, body: Any) -> list[Known]:
        return _read(lambda: messages.knowns_of(body, self._instruments), "order")

    def _list(self, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        body = self._ask("GET", path, query=query).body
        if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
            raise Unclear(f"GET {path}: expected a list of objects")
        return body

    def _by_id(self, page: list[dict[str, Any]]) -> dict[str, Execution]:
        return {str(one["id"]): messages.execution_of(one, self._instruments) for one in page}

    def _executions(self, query: dict[str, Any]) -> list[Execution]:
        found: dict[str, Execution] = {}
        token = ""
        for _ in range(MOST_PAGES):
            asked = query | {"direction": "asc", "page_size": FILLS_A_PAGE} | ({"page_token": token} if token else {})
            page = self._list("/account/activities/FILL", asked)
            found |= _read(functools.partial(self._by_id, page), "execution")
            if len(page) < FILLS_A_PAGE or page[-1].get("id") == token:
                return list(found.values())
            token = str(page[-1].get("id"))
        raise Unclear(f"more than {MOST_PAGES} pages of executions")


def socket_url(url: str) -> str:
    """Return the order socket's address for that of the REST API.

    >>> socket_url(PAPER)
    'wss://paper-api.alpaca.markets/stream'
    """
    return url.replace("http", "ws", 1).rstrip("/").removesuffix("/v2") + "/stream"


def _headers(credentials: Credentials) -> dict[str, str]:
    return {"APCA-API-KEY-ID": credentials.key.reveal(), "APCA-API-SECRET-KEY": credentials.secret.reveal()}


def _read(parse: Callable[[], _T], what: str) -> _T:
    try:
        return parse()
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        trouble = type(error).__name__
    raise Unclear(f"an {what} of Alpaca's cannot be read ({trouble})")


def _text_of_time(ns: int) -> str:
    seconds, rest = divmod(max(ns, 0), 10**9)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def _second_before(text: object) -> str:
    return _text_of_time(messages.time_of(text) - 10**9)
