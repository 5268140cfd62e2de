"""The commands `plant journal verify | repair | export | unfence`."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from plant.command.terminal import Config, out, overview
from plant.journal.check import Verification, check_journal
from plant.journal.export import export_journal
from plant.journal.fence import unfence
from plant.journal.journal import journal_lock
from plant.journal.repair import repair
from plant.runtime.settings import Settings, load

EXIT_DAMAGED = 1

app = typer.Typer(no_args_is_help=True, help="Check, repair and export the journal.")
Folder = Annotated[Path | None, typer.Option("--journal", help="A journal's folder (default: that of the plant).")]


@app.command(name="verify")
def verify_journal_command(
    folder: Folder = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config: Config = None,
) -> None:
    """Read every record: checksums, and that no number is missing. Exit code 0: whole, 1: damaged.

    Reads only, and may run beside a live plant.
    """
    found = check_journal(_folder(folder, load(config)))
    if as_json:
        print(json.dumps(_plain(found), indent=1))
    else:
        _print(found)
    if not found.whole:
        raise typer.Exit(EXIT_DAMAGED)


@app.command(name="repair")
def repair_command(folder: Folder = None, config: Config = None) -> None:
    """Cut a torn tail, copy the good records of damaged segments, keep the damaged files; stop the plant before."""
    settings = load(config)
    place = _folder(folder, settings)
    done = repair(place, settings.table_schema)
    for line in done:
        print(line)
    found = check_journal(place)
    for missing in found.missing:
        print(f"lost: {missing}")
    rows = sum(found.rows.values())
    print(f"{'repaired' if done else 'nothing to repair'}: {found.segments} segments, {rows:,} rows")
    if found.damage:
        print(*found.damage, sep="\n")
        raise typer.Exit(EXIT_DAMAGED)


@app.command(name="export")
def export_journal_command(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the files go, one for each table.")],
    table: Annotated[list[str] | None, typer.Option(help="Only this table; may be given several times.")] = None,
    form: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    from_seq: Annotated[int, typer.Option(help="From this journal sequence number.")] = 1,
    to_seq: Annotated[int | None, typer.Option(help="To this one, inclusive.")] = None,
    sym: Annotated[list[str] | None, typer.Option(help="Only this symbol; may be given several times.")] = None,
    folder: Folder = None,
    config: Config = None,
) -> None:
    """Write the journal's rows as Parquet or CSV. Exit code 1 if some could not be read; the others are there."""
    place = _folder(folder, load(config))
    done = export_journal(place, target, form, table or (), from_seq, to_seq, set(sym or ()))
    for name, rows in done.rows.items():
        print(f"{target / name}.{form}: {rows:,} rows")
    if not done.rows:
        print("no such rows")
    if done.damage:
        print(*done.damage, sep="\n")
        raise typer.Exit(EXIT_DAMAGED)


@app.command(name="unfence")
def unfence_command(folder: Folder = None, config: Config = None) -> None:
    """Let a plant take rows again whose place another one had taken; stop this plant before, and that one for good."""
    place = _folder(folder, load(config))
    held = journal_lock(place)
    try:
        reason = unfence(place)
    finally:
        os.close(held)
    print(f"no longer fenced; it was: {reason}" if reason else f"{place}: this plant is not fenced")


def _folder(folder: Path | None, settings: Settings) -> Path:
    return folder or settings.plant.data / "journal"


def _plain(found: Verification) -> dict[str, object]:
    return {
        "whole": found.whole,
        "segments": found.segments,
        "first_seq": found.first_seq,
        "last_seq": found.last_seq,
        "stored_bytes": found.stored_bytes,
        "records": dict(found.records),
        "rows": dict(found.rows),
        "damage": found.damage,
        "missing": [{"table": m.table, "first": m.first, "last": m.last, "where": m.where} for m in found.missing],
        "notes": found.notes,
    }


def _print(found: Verification) -> None:
    table = overview("table", "batches", "rows", numbers=("batches", "rows"))
    for name in sorted(found.records):
        table.add_row(name, f"{found.records[name]:,}", f"{found.rows[name]:,}")
    out.print(table)
    print(
        f"{found.segments} segments, {found.stored_bytes:,} bytes, "
        f"seq {found.first_seq:,} to {found.last_seq:,}, {sum(found.rows.values()):,} rows"
    )
    for note in found.notes:
        print(f"note: {note}")
    for damage in found.damage:
        print(f"damaged: {damage}")
    for missing in found.missing:
        print(f"missing: {missing}")
    print("whole" if found.whole else "NOT whole; `plant journal repair` keeps what is good")
