"""How a stream begins: the hub, and who is at the other end."""

import asyncio
import time
from typing import Any

from starlette.requests import HTTPConnection

from api.access.caller import ANONYMOUS, Caller
from api.access.changes import refused
from api.answers.problems import Problem
from api.services import Services
from api.streams.client import POLICY, QUOTA, TICKET, TOO_SLOW, Ended
from api.streams.hub import Hub
from api.streams.shown.bars import ByClock
from api.streams.shown.channels import Refused
from api.streams.shown.replays import Replays
from api.streams.talking import key_of, message_of

AUTH_S = 5.0
"""A WebSocket that needs a key and has shown none within so long is closed."""

_HUB, _RUNNING = "streams hub", "streams running"


def open_hub(services: Services) -> Hub:
    """Return the hub of a service, which hears of all that comes from now on; `hub_of` has it run."""
    settings = services.settings

    def may_stay(caller: Caller) -> bool:
        if not caller.keyed:
            return settings.api.auth != "keys"
        return services.ring.keys.usable(caller.id, time.time_ns()) is not None

    schema, ended = services.schema, ByClock(settings.calendars, settings.processor.grace_s)
    replays = Replays(settings.journal_address, schema, ended)
    name, whole = settings.plant.name or "main", not settings.hdb.keep_days
    stored = settings.processor.intervals
    hub = Hub(name, settings.api, schema, services.ask, replays, ended, may_stay, whole, stored)
    live = services.live
    live.listen(hub.take, lambda seq: hub.reached(seq, live.epoch, live.synced))
    services.more[_HUB] = hub
    services.cues = lambda chart, sym: hub.cue([chart], sym)

    async def close() -> None:
        running: asyncio.Task[None] | None = services.more.get(_RUNNING)
        if running is not None:
            running.cancel()

    services.on_close(close)
    return hub


def hub_of(connection: HTTPConnection) -> Hub:
    """Return the hub of the app that a connection came to, running."""
    services: Services = connection.app.state.services
    hub: Hub = services.more[_HUB]
    if _RUNNING not in services.more:
        services.more[_RUNNING] = asyncio.get_running_loop().create_task(hub.run())
    return hub


class Closed(Exception):
    """The stream is not begun: `ended` says by which code, and why."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.why)
        self.ended = ended


def check_page(connection: HTTPConnection) -> None:
    """Raise Problem origin_refused for a host or a page that may not follow: CORS does not cover streams."""
    origins = connection.app.state.services.origins
    origins.check_host(connection.headers)
    origins.check_origin(connection.headers)


async def caller_of_stream(connection: HTTPConnection) -> Caller | None:
    """Return who begins a stream, by its ticket or its header; None: he is to say it. Raises Problem, or Closed."""
    services: Services = connection.app.state.services
    ticket = connection.query_params.get("ticket")
    if ticket is not None:
        caller = services.tickets.use(ticket, time.monotonic())
        if caller is None:
            raise Closed(Ended(TICKET, "this ticket is none, was used, or is too old: POST ws-tickets gives another"))
        return caller
    if "authorization" not in connection.headers and services.settings.api.auth == "keys":
        return None
    return await services.access.caller(connection.headers, connection.state.address)


async def caller_by_message(websocket: Any) -> Caller:
    """Return who says his key in his first message. Raises Closed, or Problem for a key that is none."""
    services: Services = websocket.app.state.services
    try:
        async with asyncio.timeout(AUTH_S):
            message = message_of(await websocket.receive_text())
        if message.get("op") != "auth":
            raise Refused("invalid", 'the first message must be {"op":"auth","key":"tp_..."}')
        return await services.access.by_key(key_of(message), websocket.state.address)
    except TimeoutError:
        raise Closed(Ended(POLICY, f"no key came within {AUTH_S:g} s")) from None
    except (Refused, KeyError) as error:  # KeyError: it was no text
        raise Closed(Ended(POLICY, str(error))) from None


async def note_refusal(connection: HTTPConnection, refusal: Problem | Closed) -> None:
    """Write a row of `audit` of a failed login or a page that may not follow; of nothing else."""
    if isinstance(refusal, Closed):
        if refusal.ended.code != TICKET:
            return
        refusal = Problem("unauthenticated", refusal.ended.why)
    if refusal.code == "unauthenticated" or refusal.status == 403:
        nobody = Caller(ANONYMOUS, "read", "", connection.state.address)
        route: str = getattr(connection.scope.get("route"), "path", "") or connection.scope["path"]
        await refused(connection, refusal, nobody, route)


def ended_by(problem: Problem) -> Ended:
    """Return how a WebSocket is closed for a problem."""
    code = {"rate_limited": QUOTA, "unavailable": TOO_SLOW}.get(problem.code, POLICY)
    return Ended(code, str(problem.detail))
