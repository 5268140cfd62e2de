"""`plant end-of-day`: end a day by hand, and watch it being closed."""

import datetime as dt
import time
from typing import Annotated, Any

import msgpack
import typer

from plant import sockets
from plant.client import publisher
from plant.errors import HistoryError, QueryError
from plant.request import Requester
from plant.settings import Settings, load
from plant.terminal import Config, out

NAME = "end-of-day"
"""Source under which days are ended by hand."""

POLL_S = 0.1


def end_of_day(
    day: Annotated[str | None, typer.Argument(help="The day, e.g. 2026-11-20 (default: the present one).")] = None,
    wait: Annotated[bool, typer.Option(help="Return when the day is closed.")] = True,
    config: Config = None,
) -> None:
    """End a day now: its rows go to history, and the rdb lets them go. A day whose close failed is closed again.

    What comes later for that day stays with today's rows, and is written into it when the next day ends.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    hdb = Requester(settings.address(settings.hdb.port), "hdb", 5.0)
    try:
        wanted = _checked(settings, day)
        found = _status(hdb)
        if found["closed_day"] >= wanted and wanted not in found["ends"]:
            out.print(
                f"{wanted} was closed before, up to seq {found['closed']:,}; late rows follow at the next end of day"
            )
            return
        name = settings.source_name(NAME)
        with publisher(name, config=config) as feed:
            feed.publish("days", {"time": time.time_ns(), "sym": name, "day": wanted, "state": "end"})
            seq = feed.flush()
        if wait:
            _watch(hdb, wanted, seq)
        else:
            out.print(f"{wanted} ends at seq {seq:,}")
    finally:
        hdb.close()


def _watch(hdb: Requester, day: str, seq: int) -> None:
    """Show what the hdb does until the day is closed. Raises HistoryError if that fails."""
    with out.status(f"{day} ends at seq {seq:,}") as shown:
        while True:
            found = _status(hdb)
            state = str(found["state"])
            if found["closed_day"] >= day and day not in found["ends"]:
                break
            if found["seq"] >= seq and day in found["ends"] and not state.startswith(("closing ", "ok", "replaying")):
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


def _status(hdb: Requester) -> dict[str, Any]:
    return dict(msgpack.unpackb(hdb.ask(ask="status")[0]))
