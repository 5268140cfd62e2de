"""The way of a request to its route: who asks, whether he may, how often; and of a change also its audit.

    router = APIRouter(route_class=GateRoute)

    @router.get("/api/v1/bars", **declared("rows"))
    @need("read")
    async def bars(request: Request, ...) -> Response: ...

A change (another method than GET, and not `reads`) is written to `audit` before it is answered. Its route finds
`request.state.change`, and writes by `api.access.changes.write`.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.access.caller import ANONYMOUS, Caller, FailedLogin
from api.access.changes import changed, refused
from api.access.quota import CHANGE, ORDER, READ
from api.answers.problems import Problem, problem_of
from plant.errors import PlantError, nearest_names

log = structlog.get_logger()

JSON_BYTES = 2**20
"""A JSON body may have so much."""

BODY_S = 10.0
"""A body that has not come within so long is not waited for."""

DISCARDED_BYTES = 16 * 2**20
"""So much of a body that is too large is read, and thrown away, before it is refused."""

Role = Literal["none", "read", "trade", "admin"]

_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True)
class Need:
    """What a route asks for; see `need`."""

    role: Role = "none"
    reads: bool = False
    order: bool = False
    secret: bool = False
    file: bool = False
    counted: bool = True


def need(
    role: Role,
    *,
    reads: bool = False,
    order: bool = False,
    secret: bool = False,
    file: bool = False,
    counted: bool = True,
) -> Callable[[_Endpoint], _Endpoint]:
    """Mark an endpoint with what it asks for.

    role      least role of the caller; "none": anybody, also where keys are needed
    reads     it is a POST that changes nothing: counted as a read, no row of audit
    order     it is counted among orders, which nothing else starves
    secret    its answer has a secret: a repeat gets 409 with the id, never the answer
    file      its body is a file: `body_mb`, and another media type than JSON
    counted   whether it counts against a quota at all; what does not, the kill switch, waits for nobody either
    """

    def mark(endpoint: _Endpoint) -> _Endpoint:
        endpoint.need = Need(role, reads, order, secret, file, counted)  # type: ignore[attr-defined]
        return endpoint

    return mark


def need_of(endpoint: Any) -> Need:
    """Return what an endpoint asks for. Raises AttributeError if it does not say so."""
    found: Need = endpoint.need
    return found


class GateRoute(APIRoute):
    """A route behind the gate."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **terms: Any) -> None:
        role = need_of(endpoint).role
        keys: list[dict[str, Any]] = [] if role == "none" else [{"key": []}] + [{}] * (role in ("read", "trade"))
        told = {"x-role": role, "security": keys}
        super().__init__(path, endpoint, **{**terms, "openapi_extra": {**told, **(terms.get("openapi_extra") or {})}})

    def get_route_handler(self) -> _Handler:
        """Return what handles a request of this route; it answers every error itself."""
        inner, asked = super().get_route_handler(), need_of(self.endpoint)
        known = _query_names(self.dependant)

        async def handle(request: Request) -> Response:
            try:
                return await _passed(request, asked, self.path_format, known, inner)
            except Exception as error:
                return problem_answer(request, error)

        return handle


def problem_answer(request: Request, error: Exception) -> Response:
    """Return the answer that an error is; one that is not foreseen is logged, with the id of the request."""
    problem = as_problem(error)
    if problem.code == "internal":
        log.error("request failed", error=f"{type(error).__name__}: {error}", exc_info=error)
    return problem.answer(request.state.id)


def as_problem(error: Exception) -> Problem:
    """Return the problem that any error is."""
    match error:
        case Problem():
            return error
        case PlantError():
            return problem_of(error)
        case RequestValidationError() | ValidationError():
            return _invalid(error)
        case HTTPException(status_code=404):
            return Problem("unknown_route", "there is no such route; /api/v1/docs lists those that there are")
        case HTTPException(status_code=405):
            return Problem("method_not_allowed", "this route does not know the method", headers=error.headers)
        case HTTPException(status_code=413):
            return Problem("too_large", f"a body may have {JSON_BYTES:,} bytes")
        case HTTPException():
            return Problem("malformed", str(error.detail), headers=error.headers)
        case RecursionError():
            return Problem("malformed", "the body is nested too deep")
        case ClientDisconnect():
            return Problem("malformed", "the connection was closed before the whole request had come")
    return Problem("internal", "an error of the service's own; its log tells more under this request_id")


