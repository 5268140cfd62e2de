"""All orders of one account with a broker, and whether the books and the broker agree; neither sockets nor a clock.

An order goes out only while the order socket is up and the account was reconciled since it came up. Until then it is
held, at most HOLD_S seconds. Reconciled is: the broker's open orders, executions, positions and cash were read
(`Survey`) after the socket was confirmed, and compared with the books after these were told the executions.

A position that differs must differ by as much in a second survey before it is told: fills are on their way. What was
booked of a symbol while its survey was under way leaves open which of the two it is compared with: that survey counts
for nothing.

Where many orders are to be asked for at once, as after a restart, one list of orders is (`Recall`). What it has is
found; what it lacks is asked for by its id all the same before it counts as absent.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NamedTuple, Protocol

from trading.brokers.broker import (
    OURS,
    Absent,
    BrokerError,
    Down,
    Execution,
    Known,
    News,
    Surveyed,
    Up,
)
from trading.brokers.desk import ticket as one_order
from trading.brokers.desk.recall import Recall, recall_of
from trading.brokers.desk.reconciliation import Finding, What, cash_compared, positions_compared
from trading.brokers.desk.register import Register
from trading.brokers.desk.ticket import Fetch, Find, Phase, Submit, Ticket, Withdraw
from trading.orders import FINAL, Order, State

CONFIRM_S = 2.0
"""Before a difference is looked at again; then twice as long each time, while it changes."""

MARGIN_NS = 60 * 10**9
"""Executions are asked for from so long before the last that was listed: a list may be late."""

KEEP_DONE_S = 3600.0
"""So long an order that is done is remembered; for a later message its order is looked up in the books."""


class Survey(NamedTuple):
    """Read the account: open orders, executions since a time (ns), positions, cash; `epoch` is the connection's."""

    since: int
    epoch: int
    asked_at: float


Request = Submit | Withdraw | Find | Fetch | Survey | Recall
Output = one_order.Output | Survey | Recall


class Books(Protocol):
    """What the journal has of the account, as far as it is booked."""

    def order(self, order_id: str) -> Order | None:
        """Return an order of the account, also one that is done."""

    def positions(self) -> Mapping[str, int]:
        """Return lots by symbol, of all strategies and `unallocated` together."""

    def cash(self) -> int | None:
        """Return cash in 1e-8 of the currency; None: not to be compared."""


