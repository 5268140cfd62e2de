"""What every request meets first: an id, the check of Host, the headers of every answer, CORS, gzip, the log."""

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access.origins import Origins
from api.answers.problems import Problem

log = structlog.get_logger()

SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer."""

EXPOSED = (
    "X-Request-Id, X-Seq, X-Next, X-Table, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, ETag"
)
ALLOWED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id"
METHODS = "GET, POST, PUT, PATCH, DELETE"

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Door:
    """An ASGI app around the service's. `proxy`: the last of X-Forwarded-For is who asks."""

    def __init__(self, app: ASGIApp, origins: Origins, proxy: bool, metrics: Any) -> None:
        self._app, self._origins, self._proxy, self._metrics = app, origins, proxy, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        name = given if _ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["id"], state["address"] = name, self._address(scope, headers)
        with structlog.contextvars.bound_contextvars(request_id=name):
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)  # the stream checks Host and Origin itself, by close codes
                return
            await self._answered(scope, receive, send, headers)

    async def _answered(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        began, told = time.monotonic(), 0
        origin = headers.get("origin")
        shared = origin is not None and self._origins.allows(origin, headers.get("host", ""))

        async def tell(message: Message) -> None:
            nonlocal told
            if message["type"] == "http.response.start":
                told = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-Id"] = scope["state"]["id"]
                for key, value in SAFE.items():
                    answer.setdefault(key, value)
                if shared and origin:
                    answer["Access-Control-Allow-Origin"] = origin
                    answer["Access-Control-Expose-Headers"] = EXPOSED
                answer.add_vary_header("Origin")
            await send(message)

        try:
            self._origins.check_host(headers)
        except Problem as problem:
            await problem.answer(scope["state"]["id"])(scope, receive, tell)
        else:
            if scope["method"] == "OPTIONS" and shared and "access-control-request-method" in headers:
                await tell({"type": "http.response.start", "status": 204, "headers": _preflight()})
                await tell({"type": "http.response.body", "body": b""})
            else:
                await self._app(scope, receive, tell)
        took_s = time.monotonic() - began
        route = getattr(scope.get("route"), "path_format", "unknown")
        self._metrics.answered(scope["method"], route, told, took_s)
        log.debug("request", method=scope["method"], route=route, status=told, ms=round(took_s * 1000, 1),
                  address=scope["state"]["address"])  # fmt: skip

    def _address(self, scope: Scope, headers: Mapping[str, str]) -> str:
        if self._proxy and (forwarded := headers.get("x-forwarded-for", "")):
            return forwarded.rpartition(",")[2].strip()[:64]  # what stands before it the client may have made up
        return str((scope.get("client") or ("unknown",))[0])


def _preflight() -> list[tuple[bytes, bytes]]:
    told = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": ALLOWED,
        "Access-Control-Max-Age": "600",
    }
    return [(key.lower().encode(), value.encode()) for key, value in told.items()]