async def _passed(request: Request, asked: Need, route: str, known: frozenset[str], inner: _Handler) -> Response:
    services = request.app.state.services
    change = request.method not in ("GET", "HEAD") and not asked.reads
    address = request.state.address
    caller = Caller(ANONYMOUS, "read", "", address)
    try:
        if change:
            services.origins.check_origin(request.headers)
        if asked.role != "none":
            caller = await services.access.caller(request.headers, address)
            request.state.caller = caller
            caller.need(asked.role)
    except Problem as problem:
        if isinstance(problem, FailedLogin) or problem.status == 403 or change:
            await refused(request, problem, caller, route)
        raise
    request.state.caller = caller
    if asked.counted:
        services.quota.take(ORDER if asked.order else CHANGE if change else READ, caller.counted)
    _check_query(request, known)
    if request.method in ("GET", "HEAD"):
        return await inner(request)
    _check_media(request, asked)
    body = await _body(request, services.settings.api.body_mb * 2**20 if asked.file else JSON_BYTES)
    if not asked.file:
        check_constants(body)
    if not change:
        return await inner(request)
    return await changed(request, caller, route, body, asked.secret, _answering(inner), not asked.counted)


def _answering(inner: _Handler) -> _Handler:
    """Return a handler whose errors are answers, since they are audited, too."""

    async def handle(request: Request) -> Response:
        try:
            return await inner(request)
        except Exception as error:
            return problem_answer(request, error)

    return handle


def _check_media(request: Request, asked: Need) -> None:
    """Refuse a body that a page of another host could send unasked: all but JSON."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if asked.file:
        if media not in ("multipart/form-data", "application/json"):
            raise Problem("unsupported_media_type", "expected Content-Type: multipart/form-data", found=media)
    elif media != "application/json" and not (request.method == "DELETE" and not media):
        raise Problem("unsupported_media_type", "expected Content-Type: application/json", found=media)


async def _body(request: Request, most: int) -> bytes:
    """Return the body, which is read here once. Raises Problem too_large or malformed."""
    told = int(length) if (length := request.headers.get("content-length", "0")).isdecimal() else 0
    asks_first = request.headers.get("expect", "").lower() == "100-continue"
    if told > most and (asks_first or told > most + DISCARDED_BYTES):
        raise _too_large(most, told)
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size <= most:
                    parts.append(part)
                elif size > most + DISCARDED_BYTES:
                    break
    except TimeoutError:
        raise Problem(
            "malformed", f"the body had not come within {BODY_S:g} s", headers={"Connection": "close"}
        ) from None
    if size > most:  # the rest was read, within bounds: who still sends does not see the answer
        raise _too_large(most, told or size)
    request._body = b"".join(parts)
    return request._body


def check_constants(body: bytes) -> None:
    """Raise Problem malformed for NaN and Infinity, which are no JSON, though Python reads and writes them.

    >>> check_constants(b'{"note": "NaN", "qty": 1}')
    """
    if b"NaN" not in body and b"Infinity" not in body:
        return

    def refuse(name: str) -> None:
        raise Problem("malformed", f"the body is not JSON: it has the number {name}; what is not known is null")

    with contextlib.suppress(ValueError, RecursionError):  # what else is wrong with it is told by who reads it
        json.loads(body, parse_constant=refuse)


def _too_large(most: int, found: int) -> Problem:
    return Problem("too_large", f"a body may have {most:,} bytes", found=found, headers={"Connection": "close"})


def _query_names(dependant: Any) -> frozenset[str]:
    found = {each.alias for each in dependant.query_params}
    return frozenset(found.union(*(_query_names(each) for each in dependant.dependencies)))


def _check_query(request: Request, known: frozenset[str]) -> None:
    """Refuse a parameter that the route does not have: a typo must not become a default."""
    for name, _ in parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name not in known:
            near = nearest_names(name, known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise Problem(
                "invalid",
                f"unknown parameter {name!r}{hint}; parameters are {', '.join(sorted(known)) or 'none'}",
                errors=[{"place": f"?{name}", "detail": "unknown parameter"}],
            )


def _invalid(error: RequestValidationError | ValidationError) -> Problem:
    faults = error.errors()
    if any(each["type"] == "json_invalid" for each in faults):
        return Problem("malformed", f"the body is not JSON: {faults[0].get('ctx', {}).get('error', '')}")
    told = [
        {"place": _place(each["loc"]), "detail": each["msg"], "found": _short(each.get("input"))} for each in faults
    ]
    told = told[:20]
    return Problem("invalid", "; ".join(f"{each['place']}: {each['detail']}" for each in told), errors=told)


def _place(loc: tuple[Any, ...]) -> str:
    """Return where a value is: "$.signals[0].operator" in a body, "?last" in a query."""
    where, *rest = loc or ("body",)
    if where == "query":
        return f"?{rest[0] if rest else ''}"
    if where in ("path", "header"):
        return f"{where} {rest[0] if rest else ''}"
    names = rest if where == "body" else [where, *rest]
    return "$" + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in names)


def _short(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or isinstance(value, bool | int | float):
        return value if value is None or abs(value) < 2**53 else str(value)
    text = str(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