class Desk:
    """Take orders, news and answers; every method is told the time in seconds and returns what is to be done and told.

    since        ns: executions from here on may be missing in the books (the last fill's time, or the run's start)
    reconcile_s  seconds between two surveys
    together     from so many orders to be asked for at once on, their list is asked for instead; 0: the broker has none
    pairs        whether the broker takes a target and a stop as one order
    """

    def __init__(
        self, books: Books, since: int, reconcile_s: float = 60.0, together: int = 0, pairs: bool = False
    ) -> None:
        self._books, self._since, self._reconcile_s, self._together = books, since, reconcile_s, together
        self._register = Register(books.order, pairs)
        self._unclaimed: dict[str, list[Execution]] = {}
        self._before: tuple[Mapping[str, int], int | None] = {}, None
        self._orphans: set[str] = set()
        self._up, self.ready = False, False
        self._down_reason = "not connected yet"
        self._epoch = self._failures = self._confirms = 0
        self._survey_at: float | None = None
        self._surveying = self._unsettled = False
        self._surveyed: tuple[Survey, Surveyed] | None = None
        self._suspected: dict[tuple[What, str], int | Fraction] = {}
        self._told: dict[tuple[What, str], int | Fraction] = {}
        self._in_kind: dict[str, Fraction] = {}
        self._counted: set[str] = set()

    @property
    def state(self) -> str:
        """In a word or two: ready, reconciling, or why not."""
        if self.ready:
            return "ready"
        return "reconciling" if self._up else f"the order socket is down: {self._down_reason}"

    def resume(self, orders: Iterable[Order], now: float) -> list[Output]:
        """Take the account's orders from the journal after a restart: open ones, and those done lately."""
        out: list[Output] = []
        for order in orders:
            out += self._opened(order, now)[1]
        return out

    def place(self, order: Order, now: float) -> list[Output]:
        """Send an order that the journal has as `submitting`, or hold it; an id that came before is left alone."""
        if self._register.get(order.order_id) is not None:
            return []
        ticket = Ticket(order, now)
        self._register.add(ticket)
        return list(self._register.submit(ticket, now)) if self.ready else []

    def cancel(self, order_id: str, now: float) -> list[Output]:
        """Have an order cancelled; also while the order socket is down, since that can only make the risk less."""
        ticket, out = self._register.get(order_id), list[Output]()
        if ticket is None:
            order = self._books.order(order_id)
            if order is None:
                return []
            ticket, out = self._opened(order, now)
        return [*out, *(one for _, done in self._register.withdraw(ticket, now) for one in done)]

    def hear(self, news: News, now: float) -> list[Output]:
        """Take what the order socket told."""
        if isinstance(news, Known):
            return self._known(news, now)
        if isinstance(news, Up):
            self._up, self.ready, self._failures, self._confirms = True, False, 0, 0
            self._epoch += 1
            self._suspected, self._surveyed = {}, None
            self._survey_at, self._surveying = now, False
        elif isinstance(news, Down):
            self._up, self.ready, self._down_reason, self._survey_at = False, False, news.reason, None
        return []

    def answered(self, request: Request, result: object, now: float) -> list[Output]:
        """Take the answer to a request: what the broker's method returned, or the BrokerError it raised."""
        if isinstance(request, Survey):
            return self._asked(self._take_survey(request, result, now))
        if isinstance(request, Recall):
            return self._recalled(request, result, now)
        if isinstance(request, Submit):
            placed = self._register.placed(request, result, now)
            return [one for ticket, out in placed for one in self._noted(ticket, out, now)]
        ticket = self._register.get(request.reference.order_id)
        if ticket is None:
            return []
        out: list[one_order.Output] = []
        error = result if isinstance(result, BrokerError) else None
        if isinstance(request, Withdraw):
            out = ticket.withdrawn(error, now)
        elif isinstance(request, Fetch):
            out = ticket.fetched(error if error is not None else result, now)  # type: ignore[arg-type]  # of a list
        elif isinstance(error, Absent):
            out = ticket.absent(now)
        elif error is not None:
            ticket.unanswered()
        else:
            assert isinstance(result, Known)
            out = ticket.found(self._register.told(result, ticket.order.order_id), now)
        return self._noted(ticket, out, now)

    def tick(self, now: float) -> list[Output]:
        """Do what is due; call it a few times a second, after the last outputs were booked."""
        out: list[Output] = []
        if self._surveyed is not None:
            out += self._compare(now)
        elif self._unsettled and self._up and not self._settling:
            self._unsettled, self._survey_at = False, now
        for ticket in self._register:
            if ticket.phase is Phase.HELD:
                out += self._register.submit(ticket, now) if self.ready else []
                out += self._register.held(ticket, "" if self.ready else self.state, now)
            elif ticket.phase is Phase.DONE and now - ticket.since >= KEEP_DONE_S and not ticket.fills.gap:
                self._register.drop(ticket)
            else:
                out += ticket.tick(now)
        if self._survey_at is not None and now >= self._survey_at and not self._surveying:
            self._surveying = True
            self._before = dict(self._books.positions()), self._books.cash()
            out.append(Survey(self._since - MARGIN_NS, self._epoch, now))
        return self._asked(out)

    def _asked(self, out: list[Output]) -> list[Output]:
        """Return what is to be done, with one question for all where there are many."""
        instead = recall_of([one for one in out if isinstance(one, Find)], self._order_of, self._together)
        if instead is None:
            return out
        among = set(instead.references)
        return [*(one for one in out if not (isinstance(one, Find) and one.reference in among)), instead]

    def _order_of(self, find: Find) -> Order:
        ticket = self._register.get(find.reference.order_id)
        assert ticket is not None
        return ticket.order

    def _recalled(self, recall: Recall, result: object, now: float) -> list[Output]:
        """Take the answer to Recall."""
        out: list[Output] = []
        told = map(self._register.told, result) if isinstance(result, list) else ()
        listed = {known.order_id: known for known in told}
        for order_id in (reference.order_id for reference in recall.references):
            if (ticket := self._register.get(order_id)) is None:
                continue
            if isinstance(result, BrokerError):
                ticket.unanswered()
            elif order_id in listed:
                out += self._noted(ticket, ticket.found(listed[order_id], now), now)
            else:
                out += ticket.unlisted()
        return out

    def _opened(self, order: Order, now: float) -> tuple[Ticket, list[Output]]:
        ticket, out = Ticket.resumed(order, now)
        self._register.add(ticket)
        return ticket, self._noted(ticket, out, now)

    def _noted(self, ticket: Ticket, out: Iterable[one_order.Output], now: float) -> list[Output]:
        noted: list[Output] = list(out)
        self._register.heard(ticket)
        for execution in self._unclaimed.pop(ticket.broker_id, ()) if ticket.broker_id else ():
            noted += self._execution(execution, now)
        return noted

    def _known(self, known: Known, now: float, fresh: bool = False) -> list[Output]:
        out: list[Output] = []
        known = self._register.told(known)
        if not known.order_id:  # a stranger's, or the stop of a pair of which the answer is under way
            for execution in known.executions:
                self._unclaimed.setdefault(known.broker_id, []).append(execution)
            return []
        ticket = self._register.get(known.order_id)
        if ticket is None:
            order = self._books.order(known.order_id)
            if order is None:
                return self._orphan(known)
            ticket, out = self._opened(order, now)
        if ticket.leg and known.state is State.REPLACED:  # by one that goes on in its place, perhaps
            return out + self._noted(ticket, ticket.doubt(now), now)
        for execution in known.executions:
            self._count_fee(execution)
        return out + self._noted(ticket, ticket.hear(known, now, fresh), now)

    def _orphan(self, known: Known) -> list[Output]:
        if known.state in FINAL or not known.order_id.startswith(OURS):
            return []
        out: list[Output] = [Withdraw(known.reference)]
        if known.order_id not in self._orphans:
            self._orphans.add(known.order_id)
            detail = "an order with an id of ours is open at the broker, and the journal lacks it; it is cancelled"
            out.append(Finding(What.ORPHAN, known.sym, known.order_id, detail=detail))
        return out

    def _take_survey(self, survey: Survey, result: object, now: float) -> list[Output]:
        if survey.epoch != self._epoch:
            return []
        self._surveying = False
        if not self._up:
            return []
        if not isinstance(result, Surveyed):
            self._failures += 1
            self._survey_at = now + min(60.0, 2.0 ** min(self._failures, 6))
            return []
        self._failures, self._survey_at = 0, now + self._reconcile_s
        out: list[Output] = []
        self._unclaimed = {}
        for execution in sorted(result.executions, key=lambda one: one.cumulative):
            out += self._execution(execution, now)
        opened = [self._register.told(known) for known in result.open_orders]
        listed = {known.order_id for known in opened}
        for known in opened:
            ticket = self._register.get(known.order_id)
            # One that ended after the list was asked for is in it by right.
            fresh = ticket is None or ticket.since < survey.asked_at
            out += self._known(known, now, fresh)
        for ticket in self._register:
            name = ticket.order.order_id
            if ticket.phase is Phase.LIVE and name not in listed and ticket.since < survey.asked_at:
                out += ticket.doubt(now)
        self._surveyed = survey, result
        return out

    def _execution(self, execution: Execution, now: float) -> list[Output]:
        order_id = execution.order_id or self._register.of_broker(execution.broker_id)
        ticket = self._register.get(order_id)
        if ticket is None:
            order = self._books.order(order_id) if order_id else None
            if order is None:
                self._unclaimed.setdefault(execution.broker_id, []).append(execution)  # its order may yet be found
                return []
            ticket = self._opened(order, now)[0]
        self._since = max(self._since, execution.market_time)
        self._count_fee(execution)
        return self._noted(ticket, ticket.execution(execution, now), now)

    def _count_fee(self, execution: Execution) -> None:
        if execution.fee_lots and execution.fill_id not in self._counted:
            self._counted.add(execution.fill_id)
            self._in_kind[execution.sym] = self._in_kind.get(execution.sym, Fraction(0)) + execution.fee_lots

    def _compare(self, now: float) -> list[Output]:
        assert self._surveyed is not None
        _, surveyed = self._surveyed
        self._surveyed = None
        if self._settling:
            self._unsettled = True  # looked at again as soon as they are settled
            return []
        ours, money = self._books.positions(), self._books.cash()
        found = positions_compared(ours, surveyed.positions, self._in_kind)
        cash = cash_compared(money, surveyed.cash)
        found += [cash] if cash is not None else []
        differences = {(one.what, one.sym): one.theirs - one.ours for one in found}
        self._told = {key: told for key, told in self._told.items() if differences.get(key) == told}
        new = {key: difference for key, difference in differences.items() if key not in self._told}
        held, had = self._before
        moved = any(money != had if what is What.CASH else ours.get(sym) != held.get(sym) for what, sym in new)
        if moved or new != self._suspected:
            self._suspected = {} if moved else new
            if new:
                return self._look_again(now)
        self._suspected, self._confirms = {}, 0
        self._told |= new
        for key, difference in new.items():
            if key[0] is What.FEE:
                self._in_kind[key[1]] += difference
        self.ready = self._up
        return [one for one in found if (one.what, one.sym) in new]

    @property
    def _settling(self) -> bool:
        return any(ticket.settling for ticket in self._register)

    def _look_again(self, now: float) -> list[Output]:
        wait = CONFIRM_S * 2 ** min(self._confirms, 5)
        self._confirms += 1
        self._survey_at = min(now + wait, self._survey_at or now + wait)
        return []
