"""The command `plant rebuild`."""

import datetime as dt
from typing import Annotated

import typer

from plant.audit.rebuild import Rebuilding, Rebuilt
from plant.audit.verify import verify
from plant.command.terminal import Config, bounds_of, out, overview, steps
from plant.runtime.settings import load

EXIT_DIFFERS = 1

app = typer.Typer()


@app.command()
def rebuild(
    day: Annotated[str, typer.Argument(metavar="DAY", help="The day, e.g. 2026-11-20.")],
    write: Annotated[bool, typer.Option("--write", help="Replace what differs; old files are kept beside.")] = False,
    config: Config = None,
) -> None:
    """Make a closed day again from the journal, and compare it with what is stored. The program hdb must not run.

    Exit code 0: all the same, or replaced, 1: something differs.
    """
    settings = load(config)
    span = bounds_of(settings.days, day)
    data, schema = settings.plant.data, settings.table_schema
    with Rebuilding(data, schema, settings.days) as rebuilding, steps(f"rebuild {day}") as step:
        done = rebuilding.day(dt.date.fromisoformat(day), step("reading the journal"))
        differing = [each for each in done if not each.same]
        _print(done)
        for each in differing:
            if each.damage:
                print(f"damaged: {each.damage}")
        if any(not each.damage for each in differing):
            for line in verify(data, schema, span, None, step).lines:
                print(f"differs: {line}")
        if differing and write:
            for line in rebuilding.write(done):
                print(line)
        elif differing:
            print("nothing was written; --write replaces what differs")
            raise typer.Exit(EXIT_DIFFERS)


def _print(done: list[Rebuilt]) -> None:
    table = overview("table", "stored", "rebuilt", "", numbers=("stored", "rebuilt"))
    for each in done:
        stored, made = (f"{f.rows:,}" if f else "" for f in (each.stored, each.made))
        table.add_row(each.table, stored, made, "the same" if each.same else "damaged" if each.damage else "differs")
    out.print(table)
