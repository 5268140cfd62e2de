"""Rows on their way into the next part: the batches of each table as they came, made into one Arrow table."""

import pyarrow as pa

from plant.rows.batch import Batch, arrow_of


class Waiting:
    """Batches that are in no part yet, of any tables."""

    def __init__(self) -> None:
        self.rows = 0
        self._batches: dict[str, list[Batch]] = {}

    def add(self, batch: Batch) -> None:
        """Add a batch, which is not copied."""
        self._batches.setdefault(batch.table, []).append(batch)
        self.rows += len(batch)

    def tables(self) -> dict[str, pa.Table]:
        """Return the rows of each table in the order they came, with seq and received."""
        return {name: arrow_of(batches) for name, batches in self._batches.items()}
