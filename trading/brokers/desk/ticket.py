"""One order at a broker: sent once, asked for while unknown, its fills in order, cancelled when the broker says so.

    held ──► sent ──► live ──► done
               └──► unknown ──► live, done

Held: the order socket is down, or the account is not reconciled; nothing was sent. Unknown: whether it arrived is not
known. A machine without socket or clock: every method is told the time, seconds of one clock, and returns what is to
be done and told.
"""

from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from trading.brokers.broker import BrokerError, Denied, Duplicate, Execution, Known, Limited, Reference
from trading.brokers.desk.fill_book import FillBook
from trading.brokers.desk.inquiry import ABSENT_AFTER_S, Inquiry
from trading.brokers.desk.reconciliation import Finding, What
from trading.events import Fill, OrderReport
from trading.orders import FINAL, Kind, Order, State

GRACE_S = 1.0
"""So long an execution that was told of may take to come by the socket, before it is fetched."""

FETCHES = 3
"""After so many answers without the missing executions the difference is booked at the order's average."""


class Submit(NamedTuple):
    """Send an order. It is asked for once in the life of an order; `stop`: the other of a pair, sent with it."""

    order: Order
    stop: Order | None = None


class Withdraw(NamedTuple):
    """Ask the broker to cancel an order."""

    reference: Reference


class Find(NamedTuple):
    """Ask for an order by our id."""

    reference: Reference


class Fetch(NamedTuple):
    """Ask for all executions of an order."""

    reference: Reference


Output = Submit | Withdraw | Find | Fetch | OrderReport | Finding
"""What a ticket wants done, and what it tells; a report has time 0 where the broker told none: it is learned now."""


class Phase(StrEnum):
    """What is known of an order."""

    HELD = "held"
    SENT = "sent"
    UNKNOWN = "unknown"
    LIVE = "live"
    DONE = "done"


