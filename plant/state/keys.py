"""The keys of the service: rows of `api_keys`, folded. The newest row of an id is what the key is."""

from plant.rows.tables import schema_of
from plant.rows.tables_service import ROLES
from plant.state.newest import Newest, Row

_TABLE = schema_of()["api_keys"]


class Keys(Newest):
    """The keys by their id, also those that were revoked."""

    def __init__(self) -> None:
        super().__init__(("sym",), _TABLE.times, then="version")

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
        return row | {"time": now, "version": before["version"] + 1, "action": "revoke"}


def may(role: str, needed: str) -> bool:
    """Return whether a role may what another may: each may what those before it may.

    >>> [may("trade", needed) for needed in ("read", "trade", "admin")]
    [True, True, False]
    """
    return ROLES.index(role) >= ROLES.index(needed)
