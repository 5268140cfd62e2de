"""Charts as pictures: a PNG of a symbol and an interval, drawn in threads of their own."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem
from api.answers.terms import End, interval_in, time_of
from api.desk.desk import Desk, desk_of
from api.pictures.reading import BARS, MOST_BARS, Shown, read_viewport
from api.services import Services, services_of
from plant.control.writing import told_nearest

router = APIRouter(route_class=GateRoute, tags=["charts"])

DRAWING_THREADS = 2
"""Pictures that are drawn at once: each keeps a CPU busy."""

_NAME = "drawing"


def png_declared() -> dict[str, Any]:
    """Return what the route declares of itself: a PNG, or 304 if it is as it was."""
    found = declared()
    found["responses"][200]["content"] = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
    found["responses"][304] = {"description": "as it was: If-None-Match is its ETag"}
    return found


@router.get("/api/v1/charts/{sym:path}/{interval}.png", **png_declared())
@need("read")
async def chart(
    request: Request,
    sym: str,
    interval: str,
    bars: Annotated[int, Query(ge=1, le=MOST_BARS, description="the newest so many")] = BARS,
    end: End = None,
    overlays: Annotated[list[str] | None, Query(description="columns of indicators; also with commas")] = None,
    annotations: Annotated[bool, Query(description="zones, levels and marks")] = True,
    width: Annotated[int, Query(ge=320, le=4000, description="pixels")] = 1400,
    height: Annotated[int, Query(ge=200, le=3000, description="pixels")] = 700,
    theme: Annotated[Literal["dark", "light"], Query()] = "dark",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Return a chart as a PNG: bars, volume, signals, fills, annotations, overlays. Its ETag is the seq."""
    services = services_of(request)
    desk = desk_of(services)
    services.pulse.need("rdb")
    names = tuple(name for each in overlays or () for name in each.split(",") if name)
    shown = Shown(sym, interval_in(interval, "interval"), bars, time_of(request, "end", end), names, annotations)
    seq, png = await asyncio.get_running_loop().run_in_executor(
        drawing_threads(services), _drawn, desk, shown, (width, height, theme), if_none_match
    )
    headers = {"ETag": f'"{seq}"', "Cache-Control": "no-cache"}
    if png is None:
        return Response(status_code=304, headers=headers)
    return Response(png, media_type="image/png", headers=headers)


def drawing_threads(services: Services) -> ThreadPoolExecutor:
    """Return the threads that draw, made when they are first asked for."""
    if _NAME not in services.more:
        services.more[_NAME] = ThreadPoolExecutor(DRAWING_THREADS, _NAME)
    found: ThreadPoolExecutor = services.more[_NAME]
    return found


def _drawn(desk: Desk, shown: Shown, look: tuple[int, int, str], known: str | None) -> tuple[int, bytes | None]:
    """Return seq and picture; None: it is as `known`, an ETag, says."""
    from api.pictures.picture import Look, png_of  # matplotlib takes a second to import

    processor = desk.processor if desk.pulse.up("processor") else None
    viewport = read_viewport(desk.whole, desk.settings, shown, time.time_ns(), processor)
    if any(viewport.is_as_at(seq) for seq in _seqs(known)):
        return viewport.seq, None
    if not len(viewport.bars):
        _refuse_unknown(desk, shown)
        desk.pulse.need("processor")  # it may be that it would have made them
    return viewport.seq, png_of(viewport, Look(*look))


def _seqs(known: str | None) -> list[int]:
    """Return the seqs in a header If-None-Match."""
    tags = [each.strip().removeprefix("W/").strip('"') for each in (known or "").split(",")]
    return [int(tag) for tag in tags if tag.isdecimal() and len(tag) < 20]


def _refuse_unknown(desk: Desk, shown: Shown) -> None:
    """Raise Problem unknown_symbol for a symbol that has no bar at all."""
    if not len(desk.whole.last("bars", shown.sym, columns=["sym"], frames="arrow")):
        known = desk.whole.symbols("bars")
        raise Problem("unknown_symbol", f"bars has no symbol {shown.sym!r}{told_nearest(shown.sym, known)}")
