"""An engine that takes the bars of a backtest many at a time where no order is open, which is most of them.

Of such a bar little comes: indicators are updated, the strategy hears it, the position is worth something else. The
first two are done bar by bar, as `Engine._bar` does them. What the position was worth is looked at for all bars of a
stretch together, and before that only if the strategy asks. The rows are the same, bit by bit.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading.backtests.prepared import Prepared
from trading.desk.ledger import Action
from trading.desk.listing import Listing
from trading.desk.trading_floor import Known
from trading.engine import Engine
from trading.events import Bar, MarketEvent
from trading.run import RunSetup

_EXACT = 2**53
"""Whole numbers below it are floats as they are."""


class QuickEngine(Engine):
    """The engine of a backtest whose bars are all known."""

    def __init__(self, setup: RunSetup, known: Known) -> None:
        super().__init__(setup, known=known)
        self._marked = 0  # bars at which the position was marked
        self._known_of, self._shown = 0, list[tuple[Prepared, Callable[[], Any]]]()
        self._ticks = _ticks(known.window(setup.symbols[0]).close, *self._listings[setup.symbols[0]].tick)

    def run(self, events: Iterable[MarketEvent], alone: bool) -> Iterator[Sequence[Action]]:
        """Take events until there are no more, or one failed; yield the actions that follow, in order.

        alone   whether they are the closed bars of one symbol, on which orders are filled, and nothing else
        """
        events = iter(events)
        stretches = alone and self._ticks is not None and not self._guard.watches
        event = next(events, None)
        while event is not None:
            if actions := self.take(event):
                yield actions
            event = None
            if stretches and self.failed is None:
                event = self._stretch(events)
                if self._out:
                    yield self._taken()
            if self.failed is not None:
                return
            if event is None:
                event = next(events, None)

    def _stretch(self, events: Iterator[Any]) -> Bar | None:
        """Take bars as long as nothing but `on_bar` comes of them; return the one that was looked at and not taken."""
        floor, (listing,) = self._floor, self._listings.values()
        if not self._begun or floor.warming or self.paused or listing.book.orders or self.ledger.told:
            return None
        position, on_bar, until = listing.position, self._on_bar, listing.clock.next
        shown, updates = self._indicators(listing)
        used, many = listing.used, len(listing.used)
        count = self._marked = position.bars
        most = self._until_sample - 1 if self._until_sample > 0 else sys.maxsize
        floor.settle = self._settle
        bar: Bar | None = None
        last: Bar | None = None
        error: Exception | None = None
        for bar in islice(events, most):
            if bar.end > until:
                break
            position.bars += 1
            floor.event = last = bar
            for indicator, advance in shown:
                indicator.value = advance()
            for update in updates:
                update(bar)
            try:
                on_bar(bar)
            except Exception as raised:  # the strategy is somebody else's
                error = raised
                break
            if floor.requests or len(used) != many:  # an indicator that is new is updated from the next bar on
                break
        self._settle()
        floor.settle = None
        if last is not None:
            self._last = listing.bar = listing.priced = last
            self._until_sample -= position.bars - count
            if error is not None:
                self._fail(last, "on_bar", error)
            self._deal(last)
        return bar if bar is not last else None

    def _indicators(
        self, listing: Listing
    ) -> tuple[list[tuple[Prepared, Callable[[], Any]]], list[Callable[[Any], Any]]]:
        """Return those of the first that only show what was computed before, and how the others are updated."""
        if len(listing.used) != self._known_of:
            self._known_of, self._shown = len(listing.used), []
            for each in listing.used:
                if not isinstance(each, Prepared) or each.advance is None:
                    break  # what follows may look at it
                self._shown.append((each, each.advance))
        return self._shown, listing.updates[len(self._shown) :]

    def _settle(self) -> None:
        """Mark the position at the bars since it was marked last."""
        (listing,) = self._listings.values()
        position, account = listing.position, self.account
        first, self._marked = self._marked, position.bars
        if first == self._marked or not position.lots or self._ticks is None:
            return
        ticks, value_of = self._ticks[first : self._marked], position.instrument.value
        lots, rest = position.lots, account.cash + account.value - position.value
        reached = sorted(rest + value_of(lots, int(end)) for end in (ticks.min(), ticks.max()))
        if account.notable(*reached):  # somewhere between a new peak or a deeper fall: as bar by bar
            for each in ticks.tolist():
                account.marked(position, each, value_of(lots, each))
        else:
            account.marked(position, int(ticks[-1]), value_of(lots, int(ticks[-1])))


def _ticks(prices: NDArray[np.float64], numerator: int, denominator: int) -> NDArray[np.int64] | None:
    """Return prices in ticks, as Engine._bar counts them; None where floats of numpy would count otherwise."""
    if max(numerator, denominator) >= _EXACT:
        return None
    at = np.rint(prices * float(denominator) / float(numerator))
    return at.astype(np.int64) if np.all(np.abs(at) < _EXACT) else None
