"""The simulated exchange: orders and an event of the market in, executions out. Levels and prices are whole ticks.

A bar is walked along its path: open, nearer extreme, other extreme, close, high first if high - open < open - low, else
low first; every tick between is passed. A trade is a path of one point, a quote one for each side. At a point of the
path all orders are open to it that its price reaches, the older first; on a leg the level that is nearest to where the
leg began is first.

    market      at the first point of the path
    stop        where the path reaches it: at the open if that is at it or beyond
    limit       where the path reaches it, and `through_ticks` more: at the open's price if that is better
    stop_limit  a limit from the point of the path on where it triggered
    trailing    a stop that follows the path's extreme at its distance

Of a fill the engine is told before the path is walked on, so what it sets free (stop_loss, take_profit) or cancels
counts at once. Fills are limited by `volume_share`, less what others took of the event before; what was market, or
triggered, goes on at the next open.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from trading.events import Bar, Quote, Side, Trade
from trading.instruments import Instrument
from trading.orders import Kind, Order
from trading.run import FillRules


class Execution(NamedTuple):
    """A part of an order that is filled: lots at ticks, costs included.

    total       lots of the order: what is filled and what is open
    low, high   the least and highest price of the path since the last execution, or since it began
    """

    order_id: str
    qty: int
    total: int
    price: int
    liquidity: str
    low: int
    high: int


class Ended(NamedTuple):
    """An order that is over without a fill of all of it: `state` is cancelled or expired."""

    order_id: str
    state: str
    reason: str


@dataclass(slots=True)
class Resting:
    """An open order as the exchange keeps it.

    left        lots that are open; None: sized when it is filled first
    done        lots that are filled
    working     what it is now: a stop that triggered is a market order, a stop-limit a limit
    extreme     of a trailing order, the price it follows
    since       the path's price where this event found it
    fresh       no event has seen it yet
    """

    order: Order
    sign: int
    left: int | None
    working: Kind
    extreme: int
    since: int = 0
    done: int = 0
    fresh: bool = True


Sized = Callable[[Order, int], int]
"""(order, price in ticks) -> lots, of an order that is sized when it is filled; 0: nothing is left to do."""


Older = Callable[[Bar | Trade | Quote, Instrument], tuple[int, int]]
"""(event, instrument) -> lots that older runs of the account bought of it, and sold."""


class Book:
    """The open orders of one symbol at the simulated exchange.

    older   tells what others took of an event before; None: there are none
    """

    def __init__(self, instrument: Instrument, rules: FillRules, sized: Sized, older: Older | None = None) -> None:
        self._instrument, self._rules, self._sized = instrument, rules, sized
        self._older = older if rules.volume_share is not None else None
        self._at: int | None = None
        self.orders: dict[str, Resting] = {}
        """The open orders by id, the oldest first."""
        self.low = self.high = 0
        """What the path has reached since the last execution."""

    def place(self, order: Order, last: int) -> None:
        """Take an order; `last` is the last price, from which a trailing one begins to follow."""
        at = last if self._at is None else self._at
        sized_later = order.reverses or order.reduces or bool(order.percent)
        left = None if sized_later else order.qty
        fresh = self._at is None
        self.orders[order.order_id] = Resting(order, order.side.sign, left, order.kind, at, at, fresh=fresh)

    def cancel(self, order_id: str) -> bool:
        """Take an order out; returns whether it was there."""
        return self.orders.pop(order_id, None) is not None

    def reduce(self, order_id: str, qty: int) -> None:
        """Make an order smaller by lots, not below nothing: the other of a pair took them."""
        if (resting := self.orders.get(order_id)) is not None:
            resting.left = max((resting.order.qty if resting.left is None else resting.left) - qty, 0)

    def close(self) -> list[Ended]:
        """End the session: day orders expire."""
        if not self._rules.sessions:
            return []
        over = [name for name, resting in self.orders.items() if resting.order.time_in_force == "day"]
        for name in over:
            del self.orders[name]
        return [Ended(name, "expired", "the session closed") for name in over]

    def bar(self, bar: Bar, regular: bool = True) -> Iterator[Execution | Ended]:
        """Match a bar; `regular`: it lies in the regular session, outside of which market orders wait."""
        ticks = self._instrument.ticks
        start, high, low, end = ticks(bar.open), ticks(bar.high), ticks(bar.low), ticks(bar.close)
        path = (start, high, low, end) if high - start < start - low else (start, low, high, end)
        yield from self._walk(path, None, self._left_of(bar, bar.volume), regular, self._rules.half_spread_ticks)

    def trade(self, trade: Trade, regular: bool = True) -> Iterator[Execution | Ended]:
        """Match a trade; `regular` as in `bar`."""
        path = (self._instrument.ticks(trade.price),)
        yield from self._walk(path, None, self._left_of(trade, trade.size), regular, self._rules.half_spread_ticks)

    def quote(self, quote: Quote, regular: bool = True) -> Iterator[Execution | Ended]:
        """Match a quote: purchases at its ask, sales at its bid, each up to its size; `regular` as in `bar`."""
        taken = (0, 0) if self._older is None else self._older(quote, self._instrument)
        sides = (Side.BUY, quote.ask, quote.ask_size, taken[0]), (Side.SELL, quote.bid, quote.bid_size, taken[1])
        for side, price, size, before in sides:
            if not price > 0:  # a side without an offer, NaN among them
                continue
            most = None if self._rules.volume_share is None else (self._lots_of(size, 1.0), before)
            yield from self._walk((self._instrument.ticks(price),), side.sign, most, regular, 0)

    def _left_of(self, event: Bar | Trade, volume: float) -> tuple[int, int] | None:
        """Return the lots that may be filled of an event, and those of them that were before; None: any number."""
        share = self._rules.volume_share
        if share is None:
            return None
        return self._lots_of(volume, share), 0 if self._older is None else sum(self._older(event, self._instrument))

    def _lots_of(self, volume: float, share: float) -> int:
        return self._instrument.lots(volume * share) if 0 < volume < float("inf") else 0

    def _walk(
        self, path: tuple[int, ...], side: int | None, share: tuple[int, int] | None, regular: bool, half_spread: int
    ) -> Iterator[Execution | Ended]:
        """Walk along a path with the orders of a side (None: both); `share` as of `_left_of`."""
        self._at = self.low = self.high = path[0]
        most = None if share is None else max(share[0] - share[1], 0)
        if share is not None and not share[0]:  # nothing was traded, so nothing triggers either
            self.low, self.high = min(path), max(path)
            yield from self._over(side)
            self._at = None
            return
        for resting in self.orders.values():
            resting.since = path[0]
        tried: set[str] = set()
        for place, end in enumerate(path):
            while (found := self._next(end, side, tried, regular and not place)) is not None:
                resting, level = found
                self._follow(level)
                if resting.working is Kind.STOP_LIMIT:  # from here on a limit, looked at again
                    resting.working, resting.since = Kind.LIMIT, level
                    continue
                if resting.working is not Kind.LIMIT:
                    resting.working = Kind.MARKET
                tried.add(resting.order.order_id)
                happened = self._filled(resting, level, most, half_spread)
                if isinstance(happened, Execution):
                    most = None if most is None else most - happened.qty
                    yield happened
                    self.low = self.high = level
                elif happened is not None:
                    yield happened
            self._follow(end)
        yield from self._over(side)
        self._at = None

    def _next(self, end: int, side: int | None, tried: set[str], market: bool) -> tuple[Resting, int] | None:
        """Return the order that is first on the way to `end`, and the level where; `market`: those are filled here."""
        at = self._at if self._at is not None else end
        best: Resting | None = None
        where = distance = 0
        for name, resting in self.orders.items():
            if name in tried or (side is not None and resting.sign != side):
                continue
            if resting.working is Kind.MARKET:
                if not market:
                    continue
                level = at
            else:
                level, above = self._threshold(resting)
                if level <= at if above else level >= at:
                    level = at
                elif not (level <= end if above else level >= end):
                    continue
            if best is None or abs(level - at) < distance:
                best, where, distance = resting, level, abs(level - at)
                if not distance:
                    break  # none is nearer, and the older is first
        return None if best is None else (best, where)

    def _threshold(self, resting: Resting) -> tuple[int, bool]:
        """Return the price that sets an order off, and whether it is to be reached from below."""
        order, sign = resting.order, resting.sign
        if resting.working is Kind.LIMIT:
            return _known(order.limit_price) - sign * self._rules.through_ticks, sign < 0
        if resting.working is Kind.TRAILING:
            return resting.extreme + sign * _known(order.trail), sign > 0
        return _known(order.stop_price), sign > 0

    def _follow(self, at: int) -> None:
        """Go on to a point of the path."""
        self._at = at
        self.low, self.high = min(self.low, at), max(self.high, at)
        for resting in self.orders.values():
            if resting.working is Kind.TRAILING:
                resting.extreme = min(resting.extreme, at) if resting.sign > 0 else max(resting.extreme, at)

    def _filled(self, resting: Resting, level: int, most: int | None, half_spread: int) -> Execution | Ended | None:
        """Fill what there is to be had of an order at a level; None: nothing."""
        order, sign = resting.order, resting.sign
        if resting.working is Kind.LIMIT:
            limit = _known(order.limit_price)
            price = min(limit, resting.since) if sign > 0 else max(limit, resting.since)
            liquidity = "taker" if resting.fresh and level == resting.since else "maker"
        else:
            price = level + sign * (half_spread + self._rules.slippage(level))
            liquidity = "taker"
        left = resting.left
        if left is None or order.reduces:
            sized = self._sized(order, price)
            left = sized if left is None else min(left, sized)
        if left <= 0:
            del self.orders[order.order_id]
            return Ended(order.order_id, "cancelled", "there is nothing for it to do")
        qty = left if most is None else min(left, most)
        if not qty or (qty < left and order.time_in_force == "fok"):
            return None
        resting.left, resting.done = left - qty, resting.done + qty
        if qty == left:
            del self.orders[order.order_id]
        return Execution(order.order_id, qty, resting.done - qty + left, price, liquidity, self.low, self.high)

    def _over(self, side: int | None) -> Iterator[Ended]:
        """End what was for one event only, and note that the others have seen one."""
        for name, resting in list(self.orders.items()):
            if side is not None and resting.sign != side:
                continue
            resting.fresh = False
            if (told := resting.order.time_in_force) in ("ioc", "fok"):
                del self.orders[name]
                yield Ended(name, "cancelled", f"{told}: not filled by the first event")


def _known(level: int | None) -> int:
    """Return a level of an order whose kind has it."""
    assert level is not None
    return level
