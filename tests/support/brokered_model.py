"""A run, its account, the journal between them and a broker with faults, in one thread and with the time by hand.

The trader is killed and starts again from the journal: what it published and was not written yet is lost, what is on
its way to the broker arrives. The plant writes late, and rows come back later still, to the account and to the run each
in its own time.
"""

import random
from typing import Any

from broker_model import TICK_S, Held, World
from state_rows import through_the_plant

from plant.rows.tables import schema_of
from plant.state.newest import Row
from trading.brokered.books import AccountBooks
from trading.brokered.brokered_account import BY_RUNS, TABLES, BrokeredAccount, Told
from trading.brokers.broker import Down, Up
from trading.brokers.desk.desk import Desk
from trading.brokers.desk.reconciliation import Finding
from trading.events import OrderReport
from trading.instruments import Instrument
from trading.live.machine import Made, RunMachine
from trading.live.reading import MADE
from trading.live.repeated import Repeated
from trading.orders import Order, State
from trading.risk import Limits
from trading.run import RunSetup

SECOND = 10**9
BEGAN = 1_795_100_400_000_000_000
SCHEMA = schema_of()
A = Instrument("A")


class ModelBroker(World):
    """The broker of `broker_model`, held by an account: what it tells waits until it is polled."""

    pairs = True

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.now = BEGAN / SECOND
        self._connect_at: float | None = None
        self._results: list[tuple[str, Any]] = []

    def hold(self, books: AccountBooks, since: int) -> "ModelBroker":
        self.desk = Desk(books, since, pairs=self.pairs)
        self._connect_at = self.now + self.random.uniform(0.2, 3)
        return self

    @property
    def state(self) -> str:
        return self.desk.state

    @property
    def ready(self) -> bool:
        return self.desk.ready

    def resume(self, orders: Any) -> Told:
        return self._told(self.desk.resume(orders, self.now))

    def place(self, order: Order) -> Told:
        return self._told(self.desk.place(order, self.now))

    def cancel(self, order_id: str) -> Told:
        return self._told(self.desk.cancel(order_id, self.now))

    def poll(self) -> Told:
        told = self._told(self.desk.tick(self.now))
        results, self._results = self._results, []
        for what, thing in results:
            heard = self.desk.hear(thing, self.now) if what == "told" else self.desk.answered(*thing, self.now)
            told += self._told(heard)
        return told

    def close(self) -> None:
        """The trader dies: no answer finds it any more, and its socket is gone."""
        self._events = [(at, n, what, (thing[0], False)) for at, n, what, thing in self._events if what == "arrive"]
        self.socket_up, self._connect_at, self._results = False, None, []

    def pass_time(self, faults: float) -> None:
        """Let a moment pass at the broker."""
        self.now += TICK_S
        self.faults = faults
        chance = self.random.random
        if self.socket_up and chance() < faults / 12:
            self._drop()
        for held in self.held.values():
            if held.state is State.ACCEPTED and chance() < 0.1:
                self._execute(held)
            elif held.state is State.CANCELLED and faults and held.filled < held.qty and chance() < 0.01:
                self._execute(held, State.CANCELLED)
        if self._connect_at is not None and self.now >= self._connect_at:
            self._connect_at, self.socket_up = None, True
            self._results.append(("told", Up()))
        for due in sorted((one for one in self._events if one[0] <= self.now), key=lambda one: one[:2]):
            self._events.remove(due)
            self._happen(due[2], due[3])

    def _happen(self, what: str, thing: Any) -> None:
        if what == "arrive":
            super()._happen(what, thing)
        else:
            self._results.append((what, thing))

    def _take(self, outputs: list[Any]) -> None:
        self._results += [("told", one) for one in outputs]

    def _told(self, outputs: list[Any]) -> Told:
        told: Told = []
        for one in outputs:
            if isinstance(one, OrderReport | Finding):
                told.append(one)
            else:
                self._ask(one)
        return told

    def _drop(self) -> None:
        self.drops += 1
        self.socket_up, self._connect_at = False, self.now + self.random.uniform(0.5, 10)
        self._events = [one for one in self._events if one[2] != "told"]
        self._results = [one for one in self._results if one[0] != "told"]
        self._results.append(("told", Down("cut")))

    def _execute(self, held: Held, state: State | None = None) -> None:
        super()._execute(held)
        if state is not None:
            held.state = state


