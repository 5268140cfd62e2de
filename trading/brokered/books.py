"""What the journal has of an account with a broker: its orders and the lots that its fills made, folded from rows.

Rows come as a run of ours makes them and again as they come back through the plant, and after a restart once more:
what is known changes nothing.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction

from plant.state.newest import Row
from trading.brokered.report_rows import finding_of
from trading.brokers.desk.reconciliation import What
from trading.events import Side
from trading.instruments import Instrument, exact, money_of
from trading.orders import FINAL, Kind, Order, State

_MOVES = (What.POSITION, What.FEE, What.CASH)


def order_of(row: Row, instrument: Instrument) -> Order:
    """Return a row of `orders` as an order in lots and ticks; `paid` is what its average says, and no more exact."""

    def ticks(name: str) -> int | None:
        return None if row[name] != row[name] else instrument.ticks(row[name])

    filled = instrument.lots(row["filled"])
    return Order(
        order_id=row["order_id"],
        sym=row["sym"],
        run=row["run"],
        strategy=row["strategy"],
        account=row["account"],
        side=Side(row["side"]),
        kind=Kind(row["kind"]),
        qty=instrument.lots(row["qty"]),
        n=row["n"],
        client_order_id=row["client_order_id"],
        limit_price=ticks("limit_price"),
        stop_price=ticks("stop_price"),
        trail=ticks("trail"),
        time_in_force=row["time_in_force"],
        parent=row["parent"],
        oco=row["oco"],
        tag=row["tag"],
        filled=filled,
        paid=0 if not filled else Fraction(instrument.ticks(row["average"])) * filled,
        state=State(row["state"]),
        reason=row["reason"],
        broker_id=row["broker_id"],
        market_time=row["market_time"] or 0,
        made_at=row["made_at"] or 0,
        cause_seq=row["cause_seq"],
    )


class AccountBooks:
    """The `Books` of one account, trading.brokers.desk.desk.

    instrument   gives the tick and lot that a symbol is traded with
    capital      what the account began with, 1e-8 of its currency
    since        ns: of the newest fill, 0 for none
    """

    def __init__(self, instrument: Callable[[str], Instrument], capital: int) -> None:
        self._instrument, self._cash = instrument, capital
        self._orders: dict[str, Row] = {}
        self._open: dict[str, None] = {}
        self._exits: dict[str, dict[str, str]] = {}
        self._fills: set[str] = set()
        self._lots: dict[str, int] = {}
        self._moved: set[tuple[int, int]] = set()
        self.since = 0

    def take(self, table: str, row: Row) -> None:
        """Take a row of the account, of `orders`, `fills` or `broker_reports`."""
        if table == "orders":
            before = self._orders.get(row["order_id"])
            if before is None or row["n"] > before["n"]:
                self._orders[row["order_id"]] = row
                if row["parent"]:
                    self._exits.setdefault(row["oco"], {})[row["kind"]] = row["order_id"]
                if row["state"] in FINAL:
                    self._open.pop(row["order_id"], None)
                else:
                    self._open[row["order_id"]] = None
        elif table == "fills":
            self._filled(row)
        elif row["kind"] in _MOVES and (place := (row["seq"], row["seq_row"])) not in self._moved:
            self._moved.add(place)
            found = finding_of(row)
            if found.what is What.CASH:
                self._cash += int(found.theirs - found.ours)
            else:
                self._add(row["sym"], int(found.theirs - found.ours))

    def order(self, order_id: str) -> Order | None:
        """Return an order of the account, also one that is done."""
        row = self._orders.get(order_id)
        return None if row is None else self._order(row)

    def orders(self) -> list[Order]:
        """Return all orders, in the order in which they were made."""
        return [self._order(row) for row in self._orders.values()]

    def open_orders(self) -> list[Row]:
        """Return the newest rows of the orders that are not done."""
        return [self._orders[name] for name in self._open]

    def positions(self) -> Mapping[str, int]:
        """Return lots by symbol, of all strategies and `unallocated` together."""
        return {sym: lots for sym, lots in self._lots.items() if lots}

    def cash(self) -> int | None:
        """Return what is left of the capital after all fills and their commissions, and what came and went besides."""
        return self._cash

    def _order(self, row: Row) -> Order:
        """Return an order, and whether it is one of a pair: a stop and a target that one fill of an entry set free."""
        exits, mine = self._exits.get(row["oco"], {}), row["order_id"]
        stop, target = exits.get(Kind.STOP, ""), exits.get(Kind.LIMIT, "")
        other = target if mine == stop else stop if mine == target else ""
        pair = other if stop == row["oco"] else ""  # a group of exits has the name of its first one
        return order_of(row, self._instrument(row["sym"]))._replace(pair=pair)

    def _filled(self, row: Row) -> None:
        if row["fill_id"] in self._fills:
            return
        self._fills.add(row["fill_id"])
        self.since = max(self.since, row["market_time"] or 0)
        instrument = self._instrument(row["sym"])
        lots = instrument.lots(row["qty"]) * Side(row["side"]).sign
        self._add(row["sym"], lots)
        self._cash -= instrument.value(lots, exact(row["price"]) / exact(instrument.tick)) + money_of(row["commission"])

    def _add(self, sym: str, lots: int) -> None:
        self._lots[sym] = self._lots.get(sym, 0) + lots
