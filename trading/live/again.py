"""A run that follows the plant, made again of what it was handed; every row it made is compared with the plant's."""

from dataclasses import dataclass
from typing import Any

from plant.errors import QueryError
from plant.runtime.settings import Settings
from plant.state.newest import Row
from plant.state.runs import BY_EVENTS
from trading.accounts.beginning import Beginner
from trading.accounts.standing import is_standing
from trading.live.catalogue import Catalogue
from trading.live.known import Known
from trading.live.reading import MADE, ends_of, inputs_behind, made_by, made_where, rows_of
from trading.live.repeated import Diverged, Repeated
from trading.turns.takings import older_than, taken_where


@dataclass(frozen=True)
class Again:
    """What came of it: rows compared, rows that the plant has not (yet), and the first difference, "" for none."""

    run: str
    compared: int
    missing: int
    difference: str


def again(run: str, db: Any, settings: Settings) -> Again:
    """Make a run again; `db` is a connection to history and today as one. Raises QueryError for a run there is not."""
    schema, known = settings.table_schema, Known(not settings.hdb.keep_days, settings.accounts)
    known.read(db, schema)
    begun, before = known.begun(), known.runs.get(run)
    if run not in begun or before is None or before["mode"] not in BY_EVENTS:
        raise QueryError(f"no run {run!r} of a strategy that followed the plant; `plant strategy list` shows them")
    wanted = begun[run]
    beginner = Beginner(known, settings, schema, Catalogue(settings.strategies_folder), lambda seq: db)
    try:
        begins = beginner.beginning(wanted)
    except Diverged as error:
        return Again(run, 0, 0, str(error))
    first_seq, machine = wanted.first_seq, begins.machine
    account = machine.setup.account
    standing, ends = is_standing(wanted), ends_of(known.runs.values(), account)

    def made(table: str) -> list[Row]:
        rows = rows_of(db, schema, table, made_where(table, run, account, first_seq, standing))
        return made_by(table, run, rows, ends, standing)

    there = {table: made(table) for table in MADE}
    repeated, new = Repeated(schema, there), 0
    if machine.setup.shared:  # read behind its own rows: what they depend on is in the journal before them
        older = older_than(wanted, begun, known.runs)
        for row in rows_of(db, schema, "fills", taken_where(account, first_seq)) if older else ():
            if row["run"] in older:
                machine.takings.add(row)
    through = max((rows[-1]["seq"] for rows in there.values() if rows), default=0)
    try:
        new += len(repeated.compare(begins.begin()))
        what = (begins.tables, begins.earlier, begins.neighbours)
        for table, row in inputs_behind(db, schema, *what, first_seq, through):
            new += len(repeated.compare(machine.take(table, row)))
        repeated.finish()
    except Diverged as error:
        return Again(run, repeated.compared, new, str(error))
    return Again(run, repeated.compared, new, "")
