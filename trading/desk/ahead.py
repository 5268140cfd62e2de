"""What a run's open orders may still do to its positions: a bound holds for all of them, not for each alone."""

from collections.abc import Callable, Iterable, Mapping

from trading.desk.listing import Listing
from trading.orders import Order, State
from trading.risk import Ahead


def ahead_of(
    order: Order, open_orders: Iterable[Order], listings: Mapping[str, Listing], left_of: Callable[[Order], int]
) -> Ahead:
    """Return what the others of the open orders may do besides an order that is about to leave.

    left_of   gives the lots that an order is still open for, as far as that is known before its fill

    Left out is what only reduces, what is being cancelled, and what this order's fill would cancel (`oco`). Of another
    symbol either all purchases may be filled or all sales, whichever leaves more.
    """
    lots, elsewhere = 0, dict[str, dict[int, int]]()
    for other in open_orders:
        same = other.order_id == order.order_id or (order.oco and other.oco == order.oco)
        if same or other.reduces or other.state is State.CANCELLING:
            continue
        left = left_of(other)
        if other.sym != order.sym:
            of = elsewhere.setdefault(other.sym, {})
            of[other.side.sign] = of.get(other.side.sign, 0) + left
        elif other.side is order.side:
            lots += left
    value = 0
    for sym, of in elsewhere.items():
        listing = listings[sym]
        held = listing.position.lots
        most = max(abs(held + sign * left) for sign, left in of.items())
        value += max(listing.instrument.value(most - abs(held), listing.last_ticks), 0)
    return Ahead(lots, value)
