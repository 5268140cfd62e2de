"""What the plant knows of trading: its rows folded, those of closed days and those that come."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from plant.rows.batch import Batch
from plant.rows.columns import Columns, taken
from plant.rows.schema import META_COLUMNS, Schema
from plant.runtime.trading import AccountSection
from plant.state.commands import KeptCommands
from plant.state.instruments import Instruments
from plant.state.newest import Fold, Row, columns_of_batch
from plant.state.runs import Runs
from plant.state.strategies import Strategies
from trading.accounts.standing import standing
from trading.live.director import Director, Wanted, has_ended


class Known:
    """The folds by table.

    whole      history has all rows there ever were
    accounts   those of plant.toml: each may have a standing run
    """

    def __init__(self, whole: bool, accounts: Sequence[AccountSection] = ()) -> None:
        self.strategies, self.runs, self.instruments = Strategies(whole), Runs(), Instruments()
        self.commands, self.director = KeptCommands(), Director()
        self._accounts, self._newest = accounts, (0, 0)
        self._instruments: list[Columns] = []
        self.instruments_seq = 0  # of the newest row of instruments
        self.folds: Mapping[str, Fold] = {
            "strategies": self.strategies,
            "runs": self.runs,
            "instruments": self.instruments,
            "commands": self.commands,
        }

    def take(self, batch: Batch) -> list[dict[str, Any]]:
        """Take a batch of any table; return the rows that count by now."""
        self._newest = max(self._newest, (batch.seq, batch.received))
        return self._take(batch.table, columns_of_batch(batch)) if batch.table in self.folds else []

    def begun(self) -> dict[str, Wanted]:
        """Return every run that followed or follows the plant, by id."""
        return self.director.begun(self.runs) | self.standing()

    def current(self) -> set[str]:
        """Return the ids of the runs that are wanted; they may have ended."""
        return {each.run for each in self.director.wanted(self.runs).values()} | set(self.standing())

    def standing(self) -> dict[str, Wanted]:
        """Return the standing runs that there are to be, by id."""
        return standing(self.commands, self.runs, self._accounts, self._newest)

    def row_of(self, wanted: Wanted) -> Row | None:
        """Return the newest row of `runs` of a run, None: it begins now."""
        row = self.runs.get(wanted.run)
        return row if row is not None and row["first_seq"] == wanted.first_seq else None

    def has_ended(self, wanted: Wanted) -> bool:
        """Return whether a run is over."""
        return self.row_of(wanted) is not None and has_ended(wanted.run, self.runs)

    def instruments_at(self, seq: int) -> Instruments:
        """Return what was known of instruments at a seq."""
        found = Instruments()
        for columns in self._instruments:
            found.take(taken(columns, columns["seq"] <= seq))
        return found

    def known_seq(self, wanted: Wanted) -> int:
        """Return up to which seq rows of instruments count for a run: all that there are when it begins.

        Its row of `runs` keeps that, so that it is made again of the same. What plant.toml says of them may be told
        after the row that wants the run: without it a tick and no commission would be taken for granted.
        """
        before = self.row_of(wanted)
        if before is None:
            return max(wanted.first_seq, self.instruments_seq)
        return int(json.loads(before["risk"]).get("known_seq", wanted.first_seq))

    def _take(self, name: str, columns: Columns) -> list[dict[str, Any]]:
        rows = self.folds[name].take(columns)
        if name == "strategies":
            self.director.take(rows)
        elif name == "instruments":
            self._instruments.append(columns)
            self.instruments_seq = max(self.instruments_seq, int(columns["seq"].max(initial=0)))
        return rows

    def read(self, history: Any, schema: Schema) -> None:
        """Take the rows that a connection to the history has. Raises what its questions raise."""
        from plant.rows.arrow import columns_from_arrow

        for name in self.folds:
            names = (*schema[name].names, *META_COLUMNS)
            found = history.select(name, columns=names, frames="arrow")
            if len(found):
                self._take(name, columns_from_arrow(found, schema[name], names))
