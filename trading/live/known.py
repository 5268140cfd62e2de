"""What the plant knows of trading: its rows folded, those of closed days and those that come."""

from collections.abc import Mapping
from typing import Any, Protocol

from plant.rows.batch import Batch
from plant.rows.columns import Columns, taken
from plant.rows.schema import META_COLUMNS, Schema
from plant.state.instruments import Instruments
from plant.state.newest import columns_of_batch
from plant.state.runs import Runs
from plant.state.strategies import Strategies
from trading.live.director import Director


class Fold(Protocol):
    """What takes rows of one table."""

    def take(self, columns: Columns) -> list[dict[str, Any]]:
        """Take rows, with `seq` and `seq_row`; return those that count by now."""
        ...


class Known:
    """The folds by table. `whole`: history has all rows there ever were."""

    def __init__(self, whole: bool) -> None:
        self.strategies, self.runs, self.instruments = Strategies(whole), Runs(), Instruments()
        self.director = Director()
        self._instruments: list[Columns] = []
        self.folds: Mapping[str, Fold] = {
            "strategies": self.strategies,
            "runs": self.runs,
            "instruments": self.instruments,
        }

    def take(self, batch: Batch) -> list[dict[str, Any]]:
        """Take a batch of any table; return the rows that count by now."""
        return self._take(batch.table, columns_of_batch(batch)) if batch.table in self.folds else []

    def instruments_at(self, seq: int) -> Instruments:
        """Return what was known of instruments at a seq."""
        found = Instruments()
        for columns in self._instruments:
            found.take(taken(columns, columns["seq"] <= seq))
        return found

    def _take(self, name: str, columns: Columns) -> list[dict[str, Any]]:
        rows = self.folds[name].take(columns)
        if name == "strategies":
            self.director.take(rows)
        elif name == "instruments":
            self._instruments.append(columns)
        return rows

    def read(self, history: Any, schema: Schema) -> None:
        """Take the rows that a connection to the history has. Raises what its questions raise."""
        from plant.rows.arrow import columns_from_arrow

        for name in self.folds:
            names = (*schema[name].names, *META_COLUMNS)
            found = history.select(name, columns=names, frames="arrow")
            if len(found):
                self._take(name, columns_from_arrow(found, schema[name], names))
