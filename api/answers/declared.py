"""What a route declares of itself in OpenAPI: which statuses it may answer, and what stands in them."""

from typing import Any

from api.answers.problems import CODES, MEDIA
from api.answers.rows import ARROW, CSV, JSON

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"enum": list(CODES)},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}

ROWS: dict[str, Any] = {
    "type": "object",
    "required": ["table", "seq", "next"],
    "properties": {
        "table": {"type": "string"},
        "seq": {"type": ["integer", "null"]},
        "next": {"type": ["string", "null"]},
        "rows": {"type": "array", "items": {"type": "object"}},
        "columns": {"type": "object", "additionalProperties": {"type": "array"}},
    },
}
"""`rows`, or with layout=columns `columns`."""

SCHEMAS = {"Problem": PROBLEM, "Rows": ROWS}
"""What every OpenAPI document has among its components."""

_PROBLEM, _ROWS = ({"$ref": f"#/components/schemas/{name}"} for name in SCHEMAS)

ALWAYS = (400, 401, 403, 404, 405, 422, 429, 500, 503, 504)
"""Any route may answer so."""

OF_CHANGES = (409, 413, 415)
"""One with a body too."""


def declared(
    *,
    rows: bool = False,
    status: int = 200,
    body: bool = False,
    schema: dict[str, Any] | None = None,
    also: tuple[int, ...] = (),
    media: str = JSON,
) -> dict[str, Any]:
    """Return the arguments of a route that declare its answers.

    rows     it answers rows, as JSON, CSV or Arrow
    status   of its good answer; `schema` the JSON schema of that, if it is no rows
    body     it takes a body, or changes something
    also     further statuses
    media    of its good answer, if it is no rows
    """
    good: dict[str, Any] = {media: {"schema": _ROWS if rows else schema or {"type": "object"}}}
    if rows:
        good |= {CSV: {"schema": {"type": "string"}}, ARROW: {"schema": {"type": "string", "format": "binary"}}}
    answers: dict[int | str, dict[str, Any]] = {status: {"description": "the answer", "content": good}}
    for each in (*ALWAYS, *(OF_CHANGES if body else ()), *also):
        told = ", ".join(code for code, (of, _) in CODES.items() if of == each) or "query_limit"
        answers[each] = {"description": told, "content": {MEDIA: {"schema": _PROBLEM}}}
    return {"responses": answers, "status_code": status, "response_model": None}


def listed(item: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the schema of a list of objects."""
    return {"type": "array", "items": item or {"type": "object"}}
