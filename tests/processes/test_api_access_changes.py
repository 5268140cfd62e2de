"""A change is made once by its Idempotency-Key, with an id of version 7; the kill switch waits for nothing."""

import asyncio
import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request, Response

from api.access.audit import Audit
from api.access.audit import Request as Asked
from api.access.caller import Caller
from api.access.changes import Change, changed
from api.answers.problems import Problem


def asked_of(loaded: bool, urgent: bool, times: int = 1) -> int:
    """Return how often a change was made that was asked for several times by one Idempotency-Key."""

    async def write(table: str, row: Any, under: Any = None, late: bool = False) -> int:
        return 7

    services = SimpleNamespace(ring=SimpleNamespace(loaded=loaded), audit=Audit(), writer=SimpleNamespace(write=write))
    made = 0

    async def make(request: Request) -> Response:
        nonlocal made
        made += 1
        return Response(b"{}", 200)

    async def run() -> None:
        caller = Caller("anonymous", "trade", "", "127.0.0.1")
        for _ in range(times):
            headers = [(b"idempotency-key", b"once"), (b"content-type", b"application/json")]
            request = Request(
                {"type": "http", "method": "POST", "headers": headers, "query_string": b"", "path_params": {},
                 "app": SimpleNamespace(state=SimpleNamespace(services=services))}
            )  # fmt: skip
            await changed(request, caller, "/api/v1/risk/halt", b"{}", False, make, urgent)

    asyncio.run(run())
    return made


def test_a_change_that_is_repeated_is_made_once() -> None:
    assert asked_of(loaded=True, urgent=False, times=3) == 1


def test_a_change_waits_until_it_is_known_what_was_asked_before_but_the_kill_switch_does_not() -> None:
    with pytest.raises(Problem, match="not known yet"):
        asked_of(loaded=False, urgent=False)
    assert asked_of(loaded=False, urgent=True) == 1


def change(key: str, caller: str = "anonymous", route: str = "/api/v1/annotations") -> Change:
    return Change(Asked(caller, "POST", route, "", "", key))


def test_without_a_key_every_id_is_another() -> None:
    made = [change("").fresh_id() for _ in range(100)]
    assert len(set(made)) == 100
    assert {uuid.UUID(name).version for name in made} == {7}


def test_a_repeat_finds_what_the_first_attempt_made_and_nobody_else_does() -> None:
    first = change("k").fresh_id()
    others = [change("l").fresh_id(), change("").fresh_id(), "prev_day_high/AAPL/2026-11-20", ""]
    assert uuid.UUID(first).version == 7
    assert change("k").fresh_id([*others, first]) == first
    assert change("k").fresh_id(others) not in others
    for other in (change("k", caller="ab12"), change("k", route="/api/v1/keys"), change("m")):
        assert other.fresh_id([first]) != first
    assert change("k").chance == change("k").chance != change("l").chance
