"""A change and its audit: the first answer again for a repeat, and a row of `audit` before any answer."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import structlog
from fastapi import Request, Response
from starlette.requests import HTTPConnection

from api.access.audit import ANSWER_BYTES, UNFINISHED, row_of, sha_of
from api.access.audit import Request as Asked
from api.access.caller import Caller
from api.access.quota import KNOCK
from api.answers.problems import MEDIA, Problem
from plant.control.drawn import fresh_uuid

log = structlog.get_logger()

KEY_LENGTH = 64
"""Characters of an Idempotency-Key at most."""

_CHANCE = len("00000000-0000-7")
"""Where the part of a UUIDv7 begins that is not its time."""

_turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


@dataclass
class Change:
    """A change under way.

    asked         what is asked for
    written_seq   seq of the row that it wrote, 0: none (yet)
    subject       id of what it made, where the path has none
    earlier       row of `audit` of an attempt that did not end, None: this is the first
    """

    asked: Asked
    written_seq: int = 0
    subject: str = ""
    earlier: dict[str, Any] | None = None

    def fresh_id(self, known: Iterable[str] = ()) -> str:
        """Return a UUIDv7 for what is made: of a repeat that of `known` which the first attempt made, if it did.

        With an Idempotency-Key all but the time in it comes of that key, so that a repeat finds it again.
        """
        if not self.asked.idempotency_key:
            return fresh_uuid()
        made = fresh_uuid(chance=self.chance)
        return next((name for name in known if name[_CHANCE:] == made[_CHANCE:]), made)

    @property
    def chance(self) -> int:
        """A number for ids, 256 bits: random, of a repeat the same one."""
        if not self.asked.idempotency_key:
            return secrets.randbits(256)
        return int.from_bytes(hashlib.sha256("/".join((*self.asked.place, self.asked.route)).encode()).digest())


async def write(
    request: Request, table: str, row: dict[str, Any] | list[dict[str, Any]], subject: str = "", *, anew: bool = False
) -> int:
    """Write the row of a change, or its rows, and return its seq; of a repeat whose first attempt wrote it, that one's.

    `subject` is the id of what is made; `anew`: of a repeat it is written again, which must do no harm. Raises as
    api.access.writing.Writer.write does.
    """
    change: Change = request.state.change
    change.subject = subject or change.subject
    if not anew and change.earlier is not None and change.earlier["written_seq"]:
        change.written_seq = change.earlier["written_seq"]
        return change.written_seq
    repeatable = change.asked.idempotency_key and not anew
    under = (change.asked.place, change.asked.route, change.asked.subject) if repeatable else None
    change.written_seq = await request.app.state.services.writer.write(table, row, under)
    return change.written_seq


def seen_version(request: Request) -> int:
    """Return the version that a change says it saw, in If-Match. Raises Problem version_required or invalid."""
    told = request.headers.get("if-match", "")
    if not told:
        raise Problem("version_required", 'say which version you saw, e.g. If-Match: "3"')
    number = told.strip().removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise Problem("invalid", 'If-Match must be a version, e.g. "3"', found=told[:100])
    return int(number)


async def changed(
    request: Request,
    caller: Caller,
    route: str,
    body: bytes,
    secret: bool,
    inner: Callable[[Request], Coroutine[Any, Any, Response]],
    urgent: bool = False,
) -> Response:
    """Return the answer to a change, which is in `audit` by then. `urgent`: it may be done twice, but does not wait."""
    key = request.headers.get("idempotency-key", "")
    if len(key) > KEY_LENGTH or not key.isprintable():
        raise Problem("invalid", f"an Idempotency-Key is at most {KEY_LENGTH} characters", found=key[:100])
    query = request.scope["query_string"].decode("latin-1")
    subject = "/".join(map(str, request.path_params.values())) + (f"?{query}" if query else "")
    asked = Asked(caller.id, request.method, route, subject, sha_of(body), key)
    if not key:
        return await _attempted(request, Change(asked), caller, body, secret, inner)
    turn = _turns.get(asked.place)
    if turn is None:
        turn = _turns[asked.place] = asyncio.Lock()
    async with turn:  # of two at once the second gets the answer of the first
        services = request.app.state.services
        if not (services.ring.loaded or urgent):
            raise Problem("unavailable", "what was asked before is not known yet: the plant does not answer")
        earlier = services.audit.earlier(asked, time.time_ns())
        if earlier is not None and not asked.same(earlier):
            raise Problem(
                "idempotency_conflict",
                "this Idempotency-Key was used for another request; give each its own",
                found=f"{earlier['method']} {earlier['route']} {earlier['subject']}".rstrip(),
            )
        if earlier is not None and earlier["status"] not in UNFINISHED:
            return _again(earlier, secret)
        return await _attempted(request, Change(asked, earlier=earlier), caller, body, secret, inner)


async def refused(connection: HTTPConnection, problem: Problem, caller: Caller, route: str) -> None:
    """Write down that a request, or a stream, was refused ahead of its route; not without end."""
    services = connection.app.state.services
    if not services.quota.hit(KNOCK, caller.counted):
        return
    name, method = getattr(problem, "key", "") or caller.id, connection.scope.get("method", "GET")
    asked = Asked(name, method, route, "/".join(map(str, connection.path_params.values())), "", "")
    answer = problem.answer(connection.state.id).body
    await _note(services, row_of(asked, time.time_ns(), caller.address, problem.status, b"", bytes(answer), 0))


async def _attempted(
    request: Request,
    change: Change,
    caller: Caller,
    body: bytes,
    secret: bool,
    inner: Callable[[Request], Coroutine[Any, Any, Response]],
) -> Response:
    request.state.change = change
    answer = await inner(request)
    asked = change.asked
    if change.subject and not asked.subject:
        asked = Asked(asked.caller, asked.method, asked.route, change.subject, asked.body_sha, asked.idempotency_key)
    content = bytes(getattr(answer, "body", b""))
    is_json = request.headers.get("content-type", "").startswith("application/json")
    kept = body if is_json or not body else f"({len(body):,} bytes)".encode()
    status, seq = answer.status_code, change.written_seq
    row = row_of(asked, time.time_ns(), caller.address, status, kept, content, seq, secret)
    services = request.app.state.services
    if not await _note(services, row) and answer.status_code < 400 and not change.written_seq:
        raise Problem("unavailable", "the tickerplant does not answer, so nothing was written; try again")
    services.audit.note(row)
    log.info("change", method=asked.method, route=asked.route, subject=asked.subject, status=answer.status_code,
             caller=asked.caller, seq=change.written_seq)  # fmt: skip
    return answer


async def _note(services: Any, row: dict[str, Any]) -> bool:
    """Write a row of `audit`; return whether it is in the journal."""
    try:
        await services.writer.write("audit", row, late=True)
    except Problem as problem:
        log.error(
            "not in the audit", reason=problem.detail, **{n: row[n] for n in ("sym", "method", "route", "status")}
        )
        return False
    return True


def _again(row: dict[str, Any], secret: bool) -> Response:
    """Return the first answer again; of one that had a secret only whose it was."""
    if secret and row["status"] < 400:
        raise Problem(
            "idempotency_conflict",
            f"this was done before, for {row['subject']}; its secret was told then and is kept nowhere",
            id=row["subject"],
        )
    if len(row["answer"].encode()) >= ANSWER_BYTES - 3 and row["answer"].endswith("..."):
        raise Problem("idempotency_conflict", f"this was done before, at seq {row['written_seq']}; its answer was long")
    media = MEDIA if row["status"] >= 400 else "application/json"
    return Response(row["answer"], row["status"], {"Idempotency-Replayed": "true"}, media)
