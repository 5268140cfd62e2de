"""An account whose orders a broker fills: rows of the journal in, orders to the broker out, its word back as rows.

    run ──orders──► plant ──orders──► this ──► broker
     ▲                                  │
     └──broker_reports── plant ◄────────┘

Journal before broker, by construction: what is handed to the broker are rows that came back through the plant. Only
those are that this process made itself, since what became of the others is asked for once, at the start. What the
broker says is a row before anybody acts on it, so that a run is made again of the journal alone.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from plant.errors import PlantError
from plant.state.newest import Row
from trading.brokered.books import AccountBooks
from trading.brokered.report_rows import finding_row, report_row
from trading.brokers.desk.reconciliation import Finding
from trading.events import OrderReport
from trading.instruments import Instrument
from trading.orders import Order, State

SECOND = 10**9
KEPT_NS = 24 * 3600 * SECOND
"""Orders that were made so lately are told to the broker's desk at the start, those that are done as well."""

AGAIN_NS = 10 * SECOND
"""Pause before an account that could not be opened is tried again: its keys may be there by then."""

WAITS_NS = 10 * SECOND
"""So long what a broker said may take to be taken, before the account says that it waits."""

BY_RUNS = ("orders", "fills")
"""Those whose rows an account takes as its runs make them."""

TABLES = (*BY_RUNS, "broker_reports")
"""Those whose rows it takes as they come through the plant."""

Told = list[OrderReport | Finding]


class Held(Protocol):
    """An account as it is held with a broker: trading.brokers.live_account.LiveAccount."""

    @property
    def state(self) -> str:
        """Ready, or why no order is sent."""

    @property
    def ready(self) -> bool:
        """Whether an order would be sent at once."""

    @property
    def pairs(self) -> bool:
        """Whether a target and a stop go out as one order."""

    def resume(self, orders: Iterable[Order]) -> Told:
        """Take the account's orders from the journal and connect."""

    def place(self, order: Order) -> Told:
        """Send an order."""

    def cancel(self, order_id: str) -> Told:
        """Ask to cancel an order."""

    def poll(self) -> Told:
        """Return what became known."""

    def close(self) -> None:
        """Disconnect."""


