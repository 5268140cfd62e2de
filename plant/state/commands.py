"""Which rows of `commands` count, and whom those that halt are for: what a run does by, and what a page shows."""

from collections.abc import Collection

from plant.state.newest import Row

OBEYED_NS = 60 * 10**9
"""A command is obeyed only if the plant took it so soon after it was given."""

EVERYBODY = "*"


def is_obeyed(row: Row) -> bool:
    """Return whether a row of `commands` counts: it did not come too late."""
    return bool(row["received"] - row["time"] <= OBEYED_NS)


def is_of_account(sym: str, account: str) -> bool:
    """Return whether a command for `sym` is for all of an account, and not for one of its strategies alone."""
    return sym in (EVERYBODY, account)


def reaches(sym: str, account: str, names: Collection[str]) -> bool:
    """Return whether a command for `sym` is for an account, or for what one of the names calls: a run, a strategy."""
    return is_of_account(sym, account) or sym in names
