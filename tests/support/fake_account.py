"""An account with a broker, without a protocol: orders, executions, units that are held, and pairs of exits.

It counts what a test is about: how often an order of one id arrived. A broker holds the units of a position for the
orders that are open to sell them, those of a pair once.
"""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

FATES = ("lost", "cut", "late", "hang", "broken", "busy")
OPEN = frozenset(("open", "partial"))


@dataclass
class Done:
    """One execution: its number is the account's, from 1 on."""

    number: int
    qty: Fraction
    price: Fraction
    cumulative: Fraction
    time_ns: int


@dataclass
class FakeOrder:
    """One order: `status` is open, partial, filled, canceled, expired or rejected; numbers are as they were written.

    other    of a pair the id of the other; `leg`: it is the stop
    resized  how the broker keeps the pair: the stop has status `held` until it is triggered, and is made smaller when
             the target is filled in part; else both are open, and any execution of one ends the other
    """

    number: int
    client_id: str
    sym: str
    side: str
    qty: Fraction
    fields: dict[str, Any]
    status: str = "open"
    executions: list[Done] = field(default_factory=list)
    made_ns: int = field(default_factory=time.time_ns)
    changed_ns: int = field(default_factory=time.time_ns)
    other: str = ""
    leg: bool = False
    resized: bool = False

    @property
    def filled(self) -> Fraction:
        return sum((one.qty for one in self.executions), Fraction(0))

    @property
    def paid(self) -> Fraction:
        return sum((one.qty * one.price for one in self.executions), Fraction(0))


class Refusal(Exception):
    """The broker's no: an HTTP status and a body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class FakeBroker:
    """An account; a face makes it speak. Use the face as a context manager.

    faults   chance of a fault of a request, and of a message of the socket
    """

    def __init__(self, seed: int = 0, faults: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.faults = faults
        self.lock = threading.RLock()
        self.orders: dict[str, FakeOrder] = {}
        self.arrivals: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.fates: deque[str] = deque()
        self.refuse_with: Refusal | None = None
        self.cash = Fraction(1_000_000)
        self.moved: dict[str, Fraction] = {}
        """Positions that no order made: what a person did by hand."""
        self.changed: Callable[[FakeOrder, str, Done | None], None] = lambda *_: None
        """Called for all that the order socket is to tell: the order, what happened, and the execution."""
        self._number = 0

    def keep(self, what: str, client_id: str) -> None:
        """Write down what happened to an order, before anybody is told; nothing, unless a subclass does."""

    def arrived(self, client_id: str) -> None:
        """Count that an order of an id came."""
        self.arrivals[client_id] += 1
        self.keep("arrived", client_id)

    def place(self, client_id: str, sym: str, side: str, qty: Fraction, fields: dict[str, Any]) -> FakeOrder:
        with self.lock:
            self.arrived(client_id)
            if self.refuse_with is not None:
                raise self.refuse_with
            self._number += 1
            order = self.orders[client_id] = FakeOrder(self._number, client_id, sym, side, qty, fields)
            self.keep("new", client_id)
            self.changed(order, "new", None)
            return order

    def place_pair(
        self, names: tuple[str, str], sym: str, qty: Fraction, fields: tuple[dict[str, Any], ...], resized: bool
    ) -> tuple[FakeOrder, FakeOrder]:
        """Take a target and a stop that sell a position, as one."""
        with self.lock:
            self.arrived(names[0])
            if self.refuse_with is not None:
                raise self.refuse_with
            self.paired(names, (self._number + 1, self._number + 2), sym, qty, fields, resized, time.time_ns())
            target, stop = (self.orders[name] for name in names)
            self.keep("pair", names[0])
            self.changed(target, "new", None)
            self.changed(stop, "held" if resized else "new", None)
            return target, stop

    def paired(
        self,
        names: tuple[str, str],
        numbers: tuple[int, int],
        sym: str,
        qty: Fraction,
        fields: tuple[dict[str, Any], ...],
        resized: bool,
        at: int,
    ) -> None:
        """Have a pair."""
        for place, (name, number) in enumerate(zip(names, numbers, strict=True)):
            order = FakeOrder(number, name, sym, "sell", qty, fields[place], made_ns=at, changed_ns=at)
            order.other, order.leg, order.resized = names[1 - place], bool(place), resized
            order.status = "held" if resized and place else "open"
            self.orders[name] = order
        self._number = numbers[1]

    def followed(self, order: FakeOrder) -> bool:
        """Let follow for the other of a pair what happened to one; return whether that is told of.

        It is not where the target was filled and the stop was held (alpaca-py, issue 198).
        """
        other = self.orders.get(order.other)
        if other is None or other.status not in (*OPEN, "held"):
            return False
        silent = order.resized and order.status in ("partial", "filled") and not order.leg
        if silent and order.status == "partial":
            other.qty = order.qty - order.filled
            return False
        other.status = "canceled" if order.resized or order.status == "canceled" else "expired"
        other.changed_ns = order.changed_ns
        return not silent

    def held(self, sym: str, side: str) -> Fraction:
        """Return the units that open orders on a side hold."""
        mine = [one for one in self.orders.values() if one.sym == sym and one.side == side and one.status in OPEN]
        once = [one for one in mine if not (one.leg and self.orders[one.other] in mine)]
        return sum((one.qty - one.filled for one in once), Fraction(0))

    def execute(self, client_id: str, qty: int | Fraction, price: int | Fraction | str, told: bool = True) -> None:
        """Execute a part of an order, in units; `told` False keeps it from the order socket."""
        with self.lock:
            order = self.orders[client_id]
            self._number += 1
            done = Done(self._number, Fraction(qty), Fraction(price), order.filled + Fraction(qty), time.time_ns())
            order.executions.append(done)
            order.changed_ns = done.time_ns
            if order.status in OPEN or order.status == "held":
                order.status = "filled" if order.filled >= order.qty else "partial"
            self.cash -= done.qty * done.price * (1 if order.side == "buy" else -1)
            self.keep("fill", client_id)
            follows = self.followed(order)
            if told:
                self.changed(order, "fill", done)
                self._tell_other(order, follows)

    def end(self, client_id: str, status: str = "canceled", told: bool = True) -> None:
        """End an order that is open."""
        with self.lock:
            order = self.orders[client_id]
            order.status, order.changed_ns = status, time.time_ns()
            self.keep("end", client_id)
            follows = self.followed(order)
            if told:
                self.changed(order, status, None)
                self._tell_other(order, follows)

    def _tell_other(self, order: FakeOrder, follows: bool) -> None:
        if follows:
            self.changed(self.orders[order.other], self.orders[order.other].status, None)

    def positions(self) -> dict[str, Fraction]:
        with self.lock:
            held = dict(self.moved)
            for order in self.orders.values():
                sign = 1 if order.side == "buy" else -1
                held[order.sym] = held.get(order.sym, Fraction(0)) + sign * order.filled
            return {sym: qty for sym, qty in held.items() if qty}

    def by_number(self, number: int) -> FakeOrder | None:
        return next((one for one in self.orders.values() if one.number == number), None)

    def fate(self, changes: bool) -> str:
        """Say what becomes of the next request; those that change nothing are not worth being late."""
        with self.lock:
            chosen = self.fates.popleft() if self.fates else "answer"
            if chosen == "answer" and self.random.random() < self.faults:
                chosen = self.random.choice(FATES if changes else ("lost", "busy"))
            self.happened[chosen] += 1
            return chosen
