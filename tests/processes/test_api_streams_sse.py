"""Server-sent events: what is counted of a stream ends with it, however that ends."""

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

from api.streams.client import POLICY, Client
from api.streams.sse import Events


def told_until_the_end(gone: bool) -> tuple[list[str], list[str]]:
    """Return what a client was sent, and what was closed, of one that is gone at once, or else is ended by us."""
    closed: list[str] = []
    sent: list[str] = []

    async def receive() -> dict[str, Any]:
        if not gone:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message.get("body", b"").decode())
        await asyncio.sleep(0)  # as where an answer before this one still waits to be taken

    async def run() -> None:
        hub = SimpleNamespace(settings=SimpleNamespace(queue_rows=10), serve=lambda client: None)
        client, counted = Client(hub, None), contextlib.ExitStack()
        counted.callback(closed.append, "counted")
        if not gone:
            client.end(POLICY, "the key was revoked")
        await Events(client, counted)({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send)

    asyncio.run(run())
    return sent, closed


def test_a_client_that_is_gone_before_its_first_event_is_not_counted_any_more() -> None:
    assert told_until_the_end(gone=True)[1] == ["counted"]


def test_a_stream_that_we_end_says_why_and_is_not_counted_any_more() -> None:
    sent, closed = told_until_the_end(gone=False)
    assert closed == ["counted"]
    assert "the key was revoked" in "".join(sent)
