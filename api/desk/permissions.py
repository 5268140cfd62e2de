"""Permissions for what touches code: who may read or write what, until when; rows of `permissions`, folded. Pure."""

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.answers.problems import invalid
from api.answers.times import told_time
from plant.errors import BadRows
from plant.rows.schema import UNKNOWN_TIME
from plant.rows.times import nanoseconds
from plant.state.newest import Row

WRITE_NS = 15 * 60 * 10**9
"""A grant to write ends then, if it does not say when."""

LONGEST_WRITE_NS = 24 * 3600 * 10**9
"""A grant to write ends then at the latest."""

Target = Literal["pine_code", "python_code", "run_artifacts"]
Key = tuple[str, str, str]


class RevokeBody(BaseModel):
    """A permission that is taken back."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field(min_length=1, max_length=100, description="who may, e.g. a key's id, or chat")
    target: Target
    access: Literal["read", "write"]
    note: str = Field("", max_length=500)


class GrantBody(RevokeBody):
    """A permission. `single_action` is used up by one use; a grant to write ends after 15 min, if it does not say."""

    scope: Literal["single_action", "session"]
    expires: str | None = Field(None, description="until then: 2026-11-20T14:45:00Z")

    def until(self, now: int) -> int | None:
        """Return until when it holds, ns UTC, None: until it is revoked. Raises Problem invalid."""
        if self.expires is None:
            return now + WRITE_NS if self.access == "write" else None
        try:
            found = nanoseconds(self.expires)
        except BadRows as error:
            raise invalid("$.expires", str(error), found=self.expires) from None
        if found <= now:
            raise invalid("$.expires", "is in the past: nothing would be granted", found=self.expires)
        if self.access == "write" and found > now + LONGEST_WRITE_NS:
            raise invalid("$.expires", "a grant to write ends within 24 h", found=self.expires)
        return found


def permission_row(body: RevokeBody, action: str, by: str, now: int) -> Row:
    """Return the row of `permissions` that grants or revokes; `by` is the key that writes it."""
    grants = isinstance(body, GrantBody)
    scope = body.scope if isinstance(body, GrantBody) else "session"
    until = body.until(now) if isinstance(body, GrantBody) else None
    row = {"time": now, "sym": by, "actor": body.actor, "target": body.target, "access": body.access, "scope": scope}
    expires = UNKNOWN_TIME if until is None or not grants else until
    return {**row, "action": action, "expires": expires, "note": body.note}


def permissions_of(rows: Iterable[Row], now: int) -> list[dict[str, Any]]:
    """Return the newest of each (actor, target, access) as objects, with whether it holds; `rows` in their order."""
    newest: dict[Key, Row] = {}
    for row in rows:
        newest[row["actor"], row["target"], row["access"]] = row
    return [permission_object(newest[key], now) for key in sorted(newest)]


def permission_object(row: Row, now: int) -> dict[str, Any]:
    """Return a permission as an object; `active`: it holds now."""
    expires = None if row["expires"] in (None, UNKNOWN_TIME) else row["expires"]
    active = row["action"] == "grant" and (expires is None or expires > now)
    told = {name: row[name] for name in ("actor", "target", "access", "scope", "action", "note")}
    told |= {"active": active, "expires": told_time(expires), "by": row["sym"], "time": told_time(row["time"])}
    return told | ({"seq": row["seq"]} if "seq" in row else {})
