"""Money and positions, in whole numbers: lots, ticks and 1e-8 of the currency. Fills go in, nothing else changes them.

After every fill and every mark, as `==` on ints:

1. cash + the positions' values = equity
2. the sum of signed fills = position
3. equity = start + deposits + realised + unrealised - commission
4. a part that is closed takes its share of the cost, floored; the last takes the rest, so that what is realised between
   flat and flat is the cash that flowed
5. a reversal is a close and an open at one price, its one commission split by quantity
6. the sum of round trips' profit = realised - commission
"""

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from trading.events import Fill
from trading.instruments import Instrument


class Booking(NamedTuple):
    """What a fill did to a position: what it realised, before commission; and the lots it closed and opened."""

    realised: int
    closed: int
    opened: int


class Position:
    """The position of one strategy in one symbol.

    lots         signed
    scale        money of one lot for one tick, 0 where that is no whole number
    bars         closed bars of the symbol so far; the engine counts
    highs, lows  of all bars of a backtest, from which a trip takes what it saw; None: the engine tells it bar by bar
    cost         what the open lots were bought for; of a short less than 0
    mark         the last price, ticks; value: lots at it
    realised, commission, traded   sums over all fills; traded is the value bought and sold
    moved        whether it is held or was, so that rows tell of it; flat_told: one has told that nothing is held
    """

    __slots__ = (
        "bars",
        "commission",
        "cost",
        "flat_told",
        "highs",
        "instrument",
        "lots",
        "lows",
        "mark",
        "moved",
        "realised",
        "scale",
        "strategy",
        "traded",
        "trip",
        "value",
    )

    def __init__(self, instrument: Instrument, strategy: str = "") -> None:
        self.instrument, self.strategy = instrument, strategy
        self.bars = self.lots = self.cost = self.mark = self.value = self.realised = self.commission = self.traded = 0
        self.trip: RoundTrip | None = None
        self.moved = self.flat_told = False
        self.highs: np.ndarray | None = None
        self.lows: np.ndarray | None = None
        self.scale = int(instrument.unit) if instrument.unit.denominator == 1 else 0

    @property
    def unrealised(self) -> int:
        """What closing at the mark would realise."""
        return self.value - self.cost

    @property
    def average(self) -> float:
        """The price that the open lots cost on average, quote currency; NaN when flat."""
        if not self.lots:
            return float("nan")
        return self.instrument.cost_price(self.cost, self.lots)

    def book(self, fill: Fill) -> tuple[Booking, int]:
        """Take a fill; return what it did, and the cash that flowed in, before commission (less than 0: out)."""
        sign = fill.side.sign
        signed, before = sign * fill.qty, self.lots
        paid = self.instrument.value(signed, fill.price)
        closed = min(fill.qty, abs(before)) if before * sign < 0 else 0
        opened = fill.qty - closed
        realised = 0
        if closed:
            flow = paid if not opened else self.instrument.value(sign * closed, fill.price)
            share = self.cost if closed == abs(before) else self.cost * closed // abs(before)
            realised = -flow - share
            self.cost -= share
            self.cost += paid - flow
        else:
            self.cost += paid
        self.lots, self.moved = before + signed, True
        self.realised += realised
        self.commission += fill.commission
        self.traded += abs(paid)
        self.mark = round(fill.price)
        self.value = self.instrument.value(self.lots, self.mark)
        return Booking(realised, closed, opened), -paid


