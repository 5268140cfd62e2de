"""A key that is asked for again: the same one while nobody has it, and none once it was revoked."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from state_rows import journaled

from api.access.audit import Request as Asked
from api.access.changes import Change
from api.access.keys import KeyRing
from api.answers.problems import Problem
from api.routes.keys import NewKey, create_key

BODY = NewKey(name="desk", role="admin", expires=None)
UNANSWERED: dict[str, Any] = {"written_seq": 0, "status": 504, "subject": ""}
"""The row of `audit` of an attempt that was not acknowledged in time."""


class Journal:
    """What is written is numbered, and comes to the ring; `meanwhile` is written by others just before it."""

    def __init__(self) -> None:
        self.ring, self.seq = KeyRing(), 0
        self.meanwhile: list[dict[str, Any]] = []

    async def write(self, table: str, row: Any, under: Any = None, late: bool = False) -> int:
        for each in (*self.meanwhile, row):
            self.put(each)
        return self.seq

    def put(self, row: dict[str, Any]) -> None:
        self.seq += 1
        self.ring.take(journaled("api_keys", [{**row, "seq": self.seq}]))

    def ask(self, earlier: dict[str, Any] | None = UNANSWERED, once: str = "desk-1") -> dict[str, Any]:
        asked = Asked("boss", "POST", "/api/v1/keys", "", "", once)
        services = SimpleNamespace(ring=self.ring, writer=self)
        request: Any = SimpleNamespace(
            state=SimpleNamespace(change=Change(asked, earlier=earlier)),
            app=SimpleNamespace(state=SimpleNamespace(services=services)),
        )
        found: dict[str, Any] = json.loads(bytes(asyncio.run(create_key(request, BODY)).body))
        return found


def test_a_repeat_of_what_was_not_acknowledged_makes_the_same_key_which_then_is_the_one_that_was_told() -> None:
    journal = Journal()
    first, again = journal.ask(None), journal.ask()
    assert (first["id"], len(journal.ring.keys)) == (again["id"], 1)
    assert journal.ring.verify(again["key"]) is not None
    assert journal.ring.verify(first["key"]) is None


def test_a_key_that_was_revoked_is_not_made_again_by_a_repeat() -> None:
    journal = Journal()
    made = journal.ask(None)
    journal.put(journal.ring.keys.revoked(made["id"], 0))
    for earlier in (UNANSWERED, None):
        with pytest.raises(Problem, match=rf"the key {made['id']}, .* was revoked and stays so; .*another") as problem:
            journal.ask(earlier)
        assert (problem.value.code, problem.value.more["id"]) == ("idempotency_conflict", made["id"])
    assert journal.seq == 2, "nothing was written"
    assert journal.ask(None, once="desk-2")["id"] != made["id"]


def test_a_key_that_is_revoked_while_a_repeat_is_written_is_not_told_as_one_that_may_be_used() -> None:
    journal = Journal()
    made = journal.ask(None)
    journal.meanwhile = [journal.ring.keys.revoked(made["id"], 0)]
    with pytest.raises(Problem, match="was revoked and stays so"):
        journal.ask()
    assert journal.ring.keys.is_revoked(made["id"]), "the row that was written makes nothing"


def test_an_idempotency_key_that_is_used_again_after_its_day_does_not_take_over_the_key_it_made() -> None:
    journal = Journal()
    made = journal.ask(None)
    with pytest.raises(Problem, match=f"made the key {made['id']} before") as problem:
        journal.ask(None)
    assert problem.value.code == "idempotency_conflict"
    assert journal.ring.verify(made["key"]) is not None
