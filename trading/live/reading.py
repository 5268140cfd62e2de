"""Rows of a run, read where the plant has them: what warms it up, what it was handed, what it made."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import META_COLUMNS, Schema
from plant.state.newest import Row, rows_of_columns
from plant.state.runs import ENDED
from trading.accounts.neighbours import NEIGHBOURS, Neighbours, account_of_run, follow_the_plant, run_of_event
from trading.live.inputs import CONTROL, OF_ACCOUNTS, Input

OUTPUTS = ("runs", "strategy_events", "plots", "orders", "fills", "positions", "equity", "round_trips", "metrics")
"""Tables whose rows have the run that made them."""

MADE = (*OUTPUTS, "risk_events")
"""And those in which a row has no column for its run."""

LATE = ("orders", "fills", "round_trips")
"""Those in which the standing run of an account makes rows in the name of runs that are over."""

Where = Sequence[tuple[str, str, Any]]


def rows_of(
    db: Any, schema: Schema, name: str, where: Where, sym: Sequence[str] | None = None, last: int | None = None
) -> list[Row]:
    """Return rows that a connection has, in the order of the journal. Raises what its questions raise."""
    table = schema[name]
    names = (*table.names, *META_COLUMNS)
    found = db.select(name, sym, columns=names, where=list(where) or None, last=last, frames="arrow")
    if not len(found):
        return []
    return in_order(rows_of_columns(columns_from_arrow(found, table, names), table.times))


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Return rows in the order of the journal."""
    return sorted(rows, key=lambda row: (row["seq"], row["seq_row"]))


def bars_before(db: Any, schema: Schema, symbols: Sequence[str], interval: str, seq: int, count: int) -> list[Row]:
    """Return the last `count` closed bars of each symbol that were told up to a seq, in the order of the journal."""
    where = [("interval", "==", interval), ("seq", "<=", seq)]
    found: list[Row] = []
    for sym in symbols if count else ():
        found += rows_of(db, schema, "bar_closes", where, [sym], count)
    return in_order(found)


def inputs_behind(
    db: Any,
    schema: Schema,
    tables: Sequence[str],
    follows: Mapping[str, str],
    neighbours: Neighbours,
    behind: int,
    through: int,
) -> list[Input]:
    """Return what a run is handed, of the rows with `behind` < seq <= `through`, in the order of the journal.

    `follows`: symbol -> interval of its bars, "" for any. `neighbours`: which rows of other runs; it knows all runs.
    """
    found: list[Input] = []
    for name in tables:
        where: list[tuple[str, str, Any]] = [("seq", ">", behind), ("seq", "<=", through)]
        if name in CONTROL:
            found += (Input(name, row) for row in rows_of(db, schema, name, where))
            continue
        if name in OF_ACCOUNTS:
            of_it = ("account", "==", neighbours.account)
            found += (Input(name, row) for row in rows_of(db, schema, name, [*where, of_it]))
            continue
        if name in NEIGHBOURS:
            made = rows_of(db, schema, name, [*where, *neighbours.where(name)])
            found += (Input(name, row) for row in made if neighbours.takes(name, row))
            continue
        by_interval: dict[str, list[str]] = {}
        for sym, interval in follows.items():
            by_interval.setdefault(interval if "interval" in schema[name].names else "", []).append(sym)
        for interval, symbols in by_interval.items():
            of = [("interval", "==", interval)] if interval else []
            found += (Input(name, row) for row in rows_of(db, schema, name, [*where, *of], symbols))
    return sorted(found, key=lambda each: (each.row["seq"], each.row["seq_row"]))


def made_where(name: str, run: str, account: str, first_seq: int, standing: bool = False) -> Where:
    """Return which rows of a table of MADE may be those of a run that began behind a seq; `made_by` looks closer.

    standing   whether it is the standing run of the account
    """
    if standing and name in LATE:
        return [("seq", ">", first_seq), *([("account", "==", account)] if name != "round_trips" else [])]
    return [("run", "==", run) if name in OUTPUTS else ("account", "==", account), ("seq", ">", first_seq)]


def made_by(name: str, run: str, rows: Iterable[Row], ends: Mapping[str, int], standing: bool = False) -> list[Row]:
    """Return which of the rows of `made_where` are those of the run.

    ends   of the account's runs that are over, the seq of the row of `runs` that says so: what is in their name behind
           it was made by the standing run
    """
    if name not in OUTPUTS:
        return [row for row in rows if run_of_event(row) == run]

    def mine(row: Row) -> bool:
        late = row["run"] in ends and row["seq"] > ends[row["run"]]
        return standing if late else bool(row["run"] == run)

    return [row for row in rows if mine(row)]


def ends_of(runs: Iterable[Row], account: str) -> dict[str, int]:
    """Return `ends` as `made_by` takes it, of the newest rows of runs."""
    over = (row for row in runs if row["state"] in ENDED and follow_the_plant(row))
    return {row["run"]: row["seq"] for row in over if account_of_run(row) == account}
