"""One question for many orders: the list of those that a broker took since the oldest of them."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from trading.brokers.broker import Reference
from trading.brokers.desk.ticket import Find
from trading.orders import Order

MARGIN_NS = 60 * 10**9
"""The list is asked for from so long before the first order was made: a broker's clock is another."""

RECALL_NS = 24 * 3600 * 10**9
"""Orders that are older than the newest by so much are asked for one by one: a list from their time on may be long."""


class Recall(NamedTuple):
    """Read the list of our orders since a time (ns), in every state, instead of asking for each of these."""

    since: int
    references: tuple[Reference, ...]


def recall_of(finds: Iterable[Find], order_of: Callable[[Find], Order], least: int) -> Recall | None:
    """Return what is asked for instead of so many questions; None: there are fewer than `least`, or `least` is 0."""
    made = {find.reference: order_of(find).made_at for find in finds}
    newest = max(made.values(), default=0)
    made = {reference: at for reference, at in made.items() if at > newest - RECALL_NS}
    if not least or len(made) < least:
        return None
    return Recall(min(made.values()) - MARGIN_NS, tuple(made))
