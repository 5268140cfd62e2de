"""What Alpaca's JSON means, and ours for it; pure functions. https://docs.alpaca.markets/docs/trading-api

An order, as REST and the order socket have it (shortened):

    {"id": "904837e3-...", "client_order_id": "tp-7f3a-1qoi-0", "symbol": "AAPL", "qty": "10", "filled_qty": "4",
     "filled_avg_price": "150.25", "side": "buy", "status": "partially_filled", "updated_at": "2026-11-20T15:00:00.1Z"}

An execution, as GET /account/activities/FILL lists it, with another id than the socket gives it, and those of one
millisecond in any order (alpacahq/Alpaca-API, issue 170), so that `cum_qty` is what tells them apart:

    {"id": "20210127144930176::ddc0a142-...", "activity_type": "FILL", "type": "partial_fill", "price": "31.6",
     "qty": "100", "cum_qty": "869", "side": "buy", "symbol": "QQQJ", "order_id": "ee8058e5-...",
     "transaction_time": "2021-01-27T19:49:30.176Z"}
"""

import calendar
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from trading.brokers.broker import OURS, Denied, Execution, Instruments, Known
from trading.brokers.decimals import in_lots, in_ticks, price_text, qty_text
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


def is_ours(order: Mapping[str, Any]) -> bool:
    """Return whether an order is the plant's, by its id."""
    return str(order.get("client_order_id") or "").startswith(OURS)


def known_of(order: Mapping[str, Any], instruments: Instruments, execution: Execution | None = None) -> Known:
    """Return an order of ours in our words. Raises KeyError and ValueError for one that lacks what it must have."""
    instrument = instruments(str(order["symbol"]))
    filled = in_lots(instrument, order.get("filled_qty") or "0")
    average = order.get("filled_avg_price")
    status = str(order["status"])
    return Known(
        order_id=str(order["client_order_id"]),
        broker_id=str(order["id"]),
        sym=str(order["symbol"]),
        state=_ENDED.get(status, State.ACCEPTED),
        filled=filled,
        paid=filled * Fraction(in_ticks(instrument, average)) if average is not None else None,
        market_time=time_of(order.get("updated_at")),
        executions=(execution,) if execution is not None else (),
        cancelling=status == "pending_cancel",
    )


def update_of(data: Mapping[str, Any], instruments: Instruments) -> Known | None:
    """Return what a `trade_updates` message tells; None for a stranger's order. Raises KeyError, ValueError.

    Price and qty of a fill are those of this execution (the price is documented as an average: over its parts); the
    order beside them is as it is after it.
    """
    order = data["order"]
    if not is_ours(order):
        return None
    execution = None
    if data["event"] in ("fill", "partial_fill"):
        instrument = instruments(str(order["symbol"]))
        execution = Execution(
            str(data.get("execution_id") or f"{order['id']}-{order['filled_qty']}"),
            str(order["client_order_id"]),
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
