"""Risk: bounds that every order is held to before it leaves, and what halts all trading. A strategy cannot reach it.

Orders that reduce a position pass all but market_hours, price_band and symbols. A loss or a drawdown beyond its bound
halts: open orders are cancelled and new ones refused until somebody resumes.
"""

import math
from bisect import bisect_right, insort
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from plant.errors import SettingsError, nearest_names
from trading.accounts.shared import SharedAccount
from trading.instruments import Instrument, amount_of, money_of
from trading.orders import Order

_MINUTE_NS = 60 * 10**9
_SECOND_NS = 10**9


@dataclass(frozen=True)
class Limits:
    """Bounds of an account or of a strategy; None: none.

    max_order_qty                       units
    max_order_value, max_position_value, max_gross_value, max_daily_loss   the account's currency
    max_open_orders, max_orders_per_minute   a count
    max_drawdown                        ratio of the highest equity: 0.2 is 20 %
    price_band                          ratio: a limit or stop at most so far from the last price
    stale_s                             seconds: no order on an older price in session; 0: any age
    market_hours, long_only             whether they hold
    symbols                             the only ones; empty: all
    flatten_on_halt                     whether a halt closes the positions
    """

    max_order_qty: float | None = None
    max_order_value: float | None = None
    max_position_value: float | None = None
    max_gross_value: float | None = None
    max_open_orders: int | None = None
    max_orders_per_minute: int | None = 10
    max_daily_loss: float | None = None
    max_drawdown: float | None = None
    price_band: float | None = 0.1
    stale_s: float = 60.0
    market_hours: bool = False
    long_only: bool = False
    symbols: tuple[str, ...] = ()
    flatten_on_halt: bool = False

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.type in ("bool", bool):
                if not isinstance(value, bool):
                    raise SettingsError(f"limits: {entry.name} must be true or false, found {value!r}")
            elif entry.name != "symbols" and (value is not None or entry.name == "stale_s"):
                number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
                if not number or value < 0 or (value == 0 and entry.name != "stale_s"):
                    bound = "0 or more" if entry.name == "stale_s" else "more than 0"
                    raise SettingsError(f"limits: {entry.name} must be a number, {bound}, found {value!r}")


UNBOUNDED = Limits(max_orders_per_minute=None, price_band=None, stale_s=0)
"""Those of the account of a backtest: its one strategy has the bounds, and a breach is one event."""


def limits_of(told: Mapping[str, Any]) -> Limits:
    """Return the limits that a mapping says, as in plant.toml. Raises SettingsError for unknown names, bad values."""
    names = [entry.name for entry in fields(Limits)]
    for key in told:
        if key not in names:
            near = nearest_names(key, names, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"limits: unknown limit {key!r}{hint}; limits are: {', '.join(names)}")
    given = dict(told)
    if "symbols" in given:
        given["symbols"] = tuple(given["symbols"])
    return Limits(**given)


class Breach(NamedTuple):
    """A bound that does not hold: its rule, the bound, what was found; NaN where they are no numbers."""

    rule: str
    bound: float
    value: float

    @property
    def sentence(self) -> str:
        """What a person reads."""
        if math.isnan(self.bound):
            return f"risk: {self.rule}"
        return f"risk: {self.rule} allows {self.bound:g}, this is {self.value:g}"


class Market(NamedTuple):
    """What an order is looked at with.

    last, last_at   the last price in ticks, and when it was known
    now             when the event is known that the order follows from
    paced_at        the time in which orders are counted by the minute: of a simulated run that of the market, so that
                    a day which is played back quickly has as many as it had; at a broker `now`
    in_session      whether the market is open
    """

    instrument: Instrument
    last: int
    last_at: int
    now: int
    paced_at: int
    in_session: bool


class Ahead(NamedTuple):
    """What orders that are open may still do to positions, besides the one that is looked at.

    lots    of its symbol and on its side, without those that only reduce, or that it would cancel
    value   by how much those of other symbols may raise the gross value, 1e-8 of the currency
    """

    lots: int = 0
    value: int = 0


