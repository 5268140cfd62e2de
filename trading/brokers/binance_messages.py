"""What Binance's JSON means on spot, and ours for it; pure functions.

https://github.com/binance/binance-spot-api-docs: rest-api.md, user-data-stream.md, errors.md. Numbers are texts. A
message of the user data stream, by the WebSocket API (shortened):

    {"subscriptionId": 0, "event": {"e": "executionReport", "s": "BTCUSDT", "c": "tp-7f3a-1qoi-0", "C": "", "S": "BUY",
     "X": "PARTIALLY_FILLED", "x": "TRADE", "i": 4293153, "l": "0.001", "z": "0.003", "L": "60000.10", "Z": "180.0003",
     "n": "0.000001", "N": "BTC", "T": 1499405658657, "t": 77, "m": false, "r": "NONE"}}

Traps: of an order that is cancelled `c` is the cancel's own id, and `C` is the order's. `cummulativeQuoteQty` is
written so, and less than 0 where it is not known. myTrades knows neither our id nor a cumulative quantity. A trade's
number is one of its symbol alone, and two orders of one account may meet in it. A purchase pays its fee in what was
bought, unless it is paid in BNB.
"""

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from trading.brokers.broker import (
    OURS,
    Absent,
    BrokerError,
    Denied,
    Duplicate,
    Execution,
    Instruments,
    Known,
    Limited,
    Unclear,
)
from trading.brokers.decimals import in_lots, in_money, in_ticks, number_of, price_text, qty_text
from trading.events import Side
from trading.instruments import MONEY, Instrument, exact
from trading.orders import Kind, Order, State

MS = 10**6

_TIMES_IN_FORCE = {"day": "GTC", "gtc": "GTC", "ioc": "IOC", "fok": "FOK"}
"""Binance knows no day: it never closes. An order for the day stays until it is cancelled."""

_TYPES = {
    Kind.MARKET: "MARKET",
    Kind.LIMIT: "LIMIT",
    Kind.STOP: "STOP_LOSS",
    Kind.STOP_LIMIT: "STOP_LOSS_LIMIT",
}

_ENDED = {
    "FILLED": State.FILLED,
    "CANCELED": State.CANCELLED,
    "EXPIRED": State.EXPIRED,
    "EXPIRED_IN_MATCH": State.EXPIRED,
    "REJECTED": State.REJECTED,
}

_UNCLEAR = frozenset((-1000, -1001, -1006, -1007, -1008, -1016))
"""Codes that leave open whether it was done: unknown, disconnected, bad response, timeout, overload, shutdown."""
_TOO_MANY = frozenset((-1003, -1015, -1034))
_OUTSIDE_RECV_WINDOW = -1021


class WrongTime(Denied):
    """Our clock is off by more than recvWindow: nothing was done, and the offset is to be measured anew."""


class Asset(NamedTuple):
    """What a symbol is made of: BTCUSDT is BTC for USDT."""

    base: str
    quote: str


def order_fields(order: Order, instrument: Instrument) -> dict[str, str]:
    """Return the parameters of POST /api/v3/order. Raises Denied for what Binance does not know, before it is sent."""
    kind = _TYPES.get(order.kind)
    if kind is None:
        raise Denied(f"not sent: Binance takes no order of kind {order.kind} with a distance in price, only in 0.01 %")
    in_force = _TIMES_IN_FORCE.get(order.time_in_force)
    if in_force is None:
        known = ", ".join(_TIMES_IN_FORCE)
        raise Denied(f"not sent: times in force on Binance are {known}; found {order.time_in_force!r}")
    fields = {
        "symbol": order.sym,
        "side": order.side.upper(),
        "type": kind,
        "quantity": qty_text(instrument, order.qty),
        "newClientOrderId": order.order_id,
        "newOrderRespType": "FULL",
    }
    if order.kind in (Kind.LIMIT, Kind.STOP_LIMIT):
        fields |= {"timeInForce": in_force, "price": price_text(instrument, _given(order, "limit_price"))}
    if order.kind in (Kind.STOP, Kind.STOP_LIMIT):
        fields["stopPrice"] = price_text(instrument, _given(order, "stop_price"))
    return fields