class BrokeredAccount:
    """One account with a broker. `made`, `take` and `step` are called by one thread, in the order of what happened.

    capital     what the account began with, 1e-8 of its currency
    hold        connects to the broker: given the books, and ns from which executions may be missing
    instrument  gives the tick and lot that a symbol is traded with
    publish     takes a table and a row of it
    stale_s     of the run of an order: no older decision is sent, 0 for any age
    over        whether a run has ended: what it left at the broker is cancelled
    wall        ns since 1970
    """

    def __init__(
        self,
        name: str,
        currency: str,
        capital: int,
        hold: Callable[[AccountBooks, int], Held],
        instrument: Callable[[str], Instrument],
        publish: Callable[[str, Row], None],
        stale_s: Callable[[str], float],
        over: Callable[[str], bool],
        wall: Callable[[], int],
    ) -> None:
        self.name, self._currency = name, currency
        self.books = AccountBooks(instrument, capital)
        self._hold, self._instrument, self._publish = hold, instrument, publish
        self._stale_s, self._over, self._wall = stale_s, over, wall
        self._held: Held | None = None
        self._refused, self._again_at = "", 0
        self._mine: dict[tuple[str, int], None] = {}
        self._fresh: set[str] = set()
        self._unsent: set[str] = set()
        self._back: list[Row] = []
        self._withdrawn: set[str] = set()
        self._under_way = self._due = 0
        self._waits_since, self._waits = 0, False

    @property
    def begun(self) -> bool:
        """Whether the broker is connected to."""
        return self._held is not None or bool(self._refused)

    @property
    def trouble(self) -> str:
        """Why no order is sent for now, as a sentence; "": orders are sent."""
        if self._held is None:
            return f"account {self.name}: {self._refused or 'waits until its runs are made again'}"
        if self._held.ready and self._waits:
            return f"account {self.name}: what its broker said was not taken by its runs for {WAITS_NS // SECOND} s"
        return "" if self._held.ready else f"account {self.name}: {self._held.state}"

    def made(self, table: str, row: Row) -> None:
        """Take a row of the account that a run makes, as it is published."""
        self.books.take(table, row)
        if table == "orders" and row["state"] in (State.SUBMITTING, State.CANCELLING):
            self._mine[row["order_id"], row["n"]] = None
            if row["state"] == State.SUBMITTING:
                self._fresh.add(row["order_id"])

    def take(self, table: str, row: Row) -> None:
        """Take a row of the account that came back through the plant, or is read from the journal."""
        self.books.take(table, row)
        if table == "orders" and (row["order_id"], row["n"]) in self._mine:
            del self._mine[row["order_id"], row["n"]]
            self._back.append(row)
        elif table == "broker_reports":
            self._due = row["seq"]
            self._under_way = max(self._under_way - 1, 0)

    def step(self, ready: bool, told_seq: int | None) -> None:
        """Hand on what is in the journal, and publish what the broker said.

        ready      whether all runs of the account are made again
        told_seq   seq up to which every run of it was handed `broker_reports`; None: it has no run
        """
        if not self.begun:
            if not ready:
                return
            self._begin()
        elif self._held is None and self._wall() >= self._again_at:
            self._begin()
        back, self._back = self._back, []
        for row in back:
            self._hand(row)
        held = self._held
        if held is None:
            return
        for row in self.books.open_orders():
            if row["order_id"] not in self._withdrawn and self._over(row["run"]):
                self._withdrawn.add(row["order_id"])
                self._say(held.cancel(row["order_id"]))
        now = self._wall()
        if not self._under_way and (told_seq is None or told_seq >= self._due):
            self._say(held.poll())
            self._waits_since = now
        self._waits = now - self._waits_since > WAITS_NS

    def close(self) -> None:
        """Disconnect; orders stay as they are."""
        if self._held is not None:
            self._held.close()

    def _begin(self) -> None:
        """Connect; ask for what earlier processes left behind. What this one made is handed on as it comes back."""
        now, orders = self._wall(), self.books.orders()
        begun = [order.made_at for order in orders if not order.done and order.made_at]
        since = min([self.books.since or now, *begun])
        try:
            self._held = self._hold(self.books, since)
        except PlantError as error:
            self._refused, self._again_at = str(error), now + AGAIN_NS
            return
        self._refused = ""
        lately = [one for one in orders if one.order_id not in self._fresh and one.order_id not in self._unsent]
        # A pair is sent when both are in the journal: of one that this process completed, nothing was sent before.
        halves = [one for one in lately if one.state is State.SUBMITTING and one.pair in self._fresh]
        halves = halves if self._held.pairs else []
        lately = [one for one in lately if one not in halves]
        self._say(self._held.resume(one for one in lately if not one.done or one.made_at > now - KEPT_NS))
        for one in halves:
            self._say(self._held.place(one))

    def _hand(self, row: Row) -> None:
        """Hand an order or its cancel to the broker: it is in the journal."""
        name, held = row["order_id"], self._held
        order = self.books.order(name)
        assert order is not None
        if row["state"] == State.CANCELLING:
            if held is not None and name not in self._unsent:
                self._say(held.cancel(name))
            return
        self._fresh.discard(name)
        age, most = (self._wall() - order.made_at) / SECOND, self._stale_s(order.run)
        why = self._refused
        if 0 < most < age:
            why = f"it was decided {age:.0f} s ago, stale_s allows {most:g}"
        if held is None or why:
            self._unsent.add(name)
            self._say([OrderReport(order.sym, 0, 0, 0, 0, name, State.REJECTED, reason=f"not sent: {why}")])
            return
        self._say(held.place(order._replace(state=State.SUBMITTING)))

    def _say(self, told: Told) -> None:
        for one in told:
            at = self._wall()
            if isinstance(one, OrderReport):
                row = report_row(at, self.name, one, self._instrument(one.sym))
            else:
                instrument = self._instrument(one.sym) if one.sym else Instrument(self._currency)
                row = finding_row(at, self.name, self._currency, one, instrument)
            self._under_way += 1
            self._publish("broker_reports", row)
