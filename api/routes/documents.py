"""What the service tells of itself: OpenAPI, its page, the errors, metrics."""

from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import SCHEMAS, declared
from api.answers.problems import CODES, Problem
from api.answers.rows import json_answer
from api.services import services_of

router = APIRouter(route_class=GateRoute, tags=["documents"])

_PAGE = {"docs": "text/html; charset=utf-8", "docs.css": "text/css", "docs.js": "text/javascript"}


@router.get("/api/v1/openapi.json", **declared())
@need("read")
async def openapi(request: Request) -> Response:
    """Return the OpenAPI document of this service."""
    return json_answer(document_of(request.app))


def document_of(app: Any) -> dict[str, Any]:
    """Return the OpenAPI document of an app, with how keys are sent."""
    found: dict[str, Any] = app.openapi()
    parts = found.setdefault("components", {})
    parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "tp_..."}}
    parts["schemas"] = {**parts.get("schemas", {}), **SCHEMAS}
    for unused in ("HTTPValidationError", "ValidationError"):
        parts["schemas"].pop(unused, None)
    return found


@router.get("/api/v1/docs", include_in_schema=False)
@need("none")
async def page(request: Request) -> Response:
    """Return the page that shows the OpenAPI document."""
    return _file("docs")


@router.get("/api/v1/docs.css", include_in_schema=False)
@need("none")
async def style(request: Request) -> Response:
    """Return its style."""
    return _file("docs.css")


@router.get("/api/v1/docs.js", include_in_schema=False)
@need("none")
async def script(request: Request) -> Response:
    """Return its script."""
    return _file("docs.js")


@router.get("/errors/{code}", **declared())
@need("none")
async def error(request: Request, code: Annotated[str, Path(json_schema_extra={"enum": list(CODES)})]) -> Response:
    """Tell what a code of an error means."""
    if code not in CODES:
        raise Problem("not_found", f"there is no error {code!r}; errors are {', '.join(CODES)}")
    status, title = CODES[code]
    return json_answer({"code": code, "status": status, "title": title})


@router.get("/metrics", **declared(media="text/plain", schema={"type": "string"}))
@need("admin")
async def metrics(request: Request) -> Response:
    """Return what the service counts, for Prometheus."""
    services = services_of(request)
    services.metrics.connections.set(services.quota.open)
    for name in services.pulse.found:
        services.metrics.up.labels(name).set(float(services.pulse.up(name)))
    return Response(services.metrics.text(), media_type="text/plain; version=0.0.4")


def _file(name: str) -> Response:
    stored = files("api.answers").joinpath("docs.html" if name == "docs" else name).read_bytes()
    return Response(stored, media_type=_PAGE[name], headers={"Cache-Control": "max-age=300"})
