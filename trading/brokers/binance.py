"""Binance spot: orders by REST through ccxt, what becomes of them by the user data stream of its WebSocket API.

ccxt is the extra `crypto` and imported when an account needs it. It signs, sends and keeps to the request weights; its
retries are off, and its own reading of errors is not used, since that makes network trouble of what is a plain no
(-1021) and the other way round. Texts go in and come out as they are: no float is between.

recvWindow is 5,000 ms: what arrives later is dropped by Binance, so an order that is not there after 15 s never comes.
Our clock is corrected by the venue's (`ClockOffset`).
"""

import contextlib
import functools
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, TypeVar

from plant.errors import SettingsError
from plant.transport.websocket import WebSocket
from trading.brokers import binance_messages as messages
from trading.brokers.binance_messages import Asset, WrongTime
from trading.brokers.broker import (
    BrokerError,
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
from trading.brokers.clock_offset import ClockOffset
from trading.brokers.credentials import Credentials, hide
from trading.brokers.rest import ANSWER_TIMEOUT_S, retry_after
from trading.instruments import MONEY, Instrument, exact
from trading.orders import Order

LIVE, TESTNET = "https://api.binance.com/api/v3", "https://testnet.binance.vision/api/v3"
LIVE_STREAM, TESTNET_STREAM = "wss://ws-api.binance.com:443/ws-api/v3", "wss://ws-api.testnet.binance.vision/ws-api/v3"

RECV_WINDOW_MS = 5_000
TRADES_A_PAGE = 1_000
HEARTBEAT_S = 20.0

_T = TypeVar("_T")


class Binance:
    """One account with Binance spot; a `Broker`.

    symbols   those the account trades: executions and positions are asked for by symbol; looked at each time
    currency  the asset that is the account's cash
    url, stream_url   REST with its version, and the WebSocket API; the testnet's unless told otherwise

    Raises SettingsError if ccxt is not installed.
    """

    name = "binance"

    def __init__(
        self,
        credentials: Credentials,
        instruments: Instruments,
        symbols: Iterable[str],
        currency: str = "USDT",
        url: str = TESTNET,
        stream_url: str = TESTNET_STREAM,
        timeout_s: float = ANSWER_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._credentials, self._instruments, self._clock, self._wall = credentials, instruments, clock, wall
        self._symbols, self._currency = symbols, currency
        self._offset = ClockOffset()
        self._assets: dict[str, Asset] = {}
        self._redacting = hide(credentials, ("ccxt.base.exchange", "urllib3.connectionpool"))
        self._answered: tuple[int, str, dict[str, str]] | None = None
        self._exchange = self._opened(url, timeout_s)
        self._paused_until = 0.0
        self._time_asked_ms = 0
        self._socket = WebSocket("binance", stream_url, credentials.both, HEARTBEAT_S, clock)

    def place(self, order: Order) -> Known:
        fields = messages.order_fields(order, self._instruments(order.sym))
        return self._known(self._ask("private_post_order", fields))

    def place_pair(self, target: Order, stop: Order) -> list[Known]:
        fields = messages.pair_fields(target, stop, self._instruments(target.sym))
        answer = self._ask("private_post_orderlist_oco", fields)
        return [self._known(one) for one in _read(lambda: _list_of(answer["orderReports"]), "pair")]

    def cancel(self, order: Reference) -> None:
        self._ask("private_delete_order", {"symbol": order.sym, "origClientOrderId": order.order_id})

    def find(self, order: Reference) -> Known:
        return self._known(self._ask("private_get_order", {"symbol": order.sym, "origClientOrderId": order.order_id}))

    def open_orders(self) -> list[Known]:
        # All symbols: an order of ours may be open in one that is not traded any more.
        listed = self._ask("private_get_openorders", {})
        return [self._known(one) for one in _list_of(listed) if messages.is_ours(one)]

    def executions(self, since: int) -> list[Execution]:
        found: list[Execution] = []
        for sym in self._symbols:
            orders = {str(trade["orderId"]) for trade in self._trades_since(sym, since // messages.MS)}
            for broker_id in sorted(orders):
                found += self._trades_of(sym, broker_id)
        return found

    def executions_of(self, order: Reference) -> list[Execution]:
        return self._trades_of(order.sym, order.broker_id or self.find(order).broker_id)

    def positions(self) -> dict[str, int | Fraction]:
        held = self._held()
        lots = {
            sym: held.get(self._asset(sym).base, Fraction(0)) / exact(self._instruments(sym).lot)
            for sym in self._symbols
        }
        return {sym: one for sym, one in lots.items() if one}

    def cash(self) -> int | None:
        return round(self._held().get(self._currency, Fraction(0)) * MONEY)

    def instruments(self, symbols: Iterable[str]) -> list[Instrument]:
        """Return the venue's own tick, lot and least value of symbols, for rows of `instruments`."""
        listed = self._symbols_of(symbols)
        return _read(lambda: [messages.instrument_of(one) for one in listed], "symbol")

    def events(self, timeout_s: float) -> list[News]:
        socket = self._socket
        if not socket.connected:
            if socket.retry_in_s > 0:
                time.sleep(min(timeout_s, socket.retry_in_s))
                return []
            return [] if self._socket_opened() else [Down(socket.trouble)]
        news: list[News] = []
        for frame in socket.receive(timeout_s):
            news += self._message(frame)
        return news if socket.connected else [*news, Down(socket.trouble)]

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(Exception):  # ccxt has no public close for its session
            self._exchange.session.close()
        for one in self._redacting:
            one.stop()

    def _opened(self, url: str, timeout_s: float) -> Any:
        try:
            import ccxt
        except ImportError:
            raise SettingsError(
                "an account with broker = \"binance\" needs ccxt: pip install 'tickplant[crypto]'"
            ) from None
        exchange = ccxt.binance(
            {
                "apiKey": self._credentials.key.reveal(),
                "secret": self._credentials.secret.reveal(),
                "enableRateLimit": True,
                "timeout": timeout_s * 1000,
                "options": {
                    "recvWindow": RECV_WINDOW_MS,
                    "maxRetriesOnFailure": 0,
                    "adjustForTimeDifference": False,
                    "defaultType": "spot",
                },
            }
        )
        exchange.urls["api"]["public"] = exchange.urls["api"]["private"] = url.rstrip("/")
        # A redirect would carry the key to wherever it points.
        exchange.session.max_redirects = 0
        exchange.handle_errors = self._note
        exchange.nonce = self._venue_ms
        # What ccxt keeps of the last request holds the key.
        exchange.set_last_request = lambda request: None
        return exchange

    def _note(self, code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any) -> bool:
        """Stand in for ccxt's reading of an answer: note it, and let ccxt raise what it likes for a status of error."""
        self._answered = int(code), str(body), dict(headers or {})
        return True

    def _ask(self, call: str, fields: dict[str, str]) -> Any:
        now = self._clock()
        wait = self._paused_until - now
        if wait > 0:
            raise Limited(f"not sent: {wait:.0f} s more until Binance takes requests", wait)
        if self._offset.due(now):
            sent_ms = self._wall_ms()
            answer = self._request("public_get_time", {})
            self._measured(sent_ms, answer)
        return self._request(call, fields)

    def _request(self, call: str, fields: dict[str, str]) -> Any:
        self._answered = None
        trouble, result = "", None
        try:
            result = getattr(self._exchange, call)(fields)
        except Exception as error:  # ccxt's, requests' and urllib3's: whatever it is, the answer is what counts
            trouble = type(error).__name__
        # Raised out here: ccxt's errors hold the signed address, and requests' the headers with the key.
        if self._answered is None:
            raise Unclear(f"{trouble or 'no answer'} at {call}")
        status, body, headers = self._answered
        if not trouble and 200 <= status < 300:
            return result
        raise self._understood(status, self._credentials.redact(body), headers)

    def _understood(self, status: int, body: str, headers: dict[str, str]) -> BrokerError:
        error = messages.error_of(status, body, headers, retry_after(headers))
        if isinstance(error, Limited):
            self._paused_until = self._clock() + error.retry_s
        if isinstance(error, WrongTime):
            self._offset.doubt()
        return error

    def _measured(self, sent_ms: int, answer: Any) -> None:
        venue_ms = _read(lambda: int(answer["serverTime"]), "time")
        self._offset.measured(sent_ms, venue_ms, self._wall_ms(), self._clock())

    def _venue_ms(self) -> int:
        return self._wall_ms() + self._offset.offset_ms

    def _wall_ms(self) -> int:
        return int(self._wall() * 1000)

    def _socket_opened(self) -> bool:
        # The time first: a subscription that is signed with ours would be refused if our clock is off.
        self._time_asked_ms = self._wall_ms()
        return self._socket.open([json.dumps({"id": "time", "method": "time"})])

    def _subscription(self) -> str:
        key = self._credentials.key.reveal()
        fields = {"apiKey": key, "recvWindow": RECV_WINDOW_MS, "timestamp": self._venue_ms()}
        text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
        secret = self._credentials.secret.reveal().encode()
        signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
        method = "userDataStream.subscribe.signature"
        return json.dumps({"id": "subscribe", "method": method, "params": {**fields, "signature": signature}})

    def _message(self, frame: bytes) -> list[News]:
        trouble = ""
        try:
            message = json.loads(frame)
            event = message.get("event", {})
            kind = event.get("e")
            if kind == "executionReport":
                asset = self._assets.get(str(event["s"]))
                told = messages.report_of(event, self._instruments, asset)
                return [told] if told is not None else []
            if message.get("id") == "time":
                self._measured(self._time_asked_ms, message["result"])
                self._socket.send(self._subscription())
            if message.get("id") == "subscribe":
                return self._subscribed(message)
            if kind in ("eventStreamTerminated", "serverShutdown"):
                trouble = f"the venue ends the stream: {kind}"
        except (ValueError, KeyError, TypeError, AttributeError, Unclear) as error:
            trouble = f"a message that cannot be read: {type(error).__name__}"
        if trouble:
            # What it said is lost, and may have been a fill: the survey after a new connection finds it.
            self._socket.drop(trouble)
        return []

    def _subscribed(self, message: dict[str, Any]) -> list[News]:
        if message.get("status") == 200:
            self._socket.healthy()
            return [Up()]
        error = message.get("error", {})
        code = error.get("code")
        if code == -1021:
            self._offset.doubt()
        self._socket.drop(
            self._credentials.redact(f"{error.get('msg', 'no reason')} ({code})"), refused=code in (-2014, -2015, -1022)
        )
        return []

    def _known(self, body: Any) -> Known:
        return _read(lambda: messages.known_of(body, self._instruments), "order")

    def _trades_since(self, sym: str, since_ms: int) -> list[dict[str, Any]]:
        """Return trades of a symbol since a time: the first page has the time, the next ones go on by id."""
        found: dict[int, dict[str, Any]] = {}
        query = {"symbol": sym, "startTime": str(max(since_ms, 0)), "limit": str(TRADES_A_PAGE)}
        while True:
            page = _list_of(self._ask("private_get_mytrades", query))
            found |= _read(functools.partial(_by_number, page), "trade")
            if len(page) < TRADES_A_PAGE:
                return list(found.values())
            query = {"symbol": sym, "fromId": str(max(found) + 1), "limit": str(TRADES_A_PAGE)}

    def _trades_of(self, sym: str, broker_id: str) -> list[Execution]:
        query = {"symbol": sym, "orderId": broker_id, "limit": str(TRADES_A_PAGE)}
        trades: list[dict[str, Any]] = []
        while True:
            page = _list_of(self._ask("private_get_mytrades", query))
            trades += page
            if len(page) < TRADES_A_PAGE:
                break
            query["fromId"] = str(int(page[-1]["id"]) + 1)
        asset = self._asset(sym)
        return _read(lambda: messages.executions_of(trades, self._instruments, asset), "trade")

    def _asset(self, sym: str) -> Asset:
        if sym not in self._assets:
            for one in self._symbols_of({sym, *self._symbols}):
                self._assets[str(one["symbol"])] = Asset(str(one["baseAsset"]), str(one["quoteAsset"]))
        return self._assets[sym]

    def _symbols_of(self, symbols: Iterable[str]) -> list[dict[str, Any]]:
        names = json.dumps(sorted(symbols), separators=(",", ":"))
        answer = self._ask("public_get_exchangeinfo", {"symbols": names})
        return _read(lambda: _list_of(answer["symbols"]), "list of symbols")

    def _held(self) -> dict[str, Fraction]:
        account = self._ask("private_get_account", {"omitZeroBalances": "true"})
        return _read(lambda: messages.held_of(account), "account")


def _list_of(body: Any) -> list[dict[str, Any]]:
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in body):
        raise Unclear("expected a list of objects of Binance")
    return body


def _by_number(trades: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {int(one["id"]): one for one in trades}


def _read(parse: Callable[[], _T], what: str) -> _T:
    try:
        return parse()
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        trouble = type(error).__name__
    raise Unclear(f"a {what} of Binance's cannot be read ({trouble})")
