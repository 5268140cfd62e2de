"""Errors as `application/problem+json` (RFC 9457): a code of a fixed list, what was expected, found, and where."""

import json
import math
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from plant.errors import (
    BadRows,
    Cancelled,
    HistoryError,
    PlantError,
    QueryError,
    QueryLimit,
    Refused,
    SettingsError,
    Unavailable,
    UnknownColumn,
    UnknownTable,
)

MEDIA = "application/problem+json"

CODES: dict[str, tuple[int, str]] = {
    "malformed": (400, "Not what was announced"),
    "unauthenticated": (401, "A key is needed"),
    "forbidden": (403, "The role does not allow it"),
    "permission_required": (403, "A permission is needed"),
    "origin_refused": (403, "Not from this host or page"),
    "unknown_table": (404, "No such table"),
    "unknown_column": (404, "No such column"),
    "unknown_symbol": (404, "No such symbol"),
    "unknown_route": (404, "No such route"),
    "not_found": (404, "There is no such thing"),
    "method_not_allowed": (405, "Not with this method"),
    "exists": (409, "It is there already"),
    "wrong_state": (409, "Not in this state"),
    "idempotency_conflict": (409, "This Idempotency-Key was used before"),
    "automatic": (409, "An automatic object cannot be edited"),
    "version_conflict": (412, "Not the newest version"),
    "too_large": (413, "Too large"),
    "unsupported_media_type": (415, "Not this media type"),
    "query_limit": (422, "More than one answer may cost"),
    "invalid": (422, "A value cannot be meant"),
    "refused": (422, "The plant refuses it"),
    "version_required": (428, "Say which version you saw"),
    "rate_limited": (429, "Too many requests"),
    "internal": (500, "An error of ours"),
    "broker_error": (502, "The broker answered with an error"),
    "unavailable": (503, "A process does not answer"),
    "not_acknowledged": (504, "Not acknowledged in time"),
}
"""Each code with its status and its title. A `query_limit` of seconds is a 504."""


DETAIL_LENGTH = 1_000
"""Characters of a sentence at most: it may have in it what was sent."""


class Problem(Exception):
    """A request that is answered with a problem.

    code        of CODES; `status` overrides its status
    detail      a sentence: what was expected, found, where, what to do
    more        further members: expected, found, errors, ...
    headers     of the answer
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        detail = detail if len(detail) <= DETAIL_LENGTH else f"{detail[:DETAIL_LENGTH]}..."
        super().__init__(detail)
        self.code, self.detail, self.more = code, detail, more
        self.status = CODES[code][0] if status is None else status
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the problem's members."""
        told = {name: value for name, value in self.more.items() if value is not None}
        named = {"type": f"/errors/{self.code}", "title": CODES[self.code][1], "status": self.status}
        return {**named, "code": self.code, "detail": self.detail, **told, "request_id": request_id}

    def answer(self, request_id: str) -> Response:
        """Return the answer."""
        content = json.dumps(_finite(self.body(request_id)), default=str).encode()
        return Response(content, self.status, self.headers, MEDIA)


def _finite(value: Any) -> Any:
    """Return a value as JSON has it, which knows no NaN and no infinity: those are texts."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def problem_of(error: PlantError) -> Problem:
    """Return the problem that an error of the plant is."""
    text = str(error)
    match error:
        case UnknownTable():
            return Problem("unknown_table", text)
        case UnknownColumn():
            return Problem("unknown_column", text)
        case QueryLimit():
            return Problem("query_limit", text, status=504 if text.startswith("stopped after") else None)
        case Unavailable():
            return Problem("unavailable", text, headers={"Retry-After": "1"})
        case HistoryError() | Cancelled():
            return Problem("unavailable", text, headers={"Retry-After": "1"})
        case QueryError() | SettingsError():
            return Problem("invalid", text)
        case BadRows() | Refused():
            return Problem("refused", text)
    return Problem("refused", text)


def invalid(place: str, detail: str, **more: Any) -> Problem:
    """Return the problem of one value that cannot be meant; `place` as "$.signals[0].operator" or "?last"."""
    return Problem("invalid", f"{place}: {detail}", errors=[{"place": place, "detail": detail}], **more)
