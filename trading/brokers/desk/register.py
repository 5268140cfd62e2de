"""The orders of an account at its broker: by our id, by the broker's, and as pairs.

A pair is a target (a limit) and a stop of one position, which the broker takes as one order and of which it cancels
one when the other is filled. Whether the two were sent is one question, so they are sent by one request, once both are
here, and what becomes of that request becomes of both. The stop may have no id of ours at the broker: it is known by
the broker's own, or by the target's.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from trading.brokers.broker import BrokerError, Known, Unclear
from trading.brokers.desk.ticket import Output, Phase, Submit, Ticket
from trading.orders import FINAL, Kind, Order, State

HOLD_S = 15.0
"""An order that could not be sent for so long is rejected: what it was decided on is past."""

UNNAMED = Unclear("the broker took the pair, and did not name this order of it")


class Register:
    """Tickets, in the order in which they came.

    order   gives an order of the account, also one that is done
    pairs   whether the broker takes pairs; else each order is sent by itself
    """

    def __init__(self, order: Callable[[str], Order | None], pairs: bool) -> None:
        self._order, self._pairs = order, pairs
        self._tickets: dict[str, Ticket] = {}
        self._by_broker_id: dict[str, str] = {}

    def __iter__(self) -> Iterator[Ticket]:
        return iter(list(self._tickets.values()))

    def get(self, order_id: str) -> Ticket | None:
        """Return the ticket of an order, None if there is none."""
        return self._tickets.get(order_id)

    def add(self, ticket: Ticket) -> None:
        """Take a ticket."""
        self._tickets[ticket.order.order_id] = ticket

    def drop(self, ticket: Ticket) -> None:
        """Forget a ticket."""
        del self._tickets[ticket.order.order_id]
        self._by_broker_id.pop(ticket.broker_id, None)

    def heard(self, ticket: Ticket) -> None:
        """Note the broker's id of an order."""
        if ticket.broker_id:
            self._by_broker_id[ticket.broker_id] = ticket.order.order_id

    def of_broker(self, broker_id: str) -> str:
        """Return our id of what the broker calls so, "" if that is not known."""
        return self._by_broker_id.get(broker_id, "")

    def other(self, ticket: Ticket) -> Ticket | None:
        """Return the other of a pair; None: there is none, or it is not here."""
        return self._tickets.get(ticket.order.pair) if self._pairs and ticket.order.pair else None

    def told(self, known: Known, asked_for: str = "") -> Known:
        """Return what the broker told with our id, as far as that is known, and why a pair's order is over."""
        name = known.order_id or asked_for or self.of_broker(known.broker_id)
        if not name and known.leg_of:
            target = self._order(known.leg_of)
            name = "" if target is None else target.pair
        ticket = self._tickets.get(name)
        if ticket is not None and known.state in FINAL and known.state is not State.FILLED:
            known = replace(known, reason=known.reason or self._why(ticket))
        return known if name == known.order_id else replace(known, order_id=name)

    def submit(self, ticket: Ticket, now: float) -> list[Output]:
        """Send an order that is held; one of a pair once the other is here, and held, too."""
        if not (self._pairs and ticket.order.pair):
            return list(ticket.submit(now))
        other = self.other(ticket)
        if other is None or ticket.phase is not Phase.HELD or other.phase is not Phase.HELD:
            return []
        both = sorted((ticket, other), key=lambda one: one.order.kind is Kind.STOP)
        for one in both:
            one.submit(now)
        return [Submit(both[0].order, both[1].order)]

    def held(self, ticket: Ticket, why: str, now: float) -> list[Output]:
        """Give up an order that is held, and has been for long; `why` nothing is sent, "": other orders are."""
        if ticket.phase is not Phase.HELD or now - ticket.since < HOLD_S:
            return []
        why = why or f"{ticket.order.pair}, the other of its pair, was not to be sent"
        return ticket.refuse(f"not sent for {HOLD_S:.0f} s: {why}", now)

    def placed(self, request: Submit, result: object, now: float) -> Iterator[tuple[Ticket, list[Output]]]:
        """Take the answer to Submit: of each order its ticket, and what follows."""
        error = result if isinstance(result, BrokerError) else None
        listed = result if isinstance(result, list) else [result]
        told = {} if error is not None else {one.order_id: one for one in map(self.told, listed)}
        for order in (request.order, request.stop):
            if order is None or (ticket := self._tickets.get(order.order_id)) is None:
                continue
            known = told.get(order.order_id)
            yield ticket, ticket.failed(error or UNNAMED, now) if known is None else ticket.hear(known, now)

    def withdraw(self, ticket: Ticket, now: float) -> Iterator[tuple[Ticket, list[Output]]]:
        """Have an order cancelled; of a pair that was not sent both: one alone is not what was meant."""
        other = self.other(ticket) if ticket.phase is Phase.HELD else None
        yield ticket, ticket.withdraw(now)
        if other is not None and other.phase is Phase.HELD:
            yield other, other.withdraw(now, self._cancelled(ticket))

    def _why(self, ticket: Ticket) -> str:
        other = self.other(ticket)
        if other is None or ticket.wants_cancel:
            return ""
        if other.fills.told:
            return f"{other.order.order_id}, the other of its pair, was filled"
        return self._cancelled(other) if other.wants_cancel else ""

    @staticmethod
    def _cancelled(other: Ticket) -> str:
        return f"{other.order.order_id}, the other of its pair, was cancelled: the broker has them as one"
