"""Permissions for what touches code: granted and revoked by admins."""

import time

from fastapi import APIRouter, Request, Response

from api.access.changes import write
from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem
from api.answers.rows import json_answer
from api.desk.desk import desk_of
from api.desk.permissions import GrantBody, RevokeBody, permission_object, permission_row, permissions_of
from api.services import caller_of, services_of
from plant.state.newest import Row

router = APIRouter(route_class=GateRoute, tags=["permissions"])


@router.get("/api/v1/permissions", **declared())
@need("read")
async def permissions(request: Request) -> Response:
    """Return the newest permission of each actor, target and access, and whether it holds."""
    desk = desk_of(services_of(request))
    seen = await desk.look()
    return json_answer({"seq": seen.seq, "permissions": permissions_of(await desk.rows("permissions"), time.time_ns())})


@router.post("/api/v1/permissions/grant", **declared(status=201, body=True))
@need("admin")
async def grant(request: Request, body: GrantBody) -> Response:
    """Allow an actor to read or write something; a grant to write ends, after 15 minutes if it does not say when."""
    row = permission_row(body, "grant", caller_of(request).id, time.time_ns())
    return await _written(request, row, 201)


@router.post("/api/v1/permissions/revoke", **declared(body=True))
@need("admin")
async def revoke(request: Request, body: RevokeBody) -> Response:
    """Take a permission back; it ends at once."""
    desk = desk_of(services_of(request))
    place = (body.actor, body.target, body.access)
    now = time.time_ns()
    held = permissions_of(await desk.rows("permissions"), now)
    mine = next((each for each in held if (each["actor"], each["target"], each["access"]) == place), None)
    if mine is None:
        raise Problem("not_found", f"{body.actor!r} never had {body.access} on {body.target}")
    return await _written(request, permission_row(body, "revoke", caller_of(request).id, now), 200)


async def _written(request: Request, row: Row, status: int) -> Response:
    subject = f"{row['actor']}/{row['target']}/{row['access']}"
    seq = await write(request, "permissions", row, subject)
    return json_answer(permission_object(row | {"seq": seq}, row["time"]), status)