def pair_fields(target: Order, stop: Order, instrument: Instrument) -> dict[str, str]:
    """Return the parameters of POST /api/v3/orderList/oco for a target and a stop of which one cancels the other.

    Raises Denied for what Binance does not know, before it is sent.
    """
    if target.side is not Side.SELL:
        raise Denied("not sent: a pair closes a position by a sale; spot has no short position to be bought back")
    return {
        "symbol": target.sym,
        "side": "SELL",
        "quantity": qty_text(instrument, target.qty),
        "listClientOrderId": f"tl{target.order_id.removeprefix('tp')}",
        "aboveType": "LIMIT_MAKER",
        "aboveClientOrderId": target.order_id,
        "abovePrice": price_text(instrument, _given(target, "limit_price")),
        "belowType": "STOP_LOSS",
        "belowClientOrderId": stop.order_id,
        "belowStopPrice": price_text(instrument, _given(stop, "stop_price")),
        "newOrderRespType": "FULL",
    }


def is_ours(order: Mapping[str, Any]) -> bool:
    """Return whether an order of REST is the plant's, by its id."""
    return str(order.get("clientOrderId") or "").startswith(OURS)


def known_of(order: Mapping[str, Any], instruments: Instruments) -> Known:
    """Return an order of REST in our words; `fills` of an order that was placed are left to the stream and myTrades.

    Raises KeyError and ValueError for one that lacks what it must have.
    """
    sym, instrument = str(order["symbol"]), instruments(str(order["symbol"]))
    status = str(order.get("status", "NEW"))
    time = order.get("updateTime", order.get("transactTime", 0))
    return Known(
        order_id=str(order["clientOrderId"]),
        broker_id=str(order["orderId"]),
        sym=sym,
        state=_ENDED.get(status, State.ACCEPTED),
        filled=in_lots(instrument, order.get("executedQty", "0")),
        paid=_paid(instrument, order.get("cummulativeQuoteQty")),
        market_time=int(time) * MS,
        reason=str(order.get("expiryReason", "")),
    )


def report_of(event: Mapping[str, Any], instruments: Instruments, asset: Asset | None) -> Known | None:
    """Return what an executionReport tells; None for a stranger's order. Raises KeyError and ValueError."""
    # Of a cancel, c names the request and C the order; C is "" (or null) otherwise.
    order_id = str(event.get("C") or event["c"])
    if not order_id.startswith(OURS):
        return None
    sym, instrument = str(event["s"]), instruments(str(event["s"]))
    status, reason = str(event["X"]), str(event.get("r", "NONE"))
    executions: tuple[Execution, ...] = ()
    if event["x"] == "TRADE":
        fee, fee_lots = _fee(event["n"], event.get("N"), event["L"], instrument, asset)
        executions = (
            Execution(
                _fill_id(sym, event["i"], event["t"]),
                order_id,
                str(event["i"]),
                sym,
                Side(str(event["S"]).lower()),
                in_lots(instrument, event["l"]),
                in_ticks(instrument, event["L"]),
                in_lots(instrument, event["z"]),
                int(event["T"]) * MS,
                fee,
                "maker" if event.get("m") else "taker",
                fee_lots,
            ),
        )
    return Known(
        order_id=order_id,
        broker_id=str(event["i"]),
        sym=sym,
        state=_ENDED.get(status, State.ACCEPTED),
        filled=in_lots(instrument, event["z"]),
        paid=_paid(instrument, event.get("Z")),
        market_time=int(event["T"]) * MS,
        reason=str(event.get("eR", "")) or ("" if reason == "NONE" else reason),
        executions=executions,
    )


def executions_of(
    trades: Iterable[Mapping[str, Any]], instruments: Instruments, asset: Asset | None
) -> list[Execution]:
    """Return all trades of one order, from myTrades with its orderId, with what each made the order's quantity.

    Raises KeyError and ValueError.
    """
    found, cumulative = [], Fraction(0)
    for trade in sorted(trades, key=lambda one: int(one["id"])):
        instrument = instruments(str(trade["symbol"]))
        qty = in_lots(instrument, trade["qty"])
        cumulative += qty
        fee, fee_lots = _fee(trade["commission"], trade.get("commissionAsset"), trade["price"], instrument, asset)
        found.append(
            Execution(
                _fill_id(str(trade["symbol"]), trade["orderId"], trade["id"]),
                "",
                str(trade["orderId"]),
                str(trade["symbol"]),
                Side.BUY if trade["isBuyer"] else Side.SELL,
                qty,
                in_ticks(instrument, trade["price"]),
                int(cumulative) if cumulative.denominator == 1 else cumulative,
                int(trade["time"]) * MS,
                fee,
                "maker" if trade["isMaker"] else "taker",
                fee_lots,
            )
        )
    return found


