"""What a strategy speaks to: it reads what is, and leaves requests that the engine takes up after the callback."""

import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

from plant.calendars.sessions import Sessions
from plant.errors import SettingsError
from plant.indicators.scalar import Scalar
from trading.desk.dealing import Dealing
from trading.desk.indicators import warm_up_of
from trading.desk.ledger import Ledger
from trading.desk.listing import Listing
from trading.desk.requests import Cancelled, Request
from trading.desk.rows import order_view
from trading.events import Event
from trading.instruments import amount_of
from trading.run import RunSetup
from trading.strategy import OrderView, Used, Window


class Known(Protocol):
    """All bars of a backtest, before it begins."""

    def window(self, sym: str) -> Window:
        """Return the bars of a symbol."""

    def prepared(self, indicator: Scalar, sym: str) -> Any:
        """Return an indicator that is used like this one and has the same values, computed of all bars at once."""


@runtime_checkable
class Preparable(Protocol):
    """An indicator of ours that can compute its values of all bars of a backtest at once."""

    def prepared(self, window: Window) -> Any:
        """Return an indicator that is used like this one and has the same values."""


@runtime_checkable
class OfSessions(Protocol):
    """An indicator of ours that goes by the sessions of a symbol's exchange."""

    def follow_sessions(self, sym: str, interval: str, sessions: Sessions | None) -> None:
        """Say whose bars come, before the first one."""


class Floor:
    """The `Desk` of one run.

    event      the event at hand
    warming    whether orders are off
    requests   what was asked for and not taken up yet
    warm_up    bars that the indicators in use need, the largest
    settle     brings the account's marks up to date before they are read; None: they are
    """

    def __init__(
        self,
        setup: RunSetup,
        ledger: Ledger,
        listings: Mapping[str, Listing],
        dealing: Dealing,
        known: Known | None,
    ) -> None:
        self._setup, self._ledger, self._listings, self._dealing = setup, ledger, listings, dealing
        self._known = known
        self._chance = random.Random(setup.seed)
        self.event: Event | None = None
        self.warming, self.warm_up = True, 0
        self.requests: list[Request] = []
        self.settle: Callable[[], None] | None = None

    def begun(self) -> None:
        """Orders are on from here."""
        self.warming = False

    def taken(self) -> list[Request]:
        """Return what was asked for, which is then done with."""
        requests, self.requests = self.requests, []
        return requests

    @property
    def now(self) -> int:
        """The market time of the event at hand, 0 before the first."""
        return self.event.market_time if self.event is not None else 0

    def ask(self, sym: str | None, side: str, qty: Any, **terms: Any) -> None:
        """Ask for an order; nothing while the run warms up. Raises SettingsError for words that no order has."""
        if self.warming or self.event is None:
            return
        try:
            self.requests.append(self._dealing.desk.order(self.event, sym, side, qty, **terms))
        except TypeError as error:
            raise SettingsError(f"an order has no such term: {error}") from None

    def ask_target(self, sym: str | None, qty: Any, tag: str) -> None:
        """Ask for the market order that leads from the position to `qty` units."""
        instrument = self._dealing.desk.instrument(sym)
        if isinstance(qty, bool) or not isinstance(qty, int | float) or qty != qty:
            raise SettingsError(f"target needs a number of units, found {qty!r}")
        wanted = instrument.lots(abs(qty)) * (1 if qty >= 0 else -1)
        change = wanted - self._listings[instrument.sym].position.lots
        self.ask_cancel("target")
        if change:
            side = "buy" if change > 0 else "sell"
            self.ask(instrument.sym, side, instrument.qty(abs(change)), tag=tag, id="target")

    def ask_close(self, sym: str | None, tag: str) -> None:
        """Ask for the market order that closes a position; nothing if there is none."""
        instrument = self._dealing.desk.instrument(sym)
        lots = self._listings[instrument.sym].position.lots
        if lots:
            side = "sell" if lots > 0 else "buy"
            self.ask(instrument.sym, side, instrument.qty(abs(lots)), tag=tag, reduces=True)

    def ask_cancel(self, id: str | None) -> None:
        """Ask that the open orders of an id are cancelled, None: all."""
        if not self.warming:
            self.requests.append(Cancelled(id))

    def position(self, sym: str | None) -> float:
        """Return the signed position in units."""
        instrument = self._dealing.desk.instrument(sym)
        return instrument.qty(self._listings[instrument.sym].position.lots)

    def cash(self) -> float:
        """Return the account's cash."""
        return amount_of(self._ledger.shared.cash)

    def equity(self) -> float:
        """Return the account's equity."""
        if self.settle is not None:
            self.settle()
        return amount_of(self._ledger.shared.equity)

    def tick(self, sym: str | None) -> float:
        """Return the least step of a symbol's price."""
        return float(self._dealing.desk.instrument(sym).tick)

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of the run."""
        return self._setup.symbols

    def orders(self) -> list[OrderView]:
        """Return the run's open orders, the oldest first."""
        instruments = self._setup.instruments
        return [order_view(order, instruments[order.sym]) for order in self._ledger.orders]

    def bars(self, n: int, sym: str | None) -> Window:
        """Return the last n bars of a symbol."""
        return self._listings[self._dealing.desk.instrument(sym).sym].window(n)

    def use(self, indicator: Any, sym: str | None) -> Any:
        """Have an indicator updated with each bar of a symbol, the first by default."""
        name = self._setup.symbols[0] if sym is None else self._dealing.desk.instrument(sym).sym
        if isinstance(indicator, type) or not callable(getattr(indicator, "update", None)):
            raise SettingsError(f"use: expected an indicator, an object with update(bar), found {indicator!r}")
        # What is computed of all bars begins with the first of them: one that is used later begins here, bar by bar.
        known = self._known if not self._listings[name].position.bars else None
        if isinstance(indicator, Scalar):
            self.warm_up = max(self.warm_up, warm_up_of(indicator))
            used = indicator if known is None else known.prepared(indicator, name)
        else:
            used = indicator if hasattr(indicator, "ready") and hasattr(indicator, "value") else Used(indicator)
            self.warm_up = max(self.warm_up, int(getattr(indicator, "warm_up", 0)))
            if isinstance(indicator, OfSessions):
                indicator.follow_sessions(name, self._setup.interval, self._listings[name].sessions)
            if known is not None and isinstance(indicator, Preparable):
                used = indicator.prepared(known.window(name))
        self._listings[name].used.append(used)
        self._listings[name].updates.append(used.update)
        return used

    def plot(self, name: str, value: Any) -> None:
        """Put out a row of `plots`, of a number, while the run is on."""
        event = self.event
        if event is None or self.warming or value is None or value != value:
            return
        setup = self._setup
        self._ledger.row(
            "plots",
            event,
            sym=event.sym,
            run=setup.run,
            market_time=event.market_time,
            interval=getattr(event, "interval", setup.interval),
            name=name,
            value=float(value),
        )

    def log(self, text: str) -> None:
        """Put out a row of `strategy_events` of kind log."""
        event = self.event
        if event is None:
            return
        setup = self._setup
        self._ledger.row(
            "strategy_events",
            event,
            sym=setup.strategy,
            run=setup.run,
            market_time=event.market_time,
            kind="log",
            detail=str(text),
        )

    def random(self) -> random.Random:
        """Return the run's chance."""
        return self._chance
