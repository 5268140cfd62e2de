"""The command `plant verify-bars`: a feed's own bars compared with those made of its trades."""

from typing import Annotated

import typer

from plant.client.connect import connect
from plant.command.terminal import Config, bounds_of, err, out, overview
from plant.runtime.settings import load
from plant.transport import sockets
from processor.candles.recorded import RecordedRows
from processor.candles.verification import compare

app = typer.Typer(add_completion=False)

_AFTER_NS = 86_400 * 10**9


@app.command(name="verify-bars")
def verify_bars(
    sym: Annotated[str, typer.Argument(help="The symbol.")],
    day: Annotated[str, typer.Argument(help="The day of the plant, e.g. 2026-11-20.")],
    config: Config = None,
) -> None:
    """Compare a feed's own bars of a day with bars made of its trades; the first difference is named. Exit code 1: one.

    The volume of 1d differs by definition where a feed counts all sessions: ours is the regular one's.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    start, end = bounds_of(settings.days, day)
    with connect(config=config, frames="arrow", timeout_s=60.0, warn_unknown=False) as db:
        held = RecordedRows(db, settings.table_schema)
        bars = held.bars(sym, "", start, end)
        trades, corrections = (f(sym, start, end + _AFTER_NS) for f in (held.trades, held.corrections))
    found = compare(trades, corrections, bars, settings.calendars, start, end)
    if not found:
        err.print(f"no source sent both trades and bars of {sym} on {day}", style="red", markup=False, highlight=False)
        raise typer.Exit(1)
    table = overview("source", "interval", "bars", "different", "first difference", numbers=("bars", "different"))
    for each in found:
        table.add_row(each.source, each.interval, f"{each.bars:,}", f"{each.different:,}", each.first)
    out.print(table)
    if any(each.different for each in found):
        raise typer.Exit(1)
