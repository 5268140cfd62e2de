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
from trading.brokered.late_orders import Known, LateOrders
from trading.brokered.report_rows import ORDER
from trading.events import Bar, Command, Quote, Trade, neighbour_of
from trading.live.machine import NOTHING_BEFORE, Made, RunMachine, made_of
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
        self._late_orders: LateOrders | None = None
        self._findings = Findings(setup.account, setup.run, setup.strategy)
        self._grown = False  # whether it has a symbol that no row tells of yet

    def begin(self, assumed: tuple[str, ...] = (), opening: Opening = NOTHING_BEFORE) -> list[Made]:
        """Return the rows that it begins with; what an earlier run of its name held is listed first."""
        began, setup = self._began, self.setup
        for table, row in opening.rows:
            if table == "positions" and row["strategy"] == UNALLOCATED:
                self._findings.remember(row)
            if table == "positions" and row["strategy"] == setup.strategy:
                self._list(asked_of(row["sym"], began))
        return super().begin(assumed, opening)

    def take(self, table: str, row: Row) -> list[Made]:
        """Take the next row of the journal, and return the rows that it makes. Raises Unavailable, see the class."""
        if table == "strategies":
            return []
        of_broker = table == "broker_reports" and row["kind"] != ORDER
        if of_broker and row["kind"] in MOVES and row["sym"] not in self.setup.instruments:
            self._list(asked_of(row["sym"], row))
        late = self._late_rows(table, row)
        made = super().take(table, row) if table != "fills" else []
        made += self._follow(late, row)
        if of_broker:
            made = [*(Made(*each) for each in self._findings.take(row)), *made]
        for sym in [sym for sym in self.follows if self._engine.listings.let_go(sym)]:
            del self.follows[sym]
        assumed, self._assumed = self._assumed, []
        if self._grown:  # the row of `runs` has all symbols there were, before there is a position in them
            made.insert(0, self._run_row(row["received"], row["seq"], 0, ""))
            self._grown = False
        return [*(Made("strategy_events", self._event(row["received"], "log", each)) for each in assumed), *made]

    def take_late(self, known: Callable[[str, Row], Known | None], runs: Iterable[Row]) -> None:
        """Have it take what its broker says of orders of runs that are over.

        known   as LateOrders has it; runs: the newest rows of the account's runs, of before it began
        """
        self._late_orders = LateOrders(self.setup, known, self._engine.ledger.shared)
        for row in runs:
            self._late_orders.remember(row)

    def _late_rows(self, table: str, row: Row) -> list[tuple[str, Row]]:
        late = self._late_orders
        if late is None or self.ended:
            return []
        if table in ("orders", "fills"):
            late.made(table, row)
        elif table == "runs":
            return late.run(row)
        elif table == "broker_reports" and row["kind"] == ORDER and row["order_id"] not in self._engine.ledger.orders:
            return late.report(row)
        return []

    def _follow(self, late: list[tuple[str, Row]], cause: Row) -> list[Made]:
        """Return rows of late orders, and what follows from them: the account's equity, or what is this run's own."""
        made = [Made(*each) for each in late]
        for table, row in late:
            at = {**row, "received": cause["received"], "seq": cause["seq"], "seq_row": cause["seq_row"]}
            event = neighbour_of(table, at, row.get("market_time") or 0)
            if table == "positions":
                made += made_of(self._engine.member.tell(event))
            elif table == "fills" and row["run"] == self.setup.run:
                if row["sym"] not in self.setup.instruments:
                    self._list(asked_of(row["sym"], cause))
                made += made_of(self._engine.member.hear(event))
        return made

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


def asked_of(sym: str, row: Row) -> GivenCommand:
    """Return a question for a symbol as of a row of the journal."""
    return GivenCommand("", "order", sym, {}, row["received"], row["received"], row["seq"], row.get("seq_row", 0))
