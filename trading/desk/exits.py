"""Which exits of one entry a broker takes together.

It holds the units of a position for the orders that are there to sell them. A target and a stop are one order to it, of
which one cancels the other (`trading.brokers.broker.Pairs`); a trailing stop is always an order by itself.
"""

from collections.abc import Sequence

from trading.orders import Kind, Order

NO_TRAILING = frozenset(("binance",))
"""Brokers that take no trailing stop: with other exits beside it, those are what goes out."""


def refusal(order: Order, exits: Sequence[Order], broker: str) -> str:
    """Return why an exit cannot go out with the others of its entry, "" if it can.

    A trailing stop gives way to a stop_loss, with which a target can be; else it is the target that gives way.
    """
    if len(exits) < 2:
        return ""
    kinds = {one.kind for one in exits}
    trails = Kind.TRAILING in kinds and Kind.STOP not in kinds and broker not in NO_TRAILING
    gives_way = Kind.LIMIT if trails else Kind.TRAILING
    if order.kind is not gives_way:
        return ""
    other = "trailing_stop" if trails else " and ".join(one.tag for one in exits if one is not order)
    return (
        f"not sent: {broker} holds the position for {other} of the same entry, and takes a stop_loss with a "
        "take_profit, but no other exit, as a pair of which one cancels the other"
    )
