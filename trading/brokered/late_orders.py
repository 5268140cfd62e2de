"""What a broker says of orders whose run is over: the standing run of the account makes the rows that follow.

The rows of `orders`, `fills` and `round_trips` are in the name of the order's run and strategy. Who tells what the
strategy holds by then: trading.accounts.late_fills. A report that came while the run was under way, and that it had no
time to take before its end, is late as well: what it took is in the rows of its orders, and in `last_seq` of its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from plant.errors import PlantError
from plant.state.newest import Row
from plant.state.runs import ENDED
from trading.account import Account, RoundTrip
from trading.accounts.late_fills import fill_of
from trading.accounts.neighbours import account_of_run, symbols_of_run, told_by
from trading.accounts.shared import SharedAccount, held_of, lots_of
from trading.brokered.books import order_of
from trading.brokered.report_rows import report_of
from trading.desk.ledger import ADOPTED, Ledger, TableRow
from trading.desk.rows import order_row, position_row
from trading.events import Neighbour, OrderReport, neighbour_of
from trading.instruments import Instrument, exact, money_of
from trading.orders import Order, transition
from trading.run import RunSetup

Rows = list[tuple[str, Row]]


class Known(NamedTuple):
    """What the plant has of an order as of a seq.

    order   its newest row
    fills   of its strategy and symbol, in their order
    tag     of the order by which the strategy's open trip began
    trips   the highest number of the trips of its run
    """

    order: Row
    instrument: Instrument
    fills: Sequence[Row] = ()
    tag: str = ""
    trips: int = 0


class LateOrders:
    """Takes rows of one account, and returns (table, row) each of those to be made.

    setup    of the standing run
    known    tells of an order as of a row of the journal, None: it has none; may raise Unavailable, the row is then
             to be handed in again
    shared   the account as the standing run sees it
    """

    def __init__(
        self,
        setup: RunSetup,
        known: Callable[[str, Row], Known | None],
        shared: SharedAccount,
    ) -> None:
        self._setup, self._known, self._shared = setup, known, shared
        self._runs: dict[str, Row] = {}
        self._waiting: dict[str, list[Row]] = {}  # reports of orders of runs that are under way
        self._orders: dict[str, Order] = {}
        self._found: dict[str, Known] = {}
        self._fills: dict[tuple[str, str], list[Row]] = {}  # those made here, and the trips
        self._trips: dict[str, int] = {}
        self._left: dict[tuple[str, str], list[Row]] = {}  # those that a run is to take over
        self._seqs: dict[str, int] = {}  # of these, as they came back

    def remember(self, run: Row) -> None:
        """Take the newest row of `runs` of a run of the account, of before this one began."""
        self._runs[run["run"]] = run

    def over(self, run: str) -> bool:
        """Return whether a run is over, or was one of before under the name of this one."""
        return run == self._setup.run or (run in self._runs and self._runs[run]["state"] in ENDED)

    def made(self, table: str, row: Row) -> None:
        """Take a row of `orders` or `fills` of another run, some of which are made here."""
        if table == "fills":
            if any(row["fill_id"] == left["fill_id"] for left in self._left.get((row["strategy"], row["sym"]), ())):
                self._seqs[row["fill_id"]] = row["seq"]
        elif waiting := self._waiting.get(row["run"]):  # what was told before is in it
            mine, made_at = row["order_id"], row["made_at"] or 0
            self._waiting[row["run"]] = [r for r in waiting if r["order_id"] != mine or r["received"] >= made_at]

    def report(self, row: Row) -> Rows:
        """Take a row of `broker_reports` of an order that is not of this run. Raises Unavailable, see the class."""
        run = str(row["order_id"]).removeprefix("tp-").rsplit("-", 2)[0]
        if not self.over(run):
            self._waiting.setdefault(run, []).append(row)
            return []
        known = self._known(row["order_id"], row)
        return [] if known is None else self._booked(row, known, row)

    def run(self, row: Row) -> Rows:
        """Take a row of `runs` of another run. Raises Unavailable, see the class."""
        name = row["run"]
        if account_of_run(row) != self._setup.account:
            return []
        if row["state"] not in ENDED:
            self._runs[name] = row
            return []
        late = [each for each in self._waiting.get(name, ()) if each["seq"] > row["last_seq"]]
        known = {each["order_id"]: self._known(each["order_id"], row) for each in late}
        mine = [key for key in self._left if self._holder(*key) == name]
        self._runs[name] = row
        self._waiting.pop(name, None)
        made = self._not_taken(row, mine)
        for each in late:
            if (found := known[each["order_id"]]) is not None:
                made += self._booked(each, found, row)
        return made

    def _holder(self, strategy: str, sym: str) -> str:
        """Return the run that tells what a strategy holds of a symbol, "" for none."""
        mine = (r for r in self._runs.values() if r["sym"] == strategy and r["state"] not in ENDED)
        begun = sorted((r for r in mine if sym in symbols_of_run(r)), key=lambda r: r["first_seq"])
        return str(begun[0]["run"]) if begun else ""

    def _booked(self, told: Row, known: Known, cause: Row) -> Rows:
        """Return what follows from a report of an order whose run is over; `cause`: the row at hand."""
        report = report_of(told)._replace(known_at=cause["received"])
        order = self._orders.get(told["order_id"]) or order_of(known.order, known.instrument)
        step = transition(order, report)
        if step.order is None:
            return []
        self._orders[order.order_id], self._found[order.order_id] = step.order, known
        made = [("orders", order_row(report.known_at, step.order, known.instrument))]
        if step.fill is None:
            return made
        key = (order.strategy, order.sym)
        ledger, wrong = self._ledger(step.order, known, report)
        ledger.book(step.order, step.fill, report)
        (fill,) = _of(ledger, "fills")
        self._fills.setdefault(key, []).append(fill)
        made.append(("fills", fill))
        signed = fill["qty"] * order.side.sign
        holder = self._holder(*key)
        if holder:
            self._left.setdefault(key, []).append(fill)
        elif order.run != self._setup.run and not wrong:
            made += self._told(ledger, order, report)
        text = f"{signed:+g} {order.sym} were filled after run {order.run} was over, and are booked to its strategy"
        text += f"; run {holder} takes them over" if holder else f"; but what it holds is not: {wrong}" if wrong else ""
        return [*made, ("risk_events", self._event(report, order, signed, text))]

    def _ledger(
        self, order: Order, known: Known, event: OrderReport | Neighbour, left: Sequence[Row] = ()
    ) -> tuple[Ledger, str]:
        """Return the books of the strategy in the order's symbol, as of now, and why they are not known, "": they are.

        The trip that is open is made of the strategy's fills since it was flat; if these do not tell it, it is one that
        was taken over, as a run has it. `left`: fills that are not in the books.
        """
        strategy, sym, instrument = order.strategy, order.sym, known.instrument
        setup = replace(self._setup, run=order.run, strategy=strategy, symbols=(sym,), instruments={sym: instrument})
        ledger = Ledger(setup, Account(setup.account, 0))
        ledger.trips = self._trips.get(order.run, known.trips)
        try:
            ledger.adopt(sym, self._shared.held(strategy, instrument), event)
        except PlantError as error:
            return ledger, str(error)
        fills = {row["fill_id"]: row for row in (*known.fills, *self._fills.get((strategy, sym), ()))}
        for row in left:
            fills.pop(row["fill_id"], None)
        position, (trip, began) = ledger.position(sym), trip_of(list(fills.values()), instrument)
        if trip is not None and position.lots and trip.qty - trip.out == abs(position.lots):
            trip.number, position.trip = ledger.trips, trip
            trip.entry_tag = self._orders[began].tag if began in self._orders else known.tag
        return ledger, ""

    def _told(self, ledger: Ledger, order: Order, event: OrderReport | Neighbour) -> Rows:
        """Return the trips that are over and the row of what a strategy holds, for want of a run that tells it."""
        trips, position = _of(ledger, "round_trips"), ledger.positions[order.sym]
        self._trips[order.run] = max([ledger.trips - (position.trip is not None), *(row["number"] for row in trips)])
        row = position_row(event.known_at, position, self._setup.account, self._setup.run, event.market_time)
        self._shared.told(order.strategy, order.sym, held_of(row))
        return [*(("round_trips", each) for each in trips), ("positions", row)]

    def _not_taken(self, ended: Row, keys: Sequence[tuple[str, str]]) -> Rows:
        """Return what is held (of strategies and symbols) with fills that a run was to take over and did not."""
        made: Rows = []
        for strategy, sym in keys:
            far = ended["last_seq"]
            left = [r for r in self._left[strategy, sym] if self._seqs.get(r["fill_id"], far + 1) > far]
            if self._holder(strategy, sym):  # the next one takes them over with what the one before held
                self._left[strategy, sym] = left
                continue
            del self._left[strategy, sym]
            if not left:
                continue
            event = neighbour_of("runs", {**ended, "sym": sym}, left[-1]["market_time"] or 0)
            order, known = self._orders[name := left[-1]["order_id"]], self._found[name]
            ledger, wrong = self._ledger(order, known, event, left)
            if not wrong:
                for row in left:
                    ledger.inherit(fill_of(row, known.instrument, event), event)
                made += self._told(ledger, order, event)
        return made

    def _event(self, report: OrderReport, order: Order, signed: float, text: str) -> Row:
        return {
            "time": report.known_at,
            "sym": order.sym,
            "account": self._setup.account,
            "strategy": order.strategy,
            "rule": "late fill",
            "bound": float("nan"),
            "value": signed,
            "action": ADOPTED,
            "order_id": order.order_id,
            "detail": f"{text} {told_by(self._setup.run)}",
        }


def _of(ledger: Ledger, table: str) -> list[Row]:
    return [each.row for each in ledger.out if isinstance(each, TableRow) and each.table == table]


def trip_of(fills: Sequence[Row], instrument: Instrument) -> tuple[RoundTrip | None, str]:
    """Return the trip that is open after fills of a strategy in a symbol, and the order by which it began.

    None: nothing is held after them, or they do not tell how it began.
    """
    trip, began = None, ""
    for row in fills:
        sign = 1 if row["side"] == "buy" else -1
        qty, after = instrument.lots(row["qty"]), lots_of(instrument, row["position_after"])
        before, price = after - sign * qty, exact(row["price"]) / exact(instrument.tick)
        closed = min(qty, abs(before)) if before * sign < 0 else 0
        opened, fee = qty - closed, money_of(row["commission"])
        if not after:
            trip = None
            continue
        if not before or before * after < 0:
            fee -= fee * closed // qty
            trip, began = RoundTrip(0, row["sym"], after > 0, row["market_time"] or 0, ""), row["order_id"]
            closed = 0
        if trip is None:
            continue
        trip.commission += fee
        trip.entry, trip.qty = trip.entry + opened * price, trip.qty + opened
        trip.value += abs(instrument.value(opened, price))
        trip.exit, trip.out = trip.exit + closed * price, trip.out + closed
        trip.realised += money_of(row["realised"]) if closed else 0
    return trip, began
