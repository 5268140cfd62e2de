"""The command `plant verify`."""

import contextlib
import json
from typing import Annotated, Any

import typer

from plant.audit.verify import Verified, verify
from plant.client.connect import connect_to
from plant.command.terminal import Config, bounds_of, out, overview, steps
from plant.errors import Unavailable
from plant.runtime.settings import load
from plant.transport import sockets

EXIT_DIFFERS = 1
EXIT_CANNOT_TELL = 2
RDB_S = 2.0
"""An rdb that does not answer within this is not compared."""
ANSWER_S = 60.0

app = typer.Typer()


@app.command(name="verify")
def verify_command(
    day: Annotated[str | None, typer.Argument(metavar="[DAY]", help="Only rows of this day, e.g. 2026-11-20.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config: Config = None,
) -> None:
    """Compare journal, history and rdb, row by row.

    Exit code 0: all the same, 1: something differs or is damaged, 2: not all could be compared. Reads only, and works
    without a running plant; the rdb is then left out.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    span = bounds_of(settings.days, day) if day else None
    db: Any = None
    with contextlib.suppress(Unavailable):
        connect_to("rdb", config=config, timeout_s=RDB_S).close()
        db = connect_to("rdb", config=config, frames="arrow", timeout_s=ANSWER_S)
    try:
        with steps("verify") as step:
            found = verify(settings.plant.data, settings.table_schema, span, db, step)
    finally:
        if db is not None:
            db.close()
    code = EXIT_DIFFERS if not found.same else EXIT_CANNOT_TELL if found.unknown else 0
    if db is None:
        found.unknown.append("the rdb does not answer: not compared")
    if as_json:
        print(json.dumps(_plain(found), indent=1))
    else:
        _print(found)
    if code:
        raise typer.Exit(code)


def _plain(found: Verified) -> dict[str, Any]:
    return {
        "same": found.same,
        "rows": {f"{table}, {place}": rows for (table, place), rows in sorted(found.rows.items())},
        "differing": dict(found.differing),
        "lines": found.lines,
        "damage": found.damage,
        "unknown": found.unknown,
    }


def _print(found: Verified) -> None:
    numbers = ("journal", "history", "rdb", "differing")
    table = overview("table", *numbers, numbers=numbers)
    for name in sorted({name for name, _ in found.rows}):
        counts = (found.rows.get((name, place)) for place in ("journal", "history", "rdb"))
        table.add_row(name, *("" if n is None else f"{n:,}" for n in counts), f"{found.differing[name]:,}")
    out.print(table)
    for heading, lines in (("damaged", found.damage), ("differs", found.lines), ("not compared", found.unknown)):
        for line in lines:
            print(f"{heading}: {line}")
    print("the same" if found.same else "NOT the same")
