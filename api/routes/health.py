"""How the service and the plant are: /health for anybody, status for readers."""

import asyncio
import time
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.rows import json_answer
from api.answers.times import told_time
from api.services import services_of
from plant.control.health import WELL, health_of
from plant.runtime.supervision import supervision_of

router = APIRouter(route_class=GateRoute, tags=["health"])

HEALTH: dict[str, Any] = {
    "type": "object",
    "required": ["status", "version", "plant", "time"],
    "properties": {
        "status": {"enum": ["ok", "degraded", "down"]},
        "version": {"type": "string"},
        "plant": {"type": "string"},
        "time": {"type": "string"},
    },
}


@router.get("/health", **declared(schema=HEALTH))
@need("none", counted=False)
async def health(request: Request) -> Response:
    """Tell whether the plant can be used: ok; degraded, a process is away; down (503), nothing can be read."""
    services = services_of(request)
    status = services.pulse.health
    told = {
        "status": status,
        "version": version("tickplant"),
        "plant": services.settings.plant.name or "main",
        "time": told_time(time.time_ns()),
    }
    return json_answer(told, 503 if status == "down" else 200)


@router.get("/api/v1/status", **declared())
@need("read")
async def status(request: Request) -> Response:
    """Tell how each process is, as `plant status --json` does, and what the plant depends on outside of it."""
    services = services_of(request)
    settings = services.settings
    place = supervision_of(settings, str(settings.file) if settings.file.is_file() else None)
    healths, supervised = await asyncio.to_thread(health_of, settings, place)
    of_feeds = {health.process.removeprefix("feed-"): health for health in healths}
    dependencies = [
        {"name": feed.label, "available": each.state == WELL, "detail": each.detail or each.state}
        for feed in settings.feeds
        if (each := of_feeds.get(feed.label)) is not None
    ]
    trader = next((each for each in healths if each.process == "trading"), None)
    for account in settings.accounts:
        if account.broker != "paper":
            told = trader.detail if trader else "the trader is not known"
            good = trader is not None and trader.state == WELL
            dependencies.append({"name": f"{account.broker} ({account.name})", "available": good, "detail": told})
    return json_answer(
        {
            "seq": services.live.seq,
            "supervised": supervised,
            "processes": [each.as_dict() for each in healths],
            "dependencies": dependencies,
        }
    )
