"""Lists of trades on TradingView's recorded bars, computed plainly: whole ticks, decimals, every tick of a bar's path.

Nothing here is the engine's: it is what the engine's lists are held to where TradingView's own do not lie beside the
repository. Prices are whole ticks, so a level between two is the only number that is rounded.
"""

import csv
import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, getcontext
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

TICKS = 100_000
"""Ticks to 1 of the currency."""
CAPITAL = 1_000_000
NEAR = Decimal("0.0001")

getcontext().prec = 40


class PlainBar(NamedTuple):
    """A bar in ticks; `time` is when it opened."""

    time: datetime
    open: int
    high: int
    low: int
    close: int


@dataclass
class PlainOrder:
    """An entry that waits; stop=None: at the market. `seen` is the close that it was made at, `worth` the equity."""

    name: str
    sign: int
    stop: int | None
    seen: int
    worth: int


@dataclass
class PlainTrade:
    """One trade: qty in lots, prices in ticks, `best` and `worst` ticks from the entry in its favour, on its path."""

    sign: int
    qty: int
    entry_at: datetime
    entry: int
    entry_tag: str
    best: int = 0
    worst: int = 0
    exit_at: datetime | None = None
    exit: int = 0
    exit_tag: str = "Open"

    @property
    def profit(self) -> int:
        """Ticks times lots."""
        return self.sign * (self.exit - self.entry) * self.qty

    def passes(self, price: int) -> None:
        """Take a price of the path."""
        away = self.sign * (price - self.entry)
        self.best, self.worst = max(self.best, away), min(self.worst, away)


Decide = Callable[[int, "PlainMarket"], None]


class PlainMarket:
    """What a strategy of Pine has: entries that reverse, one for each name, and cancel.

    sized   gives the lots of an order at its fill: (order, price, equity there in ticks times lots)
    oca     whether a fill cancels the other orders
    lots    so many are one unit
    """

    def __init__(
        self, bars: list[PlainBar], sized: Callable[[PlainOrder, int, int], int], oca: bool = False, lots: int = 1
    ) -> None:
        self.bars = bars
        self._sized, self._oca, self._start = sized, oca, CAPITAL * TICKS * lots
        self.trades: list[PlainTrade] = []
        self.orders: dict[str, PlainOrder] = {}
        self.held: PlainTrade | None = None
        self._done = 0

    def enter(self, name: str, sign: int, stop: Decimal | int | None, at: int) -> None:
        """Ask for an entry at the close of the bar `at`; one in the direction of the position is dropped."""
        self.cancel(name)
        if self.held is not None and self.held.sign == sign:
            return
        close = self.bars[at].close
        level = None if stop is None else level_of(stop, sign)
        self.orders[name] = PlainOrder(name, sign, level, close, self.equity(close))

    def cancel(self, name: str) -> None:
        """Cancel an entry, if there is one."""
        self.orders.pop(name, None)

    def equity(self, price: int) -> int:
        """Return the equity in ticks times lots, the open trade being worth `price`."""
        open_now = self.held.sign * (price - self.held.entry) * self.held.qty if self.held else 0
        return self._start + self._done + open_now

    def run(self, decide: Decide) -> list[PlainTrade]:
        """Go through all bars: first the path of each, then what is decided at its close."""
        for at, bar in enumerate(self.bars):
            for first, price in self._steps(bar):
                if self.held is not None:
                    self.held.passes(price)
                while (order := self._due(price, first)) is not None:
                    self._fill(order, price, bar.time)
            decide(at, self)
        if self.held is not None:
            self.held.exit, self.held.exit_at = self.bars[-1].close, self.bars[-1].time
        return self.trades

    def _steps(self, bar: PlainBar) -> Iterator[tuple[bool, int]]:
        """Yield every price of the path, and whether it is the open; of a bar that reaches no order its extremes."""
        far = all(
            o.stop is not None and not bar.low <= o.stop <= bar.high and not self._open(o, bar)
            for o in self.orders.values()
        )
        points = path_of(bar)
        yield True, points[0]
        for start, end in pairwise(points):
            step = 1 if end > start else -1
            for price in (end,) if far else range(start + step, end + step, step):
                yield False, price

    @staticmethod
    def _open(order: PlainOrder, bar: PlainBar) -> bool:
        return order.stop is not None and order.sign * (bar.open - order.stop) >= 0

    def _due(self, price: int, first: bool) -> PlainOrder | None:
        """Return the oldest order that a price sets off."""
        for order in self.orders.values():
            if first if order.stop is None else order.sign * (price - order.stop) >= 0:
                return order
        return None

    def _fill(self, order: PlainOrder, price: int, time: datetime) -> None:
        del self.orders[order.name]
        if self._oca:
            self.orders.clear()
        qty = self._sized(order, price, self.equity(price))
        if self.held is not None:
            assert self.held.sign == -order.sign, "an entry in the direction of the position is never placed"
            self.held.exit, self.held.exit_at, self.held.exit_tag = price, time, order.name
            self._done += self.held.profit
        self.held = PlainTrade(order.sign, qty, time, price, order.name)
        self.trades.append(self.held)


