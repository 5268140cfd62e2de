"""A broker, a trader's books and the faults between them, in one thread and with the time by hand; seeded.

The broker is a plain dict of orders. Requests to it are lost before they arrive, after they arrived, or come seconds
later than the answer was waited for; what its socket tells comes late, twice and out of order, or not at all while the
socket is down; the plant dies and starts again from its books. What may not happen is checked as it goes.
"""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from trading.brokers.broker import Absent, Down, Execution, Known, Reference, Surveyed, Unclear, Up
from trading.brokers.desk.desk import Desk, Survey
from trading.brokers.desk.recall import Recall
from trading.brokers.desk.reconciliation import Finding
from trading.brokers.desk.ticket import Fetch, Find, Submit, Withdraw
from trading.events import OrderReport, Side
from trading.orders import Kind, Order, Orders, State, order_id

TICK_S = 0.25
SECOND = 10**9


@dataclass
class Held:
    """An order as the broker has it."""

    order: Order
    broker_id: str
    since: float
    state: State = State.ACCEPTED
    executions: list[tuple[int, int, int]] = field(default_factory=list)
    """(lots, ticks, ns) each."""
    qty: int = 0
    other: "Held | None" = None
    """The other of a pair; the stop has no id of ours there, and is made smaller when the target is filled in part."""

    @property
    def leg(self) -> bool:
        return self.other is not None and self.order.kind is Kind.STOP

    @property
    def filled(self) -> int:
        return sum(qty for qty, _, _ in self.executions)

    def listed(self, prefix: str) -> list[Execution]:
        """All executions; ids of the socket and of the lists differ by their prefix."""
        done, out = 0, []
        for number, (qty, price, time) in enumerate(self.executions):
            done += qty
            name = f"{prefix}{self.broker_id}.{number}"
            side, sym = self.order.side, self.order.sym
            out.append(Execution(name, "", self.broker_id, sym, side, qty, price, done, time))
        return out

    def known(self, executions: tuple[Execution, ...] = (), upto: int | None = None) -> Known:
        told = self.executions if upto is None else self.executions[:upto]
        paid = sum(qty * price for qty, price, _ in told)
        filled = sum(qty for qty, _, _ in told)
        names = {"order_id": "" if self.leg else self.order.order_id, "broker_id": self.broker_id}
        told = {"state": self.state, "filled": filled, "paid": paid, "qty": self.qty, "executions": executions}
        return Known(**names, sym=self.order.sym, **told)

    def nested(self) -> list[Known]:
        """As it is told with what was sent with it."""
        if self.other is None:
            return [self.known()]
        return [] if self.leg else [self.known(), replace(self.other.known(), leg_of=self.order.order_id)]

    def follow(self) -> "Held | None":
        """Let follow for the other of a pair; return it if that is told of."""
        other = self.other
        if other is None or other.state is not State.ACCEPTED:
            return None
        if self.state is State.ACCEPTED and not self.leg:
            other.qty = self.qty - self.filled
            return None
        other.state = State.CANCELLED
        return None if self.state is State.FILLED and not self.leg else other


class Journal:
    """The trader's books: they outlive it."""

    def __init__(self) -> None:
        self.orders = Orders()
        self.all: dict[str, Order] = {}
        self.lots: Counter[str] = Counter()
        self.paid: Fraction = Fraction(0)
        self.findings: list[Finding] = []

    def order(self, name: str) -> Order | None:
        return self.orders.get(name)

    def positions(self) -> dict[str, int]:
        return dict(self.lots)

    def cash(self) -> int | None:
        return None

    def book(self, report: OrderReport) -> None:
        step = self.orders.take(report)
        if step.order is not None:
            self.all[report.order_id] = step.order
        if step.fill is not None:
            self.lots[report.sym] += step.fill.side.sign * step.fill.qty
            self.paid += step.fill.side.sign * step.fill.qty * step.fill.price


