"""What a strategy asks for, as orders that are not placed yet: levels in ticks, quantities in lots, what is wrong."""

import math
import re
from fractions import Fraction
from typing import Any, NamedTuple

from plant.errors import SettingsError
from trading.events import Event, Side
from trading.instruments import Instrument, exact
from trading.orders import Kind, Order, order_id
from trading.run import RunSetup

TIMES_IN_FORCE = ("day", "gtc", "ioc", "fok")
_NONE = Fraction(0)
_OF_EQUITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*(?:of\s+)?equity\s*")


class Asked(NamedTuple):
    """An order that is asked for; `wrong` says why it cannot be one, "" if it can."""

    order: Order
    wrong: str


class Cancelled(NamedTuple):
    """That the open orders of an id are to be cancelled; None: all."""

    id: str | None


Request = Asked | Cancelled


class OrderDesk:
    """Makes orders of what is asked for, each with the id that its cause and its count give it.

    An impossible number (NaN, 0, less than a lot) makes an order that is refused, with a row: it may come from the
    market. What no market makes right (an unknown symbol or word) is a SettingsError: the strategy is wrong.
    """

    def __init__(self, setup: RunSetup) -> None:
        self._setup = setup
        self._counts: dict[int, int] = {}

    def name(self, event: Event) -> str:
        """Return the id of the next order that an event causes."""
        count = self._counts.get(event.seq, 0)
        self._counts[event.seq] = count + 1
        return order_id(self._setup.run, event.seq, count)

    def instrument(self, sym: str | None) -> Instrument:
        """Return what an order is about: the run's only symbol if none is named. Raises SettingsError."""
        symbols = self._setup.symbols
        if self._setup.standing and sym is not None and sym in self._setup.instruments:
            return self._setup.instruments[sym]
        if sym is None:
            if len(symbols) > 1:
                raise SettingsError(f"the run has {len(symbols)} symbols: name one, sym={symbols[0]!r}")
            sym = symbols[0]
        if sym not in symbols:
            raise SettingsError(f"{sym!r} is no symbol of the run; its symbols are: {', '.join(symbols)}")
        return self._setup.instruments[sym]

    def order(
        self,
        event: Event,
        sym: str | None,
        side: str,
        qty: Any,
        *,
        limit: float | None = None,
        stop: float | None = None,
        trail: float | None = None,
        tif: str = "day",
        stop_loss: float | None = None,
        take_profit: float | None = None,
        trailing_stop: float | None = None,
        tag: str = "",
        id: str = "",
        oco: str = "",
        parent: str = "",
        client_order_id: str = "",
        reverses: bool = False,
        reduces: bool = False,
    ) -> Asked:
        """Return the order that is asked for. Raises SettingsError, see the class."""
        instrument, setup, direction = self.instrument(sym), self._setup, Side(side)
        if tif not in TIMES_IN_FORCE:
            raise SettingsError(f"tif must be one of {', '.join(TIMES_IN_FORCE)}, found {tif!r}")
        if trail is not None and (limit is not None or stop is not None):
            raise SettingsError("an order with trail= follows the price and has no limit= or stop= of its own")
        lots, percent, wrong = _quantity(instrument, qty)
        levels: dict[str, int | None] = {}
        exit_side = Side.SELL if direction is Side.BUY else Side.BUY
        for name, price, of, is_stop in (
            ("limit", limit, direction, False),
            ("stop", stop, direction, True),
            ("stop_loss", stop_loss, exit_side, True),
            ("take_profit", take_profit, exit_side, False),
        ):
            levels[name] = None
            if price is None:
                continue
            if not _positive(price):
                wrong = wrong or f"{name} must be a price, more than 0, found {price!r}"
            else:
                levels[name] = instrument.level(float(price), of, is_stop)
        distances: dict[str, int | None] = {}
        for name, apart in (("trail", trail), ("trailing_stop", trailing_stop)):
            distance = None if apart is None else instrument.ticks(float(apart)) if _positive(apart) else 0
            if distance is not None and distance < 1:
                wrong = wrong or f"{name} must be a distance of a tick or more, found {apart!r}"
            distances[name] = distance
        kind = _kind(limit, stop, trail)
        order = Order(
            order_id=self.name(event),
            sym=instrument.sym,
            run=setup.run,
            strategy=setup.strategy,
            account=setup.account,
            side=direction,
            kind=kind,
            qty=lots,
            client_order_id=client_order_id,
            limit_price=levels["limit"],
            stop_price=levels["stop"],
            trail=distances["trail"],
            time_in_force=tif,
            parent=parent,
            oco=oco,
            tag=tag or id,
            market_time=event.market_time,
            made_at=event.known_at,
            cause_seq=event.seq,
            reverses=reverses,
            reduces=reduces,
            percent=percent,
            stop_loss=levels["stop_loss"],
            take_profit=levels["take_profit"],
            trailing_stop=distances["trailing_stop"],
            id=id,
        )
        return Asked(order, wrong)

    def children(self, parent: Order, lots: int, event: Event) -> list[Order]:
        """Return what a fill of some lots sets free: stop_loss, take_profit, trailing_stop; one cancels the others."""
        side = Side.SELL if parent.side is Side.BUY else Side.BUY
        found: list[Order] = []
        for tag, kind, level in (
            ("stop_loss", Kind.STOP, parent.stop_loss),
            ("take_profit", Kind.LIMIT, parent.take_profit),
            ("trailing_stop", Kind.TRAILING, parent.trailing_stop),
        ):
            if level is None:
                continue
            name = self.name(event)
            found.append(
                Order(
                    order_id=name,
                    sym=parent.sym,
                    run=parent.run,
                    strategy=parent.strategy,
                    account=parent.account,
                    side=side,
                    kind=kind,
                    qty=lots,
                    limit_price=level if kind is Kind.LIMIT else None,
                    stop_price=level if kind is Kind.STOP else None,
                    trail=level if kind is Kind.TRAILING else None,
                    time_in_force="gtc",
                    parent=parent.order_id,
                    oco=found[0].order_id if found else name,
                    tag=tag,
                    market_time=event.market_time,
                    made_at=event.known_at,
                    cause_seq=event.seq,
                    reduces=True,
                )
            )
        return found


def _positive(number: Any) -> bool:
    return not isinstance(number, bool | str) and math.isfinite(number) and number > 0


def _quantity(instrument: Instrument, qty: Any) -> tuple[int, Fraction, str]:
    """Return lots, percent of the equity, and what is wrong. Raises SettingsError for a text that is no share."""
    if isinstance(qty, str):
        match = _OF_EQUITY.fullmatch(qty)
        if not match:
            raise SettingsError(f'a quantity is a number of units or a text like "15% equity", found {qty!r}')
        percent = exact(match[1])
        return 0, percent, "" if percent else f"a quantity must be more than 0, found {qty!r}"
    if isinstance(qty, bool) or not hasattr(qty, "__float__"):
        raise SettingsError(f'a quantity is a number of units or a text like "15% equity", found {qty!r}')
    if not _positive(qty):
        return 0, _NONE, f"a quantity must be more than 0, found {qty!r}"
    lots = instrument.lots(float(qty))
    return lots, _NONE, "" if lots else f"{qty!r} is less than one lot, {float(instrument.lot):g}"


def _kind(limit: Any, stop: Any, trail: Any) -> Kind:
    if trail is not None:
        return Kind.TRAILING
    if stop is not None:
        return Kind.STOP if limit is None else Kind.STOP_LIMIT
    return Kind.MARKET if limit is None else Kind.LIMIT
