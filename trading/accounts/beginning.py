"""A run as it begins: its machine, warmed up, and which rows of the plant it is handed from then on."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from plant.rows.schema import Schema
from plant.runtime.settings import Settings
from plant.state.commands import GivenCommand
from plant.state.newest import Row
from trading.accounts.commands import order_account
from trading.accounts.lookup import Listed, listed
from trading.accounts.neighbours import Neighbours
from trading.accounts.opening import Opening
from trading.accounts.past import opening, order_before, runs_before
from trading.accounts.standing import is_standing, standing_prepared
from trading.accounts.standing_machine import StandingMachine, asked_of
from trading.brokered.late_orders import Known as KnownOrder
from trading.instruments import Instrument
from trading.live.catalogue import Catalogue
from trading.live.director import Wanted
from trading.live.inputs import tables_of
from trading.live.known import Known
from trading.live.machine import Made, RunMachine
from trading.live.reading import bars_before
from trading.live.repeated import Diverged
from trading.live.setups import TIMES_WARM_UP, Prepared, hears, prepared
from trading.run import RunSetup

Reach = Callable[[int], Any]
"""Returns a connection to history and today that has all rows up to a seq. Raises Unavailable while there is none."""

_Parts = tuple[RunMachine, tuple[str, ...], tuple[str, ...], Mapping[str, str]]


class Beginning(NamedTuple):
    """A run that has not taken a row.

    machine    warmed up
    assumed    sentences on what it takes for granted
    tables     whose rows it is handed
    earlier    symbol -> interval ("": any) of rows it may be handed, to read them of the history
    neighbours which rows of other runs it is handed
    opening    what its account had by then
    """

    machine: RunMachine
    assumed: tuple[str, ...]
    tables: tuple[str, ...]
    earlier: Mapping[str, str]
    neighbours: Neighbours
    opening: Opening

    def begin(self) -> list[Made]:
        """Have the machine make the rows that the run begins with, and return them."""
        return self.machine.begin(self.assumed, self.opening)


class Beginner:
    """Makes machines of runs, as they began or begin now.

    reach   returns a connection to history and today that has all rows up to a seq; raises Unavailable if there is none
    """

    def __init__(self, known: Known, settings: Settings, schema: Schema, catalogue: Catalogue, reach: Reach) -> None:
        self._known, self._settings, self._schema = known, settings, schema
        self._catalogue, self._reach = catalogue, reach

    def beginning(self, wanted: Wanted, under_way: Iterable[RunSetup] = ()) -> Beginning:
        """Return a run before its first row. Raises SettingsError for what cannot be run, Diverged, Unavailable.

        under_way   runs that have begun, of which there may be no row yet
        """
        known, first_seq = self._known, wanted.first_seq
        before, db = known.row_of(wanted), self._reach(first_seq)
        if is_standing(wanted):
            machine, assumed, tables, earlier = self._standing(wanted, before, db)
        else:
            machine, assumed, tables, earlier = self._strategy(wanted, before, db)
        setup = machine.setup
        run, strategy, account = setup.run, setup.strategy, setup.account
        untold = (
            other.run
            for other in under_way
            if (other.strategy, other.account) == (strategy, account)
            and other.start_seq < first_seq
            and other.run not in known.runs
        )
        what = (known.runs, known.commands, run, strategy, account, first_seq, untold)
        there = opening(db, self._schema, *what, at_broker=not setup.simulated)
        modes = {name: row["mode"] for name, row in known.runs.items()}
        neighbours = Neighbours(run, account, modes, "" if setup.standing else strategy)
        return Beginning(machine, assumed, tables, earlier, neighbours, there)

    def _strategy(self, wanted: Wanted, before: Row | None, db: Any) -> _Parts:
        known_seq = self._known.known_seq(wanted)
        found = prepared(
            wanted,
            before,
            self._settings,
            self._catalogue,
            self._known.instruments_at(known_seq),
            lambda table, sym: db.count(table, sym) > 0,
            known_seq,
        )
        setup = found.setup
        _check_source(found, before)
        machine = RunMachine(setup, wanted.row, found.code_sha)
        count = machine.warm_up * TIMES_WARM_UP
        machine.warm(bars_before(db, self._schema, setup.symbols, setup.interval, setup.start_seq, count))
        tables = tables_of(setup.fills_on, lambda name: hears(setup, name), setup.simulated)
        return machine, found.assumed, tables, machine.follows

    def _standing(self, wanted: Wanted, before: Row | None, db: Any) -> _Parts:
        known_seq = self._known.known_seq(wanted)
        found = standing_prepared(wanted, before, self._settings, self._catalogue, known_seq)
        _check_source(found, before)
        setup, first = found.setup, self._settings.accounts[0].name

        def lookup(told: GivenCommand) -> Listed:
            db, instruments = self._reach(told.seq), self._known.instruments_at(max(told.seq, known_seq))
            what = (setup.fills_on, told.sym, told.seq, told.received)
            return listed(db, self._schema, self._settings, instruments, *what, setup.currency, setup.mode)

        orders = [each for each in self._known.commands if each.command == "order"]
        ids = (each.id for each in orders if each.seq <= wanted.first_seq)
        machine = StandingMachine(setup, wanted.row, found.code_sha, lookup, first, ids)
        if not setup.simulated:

            def known_of(order_id: str, row: Row) -> KnownOrder | None:
                def instrument(sym: str) -> Instrument:
                    return lookup(asked_of(sym, row)).instrument

                rows = self._reach(row["seq"])
                return order_before(rows, self._schema, setup.account, order_id, row["seq"], instrument)

            machine.take_late(known_of, runs_before(db, self._schema, setup.account, wanted.first_seq))
        both = not setup.fills_on
        tables = tables_of(setup.fills_on, lambda name: both and name in ("on_trade", "on_quote"), setup.simulated)
        earlier = {each.sym: "" for each in orders if order_account(each, first) == setup.account}
        return machine, found.assumed, tables, earlier


def _check_source(found: Prepared, before: Row | None) -> None:
    """Raise Diverged if the source of the class is another than the run began with."""
    if before is not None and before["code_sha"] != found.code_sha:
        raise Diverged(
            f"diverged: the source of {found.setup.strategy_class.__name__} is another than the one it began with "
            f"({before['code_sha'][:12]}, now {found.code_sha[:12]}); start the strategy again to run it as it is now"
        )
