"""What a user writes: a class of callbacks, which reads the past and asks for orders. It cannot see what comes later.

class Cross(Strategy):
    fast: int = param(50, low=1)

    def start(self):
        self.average = self.use(Sma(self.fast))

    def on_bar(self, bar):
        if self.average.ready and bar.close > self.average.value:
            self.enter("long", 1)
"""

import random
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import numpy as np

from plant.errors import SettingsError
from plant.indicators.scalar import Scalar
from trading.events import Bar, Quote, Signal, Trade
from trading.parameters import Parameter, declared, schema_of, values_of

V = TypeVar("V")


class OrderView(NamedTuple):
    """An order as a strategy sees it: prices in the quote currency, quantities in units, NaN where there is none."""

    order_id: str
    id: str
    sym: str
    side: str
    kind: str
    qty: float
    limit_price: float
    stop_price: float
    tag: str
    filled: float
    average: float
    state: str
    reason: str


class FillView(NamedTuple):
    """A fill as a strategy sees it: price in the quote currency, qty and position_after in units, money in currency."""

    fill_id: str
    order_id: str
    id: str
    sym: str
    side: str
    qty: float
    price: float
    commission: float
    liquidity: str
    realised: float
    position_after: float
    tag: str
    market_time: int


class Window(NamedTuple):
    """The last bars, the newest last: numpy views that cannot be written. time: int64, ns; the others float64."""

    time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray


class Used:
    """An indicator of a user's own: an object with `update(bar) -> float | tuple`, given `value` and `ready`."""

    __slots__ = ("bars", "own", "value", "warm_up")

    def __init__(self, own: Any) -> None:
        self.own, self.value, self.bars = own, None, 0
        self.warm_up = getattr(own, "warm_up", 0)

    @property
    def ready(self) -> bool:
        """Whether the last bar had a value, of every output."""
        return self.value is not None

    def update(self, bar: Any) -> Any:
        """Take the next bar; NaN and what comes within `warm_up` bars is no value."""
        self.bars += 1
        value = self.own.update(bar)
        parts = value if isinstance(value, tuple) else (value,)
        known = self.bars > self.warm_up and all(part is not None and part == part for part in parts)
        self.value = value if known else None
        return value


class Desk(Protocol):
    """What a strategy speaks to: the engine. Every method is as the one of the same name in Strategy."""

    warming: bool
    now: int

    def ask(self, sym: str | None, side: str, qty: Any, **terms: Any) -> None: ...
    def ask_target(self, sym: str | None, qty: Any, tag: str) -> None: ...
    def ask_close(self, sym: str | None, tag: str) -> None: ...
    def ask_cancel(self, id: str | None) -> None: ...
    def position(self, sym: str | None) -> float: ...
    def cash(self) -> float: ...
    def equity(self) -> float: ...
    def tick(self, sym: str | None) -> float: ...
    def symbols(self) -> tuple[str, ...]: ...
    def orders(self) -> list[OrderView]: ...
    def bars(self, n: int, sym: str | None) -> Window: ...
    def use(self, indicator: Any, sym: str | None) -> Any: ...
    def plot(self, name: str, value: Any) -> None: ...
    def log(self, text: str) -> None: ...
    def random(self) -> random.Random: ...