def path_of(bar: PlainBar) -> tuple[int, int, int, int]:
    """Return the corners of a bar's path: the nearer extreme first, the low if both are as near."""
    if bar.high - bar.open < bar.open - bar.low:
        return bar.open, bar.high, bar.low, bar.close
    return bar.open, bar.low, bar.high, bar.close


def level_of(stop: Decimal | int, sign: int) -> int:
    """Return a stop in whole ticks: one between two is the one that is reached later."""
    stop = Decimal(stop)
    nearest = stop.to_integral_value()
    if abs(stop - nearest) <= NEAR:
        return int(nearest)
    return int(stop.to_integral_value("ROUND_CEILING" if sign > 0 else "ROUND_FLOOR"))


def read(path: Path) -> list[PlainBar]:
    """Return the bars of the recorded file, prices taken from their texts."""
    with gzip.open(path, "rt") as file:
        return [
            PlainBar(datetime.fromisoformat(row["time"]), *(
                int(Decimal(row[name]) * TICKS) for name in ("open", "high", "low", "close")
            ))
            for row in csv.DictReader(file)
        ]  # fmt: skip


def averaged(values: list[Decimal], length: int, weight: Decimal) -> list[Decimal | None]:
    """Return an average that goes on by `weight`, begun as the mean of the first `length` values; None before."""
    found: list[Decimal | None] = [None] * min(length - 1, len(values))
    for at in range(length - 1, len(values)):
        before = found[-1] if found else None
        found.append(sum(values[:length]) / length if before is None else before + weight * (values[at] - before))
    return found


def ema(values: list[Decimal], length: int) -> list[Decimal | None]:
    """Return Pine's ta.ema."""
    return averaged(values, length, Decimal(2) / (length + 1))


def crossing(now: Decimal, level: Decimal, before: Decimal | None, level_before: Decimal | None) -> int:
    """Return 1 where a series crosses above another, -1 below, 0 not; what is not there crosses nothing."""
    if before is None or level_before is None:
        return 0
    return int(now > level and before <= level_before) - int(now < level and before >= level_before)


def one_unit(order: PlainOrder, price: int, equity: int) -> int:
    """Every order is one unit."""
    return 1


def macd_trades(bars: list[PlainBar]) -> list[PlainTrade]:
    """MACD 12/26/9: at the market when macd - signal crosses 0."""
    closes = [Decimal(bar.close) for bar in bars]
    fast, slow = ema(closes, 12), ema(closes, 26)
    line = [f - s for f, s in zip(fast, slow, strict=True) if f is not None and s is not None]
    delta = [None if s is None else m - s for m, s in zip(line, ema(line, 9), strict=True)]
    delta = [None] * (len(bars) - len(delta)) + delta

    def decide(at: int, market: PlainMarket) -> None:
        if delta[at] is not None:
            crosses = crossing(delta[at], Decimal(), delta[at - 1], Decimal())
            if crosses:
                market.enter("MacdLE" if crosses > 0 else "MacdSE", crosses, None, at)

    return PlainMarket(bars, one_unit).run(decide)


