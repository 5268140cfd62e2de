"""What becomes of requests and fills: orders pass risk and go out, fills set others free, a halt cancels all.

The simulated exchange and a broker differ here and nowhere else: the one is handed the order, for the other an action
is put out.
"""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from plant.state.commands import terms_of
from trading.account import Account
from trading.accounts.shared import held_of
from trading.desk.ahead import ahead_of
from trading.desk.exits import refusal
from trading.desk.guard import Guard
from trading.desk.ledger import Booked, Cancel, Ledger, Place
from trading.desk.listing import Listing
from trading.desk.listings import Listings
from trading.desk.requests import Asked, OrderDesk, Request
from trading.desk.takeover import Takeover
from trading.events import Command, Event, Fill, Neighbour, OrderReport, available
from trading.exchange import Ended, Execution
from trading.instruments import money_of
from trading.orders import Order, State, base36
from trading.risk import Breach, Market
from trading.run import RunSetup, in_session


class Dealing:
    """The way of one run's orders, out and back."""

    def __init__(self, setup: RunSetup, account: Account, ledger: Ledger, listings: Listings) -> None:
        self._setup, self._account, self._ledger, self._listings = setup, account, ledger, listings
        self._shared = ledger.shared
        self.desk = OrderDesk(setup)
        self.guard = Guard(setup, account, ledger)
        self.takeover = Takeover(setup, ledger, self.guard)
        self._executions: dict[str, int] = {}
        self._waiting: list[tuple[Order, str, tuple[str, ...]]] = []
        self._flattening: dict[str, tuple[str, ...]] = {}  # symbol -> orders that the broker still holds it for

    def deal(self, event: Event, requests: Iterable[Request]) -> None:
        """Take up what was asked for, in order."""
        for request in requests:
            if isinstance(request, Asked):
                self._place(request.order, request.wrong, event)
            else:
                self.cancel(event, request.id, "cancelled by the strategy")

    def cancel(self, event: Event, id: str | None, reason: str, sym: str | None = None) -> None:
        """Cancel the open orders of an id (None: of all) and of a symbol (None: of all)."""

        def meant(order: Order) -> bool:
            return (id is None or order.id == id) and sym in (None, order.sym)

        self._waiting = [waiting for waiting in self._waiting if not meant(waiting[0])]
        for order in list(self._ledger.orders):
            if meant(order):
                self._withdraw(order, State.CANCELLED, reason, event)

    def sized(self, order: Order, price: int) -> int:
        """Return the lots of an order that is sized when it is filled at a price, ticks; what is filled counts out."""
        position = self._listings[order.sym].position
        opposite = max(-order.side.sign * position.lots, 0)
        if order.reduces:
            return min(order.qty, opposite)
        lots = self._share(order, price) if order.percent else order.qty
        return lots + opposite if order.reverses and lots else lots

    def _share(self, order: Order, price: int) -> int:
        """Return the lots that the order's part of the equity buys at a price, rounded down."""
        position = self._listings[order.sym].position
        equity = self._shared.equity - position.value + position.instrument.value(position.lots, price)
        if price <= 0 or equity <= 0:
            return 0
        return int(equity * order.percent / 100 / (price * position.instrument.unit))

    def happened(self, happening: Execution | Ended, event: Event) -> None:
        """Book what the simulated exchange did."""
        ledger = self._ledger
        if isinstance(happening, Ended):
            ledger.become(happening.order_id, State(happening.state), event, happening.reason)
            return
        order = ledger.orders.get(happening.order_id)
        assert order is not None
        instrument = self._setup.instruments[order.sym]
        count = self._executions[order.order_id] = self._executions.get(order.order_id, 0) + 1
        fees = self._setup.fills.fees
        fee = instrument.commission(happening.qty, happening.price, happening.liquidity) if fees else 0
        fill = Fill(
            event.sym,
            event.market_time,
            event.known_at,
            event.seq,
            event.seq_row,
            f"{order.order_id}-{base36(count)}",
            order.order_id,
            order.side,
            happening.qty,
            happening.price,
            fee,
            happening.liquidity,
        )
        report = OrderReport(
            event.sym,
            event.market_time,
            event.known_at,
            event.seq,
            event.seq_row,
            order.order_id,
            "",
            fill=fill,
            filled=order.filled + happening.qty,
            qty=happening.total,
        )
        self.booked(ledger.report(report, event), event)

    def booked(self, booked: Booked, event: Event) -> None:
        """Let follow what a fill entails: others of its group are cancelled, its children are free."""
        order, fill, booking = booked.order, booked.fill, booked.booking
        if fill is None or booking is None:
            return
        for other in [o for o in self._ledger.orders if order.oco and o.oco == order.oco]:
            if other.order_id == order.order_id:
                continue
            if order.parent and not order.done:  # the two exits of one entry: what one took the other need not
                self._listings[other.sym].book.reduce(other.order_id, fill.qty)
            else:
                self._withdraw(other, State.CANCELLED, f"{order.order_id} of its group was filled", event)
        if booked.turned:
            self._closed(order.sym, order.order_id, event)
        if booking.opened:
            exits = self.desk.children(order, booking.opened, event)
            for child in exits:
                self._ledger.add(child, event)
                if wrong := "" if self._setup.simulated else refusal(child, exits, self._setup.broker):
                    self._ledger.become(child.order_id, State.REFUSED, event, wrong)
                else:
                    self._send(child, event)

    def _closed(self, sym: str, by: str, event: Event) -> None:
        """Cancel what was to close a position, since an order has."""
        for other in [o for o in self._ledger.orders if o.parent and o.sym == sym and o.reduces]:
            if other.order_id != by:
                self._withdraw(other, State.CANCELLED, "the position it was to close is closed", event)

    def released(self, event: Event) -> None:
        """Place what waited for orders that it replaces, once the broker is done with them."""
        waiting, self._waiting = self._waiting, []
        for order, wrong, older in waiting:
            if self._done(older):  # what closes is decided by what is held now, the rest by what it was decided on
                self._place(order._replace(made_at=event.known_at) if order.reduces else order, wrong, event)
            else:
                self._waiting.append((order, wrong, older))
        for sym, older in list(self._flattening.items()):
            if self._done(older):
                del self._flattening[sym]
                self._close_out(sym, event)

    def _done(self, names: Iterable[str]) -> bool:
        return all((one := self._ledger.orders.get(name)) is None or one.done for name in names)

    def command(self, command: Command) -> None:
        """Do what a person says: order, cancel, flatten, kill, resume, limits. Raises SettingsError."""
        told = dict(command.arguments)
        of = told.pop("of", "account")
        match command.command:
            case "order":
                self._by_hand(command, told)
            case "cancel":
                if (order := self._ledger.orders.get(str(told.get("order_id", "")))) is not None and not order.done:
                    self._withdraw(order, State.CANCELLED, "cancelled by hand", command)
            case "cancel_run":
                self.cancel(command, None, "cancelled by hand")
            case "flatten":
                only = told.get("sym")
                self.cancel(command, None, "flattened by hand", only)
                self._flatten(command, only)
            case "kill":
                self._halted(self.guard.kill(of), command, of)
            case "halt":  # by a reconciliation, not by a person
                self._halted(self.guard.disagreed(str(told["rule"]), str(told["reason"])), command, of)
            case "deposit":  # what the broker has and no fill tells of
                self.guard.deposit(int(told["money"]))
                self._ledger.sample(command, command.market_time, positions=False)
            case "resume":
                self.guard.resume(of, command)
            case "limits":
                self.guard.tell(of, told)

    def neighbour(self, event: Neighbour) -> None:
        """Take what another run of the account told."""
        row, shared = event.row, self._shared
        if event.table == "positions":
            shared.told(row["strategy"], row["sym"], held_of(row))
        elif event.table == "orders":
            shared.order(row)
            if row["state"] == State.SUBMITTING and not row["parent"]:
                self.guard.counted(row["market_time"] if self._setup.simulated else row["time"])
        elif event.table == "runs":
            shared.ended(row["run"])
        elif event.table == "fills":
            if self.takeover.inherit(row, event):
                self._closed(row["sym"], row["order_id"], event)
        elif self.guard.halted_by(row):  # of risk_events
            self._put_down(event, f"risk: {row['detail']}")

    def mark(self, event: Event) -> None:
        """Put out what the account is worth by now."""
        self._ledger.sample(event, event.market_time, positions=False)

    def look(self, event: Event) -> None:
        """Look at loss and drawdown; a breach halts."""
        for of, breach in self.guard.look():
            self._halted(breach, event, of)

    def _place(self, order: Order, wrong: str, event: Event) -> None:
        """Look whether an order may leave, and send it."""
        ledger, listing = self._ledger, self._listings[order.sym]
        position = listing.position
        older = [o for o in ledger.orders if order.id and o.id == order.id and o.sym == order.sym]
        if order.reverses and position.lots * order.side.sign > 0:
            for one in older:
                self._withdraw(one, State.CANCELLED, "the position has its direction", event)
            return
        for one in older:
            self._withdraw(one, State.REPLACED, f"replaced by {order.order_id}", event)
        if older and not self._setup.simulated:  # both at the broker could both be filled
            self._waiting.append((order, wrong, tuple(one.order_id for one in older)))
            return
        last = listing.last_ticks
        if order.percent and self._setup.fills.sized_at == "order":
            order = order._replace(qty=self._share(order, last), percent=Fraction(0))
            wrong = wrong or ("" if order.qty else "its share of the equity is less than one lot")
        qty = self._estimated(order, last)
        found = None if wrong else self._refusal(order, qty, event)
        if order.reduces and not self._setup.simulated and not wrong and found is None:
            if exits := [one for one in ledger.orders if one.parent and one.reduces and one.sym == order.sym]:
                for one in exits:  # a broker holds the units for them, and would refuse to sell these twice
                    self._withdraw(one, State.CANCELLED, f"{order.order_id} closes the position", event)
                if not any(one.reduces and one.sym == order.sym for one, *_ in self._waiting):  # else one waits already
                    self._waiting.append((order, wrong, tuple(one.order_id for one in exits)))
                return
            wrong = "" if qty else "the position is closed by now"
        ledger.add(order, event)
        if found is not None:
            wrong = found[1].sentence
            self.guard.tells(found[1].rule, "refused", event, order.order_id, found[1], of=found[0])
        if wrong:
            ledger.become(order.order_id, State.REFUSED, event, wrong)
            return
        self._send(order, event, qty)

    def _refusal(self, order: Order, qty: int, event: Event) -> tuple[str, Breach] | None:
        listing, now = self._listings[order.sym], event.known_at
        session = in_session(listing.sessions, event.market_time)
        paced_at = available(event) if self._setup.simulated else now
        market = Market(listing.instrument, listing.last_ticks, listing.last_at, now, paced_at, session)
        ahead = ahead_of(order, self._ledger.orders, self._listings, self._left)
        return self.guard.refusal(order, qty, market, listing.position.lots, ahead)

    def _estimated(self, order: Order, last: int) -> int:
        """Return the lots that an order will have, as far as that is known before its fill."""
        if order.reverses or order.reduces or order.percent:
            return self.sized(order, order.limit_price or order.stop_price or last)
        return order.qty

    def _left(self, order: Order) -> int:
        """Return the lots that an open order may still be filled with."""
        if self._setup.simulated and not order.filled:
            return self._estimated(order, self._listings[order.sym].last_ticks)
        return order.open_qty

    def _send(self, order: Order, event: Event, qty: int | None = None) -> None:
        ledger = self._ledger
        if self._setup.simulated:
            ledger.become(order.order_id, State.SUBMITTING, event)
            order = ledger.become(order.order_id, State.ACCEPTED, event)
            listing = self._listings[order.sym]
            listing.book.place(order, listing.last_ticks)
        else:  # a broker knows nothing of sizing at the fill
            sent = ledger.become(order.order_id, State.SUBMITTING, event, qty=qty)
            ledger.out.append(Place(sent))

    def _withdraw(self, order: Order, state: State, reason: str, event: Event) -> None:
        """Take an order out of the simulated exchange, or ask the broker to cancel it."""
        ledger = self._ledger
        if self._setup.simulated:
            if self._listings[order.sym].book.cancel(order.order_id):
                if state is State.CANCELLED:
                    ledger.become(order.order_id, State.CANCELLING, event, reason)
                ledger.become(order.order_id, state, event, reason)
        elif order.state is not State.CANCELLING:
            ledger.out.append(Cancel(ledger.become(order.order_id, State.CANCELLING, event, reason)))

    def _halted(self, breach: Breach, event: Event, of: str) -> None:
        """Say that the account or the strategy is halted, and why."""
        self.guard.tells(breach.rule, "halted", event, "", breach, of=of)
        self._put_down(event, breach.sentence)

    def _put_down(self, event: Event, why: str) -> None:
        """Cancel what is open, and close the positions if the limits say so."""
        self.cancel(event, None, why)
        if self.guard.flattens:
            self._flatten(event)

    def _by_hand(self, command: Command, told: dict[str, Any]) -> None:
        """Take an order by hand. Raises SettingsError for one that cannot be said in a row of `orders`."""
        terms = terms_of(told)
        side, listing = terms.pop("side"), self._listings.get(command.sym)
        qty, why = terms.pop("qty", None), self._listings.refused.get(command.sym, "")
        if listing is None:
            why = why or f"the plant has no bar, trade or quote of {command.sym}, so its price is not known"
        elif qty is None:
            qty = _units(listing, terms["notional"])
        terms.pop("notional", None)
        asked = self.desk.order(command, command.sym, side, 0 if qty is None else qty, **terms)
        if listing is not None:
            self._place(asked.order, asked.wrong, command)
            return
        self._ledger.add(asked.order, command)
        self._ledger.become(asked.order.order_id, State.REFUSED, command, why)

    def _flatten(self, event: Event, only: str | None = None) -> None:
        """Close positions, at a broker once it let go of the orders, which were cancelled: it holds units for them."""
        for sym, listing in self._listings.items():
            if only not in (None, sym):
                continue
            older = tuple(order.order_id for order in self._ledger.orders if order.sym == sym)
            if older and not self._setup.simulated:
                self._flattening[sym] = older
            elif listing.position.lots:
                self._close_out(sym, event)

    def _close_out(self, sym: str, event: Event) -> None:
        if (listing := self._listings.get(sym)) is not None and (lots := listing.position.lots):
            side, units = ("sell" if lots > 0 else "buy"), listing.instrument.qty(abs(lots))
            asked = self.desk.order(event, sym, side, units, tag="flatten", reduces=True)
            self._ledger.add(asked.order, event)
            self._send(asked.order, event)


def _units(listing: Listing, notional: float) -> float:
    """Return the units, rounded down to the lot, that some money buys at the last price; 0 where there is none."""
    worth = listing.last_ticks * listing.instrument.unit
    return listing.instrument.qty(int(money_of(notional) / worth)) if worth > 0 and notional > 0 else 0.0