class Ticket:
    """An order from its journal row `submitting` to its end, and fills that come after it."""

    def __init__(self, order: Order, now: float, phase: Phase = Phase.HELD) -> None:
        self.order, self.phase, self.since = order, phase, now
        self.broker_id = order.broker_id
        self.fills = FillBook(order.filled)
        self.wants_cancel = False
        self._qty = order.qty
        self._inquiry: Inquiry | None = None
        self._final: Known | None = None
        self._was_absent = self._withdrawing = False
        self._asked_at = now
        self._fetch_at: float | None = None
        self._fetching, self._fetches = False, 0

    @classmethod
    def resumed(cls, order: Order, now: float) -> tuple["Ticket", list[Output]]:
        """Return the ticket of an order as the journal has it, after a restart, and what is to be done at once.

        One that is `submitting` was sent or not: the plant may have died before or after. So it is unknown, also if it
        was to be cancelled before the broker had named it.
        """
        if order.done:
            return cls(order, now, Phase.DONE), []
        cancelling = order.state is State.CANCELLING
        unheard = cancelling and not order.broker_id and not order.filled
        if unheard or order.state in (State.CREATED, State.SUBMITTING, State.UNKNOWN):
            ticket = cls(order, now, Phase.SENT)
            ticket.wants_cancel = cancelling
            return ticket, ticket._unknown("the plant was restarted while it was being sent", now)
        ticket = cls(order, now, Phase.LIVE)
        return ticket, ticket.withdraw(now) if cancelling else []

    @property
    def reference(self) -> Reference:
        """What the order is asked for by."""
        return Reference(self.order.order_id, self.order.sym, self.broker_id, self.order.pair if self.leg else "")

    @property
    def leg(self) -> bool:
        """Whether it is the stop of a pair, which may have no id of ours at the broker."""
        return bool(self.order.pair) and self.order.kind is Kind.STOP

    @property
    def settling(self) -> bool:
        """Whether its fills are not certain at the moment, so that a position cannot be compared."""
        return self.phase in (Phase.SENT, Phase.UNKNOWN) or self.fills.gap > 0

    def submit(self, now: float) -> list[Output]:
        """Send it. Only what is held can be, so nothing is sent twice."""
        if self.phase is not Phase.HELD:
            return []
        self.phase, self.since = Phase.SENT, now
        return [Submit(self.order)]

    def refuse(self, reason: str, now: float) -> list[Output]:
        """Give up one that is held: it was never sent."""
        return self._end(State.REJECTED, reason, now) if self.phase is Phase.HELD else []

    def failed(self, error: BrokerError, now: float) -> list[Output]:
        """Take that placing it did not succeed; nothing if the order socket told of it already."""
        if self.phase is not Phase.SENT:
            return []
        if isinstance(error, Duplicate):
            return [*self._unknown(str(error), now), *self._ask(now)]
        return (
            self._end(State.REJECTED, str(error), now) if isinstance(error, Denied) else self._unknown(str(error), now)
        )

    def hear(self, known: Known, now: float, fresh: bool = False) -> list[Output]:
        """Take what the broker says of it; `fresh`: it was asked, so this is no message that was long under way."""
        out: list[Output] = []
        first = self.phase in (Phase.HELD, Phase.SENT, Phase.UNKNOWN)
        self.broker_id = known.broker_id or self.broker_id
        ended = known.state in FINAL
        if self.phase is Phase.DONE and (self._was_absent or (fresh and not ended)):
            out.append(Finding(What.ADOPTED, self.order.sym, self.order.order_id, detail="it turned up at the broker"))
            self._was_absent, first = False, True
        if first:
            self.phase, self.since, self._inquiry, self._final = Phase.LIVE, now, None, None
            if known.state is not State.REJECTED:
                out.append(self._report(State.ACCEPTED, market_time=known.market_time))
        if self.order.pair and self.phase is not Phase.DONE:
            out += self._resized(known)
        for execution in known.executions:
            out += self._book(execution)
        if isinstance(known.filled, int):
            self.fills.hear(known.filled, known.paid)
        if ended and self.phase is not Phase.DONE:
            self._final = known
        elif self.wants_cancel and not self._withdrawing and (first or (fresh and not known.cancelling)):
            out += self._withdraw()
        return out + self._settled(now)

    def found(self, known: Known, now: float) -> list[Output]:
        """Take the answer to Find."""
        if self._inquiry is not None:
            self._inquiry.answered()
            if not self.wants_cancel:
                self._inquiry = None
        # What was asked before the order ended may have been answered before it, too.
        return self.hear(known, now, fresh=self._asked_at > self.since)

    def absent(self, now: float) -> list[Output]:
        """Take the answer to Find that there is no such order."""
        if self._inquiry is None or not self._inquiry.absent():
            return []
        if self.phase is Phase.LIVE:
            return self._end(State.REJECTED, "the broker does not know it any more", now)
        self._was_absent = True
        return self._end(State.REJECTED, f"the broker has no such order after {ABSENT_AFTER_S:.0f} s", now)

    def unlisted(self) -> list[Output]:
        """Take that a list of orders, which was asked for instead, lacks it: no proof, so it is asked for by its id."""
        if self._inquiry is None:
            return []
        if self._inquiry.decides:
            return [Find(self.reference)]
        self._inquiry.answered()
        return []

    def unanswered(self) -> None:
        """Take that Find failed; it is asked again."""
        if self._inquiry is not None:
            self._inquiry.answered()

    def doubt(self, now: float) -> list[Output]:
        """Ask for it: the broker does not list it among the open orders."""
        if self.phase is not Phase.LIVE or self._inquiry is not None:
            return []
        self._inquiry = Inquiry(now)
        return self._ask(now)

    def withdraw(self, now: float, reason: str = "it was not sent yet") -> list[Output]:
        """Have it cancelled; one that was not sent is so at once, one that is unknown as soon as it is found."""
        self.wants_cancel = True
        if self.phase is Phase.HELD:
            return self._end(State.CANCELLED, reason, now)
        return self._withdraw() if self.phase is Phase.LIVE and not self._withdrawing else []

    def withdrawn(self, error: BrokerError | None, now: float) -> list[Output]:
        """Take the answer to Withdraw, which ends nothing: the order's own state does, so it is asked for."""
        self._withdrawing = False
        if self.phase is not Phase.LIVE:
            return []
        if self._inquiry is None:
            self._inquiry = Inquiry(now)
        refused = error is not None and not isinstance(error, Limited)
        return self._ask(now) if refused and self._inquiry.due_at is not None else []

    def fetched(self, executions: list[Execution] | BrokerError, now: float) -> list[Output]:
        """Take the answer to Fetch."""
        self._fetching = False
        out: list[Output] = []
        if not isinstance(executions, BrokerError):
            self._fetches += 1
            for execution in sorted(executions, key=lambda one: one.cumulative):
                out += self._book(execution)
            if self.fills.gap > 0 and self._fetches >= FETCHES:
                out += self._difference()
        self._fetch_at = now + 2.0 ** min(self._fetches + 1, 5)
        return out + self._settled(now)

    def execution(self, execution: Execution, now: float) -> list[Output]:
        """Take an execution that was listed."""
        return self._book(execution) + self._settled(now)

    def tick(self, now: float) -> list[Output]:
        """Ask what is due."""
        out: list[Output] = []
        if self._inquiry is not None and self._inquiry.due(now):
            out += self._ask(now)
        if self._fetch_at is not None and now >= self._fetch_at and not self._fetching:
            self._fetching = True
            out.append(Fetch(self.reference))
        return out

    def _unknown(self, reason: str, now: float) -> list[Output]:
        self.phase, self.since, self._inquiry = Phase.UNKNOWN, now, Inquiry(now)
        return [] if self.order.state is State.UNKNOWN else [self._report(State.UNKNOWN, reason=reason)]

    def _ask(self, now: float) -> list[Output]:
        assert self._inquiry is not None
        self._inquiry.ask(now)
        self._asked_at = now
        return [Find(self.reference)]

    def _withdraw(self) -> list[Output]:
        self._withdrawing = True
        return [Withdraw(self.reference)]

    def _resized(self, known: Known) -> list[Output]:
        """Take that the broker made it smaller, as it may when the other of its pair is filled in part."""
        qty = known.qty
        if not isinstance(qty, int) or not 0 < qty < self._qty:  # a larger one was told before
            return []
        self._qty, reason = qty, f"the broker made it {qty} lots of {self._qty}"
        return [self._report("", qty=qty, reason=reason)]

    def _book(self, execution: Execution) -> list[Output]:
        try:
            ready = self.fills.take(execution)
        except ValueError as error:
            return [Finding(What.FILLS, self.order.sym, self.order.order_id, detail=str(error), halts=True)]
        return [self._fill(one) for one in ready]

    def _difference(self) -> list[Output]:
        missing = self.fills.gap
        paid = self.fills.settle()
        if paid is None and self._fetches > FETCHES:
            return []  # it was said, and is asked for on and on
        if paid is None:
            detail = (
                f"{missing} lots are executed, but the broker tells neither their executions nor their average price"
            )
            return [Finding(What.FILLS, self.order.sym, self.order.order_id, detail=detail, halts=True)]
        reason = f"the broker lists no executions of {missing} lots; they are booked at the average that it tells"
        return [self._report("", filled=self.fills.booked, paid=paid, reason=reason)]

    def _settled(self, now: float) -> list[Output]:
        if self.fills.gap > 0:
            if self._fetch_at is None and not self._fetching:
                self._fetch_at = now + GRACE_S
            return []
        self._fetch_at, self._fetches = None, 0
        if self._final is None or self.phase is Phase.DONE:
            return []
        known, self._final = self._final, None
        return self._end(known.state, known.reason, now, known.market_time)

    def _end(self, state: State, reason: str, now: float, market_time: int = 0) -> list[Output]:
        self.phase, self.since, self._inquiry = Phase.DONE, now, None
        if state is State.REJECTED and (self.wants_cancel or self.fills.booked > 0):
            # What has fills, or was to be cancelled, ends as cancelled: to its strategy the two are one.
            state = State.CANCELLED
        return [self._report(state, reason=reason, market_time=market_time)]

    def _fill(self, execution: Execution) -> OrderReport:
        order, cumulative = self.order, int(execution.cumulative)
        fill = Fill(
            order.sym,
            execution.market_time,
            0,
            0,
            0,
            execution.fill_id,
            order.order_id,
            order.side,
            int(execution.qty),
            execution.price,
            execution.commission,
            execution.liquidity,
        )
        return self._report("", market_time=execution.market_time, filled=cumulative, fill=fill)

    def _report(
        self,
        state: State | str,
        *,
        market_time: int = 0,
        filled: int | None = None,
        paid: int | Fraction | None = None,
        fill: Fill | None = None,
        reason: str = "",
        qty: int | None = None,
    ) -> OrderReport:
        names = (self.order.sym, market_time, 0, 0, 0, self.order.order_id, str(state), self.broker_id)
        return OrderReport(*names, filled, paid, fill, reason, qty)
