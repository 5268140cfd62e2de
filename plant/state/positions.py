"""What is held: rows of `positions`, folded."""

from collections.abc import Collection

from plant.rows.tables import schema_of
from plant.state.newest import Newest, Row

UNALLOCATED = "unallocated"
"""The strategy of what an account holds and no strategy bought."""


class Positions(Newest):
    """The newest row of each (account, strategy, run, sym)."""

    def __init__(self) -> None:
        super().__init__(("account", "strategy", "run", "sym"), schema_of()["positions"].times)

    def held(self, account: str, runs: Collection[str]) -> list[Row]:
        """Return what some runs of an account hold, without what is sold again: backtests hold nothing there is."""
        return [row for row in self.values() if row["account"] == account and row["run"] in runs and row["qty"]]
