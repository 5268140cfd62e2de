"""Signals, and the cue that has charts drawn anew."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.pages import Reading, read
from api.answers.problems import invalid
from api.answers.rows import answered, json_answer
from api.answers.terms import INTERVAL, End, Last, Paged, Start, Syms, Wanted, interval_in, time_of
from api.services import services_of
from plant.errors import QueryError
from plant.rows.intervals import interval_name

router = APIRouter(route_class=GateRoute, tags=["signals"])

WITHDRAWN = "withdrawn"

ZONES = "zones"
"""The chart of sessions, which is no interval."""


@router.get("/api/v1/signals", **declared(rows=True))
@need("read")
async def signals(
    request: Request,
    form: Wanted,
    page: Paged,
    sym: Syms = None,
    interval: Annotated[str | None, Query(max_length=20, pattern=INTERVAL)] = None,
    signal: Annotated[str | None, Query(max_length=100, description="which rule's")] = None,
    side: Annotated[str | None, Query(max_length=20)] = None,
    start: Start = None,
    end: End = None,
    last: Last = None,
    withdrawn: Annotated[bool, Query(description="also those that a correction took back")] = False,
) -> Response:
    """Return signals."""
    given = {"interval": interval and interval_in(interval), "signal": signal, "side": side}
    where: Any = tuple((name, "==", value) for name, value in given.items() if value)
    if not withdrawn:
        where = (*where, ("state", "!=", WITHDRAWN))
    times = time_of(request, "start", start), time_of(request, "end", end)
    reading = Reading("signals", tuple(sym) if sym else None, *times, where=where, newest=last, page=page)
    found, seq, next_ = await read(services_of(request), reading)
    return await answered("signals", found, seq, form, next_)


class Trigger(BaseModel):
    """Which charts are to be drawn anew."""

    model_config = ConfigDict(extra="forbid", strict=True)

    timeframes: list[Annotated[str, Field(max_length=20)]] = Field(
        min_length=1, max_length=50, description='intervals, or "zones"'
    )
    sym: str | None = Field(None, min_length=1, max_length=200, description="only of this symbol")


@router.post("/api/v1/charts/trigger", **declared(body=True))
@need("trade")
async def trigger(request: Request, body: Trigger) -> Response:
    """Tell all that listen to have charts drawn anew."""
    charts = [_chart(i, text) for i, text in enumerate(body.timeframes)]
    cues = services_of(request).cues
    clients = max((cues(chart, body.sym) for chart in charts), default=0) if cues else 0
    return json_answer({"status": "broadcasted", "timeframes": charts, "clients": clients})


def _chart(place: int, text: str) -> str:
    if text.lower() == ZONES:
        return ZONES
    try:
        return interval_name(text)
    except QueryError as error:
        raise invalid(f"$.timeframes[{place}]", f'{error}, or "zones"') from None
