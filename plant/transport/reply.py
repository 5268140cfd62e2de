"""The answering side of a request (plant.transport.request has the frames): read, answered, refused."""

from collections.abc import Callable
from typing import Any

import msgpack

from plant.errors import PlantError, QueryError, to_wire

OK, ERROR, MORE = b"ok", b"error", b"more"
"""What a frame of an answer is, behind the request id: the answer, what was wrong, or a part with more to come."""

Handler = Callable[[dict[str, Any]], list[Any]]
"""Takes the request's map and returns the frames of the answer; may raise PlantError."""


def read(frames: list[bytes]) -> tuple[list[bytes], dict[str, Any]]:
    """Return the envelope of the frames a ROUTER received, and the request's map; raises BadRequest."""
    envelope, request = _split(frames)
    if request is None:
        raise BadRequest(
            envelope, f"expected [request id, msgpack map], found {len(frames) - 1} frames; see docs/wire.md"
        )
    try:
        fields = msgpack.unpackb(request)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadRequest(envelope, f"a request is a msgpack map; found bytes that are not msgpack ({error})") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("ask"), str):
        raise BadRequest(envelope, f'a request is a msgpack map with the key "ask"; found {_shown(fields)}')
    return envelope, fields


class BadRequest(QueryError):
    """Frames that are no request; `envelope` is what an answer to them begins with."""

    def __init__(self, envelope: list[bytes], message: str) -> None:
        super().__init__(message)
        self.envelope = envelope


def answer(frames: list[bytes], handler: Handler) -> list[Any]:
    """Return the answer to the frames a ROUTER received, envelope included. Never raises for what a client sent."""
    try:
        envelope, fields = read(frames)
    except BadRequest as error:
        return refusal(error.envelope, QueryError(str(error)))
    return answered(envelope, fields, handler)


def answered(envelope: list[bytes], fields: dict[str, Any], handler: Handler) -> list[Any]:
    """Return the answer to a request that was read, envelope included. Never raises for what a client sent."""
    try:
        return [*envelope, OK, *handler(fields)]
    except PlantError as error:
        return refusal(envelope, error)
    except Exception as error:  # whatever a client sent, the others are still served
        import structlog  # clients read this module, too: they need not wait for what only a failure needs

        structlog.get_logger().exception("request failed", ask=fields["ask"][:200], fields=_shown(fields))
        return refusal(envelope, error)


def refusal(envelope: list[bytes], error: Exception) -> list[Any]:
    """Return the answer that says what was wrong."""
    return [*envelope, ERROR, msgpack.packb(to_wire(error))]


def _shown(fields: Any) -> str:
    """Return what a request was, without the repr of a value, which may be nested too deeply to have one."""
    return f"a map of {', '.join(map(repr, fields))[:80]}" if isinstance(fields, dict) else type(fields).__name__


def _split(frames: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """Return (what the answer starts with, the request's body or None if malformed)."""
    head = 2 if len(frames) > 1 and frames[1] == b"" else 1
    if len(frames) != head + 2:
        return [*frames[:head], b""], None
    return list(frames[: head + 1]), frames[head + 1]
