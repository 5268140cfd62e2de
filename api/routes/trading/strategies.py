"""Strategies: what there is, every version of it, and new ones."""

import time
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Query, Request, Response

from api.access.changes import write
from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem, invalid
from api.answers.rows import json_answer
from api.desk.desk import Desk, desk_of, threaded
from api.desk.sources import described_source
from api.desk.strategies import check_class, check_source, columns_of, is_source, strategy_object, version_in
from api.services import caller_of, change_of, services_of
from plant.control.writing import changed_row
from plant.state.newest import Row
from plant.state.strategies import STOPPED, Strategies

router = APIRouter(route_class=GateRoute, tags=["strategies"])

IfMatch = Annotated[str | None, Header(description='the version that you saw: "3"')]
Definition = Annotated[
    dict[str, Any], Body(description="a whole definition: conditions, a class with parameters, or source")
]


@router.get("/api/v1/strategies", **declared())
@need("read")
async def strategies(request: Request) -> Response:
    """Return the strategies there are, the newest version of each."""
    seen = await desk_of(services_of(request)).look()
    found = [strategy_object(seen.strategies[name]) for name in sorted(seen.strategies)]
    return json_answer({"seq": seen.seq, "strategies": found})


@router.post("/api/v1/strategies", **declared(status=201, body=True, also=(412,)))
@need("trade")
async def create(request: Request, body: Definition) -> Response:
    """Make a strategy; it is stopped."""
    name, columns = columns_of(body, None)
    row = await _written(request, name, "create", None, **columns, wanted=STOPPED)
    return json_answer(strategy_object(row), 201, _headers(row))


@router.get("/api/v1/strategies/{id}", **declared())
@need("read")
async def strategy(
    request: Request,
    id: str,
    version: Annotated[int | None, Query(ge=1, description="an older one; the newest if not told")] = None,
) -> Response:
    """Return a strategy; of one that was deleted, its older versions."""
    _, versions = await desk_of(services_of(request)).strategy(id)
    if version is None:
        row = versions[-1]
        if row["action"] == "delete":
            raise Problem("not_found", f"strategy {id!r} was deleted; ?version=1 to {len(versions)} are still readable")
        return json_answer(strategy_object(row), 200, _headers(row))
    older = next((each for each in versions if each["version"] == version), None)
    if older is None:
        newest = versions[-1]["version"]
        raise Problem("not_found", f"strategy {id!r} has no version {version}; the newest is {newest}", found=version)
    return json_answer(strategy_object(older), 200, _headers(older))


@router.put("/api/v1/strategies/{id}", **declared(body=True, also=(412, 428)))
@need("trade")
async def replace(request: Request, id: str, body: Definition, if_match: IfMatch = None) -> Response:
    """Write the next version, a whole definition; a run of it ends, and another one begins."""
    _, columns = columns_of(body, id)
    row = await _written(request, id, "update", if_match, **columns)
    return json_answer(strategy_object(row), 200, _headers(row))


@router.delete("/api/v1/strategies/{id}", **declared(also=(409, 412, 413, 415, 428)))
@need("trade")
async def delete(request: Request, id: str, if_match: IfMatch = None) -> Response:
    """Delete a strategy; its run ends, what it did and its versions are kept."""
    row = await _written(request, id, "delete", if_match, wanted=STOPPED)
    return json_answer(strategy_object(row))


@router.post("/api/v1/strategies/{id}/clone", **declared(status=201, body=True, also=(412,)))
@need("trade")
async def clone(request: Request, id: str, body: Annotated[dict[str, Any], Body()]) -> Response:
    """Make another strategy of the same definition: {"id": its name}."""
    desk = desk_of(services_of(request))
    _, versions = await desk.strategy(id)
    source = versions[-1]
    if source["action"] == "delete":
        raise Problem("not_found", f"strategy {id!r} was deleted")
    if set(body) != {"id"}:
        raise invalid("$", 'expected {"id": name of the new strategy}', found=sorted(body))
    told = strategy_object(source)
    document = dict(told["definition"] or {"class_name": told["class_name"]})
    document |= {key: told[key] for key in ("sym", "interval", "account", "mode", "parameters")}
    document |= {"id": body["id"], "note": f"cloned from {id}, version {source['version']}"}
    name, columns = columns_of(document, None)
    row = await _written(request, name, "create", None, **columns, wanted=STOPPED)
    return json_answer(strategy_object(row), 201, _headers(row))


async def changed(request: Request, desk: Desk, fold: Strategies, name: str, action: str, **columns: Any) -> Row:
    """Write the next version of a strategy, and return it once it counts; `fold` has it as it was looked at.

    `columns` are those of `strategies`, and `described` of plant.control.writing.change.

    Raises Problem version_conflict if another writer was faster.
    """
    caller, change = caller_of(request), change_of(request)
    if columns.get("mode", (fold.newest(name) or {}).get("mode")) == "live" and action != "delete":
        caller.need_key("a strategy that trades live")
    config, note = str(desk.settings.file), columns.pop("note", "")
    if change.earlier is not None and change.earlier["written_seq"]:
        seq, before = int(change.earlier["written_seq"]), None  # an attempt whose row is in the journal
    else:
        before = await threaded(changed_row, config, fold, name, action, note, by=caller.who, **columns)
        before["time"] = time.time_ns()
        seq = await write(request, "strategies", before, name)
    await desk.look(seq)
    _, versions = await desk.strategy(name)
    row = next((each for each in versions if each["seq"] == seq), None)
    if row is None:
        raise Problem(
            "version_conflict", f"another wrote version {versions[-1]['version']} of {name} first; look, and try again"
        )
    change.subject = name
    return row


async def _written(request: Request, name: str, action: str, if_match: str | None, **columns: Any) -> Row:
    """Check and write a version; `if_match` is what the writer saw, of one that is there."""
    desk, change = desk_of(services_of(request)), change_of(request)
    repeated = change.earlier is not None and bool(change.earlier["written_seq"])
    if "class_name" in columns:
        desk.account(columns["account"], "$.account")
        if is_source(columns):
            caller_of(request).need_key("running Python code")
            found = await described_source(desk.settings, columns["class_name"], columns["definition"])
            check_source(columns, found)
            columns["described"] = lambda *_: found
        else:
            check_class(columns, await desk.classes())
    if action == "create":
        seen = await desk.look()
        if name in seen.strategies and not repeated:
            raise Problem("exists", f"there is a strategy {name!r} already; PUT changes it", found=name)
        fold, _ = await threaded(desk.versions, name)
    else:
        fold, versions = await desk.strategy(name)
        newest = versions[-1]
        if newest["action"] == "delete" and not repeated:
            raise Problem("not_found", f"strategy {name!r} was deleted")
        if not repeated:
            version_in(if_match, newest["version"], f"strategy {name!r}")
    return await changed(request, desk, fold, name, action, **columns)


def _headers(row: Row) -> dict[str, str]:
    return {"ETag": f'"{row["version"]}"'}
