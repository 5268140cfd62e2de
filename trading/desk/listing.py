"""One symbol of a run: its instrument, its orders at the simulated exchange, its last price and its bars."""

from collections.abc import Callable
from typing import Any

import numpy as np

from plant.calendars.sessions import Sessions
from trading.account import Position
from trading.events import Bar
from trading.exchange import Book
from trading.instruments import Instrument
from trading.run import Clock
from trading.strategy import Window

_COLUMNS = ("time", "open", "high", "low", "close", "volume")


class Listing:
    """What the engine keeps of a symbol.

    last, last_at   the last price, quote currency, and when it was known; NaN and 0 before the first
    updates         what is handed every closed bar: the indicators' `update`
    bars            all closed bars so far
    """

    __slots__ = (
        *("_filled", "_window", "bars", "book", "clock", "instrument", "last", "last_at", "position", "sessions"),
        "updates",
    )

    def __init__(
        self, instrument: Instrument, position: Position, book: Book, clock: Clock, sessions: Sessions | None
    ) -> None:
        self.instrument, self.position, self.book = instrument, position, book
        self.clock, self.sessions = clock, sessions
        self.last, self.last_at = float("nan"), 0
        self.updates: list[Callable[[Any], Any]] = []
        self.bars: list[Bar] = []
        self._window: dict[str, np.ndarray] = {}
        self._filled = 0

    @property
    def last_ticks(self) -> int:
        """The last price in ticks, 0 before the first."""
        return self.instrument.ticks(self.last) if self.last == self.last else 0

    def window(self, n: int) -> Window:
        """Return the last n bars as arrays that cannot be written. What lies behind them is no bar that comes later."""
        count = len(self.bars)
        if self._filled < count:
            self._fill(count)
        first = max(count - max(n, 0), 0)
        views = []
        for name in _COLUMNS:
            view = self._window[name][first:count] if self._window else np.empty(0)
            view.flags.writeable = False
            views.append(view)
        return Window(*views)

    def _fill(self, count: int) -> None:
        """Copy the bars that came since the last time into the arrays, which double when they are full."""
        if not self._window or len(self._window["time"]) < count:
            room = max(2 * count, 64)
            for name in _COLUMNS:
                grown = np.zeros(room, dtype=np.int64 if name == "time" else np.float64)
                if self._window:
                    grown[: self._filled] = self._window[name][: self._filled]
                self._window[name] = grown
        new = self.bars[self._filled : count]
        for name in _COLUMNS:
            field = "market_time" if name == "time" else name
            self._window[name][self._filled : count] = [getattr(bar, field) for bar in new]
        self._filled = count
