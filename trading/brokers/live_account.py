"""An account with a broker as the trader holds it: orders and cancels in, reports and findings out, nothing waits.

Two threads do the I/O, one for REST and one for the order socket. What to do is decided by the `Desk`, in the thread of
the trader, which also books what comes out before it calls again.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, NamedTuple

from trading.brokers.broker import Broker, BrokerError, Down, Lists, News, Pairs, Surveyed, Unclear
from trading.brokers.desk.desk import Books, Desk, Output, Request, Survey
from trading.brokers.desk.recall import Recall
from trading.brokers.desk.reconciliation import Finding
from trading.brokers.desk.ticket import Fetch, Find, Submit, Withdraw
from trading.events import OrderReport
from trading.orders import Order

POLL_S = 0.2
_FIRST = {Withdraw: 0, Submit: 1, Find: 2, Recall: 2, Fetch: 3, Survey: 4}
"""What is sent first of what waits: a cancel, then an order, then questions."""

TOGETHER = 5
"""So many orders that are due at once are asked for by one list, where the broker has it."""

_log = logging.getLogger(__name__)


class _Part(NamedTuple):
    survey: Survey
    answers: tuple[Any, ...]


class LiveAccount:
    """Begin with `resume`, then `place`, `cancel`, and `poll` a few times a second; `close` at the end.

    name    the account's, for the log
    clock   monotonic seconds
    wake    called by its threads when `poll` has something to tell
    """

    def __init__(
        self,
        name: str,
        broker: Broker,
        books: Books,
        since: int,
        reconcile_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._name, self._broker, self._clock, self._wake = name, broker, clock, wake
        together = TOGETHER if isinstance(broker, Lists) else 0
        self._desk = Desk(books, since, reconcile_s, together, self.pairs)
        self._requests: queue.PriorityQueue[tuple[int, int, Any]] = queue.PriorityQueue()
        self._results: queue.SimpleQueue[tuple[Request, object] | News] = queue.SimpleQueue()
        self._number = count()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=f"{name}-{what}", daemon=True)
            for run, what in ((self._ask_on, "rest"), (self._listen_on, "orders"))
        ]
        self._said = ""

    @property
    def state(self) -> str:
        """Ready, reconciling, or why no order is sent."""
        return self._desk.state

    @property
    def ready(self) -> bool:
        """Whether an order would be sent at once."""
        return self._desk.ready

    @property
    def pairs(self) -> bool:
        """Whether a target and a stop go out as one order."""
        return isinstance(self._broker, Pairs)

    def resume(self, orders: Iterable[Order]) -> list[OrderReport | Finding]:
        """Take the account's orders from the journal and connect."""
        told = self._do(self._desk.resume(orders, self._clock()))
        for thread in self._threads:
            thread.start()
        return told

    def place(self, order: Order) -> list[OrderReport | Finding]:
        """Send an order that is acknowledged by the journal as `submitting`."""
        return self._do(self._desk.place(order, self._clock()))

    def cancel(self, order_id: str) -> list[OrderReport | Finding]:
        """Ask to cancel an order."""
        return self._do(self._desk.cancel(order_id, self._clock()))

    def poll(self) -> list[OrderReport | Finding]:
        """Return what became known; book it before the next call, since positions are compared then."""
        told = self._do(self._desk.tick(self._clock()))
        while True:
            try:
                result = self._results.get_nowait()
            except queue.Empty:
                break
            now = self._clock()
            if isinstance(result, tuple):
                told += self._do(self._desk.answered(*result, now))
            else:
                told += self._do(self._desk.hear(result, now))
        if self.state != self._said:
            self._said = self.state
            _log.info("account %s: %s", self._name, self._said)
        return told

    def close(self) -> None:
        """Disconnect; an order that is being sent is asked for after the next start."""
        self._closing.set()
        self._requests.put((-1, next(self._number), None))
        for thread in self._threads:
            if thread.is_alive():
                thread.join(15)
        self._broker.close()

    def _do(self, outputs: list[Output]) -> list[OrderReport | Finding]:
        told: list[OrderReport | Finding] = []
        for one in outputs:
            if isinstance(one, OrderReport | Finding):
                told.append(one)
            else:
                self._requests.put((_FIRST[type(one)], next(self._number), one))
        return told

    def _ask_on(self) -> None:
        while not self._closing.is_set():
            _, _, request = self._requests.get()
            if request is not None:
                self._ask(request)

    def _ask(self, request: Request | _Part) -> None:
        """Do one request; a survey is done a part at a time, so that an order never waits for all of it."""
        result: object
        try:
            if isinstance(request, Survey):
                request = _Part(request, ())
            result = self._surveyed(request) if isinstance(request, _Part) else self._answer(request)
        except BrokerError as error:
            result = error
        except Exception as error:
            # A fault of ours, after which it is not known what was sent; its text may hold anything, so its kind only.
            _log.error("account %s: %s at %s", self._name, type(error).__name__, type(request).__name__)
            result = Unclear(f"{type(error).__name__} in the adapter of {self._broker.name}")
        if isinstance(result, _Part):
            self._requests.put((_FIRST[Survey], next(self._number), result))
        else:
            self._results.put((request.survey if isinstance(request, _Part) else request, result))
            self._wake()

    def _answer(self, request: Request) -> object:
        broker = self._broker
        if isinstance(request, Submit) and request.stop is not None:
            assert isinstance(broker, Pairs)
            return broker.place_pair(request.order, request.stop)
        if isinstance(request, Submit):
            return broker.place(request.order)
        if isinstance(request, Withdraw):
            broker.cancel(request.reference)
            return None
        if isinstance(request, Find):
            return broker.find(request.reference)
        if isinstance(request, Recall):
            assert isinstance(broker, Lists)
            return broker.orders(request.since)
        assert isinstance(request, Fetch)
        return broker.executions_of(request.reference)

    def _surveyed(self, part: _Part) -> Surveyed | _Part:
        broker = self._broker
        ask: tuple[Callable[[], Any], ...] = (
            broker.open_orders,
            lambda: broker.executions(part.survey.since),
            broker.positions,
            broker.cash,
        )
        answers = (*part.answers, ask[len(part.answers)]())
        if len(answers) < len(ask):
            return _Part(part.survey, answers)
        opened, executions, positions, cash = answers
        return Surveyed(tuple(opened), tuple(executions), positions, cash)

    def _listen_on(self) -> None:
        while not self._closing.is_set():
            try:
                news = self._broker.events(POLL_S)
            except Exception as error:
                _log.error("account %s: %s at the order socket", self._name, type(error).__name__)
                news = [Down(f"{type(error).__name__} in the adapter of {self._broker.name}")]
                self._closing.wait(1.0)
            for one in news:
                self._results.put(one)
            if news:
                self._wake()
