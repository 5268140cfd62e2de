"""The app: every route, behind the door and the gate."""

import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from api.access.door import Door
from api.access.gate import problem_answer
from api.desk.desk import desk_of
from api.routes import (
    aliases,
    annotations,
    bars,
    charts,
    documents,
    health,
    indicators,
    keys,
    market,
    page,
    signals,
)
from api.routes.trading import group as trading
from api.services import Services
from api.streams import sse, websocket
from api.streams.opening import open_hub
from api.streams.others import aliases as alias_streams

ROUTERS = (
    health.router,
    documents.router,
    market.router,
    bars.router,
    indicators.router,
    signals.router,
    annotations.router,
    keys.router,
    charts.router,
    *trading.ROUTERS,
    aliases.router,
    sse.router,
    websocket.router,
    alias_streams.router,
    page.router,
)
"""One for each group of routes; a fixed path stands ahead of one with a parameter."""

GZIP_BYTES = 1024


def create_app(services: Services) -> FastAPI:
    """Return the app."""
    app = FastAPI(
        lifespan=_life,
        title="tickplant",
        version=version("tickplant"),
        description="A plant's market data, charts and trading; docs/api.md.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    open_hub(services)
    desk_of(services)  # the kill switch is connected before it is needed
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(HTTPException, _unmatched)
    app.add_exception_handler(RequestValidationError, _failed)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_BYTES, compresslevel=4)
    app.add_middleware(Door, origins=services.origins, proxy=services.settings.api.proxy, metrics=services.metrics)
    return app


@contextlib.asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    yield
    services: Services = app.state.services
    for close in reversed(services.closings):
        await close()


async def _unmatched(request: Request, error: Exception) -> Response:
    """Answer what no route took; where keys are needed, only those who have one learn what there is not."""
    services: Services = request.app.state.services
    try:
        await services.access.caller(request.headers, request.state.address)
    except Exception as refusal:
        return problem_answer(request, refusal)
    if isinstance(error, HTTPException) and error.status_code == 405:
        error.headers = {"Allow": ", ".join(sorted(_methods(request.scope["path"])))}
    return problem_answer(request, error)


def _methods(path: str) -> set[str]:
    """Return the methods of all routes of a path."""
    routes = (route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute))
    return {method for route in routes if route.path_regex.fullmatch(path) for method in route.methods or ()}


async def _failed(request: Request, error: Exception) -> Response:
    return problem_answer(request, error)
