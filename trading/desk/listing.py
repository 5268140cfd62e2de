"""One symbol of a run: its instrument, its orders at the simulated exchange, its last price and its bars."""

from collections.abc import Callable
from typing import Any

import numpy as np

from plant.calendars.sessions import Sessions
from trading.account import Position
from trading.events import Bar, Quote, Trade
from trading.exchange import Book
from trading.instruments import Instrument, exact
from trading.run import Clock
from trading.strategy import Window

_FIELDS = ("market_time", "open", "high", "low", "close", "volume")


class Listing:
    """What the engine keeps of a symbol.

    tick            of the instrument, as a fraction
    priced          the event that told the last price; None before the first
    fresh           bars that closed and are not in the arrays yet; None: they need not be kept
    used            the indicators; `updates`: what is handed every closed bar, their `update`
    bar             the last closed bar; `position.bars` is how many there were
    known           all bars of a backtest, of which only those that closed are shown; None: they are kept as they come
    fills_on        what its orders are filled on: bars, trades or quotes
    """

    __slots__ = (
        *("_arrays", "_filled", "bar", "book", "clock", "fills_on", "fresh", "instrument", "known", "priced", "tick"),
        *("position", "sessions", "updates", "used"),
    )

    def __init__(
        self,
        instrument: Instrument,
        position: Position,
        book: Book,
        clock: Clock,
        sessions: Sessions | None,
        known: Window | None = None,
        fills_on: str = "bars",
    ) -> None:
        self.instrument, self.position, self.book = instrument, position, book
        self.clock, self.sessions, self.known, self.fills_on = clock, sessions, known, fills_on
        self.tick = (tick := exact(instrument.tick)).numerator, tick.denominator
        self.priced: Bar | Trade | Quote | None = None
        self.used: list[Any] = []
        self.updates: list[Callable[[Any], Any]] = []
        self.bar: Bar | None = None
        self._filled = 0
        self.fresh: list[Bar] | None = [] if known is None else None
        self._arrays: tuple[np.ndarray, ...] = ()

    @property
    def last_ticks(self) -> int:
        """The last price in ticks, of a quote its middle; 0 before the first."""
        event = self.priced
        if event is None:
            return 0
        if isinstance(event, Quote):
            return self.instrument.ticks((event.bid + event.ask) / 2)
        return self.instrument.ticks(event.close if isinstance(event, Bar) else event.price)

    @property
    def last_at(self) -> int:
        """When the last price was known, 0 before the first."""
        return 0 if self.priced is None else self.priced.known_at

    def window(self, n: int) -> Window:
        """Return the last n bars, fewer where there are fewer, as arrays that cannot be written.

        Of a backtest they are copies: a view has a base, and that one's base would have the bars that come later.
        """
        count = self.position.bars
        first = max(count - max(n, 0), 0)
        if self.known is not None:
            return Window(*(_fixed(column[first:count].copy()) for column in self.known))
        self._fill(count)
        return Window(*(_fixed(column[first:count]) for column in self._arrays))

    def _fill(self, count: int) -> None:
        """Move the bars that came since the last time into the arrays, which double when they are full."""
        fresh = self.fresh or []
        if not self._arrays or len(self._arrays[0]) < count:
            room = max(2 * count, 64)
            grown = tuple(np.zeros(room, np.float64 if i else np.int64) for i in range(len(_FIELDS)))
            for old, new in zip(self._arrays, grown, strict=False):
                new[: self._filled] = old[: self._filled]
            self._arrays = grown
        for field, column in zip(_FIELDS, self._arrays, strict=True):
            column[self._filled : count] = [getattr(bar, field) for bar in fresh]
        fresh.clear()
        self._filled = count


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
