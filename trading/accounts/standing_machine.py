"""The run of orders by hand: symbols are listed when they are ordered, and followed while something is left of them.

At a broker it also says what reconciliations found, which is nobody else's.
"""

from collections.abc import Callable, Iterable
from typing import Any

from plant.calendars.sessions import Sessions
from plant.state.commands import GivenCommand, told_of
from plant.state.newest import Row
from plant.state.positions import UNALLOCATED
from trading.accounts.commands import order_account
from trading.accounts.lookup import Listed
from trading.accounts.opening import Opening
from trading.brokered.findings import MOVES, Findings
from trading.brokered.report_rows import ORDER
from trading.events import Bar, Command, Quote, Trade
from trading.live.machine import NOTHING_BEFORE, Made, RunMachine
from trading.run import RunSetup

Lookup = Callable[[GivenCommand], Listed]


class StandingMachine(RunMachine):
    """A RunMachine that takes the command `order`, whose id counts once, and no rows of `strategies`.

    lookup   tells of a symbol as of a command; may raise Unavailable, the row is then to be handed in again
    first    the account that an order is for which names none
    ids      of orders that were given before it began
    """

    def __init__(
        self, setup: RunSetup, began: Row, code_sha: str, lookup: Lookup, first: str, ids: Iterable[str] = ()
    ) -> None:
        super().__init__(setup, began, code_sha)
        self._lookup, self._first, self._ids = lookup, first, set(ids)
        self._assumed: list[str] = []
        self._findings = Findings(setup.account, setup.run, setup.strategy)
        self._grown = False  # whether it has a symbol that no row tells of yet

    def begin(self, assumed: tuple[str, ...] = (), opening: Opening = NOTHING_BEFORE) -> list[Made]:
        """Return the rows that it begins with; what an earlier run of its name held is listed first."""
        began, setup = self._began, self.setup
        for table, row in opening.rows:
            if table == "positions" and row["strategy"] == UNALLOCATED:
                self._findings.remember(row)
            if table == "positions" and row["strategy"] == setup.strategy:
                place = (began["received"], began["received"], began["seq"], 0)
                self._list(GivenCommand("", "order", row["sym"], {}, *place))
        return super().begin(assumed, opening)

    def take(self, table: str, row: Row) -> list[Made]:
        """Take the next row of the journal, and return the rows that it makes. Raises Unavailable, see the class."""
        if table == "strategies":
            return []
        of_broker = table == "broker_reports" and row["kind"] != ORDER
        if of_broker and row["kind"] in MOVES and row["sym"] not in self.setup.instruments:
            self._list(
                GivenCommand("", "order", row["sym"], {}, row["received"], row["received"], row["seq"], row["seq_row"])
            )
        made = super().take(table, row)
        if of_broker:
            made = [*(Made(*each) for each in self._findings.take(row)), *made]
        for sym in [sym for sym in self.follows if self._engine.listings.let_go(sym)]:
            del self.follows[sym]
        assumed, self._assumed = self._assumed, []
        if self._grown:  # the row of `runs` has all symbols there were, before there is a position in them
            made.insert(0, self._run_row(row["received"], row["seq"], 0, ""))
            self._grown = False
        return [*(Made("strategy_events", self._event(row["received"], "log", each)) for each in assumed), *made]

    def _command(self, row: Row) -> Command | None:
        told = told_of(row)
        if told is None or told.command != "order":
            return super()._command(row)
        if order_account(told, self._first) != self.setup.account or told.id in self._ids:
            return None
        if told.sym not in self.follows:
            self._list(told)
        self._ids.add(told.id)
        return self._told(told, told.sym, told.arguments)

    def _list(self, told: GivenCommand) -> None:
        found, sym, setup = self._lookup(told), told.sym, self.setup
        refused = self._engine.listings.refused
        instruments: Any = setup.instruments  # a dict, as RunSetup says of a standing run
        sessions: Any = setup.sessions
        if sym not in instruments or refused.pop(sym, ""):
            self._assumed += () if found.refused else found.assumed
            self._grown = True
            instruments[sym] = found.instrument
            if found.sessions is not None:
                sessions[sym] = found.sessions
            self._sessions[sym] = found.sessions or Sessions()
        if found.refused and told.arguments:  # what an earlier run held is listed all the same
            refused[sym] = found.refused
        elif found.priced is not None:
            event = self._makes[found.table](found.priced)
            assert isinstance(event, Bar | Trade | Quote)
            self._engine.listings.add_priced(event, found.fills_on)
            self.follows[sym] = found.interval
