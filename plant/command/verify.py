"""The command `plant verify`."""

import contextlib
import json
import time
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import typer

from plant.audit.recomputed import recomputed
from plant.audit.verify import Verified, verify
from plant.client.connect import connect, connect_to
from plant.command.terminal import Config, bounds_of, out, overview, steps
from plant.errors import Unavailable
from plant.runtime.settings import Settings, load
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
    indicators: Annotated[
        bool,
        typer.Option(
            "--indicators",
            help="Instead: a day's indicators and signals, computed anew by the processor; default: today.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    config: Config = None,
) -> None:
    """Compare journal, history and rdb, row by row; or what was computed of a day with what its bars give.

    Exit code 0: all the same, 1: something differs or is damaged, 2: not all could be compared. Reads only, and works
    without a running plant; the rdb is then left out.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    if indicators:
        found = _recomputed(settings, day, config)
        _tell(found, _code_of(found), ("recomputed",), as_json)
        return
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
    code = _code_of(found)
    if db is None:
        found.unknown.append("the rdb does not answer: not compared")
    _tell(found, code, ("journal", "history", "rdb"), as_json)


def _recomputed(settings: Settings, day: str | None, config: str | None) -> Verified:
    """Ask the processor about the symbols of a day."""
    start, end = bounds_of(settings.days, day or str(settings.days.next_roll(time.time_ns())[0]))
    since, until = (str(np.datetime64(moment, "ns")).replace("T", " ") for moment in (start, end))
    both = "(select sym, time from bars union all select sym, time from indicators)"
    query = f"select distinct sym from {both} where time >= '{since}' and time < '{until}' order by sym"
    options: dict[str, Any] = {"config": config, "frames": "arrow", "timeout_s": ANSWER_S}
    try:
        with connect_to("processor", **options) as processor, connect(**options) as db, steps("verify") as step:
            syms = db.sql(query).column("sym").to_pylist()
            return recomputed(processor.answer_to, syms, (start, end), settings.processor.timer_s + 1.0, step)
    except Unavailable as error:
        return Verified(unknown=[str(error)])


def _code_of(found: Verified) -> int:
    return EXIT_DIFFERS if not found.same else EXIT_CANNOT_TELL if found.unknown else 0


def _tell(found: Verified, code: int, places: Sequence[str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(_plain(found), indent=1))
    else:
        _print(found, places)
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


def _print(found: Verified, places: Sequence[str]) -> None:
    numbers = (*places, "differing")
    table = overview("table", *numbers, numbers=numbers)
    for name in sorted({name for name, _ in found.rows}):
        counts = (found.rows.get((name, place)) for place in places)
        table.add_row(name, *("" if n is None else f"{n:,}" for n in counts), f"{found.differing[name]:,}")
    out.print(table)
    for heading, lines in (("damaged", found.damage), ("differs", found.lines), ("not compared", found.unknown)):
        for line in lines:
            print(f"{heading}: {line}")
    nothing = not found.rows and found.unknown
    print("NOT the same" if not found.same else "nothing was compared" if nothing else "the same")
