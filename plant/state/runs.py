"""The runs there are: rows of `runs`, folded."""

from plant.rows.tables import schema_of
from plant.state.newest import Newest, Row

DRAFT, RUNNING, PAUSED = "draft", "running", "paused"
COMPLETED, FAILED, CANCELLED = "completed", "failed", "cancelled"

ENDED = frozenset((COMPLETED, FAILED, CANCELLED))
"""States that a run does not leave."""

BY_EVENTS = frozenset(("paper", "live"))
"""Modes of runs that follow the plant; the others are given what happened."""


class Runs(Newest):
    """The newest row of each run, by its id."""

    def __init__(self) -> None:
        super().__init__(("run",), schema_of()["runs"].times)

    @property
    def active(self) -> list[Row]:
        """The runs that have not ended, in the order in which they began."""
        return sorted((row for row in self.values() if row["state"] not in ENDED), key=lambda row: row["first_seq"])

    def of_strategy(self, name: str) -> list[Row]:
        """Return the runs of a strategy, in the order in which they began."""
        return sorted((row for row in self.values() if row["sym"] == name), key=lambda row: row["first_seq"])