class Strategy:
    """The base of every strategy; all callbacks are optional.

    Its docstring and its parameters are what forms and commands show. An exception in a callback ends the run, with
    the error in its row; its orders are cancelled.
    """

    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.parameters = declared(cls)

    def __init__(self, desk: Desk, given: Mapping[str, Any]) -> None:
        """Made by the engine. Raises SettingsError for parameters that are unknown or out of range."""
        self._desk = desk
        for name, value in values_of(self.parameters, given, type(self).__name__).items():
            setattr(self, name, value)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Return the parameters as JSON schema."""
        return schema_of(cls.parameters, cls.__name__, (cls.__doc__ or "").strip())

    def start(self) -> None:
        """Before the first event: indicators and what is remembered."""

    def on_bar(self, bar: Bar) -> None:
        """With every closed bar of a symbol of the run."""

    def on_trade(self, trade: Trade) -> None:
        """With every trade, if the run has them."""

    def on_quote(self, quote: Quote) -> None:
        """With every quote, if the run has them."""

    def on_signal(self, signal: Signal) -> None:
        """With every signal of the plant, if the run has them."""

    def on_fill(self, fill: FillView) -> None:
        """With every fill of an order of its own, before the event that caused it."""

    def on_order(self, order: OrderView) -> None:
        """With every new state of an order of its own."""

    def on_session(self, kind: str) -> None:
        """When a session of the symbols' exchange has opened or closed: "open", "close"; without a calendar a day."""

    def finish(self) -> None:
        """After the last event."""

    def buy(self, qty: Any = None, **terms: Any) -> None:
        """Ask to buy: `qty` units, or "15% equity", sized at the fill price.

        terms: limit=, stop=, trail= (price; of trail the distance), tif="day" ("gtc", "ioc", "fok"), stop_loss=,
        take_profit=, trailing_stop= (prices, of the last the distance, of orders that its fill sets free, of which one
        cancels the others), tag=, id=, oco= (orders of one name cancel each other), sym=.
        With limit and stop it is a stop-limit, with neither a market order. Raises SettingsError for what is no order.
        """
        self._desk.ask(terms.pop("sym", None), "buy", _qty(qty, terms), **terms)

    def sell(self, qty: Any = None, **terms: Any) -> None:
        """Ask to sell; terms as of `buy`."""
        self._desk.ask(terms.pop("sym", None), "sell", _qty(qty, terms), **terms)

    def enter(
        self,
        side: str,
        qty: Any = None,
        *,
        stop: float | None = None,
        limit: float | None = None,
        id: str | None = None,
        **terms: Any,
    ) -> None:
        """Ask to be "long" or "short" by `qty`: the fill takes the opposite position with it.

        If the position has this direction already when the order is placed, it is dropped, and an older order of its
        id with it; a new order of one id replaces the old. `id` is also its tag; by default the side. Further terms:
        those of `buy`, but trail=; tif="gtc" if it is not said.
        """
        if side not in ("long", "short"):
            raise SettingsError(f'enter: side must be "long" or "short", found {side!r}')
        name = side if id is None else id
        terms = {"tif": "gtc", "tag": name, **terms, "stop": stop, "limit": limit, "id": name}
        qty = _qty(qty, terms)
        self._desk.ask(terms.pop("sym", None), "buy" if side == "long" else "sell", qty, reverses=True, **terms)

    def close(self, sym: str | None = None, *, tag: str = "close") -> None:
        """Ask to close the position of a symbol by a market order."""
        self._desk.ask_close(sym, tag)

    def target(self, qty: Any = None, *, sym: str | None = None, tag: str = "target", **terms: Any) -> None:
        """Ask for a position of `qty` units, less than 0 for a short one, by a market order for the difference."""
        self._desk.ask_target(sym, _qty(qty, terms), tag)

    def cancel(self, id: str) -> None:
        """Cancel the open orders of this id."""
        self._desk.ask_cancel(id)

    def cancel_all(self) -> None:
        """Cancel all open orders of this strategy."""
        self._desk.ask_cancel(None)

    def position(self, sym: str | None = None) -> float:
        """Return the position in units, less than 0 for a short one."""
        return self._desk.position(sym)

    @property
    def cash(self) -> float:
        """The account's cash."""
        return self._desk.cash()

    @property
    def equity(self) -> float:
        """Cash and the positions at their last prices."""
        return self._desk.equity()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols of the run, in their order."""
        return self._desk.symbols()

    def tick(self, sym: str | None = None) -> float:
        """Return the least step of a symbol's price."""
        return self._desk.tick(sym)

    @property
    def orders(self) -> list[OrderView]:
        """The open orders of this strategy, the oldest first."""
        return self._desk.orders()

    def bars(self, n: int, sym: str | None = None) -> Window:
        """Return the last n bars of a symbol, fewer where there are fewer, this one included."""
        return self._desk.bars(n, sym)

    @property
    def now(self) -> int:
        """The market time of the event at hand, ns since 1970 UTC; of a bar its start."""
        return self._desk.now

    @property
    def warming(self) -> bool:
        """Whether the run has not begun: orders are off."""
        return self._desk.warming

    def use(self, indicator: V, sym: str | None = None) -> V:
        """Have an indicator updated with each closed bar before `on_bar`; returns it, with `value` and `ready`.

        `sym`: whose bars; by default those of the first symbol. An object of one's own has `update(bar)`.
        """
        found: V = self._desk.use(indicator, sym)
        return found

    def plot(self, name: str, value: V) -> V:
        """Show a number beside the chart, at the event at hand; gives it back. None and NaN show nothing."""
        self._desk.plot(name, value)
        return value

    def log(self, text: str) -> None:
        """Write a line into `strategy_events`."""
        self._desk.log(text)

    @property
    def random(self) -> random.Random:
        """Chance that is the same in every repetition of the run."""
        return self._desk.random()


def _qty(qty: Any, terms: dict[str, Any]) -> Any:
    """Return the quantity, which may also be called `quantity`. Raises SettingsError if there is none, or two."""
    named = terms.pop("quantity", None)
    if (qty is None) == (named is None):
        raise SettingsError("an order needs one quantity: qty in units, or quantity='15% equity'")
    return named if qty is None else qty


def is_indicator(value: Any) -> bool:
    """Return whether a value can be updated with bars."""
    return isinstance(value, Scalar | Used) or callable(getattr(value, "update", None))