def bollinger_trades(bars: list[PlainBar]) -> list[PlainTrade]:
    """Bollinger 20/2: a stop at the band that the close came back over, for one bar; the two cancel each other."""
    bands: list[tuple[Decimal, Decimal] | None] = []
    for at in range(len(bars)):
        last = [bar.close for bar in bars[max(at - 19, 0) : at + 1]]
        total, squares = sum(last), sum(x * x for x in last)
        width = 2 * Decimal(20 * squares - total * total).sqrt() if len(last) == 20 else Decimal()
        bands.append(((total - width) / 20, (total + width) / 20) if len(last) == 20 else None)

    def decide(at: int, market: PlainMarket) -> None:
        if (band := bands[at]) is None:
            return
        close, before, was = Decimal(bars[at].close), Decimal(bars[at - 1].close), bands[at - 1]
        for name, sign, level, level_before in (
            ("BBandLE", 1, band[0], was and was[0]),
            ("BBandSE", -1, band[1], was and was[1]),
        ):
            if crossing(close, level, before, level_before) == sign:
                market.enter(name, sign, level, at)
            else:
                market.cancel(name)

    return PlainMarket(bars, one_unit, oca=True).run(decide)


def channel_trades(bars: list[PlainBar]) -> list[PlainTrade]:
    """Channel breakout 5: with every bar a stop a tick above the last highs and one a tick below the last lows."""

    def decide(at: int, market: PlainMarket) -> None:
        last = bars[max(at - 4, 0) : at + 1]
        if at >= 5:
            market.enter("ChBrkLE", 1, max(bar.high for bar in last) + 1, at)
        market.enter("ChBrkSE", -1, min(bar.low for bar in last) - 1 if len(last) == 5 else None, at)

    return PlainMarket(bars, one_unit).run(decide)


def supertrend_trades(bars: list[PlainBar], sized_at: str, lots: int) -> list[PlainTrade]:
    """Supertrend 10/3 as Pine's ta.supertrend: at the market when it turns, 15 % of the equity in whole lots.

    sized_at    "fill": at the price it is filled at; "order": at the close it is made at
    lots        so many are one unit
    """
    reach = [
        bar.high - bar.low if not at else max(bar.high, bars[at - 1].close) - min(bar.low, bars[at - 1].close)
        for at, bar in enumerate(bars)
    ]
    atr = averaged([Decimal(x) for x in reach], 10, Decimal(1) / 10)
    down: list[bool] = []
    lower = upper = trend = None
    for at, bar in enumerate(bars):
        if atr[at] is None:
            down.append(True)
            continue
        middle, close = Decimal(bar.high + bar.low) / 2, bars[at - 1].close
        below, above = middle - 3 * atr[at], middle + 3 * atr[at]
        if lower is not None and not (below > lower or close < lower):
            below = lower
        if upper is not None and not (above < upper or close > upper):
            above = upper
        if atr[at - 1] is None:
            down.append(True)
        elif trend == upper:
            down.append(not bar.close > above)
        else:
            down.append(bar.close < below)
        lower, upper, trend = below, above, above if down[-1] else below

    def decide(at: int, market: PlainMarket) -> None:
        if at and down[at] != down[at - 1]:
            market.enter("My Short Entry Id" if down[at] else "My Long Entry Id", -1 if down[at] else 1, None, at)

    def sized(order: PlainOrder, price: int, equity: int) -> int:
        equity, price = (equity, price) if sized_at == "fill" else (order.worth, order.seen)
        return 15 * equity // (100 * price)

    return PlainMarket(bars, sized, lots=lots).run(decide)
