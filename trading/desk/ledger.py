"""The books of one run: its orders, positions and round trips, and the rows that tell of every change.

A report goes in; the order that follows, the fill that is booked and the trip that ends are rows in `out`, in order.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from plant.errors import PlantError
from trading.account import Account, Booking, Position, RoundTrip
from trading.accounts.shared import Held, SharedAccount, lots_of
from trading.desk.rows import Row, equity_row, fill_row, fill_view, order_row, order_view, position_row, round_trip_row
from trading.events import Event, Fill, OrderReport
from trading.instruments import Instrument
from trading.orders import Order, Orders, State
from trading.run import RunSetup


class TableRow(NamedTuple):
    """An action: a row to be published in a table."""

    table: str
    row: Row


class Place(NamedTuple):
    """An action of a live run: send the order to the broker, once its row is in the journal."""

    order: Order


class Cancel(NamedTuple):
    """An action of a live run: ask the broker to cancel the order."""

    order: Order


Action = TableRow | Place | Cancel


ADOPTED = "adopted"
"""Tag of the entry of a trip that another run entered, and the action of the row of `risk_events` that tells so."""


class Booked(NamedTuple):
    """What came of a report: the order as it is now, the fill and what it did; None where there is none."""

    order: Order
    fill: Fill | None = None
    booking: Booking | None = None
    turned: bool = False


class Ledger:
    """Orders, positions and round trips of one run.

    out     the actions of the event at hand
    sampled the event at which equity was a row last
    told    what the strategy has not heard yet: its callback's name and argument
    positions   by symbol, those that are or were held and those that may be
    account     the run's own books; `shared` the account that they are part of
    """

    def __init__(self, setup: RunSetup, account: Account) -> None:
        self.setup, self.account, self.shared = setup, account, SharedAccount(account)
        self.orders = Orders()
        self.positions: dict[str, Position] = {}
        for sym in setup.symbols:
            self.position(sym)
        self.out: list[Action] = []
        self.sampled: Event | None = None
        self.told: list[tuple[str, Any]] = []
        self.hears = {
            name: getattr(setup.strategy_class, name, None) is not getattr(_base(setup.strategy_class), name, None)
            for name in ("on_fill", "on_order")
        }
        self.trips = self.fills = self._stamped = 0
        self._made = setup.mode in ("backtest", "replay")

    def position(self, sym: str) -> Position:
        """Return the position in a symbol, made when first asked for."""
        found = self.positions.get(sym)
        if found is None:
            found = self.positions[sym] = self.account.position(self.setup.strategy, self.setup.instruments[sym])
        return found

    def stamp(self, event: Event) -> int:
        """Return the `time` of the next row: made by counting in a backtest, else when the plant learned the cause."""
        if not self._made:
            return event.known_at
        self._stamped += 1
        return self.setup.time + self._stamped

    def row(self, table: str, event: Event, **columns: Any) -> None:
        """Put out a row whose columns are given, `time` made here."""
        self.out.append(TableRow(table, {"time": self.stamp(event), **columns}))

    def add(self, order: Order, event: Event) -> None:
        """Take a new order. Raises PlantError for an id that was used."""
        self.orders.add(order)
        self._tell(order, event)

    def become(self, order_id: str, state: State, event: Event, reason: str = "", qty: int | None = None) -> Order:
        """Bring an order of ours into a state, and return it."""
        report = OrderReport(
            event.sym,
            event.market_time,
            event.known_at,
            event.seq,
            event.seq_row,
            order_id,
            state,
            reason=reason,
            qty=qty,
        )
        return self.report(report, event).order

    def report(self, report: OrderReport, event: Event) -> Booked:
        """Book a report of an order. Raises PlantError if there is none of its id."""
        step = self.orders.take(report)
        order = step.order or self.orders.get(report.order_id)
        assert order is not None
        if step.order is None:
            return Booked(order)
        self._tell(order, event)
        if step.fill is None:
            return Booked(order)
        return self.book(order, step.fill, event)

    def sample(self, event: Event, market_time: int, positions: bool = True) -> None:
        """Put out rows of equity and of the positions that are or were held."""
        account, run = self.account, self.setup.run
        self.sampled = event
        self.shared.look()
        self.out.append(TableRow("equity", equity_row(self.stamp(event), self.shared, run, market_time)))
        for position in self.positions.values() if positions else ():
            if position.moved and not (self.setup.standing and position.flat_told):
                position.flat_told = not position.lots
                row = position_row(self.stamp(event), position, account.name, run, market_time)
                self.out.append(TableRow("positions", row))

    def adopt(self, sym: str, held: Held, event: Event) -> None:
        """Take over what the strategy held, with a trip as though it had been entered at its average price."""
        position, instrument = self.position(sym), self.setup.instruments[sym]
        lots, mark = lots_of(instrument, held.qty), instrument.ticks(held.price)
        if instrument.qty(lots) != held.qty:
            raise PlantError(f"{held.qty:g} {sym} are no whole lots of {float(instrument.lot):g}: close them by hand")
        self.account.adopt(position, lots, mark, held.cost, held.realised, held.commission)
        if not lots:
            return
        self.trips += 1
        began = position.bars
        trip = RoundTrip(self.trips, sym, lots > 0, held.market_time, ADOPTED, began=began, told=began)
        paid = Fraction(abs(held.cost)) / instrument.unit
        trip.entry = int(paid) if paid.denominator == 1 else paid
        trip.qty, trip.value, position.trip = abs(lots), abs(held.cost), trip

    def inherit(self, fill: Fill, event: Event) -> Booking:
        """Book a fill of another run's order, of which that order's rows tell."""
        position = self.position(fill.sym)
        if position.trip is not None:
            position.trip.folded(position)
        booking = self.account.book(position, fill)
        self._travel(position, ADOPTED, fill, booking, event)
        return booking

    def open_trip(self, sym: str, event: Event, market_time: int) -> None:
        """Put out the trip of a symbol that is still open, as though it were closed at the last price."""
        position = self.positions[sym]
        trip = position.trip
        if trip is None:
            return
        trip.folded(position)
        shown = replace(trip, exit_at=market_time, exit_tag="Open", bars=position.bars - trip.began)
        shown.realised += position.unrealised
        shown.exit += abs(position.lots) * position.mark
        shown.out += abs(position.lots)
        self._trip_row(shown, position.instrument, event)

    def _tell(self, order: Order, event: Event) -> None:
        instrument = self.setup.instruments[order.sym]
        self.out.append(TableRow("orders", order_row(self.stamp(event), order, instrument)))
        if self.hears["on_order"]:
            self.told.append(("on_order", order_view(order, instrument)))

    def book(self, order: Order, fill: Fill, event: Event) -> Booked:
        """Book a fill of an order, which is as it is with it."""
        position = self.positions[fill.sym]
        if position.trip is not None:
            position.trip.folded(position)
        before = position.lots
        booking = self.account.book(position, fill)
        self.fills += 1
        instrument = position.instrument
        told = self.stamp(event), fill, order, booking.realised, position.lots, instrument
        row = fill_row(*told, placed=self.setup.simulated and self.setup.shared)
        self.out.append(TableRow("fills", row))
        if self.hears["on_fill"]:
            view = fill_view(fill, order, booking.realised, position.lots, instrument)
            self.told.append(("on_fill", view))
        self._travel(position, order.tag, fill, booking, event)
        return Booked(order, fill, booking, turned=bool(before) and before * position.lots <= 0)

    def _travel(self, position: Position, tag: str, fill: Fill, booking: Booking, event: Event) -> None:
        """Bring the trip on: what the fill closed belongs to the one that is open, the rest to it or to a new one."""
        trip, instrument = position.trip, position.instrument
        fee = fill.commission
        if booking.closed and trip is not None:
            fee = fill.commission * booking.closed // fill.qty
            trip.commission += fee
            trip.realised += booking.realised
            trip.exit += booking.closed * fill.price
            trip.out += booking.closed
            if booking.opened or not position.lots:
                trip.exit_at, trip.exit_tag, trip.closed = fill.market_time, tag, True
                trip.bars = position.bars - trip.began
                trip.best, trip.worst = max(trip.best, trip.realised), min(trip.worst, trip.realised)
                self._trip_row(trip, instrument, event)
                position.trip = trip = None
            fee = fill.commission - fee
        if booking.opened:
            if trip is None:
                self.trips += 1
                trip = RoundTrip(
                    self.trips,
                    fill.sym,
                    position.lots > 0,
                    fill.market_time,
                    tag,
                    began=position.bars,
                    told=position.bars,
                )
                position.trip = trip
            trip.commission += fee
            trip.entry += booking.opened * fill.price
            trip.qty += booking.opened
            trip.value += abs(instrument.value(booking.opened, fill.price))

    def _trip_row(self, trip: RoundTrip, instrument: Instrument, event: Event) -> None:
        setup = self.setup
        row = round_trip_row(self.stamp(event), trip, setup.run, setup.strategy, instrument)
        self.out.append(TableRow("round_trips", row))


def _base(cls: type) -> type:
    """Return the last class before object: the one that callbacks are compared with."""
    return cls.__mro__[-2]
