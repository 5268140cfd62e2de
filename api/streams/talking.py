"""What a client says over a WebSocket, and what comes of it: free of sockets."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from api.streams import sentences
from api.streams.client import Client
from api.streams.shown.channels import Refused

OPS = ("subscribe", "unsubscribe", "ping", "auth")

Authenticate = Callable[[str], Awaitable[Any]]
"""Takes a key and returns whose it is. Raises api.answers.problems.Problem."""


async def hear(client: Client, text: str, authenticate: Authenticate) -> None:
    """Do what a message asks; what is wrong with it is said to the client. Raises Problem for a key that is none."""
    given: Any = None
    try:
        message = message_of(text)
        given = message.pop("id", None)
        match message.pop("op", None):
            case "subscribe":
                client.subscribe(message, given)
            case "unsubscribe":
                client.unsubscribe(message.pop("sub", None), given)
            case "ping":
                client.subs.say(sentences.pong(given))
            case "auth":
                client.become(await authenticate(key_of(message)))
            case op:
                raise Refused("invalid", f"there is no op {json.dumps(op)[:40]}; ops are {', '.join(OPS)}")
    except Refused as refused:
        client.subs.say(sentences.error(given, refused.code, refused.detail))
    client.wake()


def message_of(text: str) -> dict[str, Any]:
    """Return the JSON object that a message is. Raises Refused malformed; its `id` is a short text or a number."""
    try:
        message = json.loads(text)
        json.dumps(message, ensure_ascii=False).encode()  # JSON may tell of half a character: "\\ud800"
    except (ValueError, RecursionError):
        raise Refused("malformed", f"a message is a JSON object, found {text[:40]!r}") from None
    if not isinstance(message, dict):
        raise Refused("malformed", f"a message is a JSON object, found {text[:40]!r}")
    told = message.get("id")
    if not (told is None or type(told) is int or (isinstance(told, str) and len(told) <= 100)):
        raise Refused("invalid", "id is a whole number, or a text of at most 100 characters")
    return message


def key_of(message: dict[str, Any]) -> str:
    """Return the key of a message `auth`. Raises Refused."""
    key = message.get("key")
    if not isinstance(key, str) or not key:
        raise Refused("invalid", 'auth says its key: {"op":"auth","key":"tp_..."}')
    return key
