"""The engine: events in, actions out. Backtest, replay, paper and live differ only in who hands it the events.

One step, for one event: 1 the exchange matches the open orders of its symbol; 2 fills are booked; 3 risk looks again;
4 on_fill, on_order; 5 indicators; 6 on_bar, on_trade, ...; 7 new orders pass risk and go to the exchange; 8 equity is
marked. So an order can be filled by the next event of its symbol at the earliest, and nothing can look ahead.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from trading.account import Account
from trading.desk.dealing import Dealing
from trading.desk.ledger import Action, Ledger
from trading.desk.listing import Listing
from trading.desk.listings import Listings
from trading.desk.member import Member
from trading.desk.trading_floor import Floor, Known
from trading.events import Bar, Command, Event, OrderReport, Quote, Session, Signal, Trade, available
from trading.exchange import Ended, Execution, Older
from trading.run import Clock, RunSetup, in_session
from trading.strategy import Strategy

_SECOND_NS = 10**9


class Engine:
    """One run: a strategy, its symbols, and the books of what it did.

    `take(event)` returns the actions that follow, in order: rows, and for a live run orders to place and to cancel at
    the broker. It holds no socket and looks at no clock, so the same events give the same actions.

    account   may be shared by the runs of one account; else the run has its own
    known     of a backtest: its bars, and what is computed of all of them at once; none is shown before its time
    failed    the exception that ended the run; None: it has not failed
    paused    whether the strategy's orders are off for now; it hears everything all the same
    closes    (time, equity) at every session close
    listings  the symbols
    member    the run as one of its account's
    older     tells what older runs of the account took of an event; None: there are none
    """

    def __init__(
        self, setup: RunSetup, account: Account | None = None, known: Known | None = None, older: Older | None = None
    ) -> None:
        self.setup = setup
        self.account = account or Account(setup.account, setup.start_money, setup.currency)
        self.ledger = Ledger(setup, self.account)
        self._out = self.ledger.out
        self.failed: Exception | None = None
        self.paused = False
        self.closes: list[tuple[int, int]] = []
        self.listings = self._listings = Listings(setup, self.ledger, self._sized, older)
        for sym in setup.symbols:
            self._listings.add(sym, setup.fills_on, None if known is None else known.window(sym))
        self._clocks, self._account_clock = self._listings.clocks, self._listings.account
        self._dealing = Dealing(setup, self.account, self.ledger, self._listings)
        self._guard = self._dealing.guard
        self.member = Member(self._dealing, lambda: self._begun, self._taken)
        self._floor = Floor(setup, self.ledger, self._listings, self._dealing, known)
        self._follows, self._live = known is None, not setup.simulated
        self._stale_ns = int(setup.limits.stale_s * _SECOND_NS)
        self._until_sample = 0
        self._begun, self._warmed = False, 0
        self._last: Event | None = None
        self.strategy = setup.strategy_class(self._floor, setup.parameters)
        self._takes: dict[type, Callable[[Any], None]] = {
            Bar: self._bar,
            Trade: self._trade,
            Quote: self._quote,
            Signal: self._signal,
            Session: self._session,
            OrderReport: self._report,
            Command: self._command,
        }
        self._hears = {name for name in ("on_session", "on_signal") if self._overrides(name)}
        self._on_bar = self.strategy.on_bar
        self._call(None, "start")

    @property
    def warm_up(self) -> int:
        """Bars that the strategy's indicators need before they have values: the largest."""
        return self._floor.warm_up

    @property
    def bars(self) -> int:
        """Bars that closed since the run began, over all symbols."""
        return self._all_bars() - self._warmed if self._begun else 0

    @property
    def now(self) -> Event | None:
        """The last event."""
        return self._last

    def take(self, event: Event) -> Sequence[Action]:
        """Take the next event; return the actions that follow. Raises PlantError for a report of no order of ours."""
        self._last = event
        self._takes[type(event)](event)
        out = self._out
        if not out:
            return ()
        actions = out.copy()
        out.clear()
        return actions

    def finish(self) -> Sequence[Action]:
        """End the run: the session that is over closes, the strategy finishes, open trips are rows."""
        event = self._last
        if event is not None and self._begun:
            end = available(event)
            for clock in self._clocks.values():
                self._pass(clock, event, end)
            if self.failed is None:
                self._call(event, "finish")
            for sym, listing in self._listings.items():
                last = listing.bar.market_time if listing.bar else event.market_time
                self.ledger.open_trip(sym, event, last)
            if self.ledger.sampled is not event:
                self.ledger.sample(event, event.market_time)
            self._strategy_event(event, "stopped", "" if self.failed is None else "after an error")
        return self._taken()

    def stop(self, event: Event, reason: str) -> Sequence[Action]:
        """Cancel what is open; the run takes no decisions any more."""
        self._dealing.cancel(event, None, reason)
        self.paused |= len(self.ledger.orders) > 0  # those at a broker, which has yet to say so
        return self._taken()

    def _taken(self) -> Sequence[Action]:
        actions = self._out.copy()
        self._out.clear()
        return actions

    def _bar(self, bar: Bar) -> None:
        """One step; it is what a backtest does a million times, so it asks little where little happened."""
        listing = self._listings[bar.sym]
        if not self._begun:
            self._begin(bar, bar.market_time)
        if bar.end > listing.clock.next and self._begun:
            self._pass(listing.clock, bar, bar.end - 1)
        position, book = listing.position, listing.book
        trip = position.trip
        on_bars = listing.fills_on == "bars"
        if on_bars and book.orders:
            self._match(listing, bar, book.bar(bar, self._regular(listing, bar.end - 1)))
        elif trip is not None and self._follows and (trip.entry_at <= bar.market_time if self._live else on_bars):
            high, low = bar.high, bar.low
            if high > trip.high:
                trip.high = high
            if low < trip.low:
                trip.low = low
        listing.bar = listing.priced = bar
        position.bars += 1
        if listing.fresh is not None:
            listing.fresh.append(bar)
        if lots := position.lots:
            numerator, denominator = listing.tick
            ticks = round(bar.close * denominator / numerator)
            value = lots * ticks * position.scale if position.scale else listing.instrument.value(lots, ticks)
            self.account.marked(position, ticks, value)
        if self.ledger.told or self._guard.watches:
            self._heard(bar)
        for update in listing.updates:
            update(bar)
        floor = self._floor
        floor.event = bar
        if bar.decided_at or self.paused or floor.warming:
            floor.warming = not self._begun or self.paused or (0 < self._stale_ns < bar.decided_at - bar.end)
        if self.failed is None:
            try:
                self._on_bar(bar)
            except Exception as error:  # the strategy is somebody else's
                self._fail(bar, "on_bar", error)
        if floor.requests:
            self._dealing.deal(bar, floor.taken())
        self._until_sample -= 1
        if not self._until_sample and self._begun:
            self._until_sample = self.setup.sample_every
            self.ledger.sample(bar, bar.market_time)

    def _trade(self, trade: Trade) -> None:
        listing = self._listings[trade.sym]
        self._tick(listing, trade, True)
        if listing.fills_on == "trades" and listing.book.orders:
            self._match(listing, trade, listing.book.trade(trade, self._regular(listing, trade.market_time)))
        self._after_tick(listing, trade, "on_trade", listing.instrument.ticks(trade.price))

    def _quote(self, quote: Quote) -> None:
        """A long position is worth the bid, a short one the ask; the last price is the middle."""
        listing = self._listings[quote.sym]
        self._tick(listing, quote, quote.bid > 0 and quote.ask > 0)
        if listing.fills_on == "quotes" and listing.book.orders:
            book, regular = listing.book, self._regular(listing, quote.market_time)
            self._match(listing, quote, book.quote(quote, regular))
        side = quote.ask if listing.position.lots < 0 else quote.bid
        mark = listing.instrument.ticks(side) if side > 0 else None
        self._after_tick(listing, quote, "on_quote", mark)

    def _tick(self, listing: Listing, event: Trade | Quote, priced: bool) -> None:
        if not self._begun:
            self._begin(event, event.market_time)
        if self._begun and event.market_time >= listing.clock.next:
            self._pass(listing.clock, event, event.market_time)
        if priced:
            listing.priced = event

    def _after_tick(self, listing: Listing, event: Trade | Quote, callback: str, mark: int | None) -> None:
        """Mark at a price, where such events are what fills the run, and tell the strategy."""
        if mark is not None and listing.fills_on != "bars":
            if (trip := listing.position.trip) is not None:
                trip.seen(listing.position, mark, mark)
            self.account.mark(event.sym, mark)
        self._heard(event)
        self._tell(event, callback, event)

    def _signal(self, signal: Signal) -> None:
        if not self._begun:
            self._begin(signal, signal.market_time)
        self._heard(signal)
        self._tell(signal, "on_signal", signal)

    def _session(self, session: Session) -> None:
        """A session that somebody tells of, besides those that the calendar knows."""
        self._tell(session, "on_session", session.kind)

    def _report(self, report: OrderReport) -> None:
        self._floor.warming = not self._begun or self.paused
        booked = self.ledger.report(report, report)
        self._dealing.booked(booked, report)
        self._dealing.released(report)
        self._heard(report)
        self._deal(report)
        if booked.fill is not None:
            self.ledger.sample(report, report.market_time)

    def _command(self, command: Command) -> None:
        if not self._begun:
            self._begin(command, command.market_time)
        self._dealing.command(command)

    def _match(self, listing: Listing, event: Bar | Trade | Quote, happenings: Iterable[Execution | Ended]) -> None:
        """Let the exchange fill; each fill is booked before the path goes on."""
        position, fills = listing.position, self.ledger.fills
        if position.trip is not None:
            position.trip.folded(position)  # the bars before this one
        for happening in happenings:
            if isinstance(happening, Execution) and position.trip is not None:
                position.trip.seen(position, happening.low, happening.high)
            self._dealing.happened(happening, event)
        if self.setup.mode == "paper" and self.ledger.fills > fills:
            self.ledger.sample(event, event.market_time)
        if position.trip is not None:
            position.trip.seen(position, listing.book.low, listing.book.high)
            position.trip.told = position.bars + 1  # this bar as well

    def _heard(self, event: Event) -> None:
        """Let risk look again, then tell what happened to orders: steps 3 and 4."""
        ledger = self.ledger
        if self._begun:
            self._dealing.look(event)
        while ledger.told and self.failed is None:
            name, argument = ledger.told.pop(0)
            self._floor.event = event
            self._call(event, name, argument)

    def _tell(self, event: Event, callback: str, argument: Any) -> None:
        self._floor.event = event
        self._floor.warming = not self._begun or self.paused
        if self.failed is None:
            self._call(event, callback, argument)
        self._deal(event)

    def _deal(self, event: Event) -> None:
        if self._floor.requests:
            self._dealing.deal(event, self._floor.taken())

    def _begin(self, event: Event, market_time: int) -> None:
        """Begin the run if it is time: from here on orders are on, and rows are made."""
        start_at = self.setup.start_at
        if (start_at is not None and market_time < start_at) or event.seq <= self.setup.start_seq:
            return
        every = self.setup.sample_every
        same = isinstance(event, Bar) and not any(each.lots for each in self.ledger.positions.values())
        self._begun, self._until_sample = True, every + 1 if every and same else every  # not two rows that are equal
        self._floor.begun()
        for clock in self._clocks.values():
            if not clock.next:
                clock.begin(market_time)
        self._strategy_event(event, "started", "")
        bars = self._warmed = self._all_bars()
        if bars:
            self._strategy_event(event, "warm", f"{bars} bars before the start")
        self._guard.session(self._account_clock.since)
        self.ledger.sample(event, market_time, positions=False)

    def _pass(self, clock: Clock, event: Event, until: int) -> None:
        """Let the sessions of a calendar open and close up to a time, that included."""
        while clock.next <= until:
            time, kind = clock.passed()
            for listing in self._listings.values():
                if kind == "close" and listing.clock is clock:
                    for ended in listing.book.close() if clock.code else ():
                        self._dealing.happened(ended, event)
            if clock is self._account_clock:
                if kind == "close":
                    self.closes.append((time, self.account.equity))
                    self.ledger.sample(event, time if clock.code else time - 1)  # the end of a day is still that day
                else:
                    self._guard.session()
            if "on_session" in self._hears:
                self._tell(event, "on_session", kind)

    def _all_bars(self) -> int:
        return sum(position.bars for position in self.ledger.positions.values())

    def _regular(self, listing: Listing, time: int) -> bool:
        return not self.setup.fills.sessions or in_session(listing.sessions, time)

    def _sized(self, order: Any, price: int) -> int:
        return self._dealing.sized(order, price)

    def _strategy_event(self, event: Event, kind: str, detail: str) -> None:
        setup = self.setup
        self.ledger.row(
            "strategy_events",
            event,
            sym=setup.strategy,
            run=setup.run,
            market_time=event.market_time,
            kind=kind,
            detail=detail,
        )

    def _overrides(self, name: str) -> bool:
        return getattr(self.setup.strategy_class, name) is not getattr(Strategy, name)

    def _call(self, event: Event | None, name: str, *arguments: Any) -> None:
        """Call the strategy. An exception ends the run: a row says so, and its orders are cancelled."""
        try:
            getattr(self.strategy, name)(*arguments)
        except Exception as error:  # the strategy is somebody else's
            self._fail(event, name, error)

    def _fail(self, event: Event | None, name: str, error: Exception) -> None:
        self.failed = error
        self._floor.requests.clear()
        if event is None:
            raise error
        self._strategy_event(event, "failed", f"{name}: {type(error).__name__}: {error}")
        self._dealing.cancel(event, None, f"the strategy failed in {name}")
