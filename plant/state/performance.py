"""What runs did and earned: rows of `fills`, `round_trips` and `metrics`, folded.

Their keys hold `time`, when it was learned, so what is told twice (by a recovered run, by a broker) has two rows: the
newest counts.
"""

from plant.rows.tables import schema_of
from plant.state.newest import Newest, Row

_SCHEMA = schema_of()


class Fills(Newest):
    """The newest row of each fill, by fill_id."""

    def __init__(self) -> None:
        super().__init__(("fill_id",), _SCHEMA["fills"].times)

    def of_order(self, order_id: str) -> list[Row]:
        """Return the fills of an order, in the order in which they were told."""
        found = (row for row in self.values() if row["order_id"] == order_id)
        return sorted(found, key=lambda row: (row["seq"], row["seq_row"]))


class RoundTrips(Newest):
    """The newest row of each round trip, by (run, number)."""

    def __init__(self) -> None:
        super().__init__(("run", "number"), _SCHEMA["round_trips"].times)


class Metrics(Newest):
    """The newest row of each metric, by (run, name)."""

    def __init__(self) -> None:
        super().__init__(("run", "name"), _SCHEMA["metrics"].times)

    def of_run(self, run: str) -> dict[str, float]:
        """Return the metrics of a run by name; NaN for one that is not defined."""
        return {name: row["value"] for (whose, name), row in self.items() if whose == run}
