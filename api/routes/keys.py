"""Keys, tickets of WebSockets, the audit, and what is permitted."""

import time
from typing import Annotated, Any, Literal

from argon2 import PasswordHasher
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.changes import seen_version, write
from api.access.gate import GateRoute, need
from api.access.keys import KeyRing, make_key
from api.access.tickets import TICKET_S
from api.answers.declared import declared
from api.answers.pages import Reading, read
from api.answers.problems import Problem, invalid
from api.answers.rows import answered, json_answer
from api.answers.terms import End, Last, Paged, Start, Wanted, time_of
from api.answers.times import told_time
from api.services import caller_of, change_of, services_of
from plant.state.newest import Row

router = APIRouter(route_class=GateRoute, tags=["keys"])

_hasher = PasswordHasher()


class NewKey(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1, max_length=100, description="whose it is")
    role: Literal["read", "trade", "admin"]
    expires: str | None = Field(None, description="until then; null: until it is revoked")


class Nothing(BaseModel):
    """An empty object: a change has a body of JSON, so that no page of another host can ask for it."""

    model_config = ConfigDict(extra="forbid")


@router.get("/api/v1/keys", **declared())
@need("admin")
async def keys(request: Request, form: Wanted) -> Response:
    """List the keys, also those that were revoked; never a hash."""
    ring, now = services_of(request).ring, time.time_ns()
    _loaded(ring)
    told = [_told(row, now, form.times) for row in list(ring.keys.values())]
    return json_answer({"seq": services_of(request).live.seq, "keys": sorted(told, key=lambda each: str(each["id"]))})


@router.post("/api/v1/keys", **declared(body=True, status=201))
@need("admin", secret=True)
async def create_key(request: Request, body: NewKey) -> Response:
    """Make a key. The answer has it, once: nobody can tell it again."""
    expires, now = time_of(request, "expires", body.expires), time.time_ns()
    if expires is not None and expires <= now:
        raise invalid("$.expires", "must be in the future", found=body.expires)
    earlier = change_of(request).earlier
    if earlier is not None and earlier["written_seq"]:
        raise Problem("idempotency_conflict", f"the key {earlier['subject']} was made; its secret is kept nowhere",
                      id=earlier["subject"])  # fmt: skip
    # A repeat of what was not acknowledged makes the same key with another secret: the newest row of an id counts.
    made = make_key(_hasher, f"{change_of(request).chance:064x}"[:12])
    ring = services_of(request).ring
    _check_not_revoked(ring, made.id)
    if earlier is None and made.id in ring.keys:  # of an attempt that no row of `audit` tells of (any more)
        raise Problem("idempotency_conflict", f"this Idempotency-Key made the key {made.id} before; its secret is kept "
                      "nowhere. Give each request its own", id=made.id)  # fmt: skip
    row = {"time": now, "sym": made.id, "version": 1, "action": "create", "role": body.role, "hash": made.hash}
    row |= {"name": body.name} | ({"expires": expires} if expires is not None else {})
    seq = await write(request, "api_keys", row, made.id, anew=True)
    _check_not_revoked(ring, made.id)
    told = {"id": made.id, "key": made.key, "name": body.name, "role": body.role, "version": 1, "seq": seq}
    return json_answer({**told, "expires": told_time(expires)}, 201)


@router.delete("/api/v1/keys/{id}", **declared(body=True, also=(412,)))
@need("admin")
async def revoke_key(request: Request, id: Annotated[str, Path(max_length=100)]) -> Response:
    """Revoke a key; its streams end within a second. If-Match may say which version was seen."""
    ring = services_of(request).ring
    _loaded(ring)
    row = ring.keys.get(id)
    if row is None:
        raise Problem("not_found", f"there is no key {id!r}", found=id)
    if "if-match" in request.headers and seen_version(request) != row["version"]:
        raise Problem("version_conflict", f"the key {id} is at version {row['version']}", expected=row["version"])
    if ring.keys.is_revoked(id):
        return json_answer(_told(row, time.time_ns()))
    changed = ring.keys.revoked(id, time.time_ns())
    seq = await write(request, "api_keys", changed, subject=id)
    return json_answer({**_told(changed, time.time_ns()), "seq": seq})


@router.post("/api/v1/ws-tickets", **declared(body=True, status=201))
@need("read", secret=True)
async def ticket(request: Request, body: Nothing) -> Response:
    """Give a ticket for one WebSocket, which a browser cannot send a key with."""
    services = services_of(request)
    given = services.tickets.give(caller_of(request), time.monotonic())
    expires = told_time(time.time_ns() + int(TICKET_S * 1e9))
    return json_answer({"ticket": given, "expires": expires}, 201)


@router.get("/api/v1/audit", **declared(rows=True))
@need("admin")
async def audit(
    request: Request,
    form: Wanted,
    page: Paged,
    start: Start = None,
    end: End = None,
    last: Last = None,
    key: Annotated[str | None, Query(max_length=100, description="of this key's id, or anonymous")] = None,
) -> Response:
    """Return what was asked to be changed, refusals and failed logins among it."""
    times = time_of(request, "start", start), time_of(request, "end", end)
    reading = Reading("audit", (key,) if key else None, *times, newest=last, page=page)
    found, seq, next_ = await read(services_of(request), reading)
    return await answered("audit", found, seq, form, next_)


def _loaded(ring: KeyRing) -> None:
    if not ring.loaded:
        raise Problem("unavailable", "keys are not known yet: the plant does not answer", headers={"Retry-After": "1"})


def _check_not_revoked(ring: KeyRing, name: str) -> None:
    """Raise Problem for a repeat that would make a key which was revoked since the first attempt."""
    if ring.keys.is_revoked(name):
        told = f"the key {name}, which this request made before, was revoked and stays so"
        raise Problem("idempotency_conflict", f"{told}; for a new key ask with another Idempotency-Key", id=name)


def _told(row: Row, now: int, times: str = "rfc3339") -> dict[str, Any]:
    """Return what is told of a key."""
    expired = row["expires"] is not None and row["expires"] <= now
    state = "revoked" if row["action"] == "revoke" else "expired" if expired else "usable"
    named = {"id": row["sym"], "name": row["name"], "role": row["role"], "version": row["version"], "state": state}
    return {**named, "expires": told_time(row["expires"], times), "changed": told_time(row["time"], times)}
