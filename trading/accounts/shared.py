"""An account that several runs share, as one of them sees it: its own books, and what the others told of theirs.

What others hold comes as rows of `positions`, each of which has all of a strategy in a symbol, so the newest counts.
The sums are whole numbers, and the identities of trading.account hold for them as well:
cash = start + deposits + the sum over all of realised - commission - cost; equity = cash + the positions' values.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from plant.state.orders import FINAL
from trading.account import Account
from trading.events import Side
from trading.instruments import Instrument, money_of


class Held(NamedTuple):
    """What one strategy has in one symbol, money in 1e-8 of the currency.

    qty           units, negative if short
    price         at which it is valued, quote currency
    market_time   when that was
    """

    qty: float = 0.0
    price: float = 0.0
    market_time: int = 0
    cost: int = 0
    value: int = 0
    realised: int = 0
    commission: int = 0

    @property
    def cash(self) -> int:
        """What it has brought in, less than 0: taken out."""
        return self.realised - self.commission - self.cost


NOTHING = Held()


def held_of(row: Mapping[str, Any]) -> Held:
    """Return what a row of `positions` tells. Money beyond 2**53 of 1e-8 is as near as its float."""
    money = (money_of(row[name]) for name in ("cost", "value", "realised", "commission"))
    return Held(row["qty"], row["price"], row["market_time"] or 0, *money)


class SharedAccount:
    """The account of one run and of others: `own` are the run's books.

    peak     the highest equity that was looked at, by this run or before it began
    """

    def __init__(self, own: Account) -> None:
        self.own, self.name = own, own.name
        self._held: dict[tuple[str, str], Held] = {}
        self._cash = self._value = self._cost = self._realised = self._commission = 0
        self._orders: dict[str, Mapping[str, Any]] = {}
        self._peak: int | None = None  # None: there is nobody else, and it is that of `own`

    @property
    def cash(self) -> int:
        """Of all runs, as is all that follows."""
        return self.own.cash + self._cash

    @property
    def value(self) -> int:
        """The positions at their marks."""
        return self.own.value + self._value

    @property
    def equity(self) -> int:
        """Cash and the positions at their marks."""
        return self.own.cash + self._cash + self.own.value + self._value

    @property
    def realised(self) -> int:
        """Before commission."""
        return self.own.realised + self._realised

    @property
    def commission(self) -> int:
        """Paid so far."""
        return self.own.commission + self._commission

    @property
    def unrealised(self) -> int:
        """What closing all at their marks would realise."""
        return self.own.unrealised + self._value - self._cost

    @property
    def gross(self) -> int:
        """The sum of the positions' absolute values."""
        return self.own.gross + sum(abs(held.value) for held in self._held.values())

    @property
    def peak(self) -> int:
        """See the class."""
        return self.own.peak if self._peak is None else self._peak

    @property
    def drawdown(self) -> float:
        """equity / peak - 1, 0 or less."""
        return (self.equity - self.peak) / self.peak if self.peak > 0 else 0.0

    @property
    def open_orders(self) -> int:
        """How many orders of others are open."""
        return len(self._orders)

    def lots(self, instrument: Instrument) -> int:
        """Return the signed lots of a symbol over all strategies."""
        others = sum(lots_of(instrument, held.qty) for (_, sym), held in self._held.items() if sym == instrument.sym)
        return self.own.lots(instrument.sym) + others

    def ahead(self, instrument: Instrument, side: Side) -> int:
        """Return the lots that open orders of others may still buy, or sell; without those that a fill set free."""
        lots, of = instrument.lots, (instrument.sym, side)
        entries = (row for row in self._orders.values() if row["state"] != "cancelling" and not row["parent"])
        return sum(max(lots(row["qty"]) - lots(row["filled"]), 0) for row in entries if (row["sym"], row["side"]) == of)

    def told(self, strategy: str, sym: str, held: Held) -> None:
        """Take what another run holds of a symbol, in place of what was known of that."""
        before = self._held.get((strategy, sym), NOTHING)
        self._held[strategy, sym] = held
        self._cash += held.cash - before.cash
        self._value += held.value - before.value
        self._cost += held.cost - before.cost
        self._realised += held.realised - before.realised
        self._commission += held.commission - before.commission
        self.passed(self.equity)

    def released(self, strategy: str, sym: str) -> Held | None:
        """Return what is held by others under a name, and hold it no more: it becomes the run's own. None: nothing."""
        found = self._held.get((strategy, sym))
        if found is not None:
            peak = self.peak
            self.told(strategy, sym, NOTHING)
            self._peak = peak  # what is between the books of two is no mark
            del self._held[strategy, sym]
        return found

    def held(self, strategy: str, instrument: Instrument) -> Held:
        """Return what a strategy holds of a symbol, by its books or by what others told."""
        own = self.own.positions.get((strategy, instrument.sym))
        if own is None:
            return self._held.get((strategy, instrument.sym), NOTHING)
        qty, price = instrument.qty(own.lots), instrument.price(own.mark)
        return Held(qty, price, 0, own.cost, own.value, own.realised, own.commission)

    def symbols(self, strategy: str) -> list[str]:
        """Return the symbols of which others hold or held something under a strategy's name."""
        return [sym for name, sym in self._held if name == strategy]

    def order(self, row: Mapping[str, Any]) -> None:
        """Take a row of `orders` of another run."""
        if row["state"] in FINAL:
            self._orders.pop(row["order_id"], None)
        else:
            self._orders[row["order_id"]] = row

    def ended(self, run: str) -> None:
        """Note that another run is over: it has no orders any more."""
        self._orders = {name: row for name, row in self._orders.items() if row["run"] != run}

    def deposit(self, money: int) -> None:
        """Take cash into the account, or out if it is less than 0; the peak goes with it."""
        self.own.deposit(money)
        if self._peak is not None:
            self._peak += money

    def passed(self, equity: int) -> None:
        """Note that the account had an equity, now or before the run began."""
        self._peak = max(self.peak, equity)

    def look(self) -> None:
        """Take the equity into the peak, where there are others: that of one's own books is not theirs."""
        if self._peak is not None:
            self._peak = max(self._peak, self.equity)


def lots_of(instrument: Instrument, qty: float) -> int:
    """Return signed units in lots."""
    lots = instrument.lots(abs(qty))
    return lots if qty >= 0 else -lots