class World:
    """`run()` plays some minutes with faults, then `calm()` some without. `together` as of a Desk."""

    def __init__(self, seed: int, faults: float = 0.25, together: int = 0) -> None:
        self.random = random.Random(seed)
        self.faults, self.together = faults, together
        self.now = 1_000.0
        self.journal = Journal()
        self.held: dict[str, Held] = {}
        self.arrivals: Counter[str] = Counter()
        self.socket_up = False
        self.seq = 0
        self.restarts = self.drops = self.recalls = self.paired = 0
        self._events: list[tuple[float, int, str, Any]] = []
        self._count = 0
        self.sent_while_down: list[str] = []
        self.desk = Desk(self.journal, 0, together=together, pairs=True)
        self._connect_at: float | None = self.now

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self._step(self.faults)

    def calm(self, seconds: float = 200.0) -> None:
        end = self.now + seconds
        while self.now < end:
            self._step(0.0, 1.0)

    def _step(self, faults: float, seconds: float = TICK_S) -> None:
        self.now += seconds
        chance = self.random.random
        if faults:
            if chance() < 0.15:
                self._decide()
            if chance() < 0.05 and self.journal.orders:
                self._cancel(self.random.choice(list(self.journal.orders)).order_id)
            if chance() < 0.02 * faults * 4:
                self._restart()
            if self.socket_up and chance() < 0.02 * faults * 4:
                self._drop()
        for held in self.held.values():
            if held.state is State.ACCEPTED and chance() < 0.1:
                self._execute(held)
            elif held.state is State.ACCEPTED and chance() < (0.01 if self.socket_up else 0.1):
                held.state = State.EXPIRED
                self._tell_both(held)
        if self._connect_at is not None and self.now >= self._connect_at:
            self._connect_at, self.socket_up = None, True
            self._take(self.desk.hear(Up(), self.now))
        for due in sorted(one for one in self._events if one[0] <= self.now):
            self._events.remove(due)
            self._happen(due[2], due[3])
        self._take(self.desk.tick(self.now))

    def _decide(self) -> None:
        self.seq += 1
        side = self.random.choice(list(Side))
        names = {"run": "r1", "strategy": "s", "account": "a", "sym": self.random.choice("AB")}
        order = Order(
            order_id=order_id("r1", self.seq, 0),
            side=side,
            kind=Kind.MARKET,
            qty=self.random.randint(1, 9),
            state=State.SUBMITTING,
            cause_seq=self.seq,
            made_at=int(self.now * SECOND),
            **names,
        )
        orders = [order]
        if self.random.random() < 0.3:
            stop = order._replace(kind=Kind.STOP, pair=order_id("r1", self.seq, 1))
            orders = [stop, order._replace(kind=Kind.LIMIT, order_id=stop.pair, pair=order.order_id)]
        for one in orders:
            self.journal.orders.add(one)
            self.journal.all[one.order_id] = one
        for one in orders:
            self._take(self.desk.place(one, self.now))

    def _cancel(self, name: str) -> None:
        order = self.journal.all[name]
        report = OrderReport(order.sym, 0, 0, 0, 0, name, State.CANCELLING)
        self.journal.book(report)
        self._take(self.desk.cancel(name, self.now))

    def _restart(self) -> None:
        """Nothing of the desk is left; what is on its way to the broker arrives."""
        self.restarts += 1
        self._events = [one for one in self._events if one[2] == "arrive"]
        self.socket_up, self._connect_at = False, self.now + self.random.uniform(0.5, 5)
        self.desk = Desk(self.journal, 0, together=self.together, pairs=True)
        self._take(self.desk.resume(self.journal.all.values(), self.now))

    def _drop(self) -> None:
        self.drops += 1
        self.socket_up, self._connect_at = False, self.now + self.random.uniform(0.5, 20)
        self._events = [one for one in self._events if one[2] != "told"]
        self._take(self.desk.hear(Down("cut"), self.now))

    def _execute(self, held: Held) -> None:
        qty = self.random.randint(1, held.qty - held.filled)
        held.executions.append((qty, self.random.randint(90, 110), int(self.now * SECOND)))
        number = len(held.executions)
        if held.filled == held.qty:
            held.state = State.FILLED
        other = held.follow()
        self._tell(held.known((held.listed("s")[-1],), number))
        if other is not None:
            self._tell(other.known())

    def _tell_both(self, held: Held) -> None:
        other = held.follow()
        self._tell(held.known())
        if other is not None:
            self._tell(other.known())

    def _tell(self, known: Known) -> None:
        if not self.socket_up:
            return
        for _ in range(2 if self.random.random() < self.faults / 2 else 1):
            late = self.random.uniform(0, 3) if self.random.random() < self.faults else 0.0
            if self.random.random() > self.faults / 8:
                self._later(late, "told", known)

    def _later(self, seconds: float, what: str, thing: Any) -> None:
        self._count += 1
        self._events.append((self.now + seconds, self._count, what, thing))

    def _take(self, outputs: list[Any]) -> None:
        for one in outputs:
            if isinstance(one, OrderReport):
                self.journal.book(one)
            elif isinstance(one, Finding):
                self.journal.findings.append(one)
            else:
                self._ask(one)

    def _ask(self, request: Any) -> None:
        if isinstance(request, Submit) and not (self.socket_up and self.desk.ready):
            self.sent_while_down.append(request.order.order_id)
        fate = self.random.random()
        if fate < self.faults / 3:
            self._later(self.random.uniform(0.1, 5), "answer", (request, Unclear("never arrived")))
        elif fate < self.faults * 2 / 3:
            arrives = self.random.uniform(0, 5)
            self._later(arrives, "arrive", (request, False))
            self._later(self.random.uniform(0.1, 5), "answer", (request, Unclear("no answer")))
        else:
            self._later(self.random.uniform(0, 0.4), "arrive", (request, True))

    def _happen(self, what: str, thing: Any) -> None:
        if what == "told":
            self._take(self.desk.hear(thing, self.now))
        elif what == "answer":
            self._take(self.desk.answered(*thing, self.now))
        else:
            request, answers = thing
            result = self._answer(request)
            if answers:
                self._later(self.random.uniform(0, 0.4), "answer", (request, result))

    def _answer(self, request: Any) -> object:
        if isinstance(request, Submit):
            return self._placed(request.order, request.stop)
        if isinstance(request, Survey):
            opened = [one for one in self.held.values() if one.state is State.ACCEPTED]
            executions = [e for one in self.held.values() for e in one.listed("r") if e.market_time >= request.since]
            lots: Counter[str] = Counter()
            for one in self.held.values():
                lots[one.order.sym] += one.order.side.sign * one.filled
            listed = [known for one in opened for known in one.nested()]
            return Surveyed(tuple(listed), tuple(executions), dict(lots))
        if isinstance(request, Recall):
            self.recalls += 1
            lately = [one for one in self.held.values() if one.since * SECOND > request.since]
            return [known for one in lately for known in one.nested()]
        held = self._found(request.reference)
        if held is None:
            return Absent("no such order")
        if isinstance(request, Find):
            return held.known()
        if isinstance(request, Fetch):
            return held.listed("r")
        assert isinstance(request, Withdraw)
        if held.state is State.ACCEPTED:
            held.state = State.CANCELLED
            if held.other is not None:
                self._tell_both(held)
            elif self.random.random() < self.faults and held.filled < held.order.qty - 1:
                # It raced: executed before the cancel, told after it.
                held.executions.append((1, 100, int(self.now * SECOND)))
                self._tell(held.known(upto=len(held.executions) - 1))
                self._tell(held.known((held.listed("s")[-1],)))
            else:
                self._tell(held.known())
        return None

    def _found(self, reference: Reference) -> Held | None:
        return self.held.get(reference.order_id)

    def _placed(self, order: Order, stop: Order | None = None) -> Known | list[Known]:
        made = []
        for one in (order,) if stop is None else (order, stop):
            self.arrivals[one.order_id] += 1
            made.append(Held(one, f"b{len(self.held)}", self.now, qty=one.qty))
            self.held[one.order_id] = made[-1]
        if stop is not None:
            made[0].other, made[1].other = made[1], made[0]
            self.paired += 1
        rejected = self.random.random() < 0.1
        for held in made:
            held.state = State.REJECTED if rejected else State.ACCEPTED
            self._tell(held.known())
        unnamed = self.random.random() < self.faults  # an answer does not always name the stop
        return made[0].known() if stop is None else made[0].nested()[: 1 if unnamed else 2]
