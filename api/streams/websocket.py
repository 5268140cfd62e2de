"""WS /api/v1/ws: any number of subscriptions over one connection."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from api.answers.problems import Problem
from api.services import Services
from api.streams.client import TOO_SLOW, Client, Ended
from api.streams.opening import Closed, caller_by_message, caller_of_stream, check_page, ended_by, hub_of, note_refusal
from api.streams.talking import hear
from api.streams.waiting import Message

router = APIRouter()

REASON_BYTES = 120
"""The reason of a close frame may have 123 bytes."""

CLOSE_S = 2.0

Listen = Callable[[Client], Awaitable[None]]
"""Hears what a client says until it goes away."""


@router.websocket("/api/v1/ws")
async def stream(websocket: WebSocket) -> None:
    """Subscribe and be told; docs/streams.md."""

    async def send(message: Message) -> None:
        await websocket.send_text(message.text)

    await follow(websocket, lambda client: _listen(websocket, client), send, greet=True)


async def follow(
    websocket: WebSocket, listen: Listen, send: Callable[[Message], Awaitable[None]], greet: bool = False
) -> None:
    """Be a client's connection to the hub from its acceptance to its end, with the code that it is closed by."""
    await websocket.accept()
    services: Services = websocket.app.state.services
    try:
        check_page(websocket)
        caller = await caller_of_stream(websocket) or await caller_by_message(websocket)
        hub = hub_of(websocket)
        if not hub.ready:
            raise Closed(Ended(TOO_SLOW, "the plant does not answer yet; try again in a second"))
        with services.quota.connection(caller.counted):
            client = hub.connect(caller)
            try:
                if greet:
                    client.greet()
                ended = await _until_the_end(client, listen, send)
            finally:
                hub.disconnect(client)
    except Closed as closed:
        ended = closed.ended
        await note_refusal(websocket, closed)
    except Problem as problem:
        ended = ended_by(problem)
        await note_refusal(websocket, problem)
    except WebSocketDisconnect:
        return
    if ended is not None and websocket.application_state == WebSocketState.CONNECTED:
        reason = ended.why.encode()[:REASON_BYTES].decode("utf-8", "ignore")
        with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSE_S):  # one that takes nothing does not take this either
                await websocket.close(ended.code, reason)


async def _until_the_end(client: Client, listen: Listen, send: Callable[[Message], Awaitable[None]]) -> Ended | None:
    """Have a client told and heard; return why we end it, None: it went away. Raises Problem for a wrong key."""
    work: list[asyncio.Task[Any]] = [
        asyncio.create_task(_told(client, send)),
        asyncio.create_task(_heard(client, listen)),
        asyncio.create_task(client.ended()),
    ]
    try:
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        if work[0] in done and not work[0].exception() and not work[2].done():
            done, _ = await asyncio.wait(work[2:])  # it has stopped for that
        if work[2] in done:
            ended: Ended = work[2].result()
            return ended
        for task in done:
            task.result()
        return None
    except (WebSocketDisconnect, RuntimeError):  # RuntimeError: it went away while something was being sent
        return None
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def _told(client: Client, send: Callable[[Message], Awaitable[None]]) -> None:
    async for message in client.told():
        await send(message)


async def _heard(client: Client, listen: Listen) -> None:
    await listen(client)


async def _listen(websocket: WebSocket, client: Client) -> None:
    services: Services = websocket.app.state.services

    async def authenticate(key: str) -> Any:
        return await services.access.by_key(key, websocket.state.address)

    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        await hear(client, message.get("text") or "", authenticate)
        await client.calm()