class Trader:
    """One life of the trader: its run and its account, and how far each has read the journal."""

    def __init__(self, model: "Model") -> None:
        self.model, self.outbox = model, list[Made]()
        self.machine = RunMachine(model.setup, model.began, "sha")
        there = {table: [row for name, row in model.journal if name == table] for table in MADE}
        self.repeated = Repeated(SCHEMA, there)
        self.account = BrokeredAccount(
            "swing-1",
            "USD",
            10**14,
            model.broker.hold,
            lambda sym: A,
            lambda table, row: self.outbox.append(Made(table, row)),
            lambda run: 60.0,
            lambda run: False,
            lambda: model.wall,
        )
        self.read = self.taken = 0
        self._publish(self.machine.begin())
        self.follow(10**9)
        self.run(10**9)
        self.repeated.finish()

    def follow(self, most: int) -> None:
        """Have the account take rows that came back."""
        for table, row in self.model.journal[self.read : self.read + most]:
            self.read += 1
            if table in TABLES:
                self.account.take(table, row)

    def run(self, most: int) -> None:
        """Have the run take rows that came."""
        for table, row in self.model.journal[self.taken : self.taken + most]:
            self.taken += 1
            if table in ("bar_closes", "strategies", "broker_reports"):
                self._publish(self.machine.take(table, row))

    def step(self) -> None:
        told = None if self.machine.ended else self.machine.told_seq
        self.account.step(True, told)

    def _publish(self, made: list[Made]) -> None:
        for each in self.repeated.compare(made):
            self.account.made(each.table, each.row) if each.table in BY_RUNS else None
            self.outbox.append(each)


class Model:
    """`play` some minutes with faults, then `settle`."""

    def __init__(self, seed: int, strategy_class: type, began: Row) -> None:
        self.random = random.Random(seed)
        self.broker = ModelBroker(seed)
        self.began = began
        any_age = Limits(stale_s=0, max_orders_per_minute=None)
        self.setup = RunSetup(
            run="r",
            strategy="s",
            strategy_class=strategy_class,
            symbols=("A",),
            instruments={"A": A},
            interval="1m",
            account="swing-1",
            mode="paper",
            broker="alpaca",
            limits=any_age,
            account_limits=any_age,
            start_seq=began["seq"],
        )
        self.journal: list[tuple[str, Row]] = []
        self.seq = began["seq"]
        self.kills = 0
        self.trader = Trader(self)

    @property
    def wall(self) -> int:
        return int(self.broker.now * SECOND)

    def write(self, table: str, row: Row) -> None:
        """Have the plant take a row."""
        self.seq += 1
        self.journal.append(
            (table, {**through_the_plant(table, row), "seq": self.seq, "seq_row": 0, "received": self.wall})
        )

    def step(self, faults: float) -> None:
        chance, trader = self.random, self.trader
        self.broker.pass_time(faults)
        for _ in range(chance.randint(0, 4 if faults else 40)):
            if trader.outbox:
                self.write(*trader.outbox.pop(0))
        trader.follow(chance.randint(0, 6 if faults else 60))
        trader.run(chance.randint(0, 6 if faults else 60))
        trader.step()
        if faults and chance.random() < faults / 30:
            self.kills += 1
            self.broker.close()
            self.trader = Trader(self)

    def bar(self, number: int) -> None:
        """Have a bar close."""
        at, price = BEGAN + number * 60 * SECOND, 100 + self.random.randint(-30, 30) / 10
        told = {"time": at + 60 * SECOND, "sym": "A", "market_time": at, "interval": "1m", "volume": 1e4}
        self.write("bar_closes", {**told, "open": price, "high": price + 1, "low": price - 1, "close": price})

    def newest(self) -> dict[str, Row]:
        return {row["order_id"]: row for table, row in self.journal if table == "orders"}
