"""The command `plant import`."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer
from rich.table import Table as RichTable

from plant.client.connect import connect, publisher
from plant.client.plant_connection import PlantConnection
from plant.command.terminal import Config, err, out, overview, steps
from plant.errors import BadRows, Unavailable
from plant.files.file_names import files_of
from plant.progress import Step
from plant.rows.schema import Table
from plant.runtime.settings import load
from plant.transfer.importing import (
    TABLE,
    FileRows,
    compare,
    doubled_lines,
    imported_before,
    publish_file,
    read_file,
    until_seen,
)
from plant.transfer.reader import Reader
from plant.transport import sockets

app = typer.Typer()
ANSWER_S = 60.0
DRY_S = 5.0
"""Longest an answer may take; a plant that does not answer a dry run is left out of it."""

EXIT_NOTHING_GOOD = 1
"""Exit code if a file has rows, and none of them can be used."""


@app.command(name="import")
def import_command(
    files: Annotated[list[str], typer.Argument(metavar="FILES", help='CSV, Excel or Parquet; also "data/*.csv".')],
    table: Annotated[str, typer.Option(help="bars, trades, quotes, or another table.")],
    columns: Annotated[
        list[str] | None, typer.Option("--map", help="COLUMN=FIELD: the file's column and ours, e.g. Last=price.")
    ] = None,
    fixed: Annotated[list[str] | None, typer.Option("--set", help="FIELD=NUMBER, of all rows, e.g. volume=0.")] = None,
    scale: Annotated[
        list[str] | None, typer.Option(help="FIELD=FACTOR, e.g. price=0.0001 for prices in hundredths of a cent.")
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of times without an offset, e.g. America/New_York.")] = "UTC",
    stamp: Annotated[str, typer.Option(help="Which edge of a bar its time marks: start or end.")] = "start",
    sym: Annotated[
        str | None, typer.Option(help="Symbol of all rows; else a column, else the file's name without dates and such.")
    ] = None,
    interval: Annotated[
        str, typer.Option(help="Of bars, if the file has no such column; else the file's name, else 1m.")
    ] = "",
    unit: Annotated[
        str, typer.Option(help="Of times in digits: s, ms, us, ns, or calendar (20240304093000); else by the column.")
    ] = "",
    day_first: Annotated[
        bool | None, typer.Option("--day-first/--month-first", help="Of 04/03/2024; else by the column.")
    ] = None,
    decimal: Annotated[str, typer.Option(help="The decimal mark, . or ,; else by the numbers of the file.")] = "",
    encoding: Annotated[str, typer.Option(help="Of a text file, e.g. cp1252; else UTF-8 or UTF-16.")] = "",
    source: Annotated[
        str | None, typer.Option(help='What the rows carry as their source; else the file\'s column, else "import".')
    ] = None,
    drop_alike: Annotated[
        bool, typer.Option("--drop-alike", help="Rows alike in everything are one, even without trade_id.")
    ] = False,
    write: Annotated[bool, typer.Option("--write/--dry-run", help="Write; without it nothing is.")] = False,
    errors: Annotated[int, typer.Option(help="Show so many rejected rows and duplicates of each file.")] = 10,
    config: Config = None,
) -> None:
    """Take files of rows into history; without --write, only tell what would be done.

    The rows go through the tickerplant; the next end of day writes them to the days of their own time. Run again, an
    import goes on where it was interrupted, and writes nothing twice.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    try:
        given = {field: column for column, field in map(_pair, columns or [])}
        reader = Reader(
            table,
            {**given, **_numbers(fixed)},
            sym,
            interval,
            time_zone,
            stamp,
            _numbers(scale),
            unit,
            day_first,
            decimal,
            encoding,
            settings.table_schema,
        )
        paths = [path for each in files for path in files_of(each)]
    except ValueError as error:
        raise BadRows(str(error)) from None
    declared, notes = settings.table_schema[table], settings.table_schema[TABLE]
    found = _overview(write)
    earlier: list[FileRows] = []
    useless = False
    with _plant(config, write) as db:
        for path in paths:
            with steps(path.name) as step:
                step("reading")
                file = read_file(reader, declared, path, source, earlier, drop_alike)
                if db is not None and write:
                    rows = _import(file, db, notes, drop_alike, step, config)
                elif db is not None and imported_before(db, notes, file):
                    file.same = ~file.replaced
                    _tell_of_before(file)
                    rows = 0
                else:
                    rows = _compare(file, db, drop_alike, step)
            _tell(file, reader, errors)
            _add(found, file, rows)
            if rows:
                earlier.append(replace(file, columns={}))
            useless |= bool(file.rejected) and not len(file)
    out.print(found)
    if not write:
        print(
            "nothing was written; --write does it"
            + ("" if db else "; the plant does not answer: not compared with its rows")
        )
    if useless:
        raise typer.Exit(EXIT_NOTHING_GOOD)


