"""The orders there are: rows of `orders`, one for each transition, folded."""

from plant.rows.tables import schema_of
from plant.state.newest import Newest, Row

FINAL = frozenset(("filled", "cancelled", "expired", "rejected", "refused", "replaced"))
"""States after which nothing comes but a fill that raced."""


class Orders(Newest):
    """The newest row of each order, by order_id."""

    def __init__(self) -> None:
        super().__init__(("order_id",), schema_of()["orders"].times, then="n")

    @property
    def open(self) -> list[Row]:
        """The orders that are not final, oldest first."""
        return sorted((row for row in self.values() if row["state"] not in FINAL), key=lambda row: row["seq"])

    def of_run(self, run: str) -> list[Row]:
        """Return the orders of a run, in the order of their newest rows."""
        return sorted((row for row in self.values() if row["run"] == run), key=lambda row: (row["seq"], row["seq_row"]))
