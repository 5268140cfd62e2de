"""The hub keeps nothing of clients that are gone, and lets nobody see what his key does not allow."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from plain_rows import SCHEMA

from api.access.caller import Caller
from api.answers.problems import Problem
from api.streams.hub import Hub
from api.streams.talking import hear

SETTINGS = SimpleNamespace(queue_rows=100, subscriptions=10, replay_rows=100)


def hub_that_asks(ask: Any) -> Hub:
    return Hub("test", SETTINGS, SCHEMA, ask, SimpleNamespace(close=lambda: None))  # type: ignore[arg-type]


def caller(name: str, role: str) -> Caller:
    return Caller(name, role, name, "127.0.0.1")


def test_nothing_is_kept_of_a_client_that_went_away_while_the_rdb_did_not_answer() -> None:
    async def run() -> None:
        go_on, asked = asyncio.Event(), asyncio.Event()

        async def ask(question: Any) -> Any:
            asked.set()
            await go_on.wait()
            raise Problem("unavailable", "rdb does not answer")

        hub = hub_that_asks(ask)
        client = hub.connect(caller("a", "read"))
        client.subscribe({"channel": "trades"})
        hub.serve(client)
        await asked.wait()
        hub.disconnect(client)
        go_on.set()
        while hub._tasks:
            await asyncio.sleep(0)
        assert not hub._failing
        assert not hub.clients

    asyncio.run(run())


def test_who_shows_a_lesser_key_is_not_told_of_keys_any_more() -> None:
    """Else one whose key of role admin was revoked went on to see them, by any other key of his."""

    async def run() -> None:
        hub = hub_that_asks(None)
        client = hub.connect(caller("a", "admin"))
        keys, trades = (client.subscribe({"channel": "table", "table": name}) for name in ("api_keys", "trades"))

        async def authenticate(key: str) -> Caller:
            return caller("b", "read")

        await hear(client, '{"op":"auth","key":"tp_b"}', authenticate)
        assert client.caller.id == "b"
        assert [*client.wanted] == [trades]
        assert "api_keys" not in hub._members
        told = [message.text for _ in range(4) for message in client.subs.take()]
        assert [text for text in told if '"forbidden"' in text and f'"sub":{keys}' in text]
        assert '"role":"read"' in told[-1]

    asyncio.run(run())


@pytest.mark.parametrize("field", ['"op":"ping","id"', '"op":"auth","key"', '"op":"subscribe","channel"'])
def test_half_a_character_is_an_error_and_not_the_end_of_the_connection(field: str) -> None:
    async def run() -> None:
        client = hub_that_asks(None).connect(caller("a", "read"))
        await hear(client, f'{{{field}:"\\ud800"}}', lambda key: pytest.fail("no key can be so"))
        (message,) = client.subs.take()
        assert '"code":"malformed"' in message.text
        message.text.encode()

    asyncio.run(run())
