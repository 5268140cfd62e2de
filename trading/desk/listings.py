"""The symbols of a run, and the clocks of their exchanges; those of a standing run come and go."""

from trading.desk.ledger import Ledger
from trading.desk.listing import Listing
from trading.events import Bar, Quote, Trade, available
from trading.exchange import Book, Older, Sized
from trading.run import Clock, RunSetup
from trading.strategy import Window


class Listings(dict[str, Listing]):
    """What the engine keeps of each symbol.

    clocks    by the code of an exchange's calendar, "" for days of UTC
    account   the clock by which the account's sessions go: that of the first symbol; of a standing run days of UTC
    refused   of symbols not listed: why they cannot be ordered, if it is not that nobody knows a price
    """

    def __init__(self, setup: RunSetup, ledger: Ledger, sized: Sized, older: Older | None = None) -> None:
        super().__init__()
        self._setup, self._ledger, self._sized, self._older = setup, ledger, sized, older
        self.refused: dict[str, str] = {}
        self.clocks: dict[str, Clock] = {"": Clock(None)} if setup.standing else {}

    @property
    def account(self) -> Clock:
        """See the class."""
        return next(iter(self.clocks.values()))

    def add(self, sym: str, fills_on: str, known: Window | None = None) -> Listing:
        """List a symbol; `known`: all its bars, of a backtest."""
        setup, position = self._setup, self._ledger.position(sym)
        sessions, instrument = setup.sessions.get(sym), setup.instruments[sym]
        clock = self.clocks.setdefault(sessions.code if sessions else "", Clock(sessions))
        if known is not None and fills_on == "bars":
            position.highs, position.lows = known.high, known.low
        book = Book(instrument, setup.fills, self._sized, self._older)
        self[sym] = Listing(instrument, position, book, clock, sessions, known, fills_on)
        return self[sym]

    def add_priced(self, priced: Bar | Trade | Quote, fills_on: str) -> None:
        """List a symbol of a standing run, which the setup knows by now; `priced` told its last price."""
        listing = self.add(priced.sym, fills_on)
        listing.priced = priced
        if isinstance(priced, Bar):
            listing.bar = priced
        if not listing.clock.next:
            listing.clock.begin(available(priced))

    def let_go(self, sym: str) -> bool:
        """Let go of a symbol of which nothing is held or ordered; return whether that is so."""
        listing = self.get(sym)
        if listing is None or listing.position.lots or any(order.sym == sym for order in self._ledger.orders):
            return False
        del self[sym]
        return True
