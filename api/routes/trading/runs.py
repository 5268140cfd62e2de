"""Runs of strategies: backtests, replays, and those that follow the plant."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem
from api.answers.rows import json_answer, row_answer
from api.answers.terms import Paged, Wanted
from api.desk.desk import desk_of
from api.desk.earned import performance_of
from api.desk.objects import arrow_of, json_of, newest_first, object_of
from api.routes.trading.orders import PAGE
from api.services import services_of
from plant.control.writing import told_nearest
from plant.rows.tables import schema_of

router = APIRouter(route_class=GateRoute, tags=["strategies"])

Mode = Annotated[
    list[Literal["backtest", "replay", "paper", "live"]] | None, Query(description="how they were given the market")
]
State = Annotated[
    list[Literal["draft", "running", "paused", "completed", "failed", "cancelled"]] | None,
    Query(description="how they are"),
]
Strategy = Annotated[str | None, Query(max_length=200, description="only of this one")]

TIMES = schema_of()["runs"].times
_JSON: dict[str, Any] = {"parameters": {}, "symbols": [], "fills": {}, "risk": {}}


@router.get("/api/v1/runs", **declared(rows=True))
@need("read")
async def runs(
    request: Request, form: Wanted, page: Paged, mode: Mode = None, state: State = None, strategy: Strategy = None
) -> Response:
    """Return the newest row of each run, the newest first: backtests, too."""
    desk = desk_of(services_of(request))
    seen = await desk.look()
    rows = [
        row
        for row in seen.runs.values()
        if (not mode or row["mode"] in mode) and (not state or row["state"] in state) and strategy in (None, row["sym"])
    ]
    shown, following = newest_first(rows, page.limit or PAGE, page.cursor, seen.seq)
    return row_answer("runs", arrow_of(shown, desk.settings.table_schema["runs"]), seen.seq, form, following)


@router.get("/api/v1/runs/{id}", **declared())
@need("read")
async def run(request: Request, id: str) -> Response:
    """Return one run, with what it earned; null where there is nothing yet."""
    desk = desk_of(services_of(request))
    seen = await desk.look()
    row = seen.runs.get(id)
    if row is None:
        raise Problem("not_found", f"there is no run {id!r}{told_nearest(id, seen.runs)}", found=id)
    metrics = await desk.rows("metrics", [row["sym"]], where=[("run", "==", id)])
    told = object_of(row, TIMES) | {name: json_of(row[name], nothing) for name, nothing in _JSON.items()}
    return json_answer(told | {"metrics": performance_of(metrics, seen.followed)["metrics"], "as_of_seq": seen.seq})
