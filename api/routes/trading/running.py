"""Strategies as they run: start, stop, pause, resume, and how each is. Its paths stand ahead of strategies/{id}."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem
from api.answers.rows import json_answer
from api.desk.desk import desk_of
from api.desk.objects import json_of
from api.desk.strategies import ACTIONS, check_action, newest_run, state_of_strategy, status_object
from api.routes.trading.strategies import changed
from api.services import caller_of, change_of, services_of
from plant.state.strategies import PYTHON, RUNNING

router = APIRouter(route_class=GateRoute, tags=["strategies"])


class StartBody(BaseModel):
    """How it is to run; what is not told stays."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["paper", "live"] | None = None
    sym: list[str] | None = Field(None, min_length=1)
    note: str = Field("", max_length=500)


class NoteBody(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")

    note: str = Field("", max_length=500)


@router.get("/api/v1/strategies/status", **declared())
@need("read")
async def status(request: Request) -> Response:
    """Return how each strategy is: its state and since when, bars and orders of its newest run, its last error."""
    seen = await desk_of(services_of(request)).look()
    found = [status_object(seen.strategies[name], seen) for name in sorted(seen.strategies)]
    return json_answer({"seq": seen.seq, "strategies": found})


@router.post("/api/v1/strategies/{id}/start", **declared(body=True, also=(412,)))
@need("trade")
async def start(request: Request, id: str, body: Annotated[StartBody, Body()] = StartBody()) -> Response:  # noqa: B008
    """Have a strategy run, on paper or live."""
    return await _acted(request, id, "start", body.note, body)


@router.post("/api/v1/strategies/{id}/stop", **declared(body=True, also=(412,)))
@need("trade")
async def stop(request: Request, id: str, body: Annotated[NoteBody, Body()] = NoteBody()) -> Response:  # noqa: B008
    """Have a strategy's run end: its orders are cancelled, positions are kept."""
    return await _acted(request, id, "stop", body.note)


@router.post("/api/v1/strategies/{id}/pause", **declared(body=True, also=(412,)))
@need("trade")
async def pause(request: Request, id: str, body: Annotated[NoteBody, Body()] = NoteBody()) -> Response:  # noqa: B008
    """Have a strategy give no orders; it goes on reading what happens."""
    return await _acted(request, id, "pause", body.note)


@router.post("/api/v1/strategies/{id}/resume", **declared(body=True, also=(412,)))
@need("trade")
async def resume(request: Request, id: str, body: Annotated[NoteBody, Body()] = NoteBody()) -> Response:  # noqa: B008
    """Have a paused strategy give orders again."""
    return await _acted(request, id, "resume", body.note)


async def _acted(request: Request, name: str, action: str, note: str, told: StartBody | None = None) -> Response:
    desk, change = desk_of(services_of(request)), change_of(request)
    fold, versions = await desk.strategy(name)
    newest = versions[-1]
    if newest["action"] == "delete":
        raise Problem("not_found", f"strategy {name!r} was deleted")
    if ACTIONS[action] == RUNNING and PYTHON in json_of(newest["definition"], {}):
        caller_of(request).need_key("running Python code")
    seen = await desk.look()
    if change.earlier is None or not change.earlier["written_seq"]:
        check_action(action, newest, state_of_strategy(newest, newest_run(seen, name)))
    columns: dict[str, object] = {"wanted": ACTIONS[action], "note": note}
    if told is not None and told.mode is not None:
        columns["mode"] = told.mode
    if told is not None and told.sym is not None:
        columns["symbols"] = told.sym
    row = await changed(request, desk, fold, name, "update", **columns)
    seen = await desk.look(row["seq"])
    return json_answer(status_object(row, seen) | {"seq": row["seq"]})
