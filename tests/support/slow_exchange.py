"""The fill rules of one bar, as plainly as can be: the price goes through every tick, every order looks at it."""

from dataclasses import dataclass

from trading.events import Bar
from trading.orders import Kind, Order
from trading.run import FillRules


@dataclass
class Waiting:
    """An open order: what it is now, lots that are open, and what it remembers."""

    order: Order
    working: Kind
    left: int
    extreme: int
    seen: bool = False


class SlowExchange:
    """Prices are the ticks themselves: a tick of 1, lots of 1."""

    def __init__(self, rules: FillRules) -> None:
        self.rules = rules
        self.waiting: list[Waiting] = []

    def place(self, order: Order, last: int) -> None:
        self.waiting.append(Waiting(order, order.kind, order.qty, last))

    def bar(self, bar: Bar) -> list[tuple[str, int, int, str] | tuple[str, str]]:
        """Return (order id, lots, price, liquidity) of each fill, and (order id, state) of what ended."""
        happened: list[tuple[str, int, int, str] | tuple[str, str]] = []
        there_is = None if self.rules.volume_share is None else int(bar.volume * self.rules.volume_share)
        if there_is != 0:
            done: set[str] = set()
            self.since = {one.order.order_id: int(bar.open) for one in self.waiting}
            for number, price in enumerate(self.path(bar)):
                again = True
                while again:
                    again = False
                    for one in self.waiting:
                        if one.order.order_id in done or not self.wants(one, price, number == 0):
                            continue
                        again = True
                        if one.working is Kind.STOP_LIMIT:
                            one.working = Kind.LIMIT
                            self.since[one.order.order_id] = price
                            break
                        done.add(one.order.order_id)
                        if one.working is not Kind.LIMIT:
                            one.working = Kind.MARKET
                        lots = one.left if there_is is None else min(one.left, there_is)
                        if not lots or (lots < one.left and one.order.time_in_force == "fok"):
                            break
                        there_is = None if there_is is None else there_is - lots
                        one.left -= lots
                        happened.append((one.order.order_id, lots, *self.paid(one, price)))
                        break
                for one in self.waiting:
                    sign = one.order.side.sign
                    one.extreme = min(one.extreme, price) if sign > 0 else max(one.extreme, price)
                self.waiting = [one for one in self.waiting if one.left]
        for one in self.waiting:
            if one.order.time_in_force in ("ioc", "fok"):
                happened.append((one.order.order_id, "cancelled"))
            one.seen = True
        self.waiting = [one for one in self.waiting if one.order.time_in_force not in ("ioc", "fok")]
        return happened

    def path(self, bar: Bar) -> list[int]:
        """Return every tick from the open to the close, by way of both extremes."""
        start, high, low, end = int(bar.open), int(bar.high), int(bar.low), int(bar.close)
        corners = [high, low, end] if high - start < start - low else [low, high, end]
        ticks = [start]
        for corner in corners:
            step = 1 if corner > ticks[-1] else -1
            ticks += list(range(ticks[-1] + step, corner + step, step)) if corner != ticks[-1] else []
        return ticks

    def wants(self, one: Waiting, price: int, first: bool) -> bool:
        order, buys = one.order, one.order.side.sign > 0
        if one.working is Kind.MARKET:
            return first
        if one.working is Kind.LIMIT:
            through = self.rules.through_ticks
            return price <= order.limit_price - through if buys else price >= order.limit_price + through
        if one.working is Kind.TRAILING:
            return price >= one.extreme + order.trail if buys else price <= one.extreme - order.trail
        return price >= order.stop_price if buys else price <= order.stop_price

    def paid(self, one: Waiting, price: int) -> tuple[int, str]:
        buys = one.order.side.sign > 0
        since = self.since[one.order.order_id]
        if one.working is Kind.LIMIT:
            better = min(one.order.limit_price, since) if buys else max(one.order.limit_price, since)
            return better, "taker" if not one.seen and price == since else "maker"
        cost = self.rules.slippage_ticks + self.rules.half_spread_ticks
        return price + cost if buys else price - cost, "taker"
