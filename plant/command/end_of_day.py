"""`plant end-of-day`: end a day by hand, and watch it being closed."""

import datetime as dt
import time
from typing import Annotated

import typer

from plant.client.connect import publisher
from plant.command.terminal import Config, out
from plant.errors import HistoryError, QueryError
from plant.runtime.settings import Settings, load
from plant.transport import sockets
from plant.transport.request import Requester

app = typer.Typer()

NAME = "end-of-day"
"""Source under which days are ended by hand."""

POLL_S = 0.1

WRONG_S = 2.0
"""An error that stands for longer than this is told."""


@app.command("end-of-day")
def end_of_day(
    day: Annotated[str | None, typer.Argument(help="The day, e.g. 2026-11-20 (default: the present one).")] = None,
    again: Annotated[bool, typer.Option("--again", help="Also if it was ended before: for what came since.")] = False,
    wait: Annotated[bool, typer.Option(help="Return when the day is closed.")] = True,
    config: Config = None,
) -> None:
    """End a day now: all rows so far go to history, and the rdb lets them go. One whose close failed is closed again.

    What comes later for that day stays with today's rows, and is written into it when the next day ends, or --again.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    hdb = Requester(settings.address(settings.hdb.port), "hdb", 5.0)
    try:
        wanted = _checked(settings, day)
        found = hdb.status()
        if found["closed_day"] >= wanted and wanted not in found["ends"] and not again:
            out.print(f"{wanted} was closed before, up to seq {found['closed']:,}; --again writes what came since")
            return
        behind = found["ended_day"] or str(settings.days.last_ended(time.time_ns()))
        if max(found["ends"], default="") < wanted <= behind and not again:
            raise QueryError(f"{wanted} lies behind, {behind} has ended here; --again writes what came for it")
        name = settings.source_name(NAME)
        with publisher(name, config=config) as feed:
            row = {"time": time.time_ns(), "sym": name, "day": wanted, "state": "end"}
            feed.publish("days", {**row, "detail": "again"} if again else row)
            seq = feed.flush()
        if wait:
            _watch(hdb, wanted, seq, again)
        else:
            out.print(f"{wanted} ends at seq {seq:,}")
    finally:
        hdb.close()


def _watch(hdb: Requester, day: str, seq: int, again: bool) -> None:
    """Show what the hdb does until the day is closed. Raises HistoryError if that fails."""
    wrong_since: float | None = None
    with out.status(f"{day} ends at seq {seq:,}") as shown:
        while True:
            found = hdb.status()
            state = str(found["state"])
            met = not again or found["through"] >= seq
            if met and found["closed_day"] >= day and day not in found["ends"]:
                break
            wrong = not state.startswith(("closing ", "ok", "replaying", "no tickerplant"))
            wrong_since = (wrong_since or time.monotonic()) if wrong else None
            if wrong_since is not None and time.monotonic() - wrong_since > WRONG_S:
                raise HistoryError(f"{day} is not closed: {state}; it is tried again, nothing was removed")
            shown.update(state if state.startswith("closing ") else f"{day} ends at seq {seq:,}")
            time.sleep(POLL_S)
    out.print(f"{day} is closed: {found['closed_rows']:,} rows, up to seq {found['closed']:,}")


def _checked(settings: Settings, day: str | None) -> str:
    present = settings.days.next_roll(time.time_ns())[0]
    try:
        wanted = present if day is None else dt.date.fromisoformat(day)
    except ValueError:
        raise QueryError(f"expected a day like {present}, found {day!r}") from None
    if wanted > present:
        raise QueryError(f"{wanted} lies ahead; the present day of the plant is {present}")
    return str(wanted)
