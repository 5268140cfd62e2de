"""How the service and the plant are: /health for anybody, status for readers."""

import time
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Request, Response

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.rows import json_answer
from api.answers.times import told_time
from api.services import services_of

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
