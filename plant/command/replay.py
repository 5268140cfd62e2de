"""The command `plant replay`."""

import hashlib
from functools import partial
from typing import Annotated

import typer

from plant.client.connect import connect
from plant.command.terminal import Config, bounds_of, err, line_of, steps
from plant.errors import Refused
from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.schema import Schema
from plant.runtime.settings import load
from plant.stream.publisher import Publisher
from plant.transfer.replaying import play, publish_replay, refuse_same, replayable_tables, rows_of
from plant.transport import sockets

app = typer.Typer()


@app.command()
def replay(
    day: Annotated[str, typer.Argument(metavar="DAY", help="The day, e.g. 2026-11-20.")],
    into: Annotated[
        str | None, typer.Option(help="plant.toml of the plant the rows go to; never the one read.")
    ] = None,
    printed: Annotated[bool, typer.Option("--print", help="Print the rows instead.")] = False,
    speed: Annotated[float, typer.Option(min=0, help="60: an hour in a minute; 0: as fast as it goes.")] = 0.0,
    table: Annotated[
        list[str] | None, typer.Option(help="Only this table; several times for more. Else those fed from outside.")
    ] = None,
    sym: Annotated[list[str] | None, typer.Option(help="Only this symbol; may be given several times.")] = None,
    source: Annotated[
        str | None, typer.Option(help="Name to publish under. A new name plays again what was played before.")
    ] = None,
    config: Config = None,
) -> None:
    """Play the rows of a past day once more, in their order and with their times, into another plant.

    A replay that was interrupted goes on where it was; one that is run again has nothing to do.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    if printed == bool(into):
        raise Refused("say where the rows go: --into PLANT.TOML of another plant, or --print")
    target = load(into) if into else settings
    if into:
        refuse_same(settings, target)
    schema = settings.table_schema
    tables = replayable_tables(schema, table or ())
    start, end = bounds_of(settings.days, day)
    with connect(config=config, frames="arrow", timeout_s=60.0) as db:
        built = "bars" in (table or ())
        rows = rows_of(db, schema, tables, sym or None, start, end, built=built)
        if printed:
            play(rows, speed, partial(_print, schema))
            return
        total = sum(db.count(name, sym or None, start, end) for name in tables)
        name = source or f"replay-{day}-{hashlib.blake2b(repr((tables, sym)).encode(), digest_size=4).hexdigest()}"
        with (
            Publisher(name, target.ingest_address, target.table_schema, unit="ns") as feed,
            steps(f"replay {day}") as step,
        ):
            advance = step(f"into {feed.address}")
            before = feed.wait_connected()
            try:
                done = publish_replay(feed, rows, speed, lambda done: advance(done, total))
            except KeyboardInterrupt:
                err.print("interrupted; the same command goes on where it was", markup=False)
                raise
        print(f"{done:,} rows of {day} as {name}; {before:,} were there already")


def _print(schema: Schema, table: str, columns: Columns) -> None:
    for row in Batch(table, columns, 0, 0, 0, times=schema[table].times).rows():
        print(f"{table:<9} {line_of(row)}")
