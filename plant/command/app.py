"""The command `plant`: up, down, status, query, tail, keys, end-of-day, journal, on history, and what others bring."""

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from plant.client.connect import subscriber_of, unknown_symbols
from plant.command.process_commands import ProcessCommands
from plant.command.terminal import Config, err, line_of, out, plant_of
from plant.errors import PlantError, Unavailable, UnknownSymbolWarning
from plant.query.frames import as_frame
from plant.runtime.settings import Settings
from plant.transport.keys import make_keys

if TYPE_CHECKING:
    import pyarrow as pa

QUERY_S = 60.0
"""Longest a SELECT may take."""

ANSWER_S = 5.0
"""A process that does not say how it is for so long is away."""

CORE = {
    "up": "running",
    "down": "running",
    "status": "running",
    "journal": "journal",
    "import": "import_files",
    "replay": "replay",
    "verify": "verify",
    "rebuild": "rebuild",
    "amend": "amend",
    "export": "export_files",
    "end-of-day": "end_of_day",
}
"""The commands of the core that have a module here, which is imported when they are typed; the others are below."""


class Commands(ProcessCommands):
    """The commands of the core, and those that are installed."""

    modules: ClassVar = {name: f"plant.command.{module}" for name, module in CORE.items()}


app = typer.Typer(
    cls=Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A kdb-style tick plant: start it, look at it, ask it.",
)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='A SELECT, e.g. "select sym, count(*) n from bars group by sym".')],
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    config: Config = None,
) -> None:
    """Answer a SELECT over history and today; what is not reached is said, and left out."""
    settings, _ = plant_of(config)
    answer, missing = _answer(settings, sql)
    if missing:
        err.print(f"plant: {missing}", style="yellow", markup=False, highlight=False)
    if form == "json":
        print(json.dumps(answer.to_pylist(), default=str, indent=1))
    elif form == "csv":
        print(as_frame(answer, "pandas").to_csv(index=False), end="")
    else:
        from rich.table import Table as RichTable

        table = RichTable(*answer.column_names)
        for row in answer.to_pylist():
            table.add_row(*("" if v is None else str(v) for v in row.values()))
        out.print(table)


@app.command()
def tail(
    table: Annotated[str, typer.Argument(help="A table, e.g. trades.")],
    sym: Annotated[list[str] | None, typer.Option(help="Only this symbol; may be given several times.")] = None,
    since: Annotated[
        str | None, typer.Option(help='Also what was before: "start", "09:30", "2026-11-20 09:30".')
    ] = None,
    limit: Annotated[int | None, typer.Option("-n", help="Stop after so many rows.")] = None,
    config: Config = None,
) -> None:
    """Print rows of a table as they come."""
    settings, _ = plant_of(config)
    for warning in unknown_symbols(settings, (table,), sym or None):
        err.print(f"plant: {warning}; waiting for it", style="yellow", markup=False, highlight=False)
    left = limit
    with subscriber_of(settings, (table,), tuple(sym) if sym else None, since) as subscriber:
        for batch in subscriber:
            for row in batch.rows()[:left]:
                print(line_of(row), flush=True)
            if left is not None and (left := left - min(left, len(batch))) == 0:
                return


@app.command()
def keys(folder: Annotated[Path, typer.Argument(help="Where to write them.")]) -> None:
    """Make CURVE keys, so that a plant may use addresses beyond this machine."""
    make_keys(folder)
    out.print(f'wrote keys to {folder}; set keys = "{folder}" and host in [plant] of plant.toml.', highlight=False)
    out.print(f"A reader elsewhere needs server.key and a client pair whose public half is in {folder}/clients.")


def _answer(settings: Settings, sql: str) -> "tuple[pa.Table, str]":
    """Return the answer of history and today, and what it lacks because one of them is away. Raises Unavailable."""
    from plant.client.plant_connection import PlantConnection

    addresses = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
    options: dict[str, Any] = {"frames": "arrow", "timeout_s": QUERY_S, "partial": True}
    with PlantConnection(*addresses, settings.table_schema, **options) as db:
        try:
            db.status(ANSWER_S)
        except Unavailable as error:
            try:
                db.history.status(ANSWER_S)
            except Unavailable:
                raise error from None
            return db.history.sql(sql), f"today's rows are missing, this is history alone: {error}"
        answer = db.sql(sql)
        return answer, db.missing and f"history is missing, these are today's rows alone: {db.missing}"


def _told(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
    """Say a warning on stderr as an error is said, without the line of our own that it came from."""
    err.print(f"plant: {message}", style="yellow", markup=False, highlight=False)


def main() -> None:
    """Run the command; an error of the plant is one line on stderr and exit code 1."""
    warnings.simplefilter("always", UnknownSymbolWarning)
    warnings.showwarning = _told
    try:
        app()
    except PlantError as error:
        err.print(f"plant: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)
    except PermissionError as error:
        from plant.runtime.lifecycle import unusable

        err.print(f"plant: {unusable(error)}", style="red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
