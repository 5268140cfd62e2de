"""Ids of what changes make: of version 7, and found again by a repeat of the same request."""

import uuid

from api.access.audit import Request
from api.access.changes import Change


def change(key: str, caller: str = "anonymous", route: str = "/api/v1/annotations") -> Change:
    return Change(Request(caller, "POST", route, "", "", key))


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