def held_of(account: Mapping[str, Any]) -> dict[str, Fraction]:
    """Return what an account holds by asset, free and locked together, what is not 0. Raises KeyError, ValueError."""
    held = {str(one["asset"]): number_of(one["free"]) + number_of(one["locked"]) for one in account["balances"]}
    return {asset: amount for asset, amount in held.items() if amount}


def instrument_of(symbol: Mapping[str, Any]) -> Instrument:
    """Return a symbol of exchangeInfo as an instrument: tick, lot, least value. Raises KeyError and ValueError."""
    filters = {str(one["filterType"]): one for one in symbol["filters"]}
    notional = filters.get("NOTIONAL", filters.get("MIN_NOTIONAL", {})).get("minNotional", "0")
    return Instrument(
        str(symbol["symbol"]),
        tick=number_of(filters["PRICE_FILTER"]["tickSize"]),
        lot=number_of(filters["LOT_SIZE"]["stepSize"]),
        currency=str(symbol["quoteAsset"]),
        asset_class="crypto",
        min_notional=float(number_of(notional)),
        shortable=False,
        source="binance",
    )


def error_of(status: int, body: str, headers: Mapping[str, str], retry_s: float) -> BrokerError:
    """Return what an answer that is none means: Denied and its kinds, Absent or Unclear.

    >>> type(error_of(400, '{"code":-2010,"msg":"Duplicate order sent."}', {}, 0)).__name__
    'Duplicate'
    >>> type(error_of(503, '{"code":-1008,"msg":"Server is busy."}', {}, 0)).__name__
    'Unclear'
    """
    code, said = _code_of(body)
    text = f"{said or 'no reason'} (Binance code {code}, HTTP {status})"
    if status in (418, 429) or code in _TOO_MANY:
        return Limited(text, retry_s)
    if status >= 500 or status < 400 or status == 408 or code in _UNCLEAR or code is None:
        # A 4xx without Binance's own code is of something between, which may answer before or after the order passed.
        return Unclear(text)
    if code == _OUTSIDE_RECV_WINDOW:
        return WrongTime(text)
    if code in (-2013, -2026) or (code == -2011 and "Unknown order" in said):
        return Absent(text)
    return Duplicate(text) if code == -2010 and "uplicate" in said else Denied(text)


def _code_of(body: str) -> tuple[int | None, str]:
    try:
        answer = json.loads(body)
        answer = answer.get("error", answer)
        return int(answer["code"]), str(answer.get("msg", ""))[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""


def _fill_id(sym: str, broker_id: object, number: object) -> str:
    """Return an id that no other fill has: BTCUSDT-4293153-77."""
    return f"{sym}-{broker_id}-{number}"


def _paid(instrument: Instrument, quote: object) -> Fraction | None:
    """Return lots * ticks of what an amount of the quote asset is, None where it is not known."""
    if quote is None or number_of(quote) < 0:
        return None
    return number_of(quote) / (exact(instrument.tick) * exact(instrument.lot))


def _fee(
    amount: object, currency: object, price: object, instrument: Instrument, asset: Asset | None
) -> tuple[int, Fraction]:
    """Return a fee as money in 1e-8 of the quote asset, and in lots if it was taken of the base asset.

    One in a third asset (BNB) is 0 here: what it was worth is not told. Where the assets of the symbol are not known,
    its name tells them.
    """
    if asset is None and currency:
        sym, name = instrument.sym, str(currency)
        asset = Asset(name if sym.startswith(name) else "", name if sym.endswith(name) else "")
    if asset is not None and currency == asset.base:
        taken = number_of(amount)
        return round(taken * number_of(price) * MONEY), taken / exact(instrument.lot)
    return (in_money(amount) if asset is not None and currency == asset.quote else 0), Fraction(0)


def _given(order: Order, name: str) -> int:
    value = getattr(order, name)
    if value is None:
        raise Denied(f"not sent: an order of kind {order.kind} needs {name}")
    return int(value)
