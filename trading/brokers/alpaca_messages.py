"""What Alpaca's JSON means, and ours for it; pure functions. https://docs.alpaca.markets/docs/trading-api

An order, as REST and the order socket have it (shortened):

    {"id": "904837e3-...", "client_order_id": "tp-7f3a-1qoi-0", "symbol": "AAPL", "qty": "10", "filled_qty": "4",
     "filled_avg_price": "150.25", "side": "buy", "status": "partially_filled", "updated_at": "2026-11-20T15:00:00.1Z"}

An execution, as GET /account/activities/FILL lists it, with another id than the socket gives it, and those of one
millisecond in any order (alpacahq/Alpaca-API, issue 170), so that `cum_qty` is what tells them apart:

    {"id": "20210127144930176::ddc0a142-...", "activity_type": "FILL", "type": "partial_fill", "price": "31.6",
     "qty": "100", "cum_qty": "869", "side": "buy", "symbol": "QQQJ", "order_id": "ee8058e5-...",
     "transaction_time": "2021-01-27T19:49:30.176Z"}

A pair, order_class oco (/docs/orders-at-alpaca): the target is the order that is placed and has our id, the stop is the
first of its `legs`, which are told of with nested=true, and has an id of Alpaca's alone. While it waits, its status is
`held`, and it is not among the open orders; that it was cancelled is not always told of (alpaca-py, issue 198). It is
made smaller when the target is filled in part, and what is triggered may be another order in its place.
"""

import calendar
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from trading.brokers.broker import OURS, Denied, Execution, Instruments, Known
from trading.brokers.decimals import in_lots, in_ticks, number_of, price_text, qty_text
from trading.events import Side
from trading.instruments import Instrument
from trading.orders import Kind, Order, State

_TYPES = {
    Kind.MARKET: "market",
    Kind.LIMIT: "limit",
    Kind.STOP: "stop",
    Kind.STOP_LIMIT: "stop_limit",
    Kind.TRAILING: "trailing_stop",
}
TIMES_IN_FORCE = frozenset(("day", "gtc", "ioc", "fok", "opg", "cls"))

_ENDED = {
    "filled": State.FILLED,
    "canceled": State.CANCELLED,
    "expired": State.EXPIRED,
    "replaced": State.REPLACED,
    "rejected": State.REJECTED,
}
"""The statuses that end an order. `done_for_day`, `stopped`, `suspended`, `calculated` and the rest do not."""

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)")


def order_body(order: Order, instrument: Instrument) -> dict[str, str]:
    """Return the body of POST /orders. Raises Denied for what Alpaca does not know, before anything is sent."""
    if order.time_in_force not in TIMES_IN_FORCE:
        known = ", ".join(sorted(TIMES_IN_FORCE))
        raise Denied(f"not sent: Alpaca's times in force are {known}; found {order.time_in_force!r}")
    body = {
        "symbol": order.sym,
        "qty": qty_text(instrument, order.qty),
        "side": str(order.side),
        "type": _TYPES[order.kind],
        "time_in_force": order.time_in_force,
        "client_order_id": order.order_id,
    }
    if order.kind in (Kind.LIMIT, Kind.STOP_LIMIT):
        body["limit_price"] = price_text(instrument, _given(order, "limit_price"))
    if order.kind in (Kind.STOP, Kind.STOP_LIMIT):
        body["stop_price"] = price_text(instrument, _given(order, "stop_price"))
    if order.kind is Kind.TRAILING:
        body["trail_price"] = price_text(instrument, _given(order, "trail"))
    return body


def pair_body(target: Order, stop: Order, instrument: Instrument) -> dict[str, Any]:
    """Return the body of POST /orders for a target and a stop of which one cancels the other.

    Raises Denied for what Alpaca does not know, before anything is sent.
    """
    if target.time_in_force not in ("day", "gtc"):
        raise Denied(f"not sent: Alpaca takes a pair as day and gtc; found {target.time_in_force!r}")
    return {
        "symbol": target.sym,
        "qty": qty_text(instrument, target.qty),
        "side": str(target.side),
        "type": "limit",
        "time_in_force": target.time_in_force,
        "client_order_id": target.order_id,
        "order_class": "oco",
        "take_profit": {"limit_price": price_text(instrument, _given(target, "limit_price"))},
        "stop_loss": {"stop_price": price_text(instrument, _given(stop, "stop_price"))},
    }