def _import(file: FileRows, db: PlantConnection, notes: Table, drop_alike: bool, step: Step, config: str | None) -> int:
    """Compare and publish a file; return the rows published."""
    feed = publisher(file.name, config=config, unit="ns")
    try:
        until_seen(db, feed.flush())
        before = feed.accepted
        if not before:
            _compare(file, db, drop_alike, step)
        rows = publish_file(feed, db, notes, file, step("writing"))
        if before and not rows:
            _tell_of_before(file)
        return rows
    except KeyboardInterrupt:
        err.print(f"interrupted in {file.path.name}; the same command goes on where it was", markup=False)
        raise
    finally:
        try:
            feed.close()
        except Unavailable as error:
            err.print(str(error), style="red", markup=False)


def _compare(file: FileRows, db: PlantConnection | None, drop_alike: bool, step: Step) -> int:
    """Compare a file with what the plant has, if it answers; return how many rows are to be written."""
    if db is not None:
        compare(db, file, drop_alike, step("comparing"))
    return len(file.wanted)


@contextmanager
def _plant(config: str | None, needed: bool) -> Iterator[PlantConnection | None]:
    """Yield history and today as one; None, if they are not needed and do not answer. Raises Unavailable."""
    with contextlib.ExitStack() as stack:
        try:
            db = stack.enter_context(
                connect(config=config, timeout_s=ANSWER_S if needed else DRY_S, warn_unknown=False)
            )
            db.count(TABLE)  # both answer, or today has everything
        except Unavailable:
            if needed:
                raise
            yield None
            return
        yield db


def _tell_of_before(file: FileRows) -> None:
    print(f"{file.path} was imported before: nothing to do; with another --source it is written again")


def _tell(file: FileRows, reader: Reader, most: int) -> None:
    others = [f"{ours} = {theirs}" for ours, theirs in file.where.items() if ours != theirs]
    edge = f", the {reader.stamp} of a bar" if reader.table == "bars" else ""
    print(f"{file.path}: {', '.join([*others, f'times in {reader.time_zone} unless they name a zone'])}{edge}")
    if file.assumed:
        print(f"  {', '.join(file.assumed)}")
    revised, same = int((file.replaced | file.revising).sum()), int(file.same.sum())
    if revised or same:
        print(f"  {revised:,} revised (of rows of one key the later one replaces), {same:,} the same (not written)")
    for line, why in file.reasons[:most]:
        print(f"  {file.unit} {line:,}: {why}")
    if file.rejected > most:
        print(f"  and {file.rejected - most:,} more rejected")
    for text in doubled_lines(file, most):
        print(f"  {text}")


def _overview(write: bool) -> RichTable:
    counts = ("rows", "revised", "same", "rejected", "written" if write else "to write")
    return overview("file", "first", "last", "symbols", *counts, numbers=counts)


def _add(table: RichTable, file: FileRows, rows: int) -> None:
    times, syms = file.columns["time"], file.syms
    span = [str(np.datetime64(int(t), "ns"))[:19].replace("T", " ") for t in times[[0, -1]]] if len(times) else ["", ""]
    shown = ", ".join(syms[:3]) + (f" and {len(syms) - 3:,} more" if len(syms) > 3 else "")
    marks = (int(rows.sum()) for rows in (file.replaced | file.revising, file.same))
    table.add_row(file.path.name, *span, shown, *(f"{n:,}" for n in (len(file), *marks, file.rejected, rows)))


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.rpartition("=")
    if not (equals and left and right):
        raise BadRows(f"expected NAME=VALUE, found {text!r}")
    return left, right


def _numbers(texts: list[str] | None) -> dict[str, float]:
    found = {}
    for name, value in map(_pair, texts or []):
        try:
            found[name] = float(value)
        except ValueError:
            raise BadRows(f"expected {name}=NUMBER, found {value!r}") from None
    return found
