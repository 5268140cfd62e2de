"""What is said to a client, as JSON text (docs/streams.md); pure.

Rows come as JSON already: an update of many clients is put together of what all of them have in common.
"""

import json
from typing import Any


def hello(plant: str, epoch: str, seq: int, role: str) -> str:
    """Return the first message of a connection, and of a journal that is another one."""
    return _text("hello", plant=plant, epoch=epoch, seq=seq, role=role, heartbeat_s=1)


def subscribed(told: str, sub: int) -> str:
    """Return the answer to `subscribe`; `told` is its beginning, made by `answer`."""
    return f'{told or answer(None)},"sub":{sub}}}'


def answer(given: Any) -> str:
    """Return the beginning of an answer to a message with this id, any JSON value; None: it had none."""
    return '{"type":"subscribed"' + ("" if given is None else f',"id":{json.dumps(given)}')


def unsubscribed(given: Any, sub: int) -> str:
    """Return the answer to `unsubscribe`: nothing of this subscription comes behind it."""
    return _text("unsubscribed", **_id(given), sub=sub)


def pong(given: Any) -> str:
    """Return the answer to `ping`."""
    return _text("pong", **_id(given))


def snapshot(sub: int, seq: int, rows: str) -> str:
    """Return all rows up to `seq`; whatever the client has of this subscription, they replace it."""
    return f'{{"type":"snapshot","sub":{sub},"seq":{seq},"rows":[{rows}],"reset":true}}'


def update(sub: int, seq: int, rows: str) -> str:
    """Return rows that came; the client has all of this subscription up to `seq` then."""
    return f'{{"type":"update","sub":{sub},"seq":{seq},"rows":[{rows}]}}'


def cue(sub: int, seq: int, cued: str) -> str:
    """Return that a chart changed; `cued` is the JSON object that says which."""
    return f'{{"type":"cue","sub":{sub},{cued[1:-1]},"seq":{seq}}}'


def mark(seq: int, synced: int) -> str:
    """Return that the client has all of all subscriptions up to `seq`; the journal is on disk up to `synced`."""
    return f'{{"type":"mark","seq":{seq},"synced":{synced}}}'


def lagged(sub: int, after: int) -> str:
    """Return that the client was too slow: rows beyond this seq come from the journal, as fast as it takes them."""
    return _text("lagged", sub=sub, **{"from": after})


def error(given: Any, code: str, detail: str, sub: int | None = None) -> str:
    """Return what was wrong with a message, or with a subscription, which has ended then."""
    of = {} if sub is None else {"sub": sub}
    return _text("error", **_id(given), **of, code=code, detail=detail)


def _id(given: Any) -> dict[str, Any]:
    return {} if given is None else {"id": given}


def _text(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
