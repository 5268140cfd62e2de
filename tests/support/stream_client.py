"""A client of the service's streams that holds what it is told, and may be cut off at any message."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Told = dict[str, Any]


def opened(url: str, path: str = "/api/v1/ws", **options: Any) -> connect:
    """Return a connection to be, to the WebSocket of a service at its http url."""
    return connect(
        f"{url.replace('http', 'ws', 1)}{path}", **{"proxy": None, "max_size": None, "ping_interval": None, **options}
    )


async def say(socket: ClientConnection, **message: Any) -> None:
    """Send a message."""
    await socket.send(json.dumps(message))


async def told(socket: ClientConnection, kind: str = "", timeout_s: float = 30.0) -> Told:
    """Return the next message, or the next of a kind."""
    async with asyncio.timeout(timeout_s):
        while True:
            message: Told = json.loads(await socket.recv())
            if not kind or message["type"] == kind:
                return message


async def closed_with(url: str, *messages: Any, **options: Any) -> int | None:
    """Return the code by which a connection is closed that says some messages."""
    socket = await opened(url, **options)
    with contextlib.suppress(ConnectionClosed):
        for message in messages:
            await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
    return await closing_of(socket)


async def closing_of(socket: ClientConnection) -> int | None:
    """Return the code by which a connection is closed, whatever it says before."""
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(10):
            while True:
                await socket.recv()
    return socket.close_code


@dataclass
class Holding:
    """One subscription as a client holds it: rows in the order they came, or by key.

    `complete` is the highest seq of what it was told, None before a snapshot; `snapshots` and `lagged` are counted.
    """

    terms: Told
    key: tuple[str, ...] = ()
    rows: list[Told] = field(default_factory=list)
    by_key: dict[Any, Told] = field(default_factory=dict)
    complete: int | None = None
    epoch: str = ""
    snapshots: int = 0
    lagged: int = 0

    def subscribe(self) -> Told:
        """Return the message that begins it, or goes on with it."""
        again = {} if self.complete is None else {"after": self.complete, "epoch": self.epoch}
        return {"op": "subscribe", **self.terms, **again}

    def take(self, message: Told) -> None:
        """Take a message that is about it, or a mark."""
        kind = message["type"]
        if kind == "snapshot":
            self.snapshots += 1
            self.rows, self.by_key = [], {}
        elif kind == "lagged":
            self.lagged += 1
            return
        elif kind == "mark":
            if self.complete is not None:
                self.complete = max(self.complete, message["seq"])
            return
        else:
            assert self.complete is not None, "an update came ahead of a snapshot"
            assert message["seq"] > self.complete, "seq did not rise"
        self.complete = message["seq"]
        for row in message["rows"]:
            self.rows.append(row)
            self.by_key[tuple(row[name] for name in self.key)] = row


async def follow(url: str, holdings: list[Holding], until: Callable[[int], bool], **options: Any) -> None:
    """Follow some subscriptions on one connection until `until(number of messages so far)`, then cut it off."""
    count = 0
    connection = opened(url, **options)
    socket = await connection
    try:
        subs: dict[int, Holding] = {}
        waiting = list(holdings)
        while not until(count):
            message = json.loads(await asyncio.wait_for(socket.recv(), 30.0))
            count += 1
            match message["type"]:
                case "hello":
                    for holding in holdings:
                        await say(socket, **holding.subscribe())
                        holding.epoch = message["epoch"]
                case "subscribed":
                    subs[message["sub"]] = waiting.pop(0)
                case "mark":
                    for holding in subs.values():
                        holding.take(message)
                case "error":
                    raise AssertionError(message)
                case _:
                    subs[message["sub"]].take(message)
    finally:
        socket.transport.abort()
        await socket.wait_closed()