class Risk:
    """The bounds of one run, of its strategy or of its account, and what they remember.

    halted   why trading is halted; "": it is not
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = self._own = limits
        self.halted = ""
        self._times: list[int] = []
        self._session_equity: int | None = None
        self._peak = 0

    @property
    def watches(self) -> bool:
        """Whether a change of the equity can halt."""
        return self.limits.max_daily_loss is not None or self.limits.max_drawdown is not None

    def refusal(
        self,
        order: Order,
        qty: int,
        market: Market,
        position: int,
        account: SharedAccount,
        open_orders: int,
        ahead: Ahead,
    ) -> Breach | None:
        """Return the bound that an order of `qty` lots breaks, None if it may leave, which counts it.

        `position`: signed lots of the strategy, or of the account. What is `ahead` counts as though it were filled.
        """
        limits, instrument = self.limits, market.instrument
        if self.halted:
            return Breach(f"halted ({self.halted})", math.nan, math.nan)
        if limits.symbols and order.sym not in limits.symbols:
            return Breach(f"symbols has no {order.sym}", math.nan, math.nan)
        if limits.market_hours and not market.in_session:
            return Breach("market_hours: the market is closed", math.nan, math.nan)
        if limits.price_band is not None:
            for level in (order.limit_price, order.stop_price):
                if level is not None and not market.last_at:
                    return Breach(f"price_band: no price of {order.sym} is known yet", math.nan, math.nan)
                away = abs(level - market.last) / abs(market.last) if level is not None and market.last else 0.0
                if away > limits.price_band:
                    return Breach("price_band", limits.price_band, away)
        after = position + order.side.sign * (qty + ahead.lots)
        if order.reduces or (position * order.side.sign < 0 and qty + ahead.lots <= abs(position)):
            return None
        for rule in ("max_order_value", "max_position_value", "max_gross_value"):
            if getattr(limits, rule) is not None and not market.last_at:
                return Breach(f"{rule}: no price of {order.sym} is known yet", math.nan, math.nan)
        minute = self._within_a_minute(market.paced_at)

        def at_last(lots: int) -> int:
            return abs(instrument.value(lots, market.last))

        level = order.limit_price or order.stop_price or market.last
        found: tuple[tuple[str, float | None, Callable[[], float]], ...] = (
            ("max_order_qty", limits.max_order_qty, lambda: instrument.qty(qty)),
            ("max_order_value", limits.max_order_value, lambda: amount_of(abs(instrument.value(qty, level)))),
            ("max_position_value", limits.max_position_value, lambda: amount_of(at_last(after))),
            (
                "max_gross_value",
                limits.max_gross_value,
                lambda: amount_of(account.gross + at_last(after) - at_last(position) + ahead.value),
            ),
            ("max_open_orders", limits.max_open_orders, lambda: open_orders + 1),
            ("max_orders_per_minute", limits.max_orders_per_minute, lambda: minute + 1),
        )
        for rule, bound, reach in found:
            if bound is not None and (reached := reach()) > bound:
                return Breach(rule, bound, reached)
        age = (market.now - market.last_at) / _SECOND_NS
        if limits.stale_s and market.in_session and age > limits.stale_s:
            return Breach("stale_s", limits.stale_s, age)
        if after < 0 and limits.long_only:
            return Breach("long_only: it would sell short", math.nan, math.nan)
        if after < 0 and not instrument.shortable:
            return Breach(f"{order.sym} cannot be sold short", math.nan, math.nan)
        if instrument.min_notional and amount_of(abs(instrument.value(qty, level))) < instrument.min_notional:
            return Breach("min_notional: the order's value is too small", math.nan, math.nan)
        self.counted(market.paced_at)
        return None

    def counted(self, paced_at: int) -> None:
        """Count an order that left, of this run or of another of the account."""
        insort(self._times, paced_at)
        self._within_a_minute(self._times[-1])

    def tell(self, numbers: Mapping[str, Any], live: bool) -> None:
        """Let numbers hold over those that the run began with, until others are told. Raises SettingsError."""
        told = limits_of({**asdict(self._own), **numbers})
        if live and not told.stale_s:
            raise SettingsError("limits: stale_s = 0 lets orders go on prices of any age; live needs seconds")
        self.limits = told

    def session(self, equity: int) -> None:
        """Begin a session: a daily loss is measured from here."""
        self._session_equity = equity

    def deposit(self, money: int) -> None:
        """Measure loss and drawdown as if the money had been there all the time."""
        self._peak += money
        if self._session_equity is not None:
            self._session_equity += money

    def passed(self, equity: int) -> None:
        """Note an equity of before the run began: a drawdown is measured from the highest."""
        self._peak = max(self._peak, equity)

    def look(self, equity: int) -> Breach | None:
        """Look at the equity, or a strategy's part of it; return what halts, once."""
        if self._session_equity is None:
            self._session_equity = equity
        self._peak = max(self._peak, equity)
        if self.halted:
            return None
        lost = self._session_equity - equity
        limits = self.limits
        breach: Breach | None = None
        if limits.max_daily_loss is not None and lost > money_of(limits.max_daily_loss):
            breach = Breach("max_daily_loss", limits.max_daily_loss, amount_of(lost))
        elif limits.max_drawdown is not None and self._peak > 0 and 1 - equity / self._peak > limits.max_drawdown:
            breach = Breach("max_drawdown", limits.max_drawdown, 1 - equity / self._peak)
        if breach is not None:
            self.halted = breach.sentence.removeprefix("risk: ")
        return breach

    def resume(self, equity: int) -> None:
        """End a halt: loss and drawdown are measured anew from here."""
        self.halted, self._session_equity, self._peak = "", equity, equity

    def _within_a_minute(self, now: int) -> int:
        times = self._times
        del times[: bisect_right(times, now - _MINUTE_NS)]
        return len(times)
