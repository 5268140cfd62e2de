"""Rows of the tables of trading, made of what the engine counts: here whole numbers become floats, and only here.

Every function returns a dict in the order of the table's columns; `time` is when the plant learned it.
"""

from typing import Any

from plant.rows.schema import UNKNOWN_TIME
from trading.account import Position, RoundTrip
from trading.accounts.shared import SharedAccount
from trading.events import Fill
from trading.instruments import Instrument, amount_of
from trading.orders import Order
from trading.strategy import FillView, OrderView

NAN = float("nan")
Row = dict[str, Any]


def order_row(time: int, order: Order, instrument: Instrument) -> Row:
    """Return a row of `orders`."""
    price = instrument.price
    return {
        "time": time,
        "sym": order.sym,
        "order_id": order.order_id,
        "n": order.n,
        "client_order_id": order.client_order_id,
        "run": order.run,
        "strategy": order.strategy,
        "account": order.account,
        "side": str(order.side),
        "kind": str(order.kind),
        "qty": instrument.qty(order.qty),
        "limit_price": NAN if order.limit_price is None else price(order.limit_price),
        "stop_price": NAN if order.stop_price is None else price(order.stop_price),
        "trail": NAN if order.trail is None else price(order.trail),
        "time_in_force": order.time_in_force,
        "parent": order.parent,
        "oco": order.oco,
        "tag": order.tag,
        "filled": instrument.qty(order.filled),
        "average": instrument.average(order.paid, order.filled) if order.filled else NAN,
        "state": str(order.state),
        "reason": order.reason,
        "broker_id": order.broker_id,
        "market_time": order.market_time,
        "made_at": order.made_at,
        "cause_seq": order.cause_seq,
    }


def fill_row(
    time: int, fill: Fill, order: Order, realised: int, after: int, instrument: Instrument, placed: bool = False
) -> Row:
    """Return a row of `fills`; `realised` money of this fill before commission, `after` the position's lots.

    placed   whether it tells which row of its cause_seq filled it
    """
    return {
        "time": time,
        "sym": fill.sym,
        "fill_id": fill.fill_id,
        "order_id": fill.order_id,
        "run": order.run,
        "strategy": order.strategy,
        "account": order.account,
        "market_time": fill.market_time,
        "side": str(fill.side),
        "qty": instrument.qty(fill.qty),
        "price": instrument.price(fill.price),
        "commission": amount_of(fill.commission),
        "liquidity": fill.liquidity,
        "realised": amount_of(realised),
        "position_after": instrument.qty(after),
        "cause_seq": fill.seq,
        "cause_row": fill.seq_row + 1 if placed else 0,
    }


def position_row(time: int, position: Position, account: str, run: str, market_time: int) -> Row:
    """Return a row of `positions`."""
    instrument = position.instrument
    return {
        "time": time,
        "sym": instrument.sym,
        "account": account,
        "strategy": position.strategy,
        "run": run,
        "market_time": market_time,
        "qty": instrument.qty(position.lots),
        "average": position.average,
        "cost": amount_of(position.cost),
        "price": instrument.price(position.mark),
        "value": amount_of(position.value),
        "realised": amount_of(position.realised),
        "unrealised": amount_of(position.unrealised),
        "commission": amount_of(position.commission),
    }


def equity_row(time: int, account: SharedAccount, run: str, market_time: int) -> Row:
    """Return a row of `equity`; exposure is the positions' absolute value in parts of the equity."""
    equity = account.equity
    return {
        "time": time,
        "sym": account.name,
        "run": run,
        "market_time": market_time,
        "cash": amount_of(account.cash),
        "value": amount_of(account.value),
        "equity": amount_of(equity),
        "realised": amount_of(account.realised),
        "unrealised": amount_of(account.unrealised),
        "commission": amount_of(account.commission),
        "exposure": account.gross / equity if equity > 0 else NAN,
        "drawdown": account.drawdown,
    }


def round_trip_row(time: int, trip: RoundTrip, run: str, strategy: str, instrument: Instrument) -> Row:
    """Return a row of `round_trips`; profit_pct, run_up and drawdown are % of what the entry was worth.

    Of an open trip exit, out and realised have been set as though it were closed at the last price.
    """
    worth = abs(trip.value)
    percent = (lambda money: 100 * money / worth) if worth else (lambda _: NAN)
    return {
        "time": time,
        "sym": trip.sym,
        "run": run,
        "strategy": strategy,
        "number": trip.number,
        "side": "long" if trip.long else "short",
        "entry_at": trip.entry_at,
        "entry_price": instrument.average(trip.entry, trip.qty),
        "entry_tag": trip.entry_tag,
        "exit_at": trip.exit_at if trip.exit_at else UNKNOWN_TIME,
        "exit_price": instrument.average(trip.exit, trip.out) if trip.out else NAN,
        "exit_tag": trip.exit_tag,
        "qty": instrument.qty(trip.qty),
        "profit": amount_of(trip.profit()),
        "profit_pct": percent(trip.profit()),
        "commission": amount_of(trip.commission),
        "run_up": percent(trip.best),
        "drawdown": percent(trip.worst),
        "bars": trip.bars,
        "open": int(not trip.closed),
    }


def order_view(order: Order, instrument: Instrument) -> OrderView:
    """Return an order as its strategy sees it."""
    price = instrument.price
    return OrderView(
        order.order_id,
        order.id,
        order.sym,
        str(order.side),
        str(order.kind),
        instrument.qty(order.qty),
        NAN if order.limit_price is None else price(order.limit_price),
        NAN if order.stop_price is None else price(order.stop_price),
        order.tag,
        instrument.qty(order.filled),
        instrument.average(order.paid, order.filled) if order.filled else NAN,
        str(order.state),
        order.reason,
    )


def fill_view(fill: Fill, order: Order, realised: int, after: int, instrument: Instrument) -> FillView:
    """Return a fill as its strategy sees it."""
    return FillView(
        fill.fill_id,
        fill.order_id,
        order.id,
        fill.sym,
        str(fill.side),
        instrument.qty(fill.qty),
        instrument.price(fill.price),
        amount_of(fill.commission),
        fill.liquidity,
        amount_of(realised),
        instrument.qty(after),
        order.tag,
        fill.market_time,
    )
