"""The command `plant export`."""

from pathlib import Path
from typing import Annotated

import typer

from plant.client.arguments import moment_of
from plant.client.connect import connect
from plant.command.terminal import Config, steps
from plant.runtime.settings import load
from plant.transfer.exporting import export
from plant.transport import sockets

app = typer.Typer()


@app.command(name="export")
def export_command(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The table, e.g. trades.")],
    to: Annotated[Path | None, typer.Option(help="A .csv, .parquet, .xlsx or .arrow (default: TABLE.csv).")] = None,
    sym: Annotated[list[str] | None, typer.Option(help="Only this symbol; may be given several times.")] = None,
    start: Annotated[str | None, typer.Option(help='Rows from this time on, e.g. "2026-11-20 09:30".')] = None,
    end: Annotated[str | None, typer.Option(help="Rows before this time.")] = None,
    config: Config = None,
) -> None:
    """Write a table's rows, of history and today, to a file, in order of time."""
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    settings.table_schema[table]
    path = to or Path(f"{table}.csv")
    span = [moment_of(text, settings.zone) for text in (start, end)]
    with connect(config=config, frames="arrow", timeout_s=60.0) as db, steps(f"export {table}") as step:
        rows = export(db, table, path, sym or None, span[0], span[1], step(path.name))
    print(f"{path}: {rows:,} rows")
