"""A run that follows the plant, made again of what it was handed; every row it made is compared with the plant's."""

from dataclasses import dataclass
from typing import Any

from plant.errors import QueryError
from plant.runtime.settings import Settings
from plant.state.runs import BY_EVENTS
from trading.live.catalogue import Catalogue
from trading.live.inputs import tables_of
from trading.live.known import Known
from trading.live.machine import RunMachine
from trading.live.reading import MADE, bars_before, inputs_behind, made_where, rows_of
from trading.live.repeated import Diverged, Repeated
from trading.live.setups import TIMES_WARM_UP, hears, prepared


@dataclass(frozen=True)
class Again:
    """What came of it: rows compared, rows that the plant has not (yet), and the first difference, "" for none."""

    run: str
    compared: int
    missing: int
    difference: str


def again(run: str, db: Any, settings: Settings) -> Again:
    """Make a run again; `db` is a connection to history and today as one. Raises QueryError for a run there is not."""
    schema, known = settings.table_schema, Known(whole=not settings.hdb.keep_days)
    known.read(db, schema)
    begun = known.director.begun(known.runs)
    before = known.runs.get(run)
    if run not in begun or before is None or before["mode"] not in BY_EVENTS:
        raise QueryError(f"no run {run!r} of a strategy that followed the plant; `plant strategy list` shows them")
    wanted = begun[run]
    instruments = known.instruments_at(wanted.first_seq)
    setup, code_sha, assumed = prepared(
        wanted, before, settings, Catalogue(settings.strategies_folder), instruments, lambda table, sym: False
    )
    if code_sha != before["code_sha"]:
        return Again(run, 0, 0, f"the source of {setup.strategy_class.__name__} is another than it was")
    machine = RunMachine(setup, wanted.row, code_sha)
    machine.warm(
        bars_before(db, schema, setup.symbols, setup.interval, wanted.first_seq, machine.warm_up * TIMES_WARM_UP)
    )
    there = {t: rows_of(db, schema, t, made_where(t, run, setup.strategy, wanted.first_seq)) for t in MADE}
    repeated, new = Repeated(schema, there), 0
    tables = tables_of(setup.fills_on, lambda name: hears(setup, name))
    through = max((rows[-1]["seq"] for rows in there.values() if rows), default=0)
    try:
        new += len(repeated.compare(machine.begin(assumed)))
        for table, row in inputs_behind(db, schema, tables, setup.symbols, setup.interval, wanted.first_seq, through):
            new += len(repeated.compare(machine.take(table, row)))
        repeated.finish()
    except Diverged as error:
        return Again(run, repeated.compared, new, str(error))
    return Again(run, repeated.compared, new, "")
