"""Permissions: what is granted, until when, and what holds by now."""

import pytest
from pydantic import ValidationError

from api.answers.problems import Problem
from api.desk.permissions import WRITE_NS, GrantBody, RevokeBody, permission_row, permissions_of
from plant.rows.schema import UNKNOWN_TIME

NOW = 1_795_180_200 * 10**9
BODY = {"actor": "chat", "target": "python_code", "access": "write", "scope": "session"}


def grant(**told: str) -> GrantBody:
    return GrantBody(**{**BODY, **told})  # type: ignore[arg-type]


def test_a_grant_to_write_ends_by_itself_and_one_to_read_need_not() -> None:
    assert permission_row(grant(), "grant", "k", NOW)["expires"] == NOW + WRITE_NS
    assert permission_row(grant(access="read"), "grant", "k", NOW)["expires"] == UNKNOWN_TIME
    assert permission_row(grant(expires="2026-11-20T15:00:00Z"), "grant", "k", NOW)["expires"] > NOW
    for wrong in ("2020-01-01", "soon", "2027-11-20"):
        with pytest.raises(Problem):
            permission_row(grant(expires=wrong), "grant", "k", NOW)
    with pytest.raises(ValidationError):
        grant(target="everything")


def test_the_newest_row_says_what_holds_and_a_use_of_a_single_action_ends_it() -> None:
    given = permission_row(grant(scope="single_action"), "grant", "k", NOW)
    used = given | {"action": "used"}
    taken = RevokeBody(actor="chat", target="python_code", access="write")
    revoked = permission_row(taken, "revoke", "k", NOW)

    def active(*rows: dict[str, object], at: int = NOW + 1) -> list[bool]:
        return [each["active"] for each in permissions_of(rows, at)]

    assert active(given) == [True]
    assert active(given, at=NOW + WRITE_NS) == [False]
    assert active(given, used) == [False]
    assert active(given, revoked) == [False]
    assert active(given, revoked, given) == [True]
    assert active(given, given | {"access": "read"}) == [True, True]
