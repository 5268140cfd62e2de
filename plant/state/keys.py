"""The keys of the service: rows of `api_keys`, folded.

The newest row of an id is what the key is, but one that was revoked stays revoked: a row that makes it once more, as
who repeats a request may have written, changes nothing.
"""

import numpy as np

from plant.rows.columns import Columns, taken
from plant.rows.tables import schema_of
from plant.rows.tables_service import ROLES
from plant.state.newest import Newest, Row

_TABLE = schema_of()["api_keys"]

REVOKE = "revoke"


class Keys(Newest):
    """The keys by their id, also those that were revoked."""

    def __init__(self) -> None:
        super().__init__(("sym",), _TABLE.times, then="version")

    def take(self, columns: Columns) -> list[Row]:
        """Take rows, with `seq` and `seq_row`; return those that count by now."""
        revoking = np.asarray(columns["action"] == REVOKE)
        return [row for rows in (~revoking, revoking) for row in super(Keys, self).take(taken(columns, rows))]

    def counts(self, row: Row, before: Row) -> bool:
        """Return whether a row takes the place of another one of its key: no other does of one that revokes it."""
        if (row["action"] == REVOKE) != (before["action"] == REVOKE):
            return bool(row["action"] == REVOKE)
        return super().counts(row, before)

    def is_revoked(self, key: str) -> bool:
        """Return whether there is a key of this id, and it was revoked."""
        row = self.get(key)
        return row is not None and row["action"] == REVOKE

    def usable(self, key: str, now: int) -> Row | None:
        """Return the row of a key that may be used at `now` (ns since 1970 UTC), None if it may not, or is none."""
        row = self.get(key)
        if row is None or row["action"] != "create" or (row["expires"] is not None and row["expires"] <= now):
            return None
        return row

    def revoked(self, key: str, now: int) -> Row:
        """Return the row that revokes a key. Raises KeyError for one that there is not."""
        before = self[key]
        row = {name: before[name] for name in _TABLE.names}
        return row | {"time": now, "version": before["version"] + 1, "action": REVOKE}


def may(role: str, needed: str) -> bool:
    """Return whether a role may what another may: each may what those before it may.

    >>> [may("trade", needed) for needed in ("read", "trade", "admin")]
    [True, True, False]
    """
    return ROLES.index(role) >= ROLES.index(needed)