class Account:
    """The cash of one account and the positions in it, by strategy and symbol.

    peak     the highest equity on any mark, the start included; `worst` the deepest equity / peak - 1, 0 or less
    began    the equity that the run began with: `start`, and what its positions had made before
    """

    def __init__(self, name: str, start: int, currency: str = "USD") -> None:
        self.name, self.start, self.currency = name, start, currency
        self.cash, self.deposits, self.value, self.realised, self.commission = start, 0, 0, 0, 0
        self.peak, self.worst, self.began = start, 0.0, start
        self._deeper = start
        self.positions: dict[tuple[str, str], Position] = {}
        self._of_sym: dict[str, list[Position]] = {}

    @property
    def equity(self) -> int:
        """Cash and the positions at their marks."""
        return self.cash + self.value

    @property
    def unrealised(self) -> int:
        """What closing all at their marks would realise."""
        return self.value - sum(position.cost for position in self.positions.values())

    @property
    def gross(self) -> int:
        """The sum of the positions' absolute values."""
        return sum(abs(position.value) for position in self.positions.values())

    @property
    def drawdown(self) -> float:
        """equity / peak - 1, 0 or less."""
        return (self.equity - self.peak) / self.peak if self.peak > 0 else 0.0

    def position(self, strategy: str, instrument: Instrument) -> Position:
        """Return the position of a strategy in a symbol, made when first asked for."""
        key = (strategy, instrument.sym)
        found = self.positions.get(key)
        if found is None:
            found = self.positions[key] = Position(instrument, strategy)
            self._of_sym.setdefault(instrument.sym, []).append(found)
        return found

    def lots(self, sym: str) -> int:
        """Return the signed lots of a symbol over all strategies."""
        return sum(position.lots for position in self._of_sym.get(sym, ()))

    def deposit(self, money: int) -> None:
        """Take cash in, or out if it is less than 0: neither gain nor loss, so the peak goes with it."""
        self.cash += money
        self.deposits += money
        self.peak += money
        self._look()

    def book(self, position: Position, fill: Fill) -> Booking:
        """Take a fill of one of the positions."""
        before = position.value
        booking, flow = position.book(fill)
        self.cash += flow - fill.commission
        self.value += position.value - before
        self.realised += booking.realised
        self.commission += fill.commission
        self._look()
        return booking

    def adopt(self, position: Position, lots: int, mark: int, cost: int, realised: int, commission: int) -> None:
        """Take over a position that nothing was traded in, as another run of its strategy left it.

        What it had made before is in the books from then on; peak and worst, and `began`, are measured from there.
        """
        position.lots, position.mark, position.cost = lots, mark, cost
        position.realised, position.commission, position.moved = realised, commission, True
        position.value = position.instrument.value(lots, mark)
        self.cash += realised - commission - cost
        self.value += position.value
        self.realised += realised
        self.commission += commission
        self.began = self.peak = self.equity
        self.worst = 0.0
        self._look()

    def mark(self, sym: str, ticks: int) -> None:
        """Take the price of a symbol, and look at the drawdown."""
        for position in self._of_sym[sym]:
            self.marked(position, ticks, position.instrument.value(position.lots, ticks))

    def marked(self, position: Position, ticks: int, value: int) -> None:
        """Take the price of one position, whose value at it is known."""
        position.mark = ticks
        self.value += value - position.value
        position.value = value
        equity = self.cash + self.value
        if equity > self.peak or equity < self._deeper:
            self._look()

    def notable(self, least: int, most: int) -> bool:
        """Return whether an equity between these could be a new peak, or a new worst."""
        return most > self.peak or least < self._deeper

    def _look(self) -> None:
        """Take the equity into peak and worst; `_deeper` is where it would have to fall for a new worst."""
        equity = self.cash + self.value
        if equity > self.peak:
            self.peak = equity
        elif equity < self.peak and self.peak > 0 and (depth := (equity - self.peak) / self.peak) < self.worst:
            self.worst = depth
        self._deeper = math.ceil(self.peak * (1 + self.worst)) + 1 if self.peak > 0 else self.peak


@dataclass(slots=True)
class RoundTrip:
    """A trip from flat to flat, or from one side to the other, of one strategy in one symbol.

    entry, exit         what was paid at the way in, got on the way out, in lots * ticks; `qty` and `out` the lots
    value               money that all entries were worth, more than 0
    realised, commission   money so far
    high, low           the prices seen since the last fill, not yet in `best` and `worst`; floats, as bars have them
    best, worst         the most and the least it was worth on its path, before commission, money; 0 at its entry
    told                closed bars of the symbol that it has seen or that were before it
    began               closed bars of the symbol before its entry; `bars` those that closed while it was open
    """

    number: int
    sym: str
    long: bool
    entry_at: int
    entry_tag: str
    entry: int | Fraction = 0
    qty: int = 0
    exit: int | Fraction = 0
    out: int = 0
    value: int = 0
    realised: int = 0
    commission: int = 0
    high: float = float("-inf")
    low: float = float("inf")
    best: int = 0
    worst: int = 0
    told: int = 0
    began: int = 0
    bars: int = 0
    exit_at: int = 0
    exit_tag: str = ""
    closed: bool = field(default=False)

    def seen(self, position: Position, low: int, high: int) -> None:
        """Take the least and highest price, ticks, that the path reached while the position was as it is."""
        for ticks in (low, high):
            worth = position.instrument.value(position.lots, ticks) - position.cost + self.realised
            self.best = max(self.best, worth)
            self.worst = min(self.worst, worth)

    def folded(self, position: Position) -> None:
        """Take the bars seen since the last fill into best and worst: the position is about to change, or is read."""
        if position.highs is not None and position.lows is not None:
            if position.bars > self.told:
                self.low = float(position.lows[self.told : position.bars].min())
                self.high = float(position.highs[self.told : position.bars].max())
            self.told = max(self.told, position.bars)
        if self.high >= self.low:
            self.seen(position, position.instrument.ticks(self.low), position.instrument.ticks(self.high))
            self.high, self.low = float("-inf"), float("inf")

    def profit(self) -> int:
        """What is realised so far, after commission."""
        return self.realised - self.commission