def leg_of(order: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the stop of a pair, of the target's order; None if it tells of none."""
    legs = order.get("legs") or []
    return max(legs, key=lambda leg: (leg["status"] != "replaced", str(leg.get("created_at"))), default=None)


def successor_of(order: Mapping[str, Any]) -> str:
    """Return Alpaca's id of the order that goes on in the place of one that was not filled, "" for none."""
    goes_on = order["status"] == "replaced" and not number_of(order.get("filled_qty") or "0")
    return str(order.get("replaced_by") or "") if goes_on else ""


def is_ours(order: Mapping[str, Any]) -> bool:
    """Return whether an order is the plant's, by its id."""
    return str(order.get("client_order_id") or "").startswith(OURS)


def knowns_of(order: Mapping[str, Any], instruments: Instruments) -> list[Known]:
    """Return an order of ours in our words, and the stop that was sent with it, if it tells of one."""
    known, leg = known_of(order, instruments), leg_of(order)
    return [known] if leg is None else [known, replace(known_of(leg, instruments), leg_of=known.order_id)]


def known_of(order: Mapping[str, Any], instruments: Instruments, execution: Execution | None = None) -> Known:
    """Return an order of ours in our words. Raises KeyError and ValueError for one that lacks what it must have."""
    instrument = instruments(str(order["symbol"]))
    filled = in_lots(instrument, order.get("filled_qty") or "0")
    average = order.get("filled_avg_price")
    status = str(order["status"])
    return Known(
        order_id=str(order["client_order_id"]) if is_ours(order) else "",
        broker_id=str(order["id"]),
        sym=str(order["symbol"]),
        qty=in_lots(instrument, order["qty"]) if order.get("qty") else None,
        state=_ENDED.get(status, State.ACCEPTED),
        filled=filled,
        paid=filled * Fraction(in_ticks(instrument, average)) if average is not None else None,
        market_time=time_of(order.get("updated_at")),
        executions=(execution,) if execution is not None else (),
        cancelling=status == "pending_cancel",
    )


def update_of(data: Mapping[str, Any], instruments: Instruments) -> Known | None:
    """Return what a `trade_updates` message tells. Raises KeyError, ValueError; None for a stranger's order instead.

    Price and qty of a fill are those of this execution (the price is documented as an average: over its parts); the
    order beside them is as it is after it.
    """
    if is_ours(data["order"]):
        return _update_of(data, instruments)
    try:
        return _update_of(data, instruments)
    except (KeyError, ValueError, TypeError):
        return None  # of several legs, or another thing that we never order


def _update_of(data: Mapping[str, Any], instruments: Instruments) -> Known:
    order, execution = data["order"], None
    if data["event"] in ("fill", "partial_fill"):
        instrument = instruments(str(order["symbol"]))
        execution = Execution(
            str(data.get("execution_id") or f"{order['id']}-{order['filled_qty']}"),
            str(order["client_order_id"]) if is_ours(order) else "",
            str(order["id"]),
            str(order["symbol"]),
            Side(order["side"]),
            in_lots(instrument, data["qty"]),
            in_ticks(instrument, data["price"]),
            in_lots(instrument, order["filled_qty"]),
            time_of(data.get("timestamp")),
        )
    return known_of(order, instruments, execution)


def execution_of(activity: Mapping[str, Any], instruments: Instruments) -> Execution:
    """Return an execution that was listed; it names the order by the broker's id only. Raises KeyError, ValueError."""
    instrument = instruments(str(activity["symbol"]))
    return Execution(
        str(activity["id"]),
        "",
        str(activity["order_id"]),
        str(activity["symbol"]),
        # A short sale is listed as `sell_short`.
        Side.BUY if activity["side"] == "buy" else Side.SELL,
        in_lots(instrument, activity["qty"]),
        in_ticks(instrument, activity["price"]),
        in_lots(instrument, activity["cum_qty"]),
        time_of(activity.get("transaction_time")),
    )


def position_of(position: Mapping[str, Any], instruments: Instruments) -> tuple[str, int | Fraction]:
    """Return a position as symbol and lots, less than 0 if it is short."""
    sym = str(position["symbol"])
    lots: int | Fraction = in_lots(instruments(sym), position["qty"])
    # Today's API has the sign in qty as well; the side is what was documented first.
    if position.get("side") == "short":
        lots = lots if lots < 0 else -lots
    return sym, lots


def instrument_of(asset: Mapping[str, Any]) -> Instrument:
    """Return an asset of GET /assets/{symbol} as an instrument. Raises KeyError, and ValueError for what is no stock.

    Alpaca tells no tick of a stock: it takes cents from 1 USD on, and refuses a finer price itself. Whole shares only.
    """
    if asset["class"] != "us_equity":
        raise ValueError(f"expected a stock, found {asset['class']!r}")
    return Instrument(
        str(asset["symbol"]),
        tick=0.01,
        lot=1.0,
        currency="USD",
        asset_class="equity",
        shortable=bool(asset["shortable"]),
        source="alpaca",
    )


def time_of(text: object) -> int:
    """Return a time of RFC 3339 with up to 9 digits of a second as ns since 1970; 0 if there is none.

    >>> time_of("2021-02-22T15:51:44.335689322Z") - time_of("2021-02-22T10:51:44.335-05:00")
    689322
    """
    found = _TIME.fullmatch(str(text)) if text else None
    if found is None:
        return 0
    *clock, fraction, zone = found.groups()
    seconds = calendar.timegm((*map(int, clock), 0, 0, 0))
    if zone != "Z":
        seconds -= (1 if zone[0] == "+" else -1) * (int(zone[1:3]) * 3600 + int(zone[4:6]) * 60)
    return seconds * 10**9 + int((fraction or "0").ljust(9, "0"))


def frame_of(frame: bytes) -> Mapping[str, Any]:
    """Return a frame of the order socket, text or binary, as JSON. Raises ValueError if it is no object."""
    message = json.loads(frame, parse_float=Decimal)
    if not isinstance(message, dict) or not isinstance(message.get("data"), dict):
        raise ValueError("expected an object with stream and data")
    return message


def _given(order: Order, name: str) -> int:
    value = getattr(order, name)
    if value is None:
        raise Denied(f"not sent: an order of kind {order.kind} needs {name}")
    return int(value)
