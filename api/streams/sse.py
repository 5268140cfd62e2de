"""GET /api/v1/events: one subscription as server-sent events, for whom a WebSocket is too much."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import CODES, Problem
from api.services import services_of
from api.streams import sentences
from api.streams.client import Client
from api.streams.opening import Closed, caller_of_stream, check_page, hub_of, note_refusal
from api.streams.shown.channels import Refused
from api.streams.waiting import Message

router = APIRouter(route_class=GateRoute, tags=["streams"])

MEDIA = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Words = Annotated[list[str] | None, Query(max_length=1000)]
Word = Annotated[str | None, Query(max_length=200)]


_DECLARED = declared()
_DECLARED["responses"][200]["content"] = {MEDIA: {"schema": {"type": "string"}}}
_DECLARED["openapi_extra"] = {"x-role": "read", "security": [{"key": []}, {}]}  # it looks for key or ticket itself


@router.get("/api/v1/events", response_class=StreamingResponse, **_DECLARED)
@need("none")
async def events(
    request: Request,
    channel: str,
    sym: Words = None,
    interval: Words = None,
    table: Word = None,
    last: Annotated[int | None, Query(ge=0, le=50_000)] = None,
    conflate: bool | None = None,
    after: Annotated[int | None, Query(ge=0)] = None,
    epoch: Word = None,
    chart: Words = None,
    signal: Words = None,
    side: Words = None,
    kind: Words = None,
    source: Words = None,
    account: Words = None,
    strategy: Words = None,
    run: Words = None,
    run_id: Words = None,
    mode: Words = None,
    ticket: Word = None,
) -> Response:
    """Follow a channel: the messages of the WebSocket, `id:` being the seq by which `Last-Event-ID` resumes."""
    terms: dict[str, Any] = {
        "channel": channel, "sym": sym, "interval": interval, "table": table, "last": last, "conflate": conflate,
        "chart": chart, "signal": signal, "side": side, "kind": kind, "source": source, "account": account,
        "strategy": strategy, "run": run, "run_id": run_id, "mode": mode,
    }  # fmt: skip
    given = {name: value for name, value in terms.items() if value is not None}
    resumed = request.headers.get("last-event-id", "")
    if resumed:
        if not (resumed.isascii() and resumed.isdecimal()):
            raise Problem("invalid", "Last-Event-ID is the id of an event, a seq", found=resumed[:40])
        after = int(resumed)
    if after is not None:
        given |= {"after": after, "epoch": epoch}
    try:
        check_page(request)
        caller = await caller_of_stream(request)
    except (Closed, Problem) as refusal:
        await note_refusal(request, refusal)
        if isinstance(refusal, Closed):
            raise Problem("unauthenticated", refusal.ended.why) from None
        raise
    if caller is None:
        raise Problem(
            "unauthenticated", "a key is needed: Authorization: Bearer tp_..., or ?ticket= of POST ws-tickets"
        )
    hub = hub_of(request)
    if not hub.ready:
        raise Problem("unavailable", "the plant does not answer yet", headers={"Retry-After": "1"})
    counted = contextlib.ExitStack()
    counted.enter_context(services_of(request).quota.connection(caller.counted))
    client = hub.connect(caller)
    counted.callback(hub.disconnect, client)
    try:
        client.greet()
        client.subscribe(given)
    except Refused as refused:
        counted.close()
        raise Problem(refused.code if refused.code in CODES else "invalid", refused.detail) from None
    return Events(client, counted)


class Events(StreamingResponse):
    """What a client is told, as events; `counted` is closed at the end, also of one that went away before it began."""

    def __init__(self, client: Client, counted: contextlib.ExitStack) -> None:
        super().__init__(_told(client), media_type=MEDIA, headers=HEADERS)
        self._counted = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until either side ends the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:  # not in the iterator, whose own may never run: a client may be gone before its first step
            self._counted.close()


async def _told(client: Client) -> AsyncIterator[str]:
    """Yield events until we end the stream."""
    client.abort = getattr(asyncio.current_task(), "cancel", None)
    async for message in client.told():
        yield event_of(message)
    ended = await client.ended()
    yield event_of(Message(sentences.error(None, "closed", ended.why)))


def event_of(message: Message) -> str:
    """Return a message as an event; JSON has no line of its own.

    >>> event_of(Message('{"type":"mark","seq":7,"synced":5}', 7))
    'id: 7\\ndata: {"type":"mark","seq":7,"synced":5}\\n\\n'
    """
    told = "" if message.seq is None else f"id: {message.seq}\n"
    return f"{told}data: {message.text}\n\n"
