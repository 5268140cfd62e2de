"""A run as it begins: its machine, warmed up, and which rows of the plant it is handed from then on."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from plant.rows.schema import Schema
from plant.runtime.settings import Settings
from plant.state.newest import Row
from trading.accounts.commands import Told, order_account
from trading.accounts.lookup import Listed, listed
from trading.accounts.standing import is_standing, standing_prepared
from trading.accounts.standing_machine import StandingMachine
from trading.live.catalogue import Catalogue
from trading.live.director import Wanted
from trading.live.inputs import tables_of
from trading.live.known import Known
from trading.live.machine import RunMachine
from trading.live.reading import bars_before
from trading.live.repeated import Diverged
from trading.live.setups import TIMES_WARM_UP, Prepared, hears, prepared

Reach = Callable[[int], Any]
"""Returns a connection to history and today that has all rows up to a seq. Raises Unavailable while there is none."""


class Beginning(NamedTuple):
    """A run that has not taken a row.

    machine    warmed up
    assumed    sentences on what it takes for granted
    tables     whose rows it is handed
    earlier    symbol -> interval ("": any) of rows it may be handed, to read them of the history
    """

    machine: RunMachine
    assumed: tuple[str, ...]
    tables: tuple[str, ...]
    earlier: Mapping[str, str]


def beginning(
    wanted: Wanted, known: Known, settings: Settings, schema: Schema, catalogue: Catalogue, reach: Reach
) -> Beginning:
    """Return a run as it began, or begins now. Raises SettingsError for what cannot be run, Diverged, Unavailable."""
    before, db = known.row_of(wanted), reach(wanted.first_seq)
    if is_standing(wanted):
        return _standing(wanted, before, known, settings, schema, catalogue, reach)
    instruments = known.instruments_at(wanted.first_seq)
    found = prepared(wanted, before, settings, catalogue, instruments, lambda table, sym: db.count(table, sym) > 0)
    setup = found.setup
    _check_source(found, before)
    machine = RunMachine(setup, wanted.row, found.code_sha)
    count = machine.warm_up * TIMES_WARM_UP
    machine.warm(bars_before(db, schema, setup.symbols, setup.interval, setup.start_seq, count))
    tables = tables_of(setup.fills_on, lambda name: hears(setup, name))
    return Beginning(machine, found.assumed, tables, machine.follows)


def _standing(
    wanted: Wanted,
    before: Row | None,
    known: Known,
    settings: Settings,
    schema: Schema,
    catalogue: Catalogue,
    reach: Reach,
) -> Beginning:
    found = standing_prepared(wanted, before, settings, catalogue)
    _check_source(found, before)
    setup, first = found.setup, settings.accounts[0].name

    def lookup(told: Told) -> Listed:
        db, instruments = reach(told.seq), known.instruments_at(told.seq)
        return listed(db, schema, settings, instruments, setup.fills_on, told.sym, told.seq, told.received)

    orders = [each for each in known.commands if each.command == "order"]
    ids = (each.id for each in orders if each.seq <= wanted.first_seq)
    machine = StandingMachine(setup, wanted.row, found.code_sha, lookup, first, ids)
    tables = tables_of(setup.fills_on, lambda name: not setup.fills_on and name in ("on_trade", "on_quote"))
    earlier = {each.sym: "" for each in orders if order_account(each, first) == setup.account}
    return Beginning(machine, found.assumed, tables, earlier)


def _check_source(found: Prepared, before: Row | None) -> None:
    """Raise Diverged if the source of the class is another than the run began with."""
    if before is not None and before["code_sha"] != found.code_sha:
        raise Diverged(
            f"diverged: the source of {found.setup.strategy_class.__name__} is another than the one it began with "
            f"({before['code_sha'][:12]}, now {found.code_sha[:12]}); start the strategy again to run it as it is now"
        )
