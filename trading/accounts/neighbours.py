"""Which rows of other runs a run is handed: those of runs of its account that follow the plant, never its own."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plant.rows.columns import Columns, Symbols
from plant.state.newest import Row
from plant.state.runs import BY_EVENTS

NEIGHBOURS = ("positions", "orders", "risk_events", "runs", "fills")
"""Tables of which a run is handed rows that others made; of `fills` one whose orders are at a broker, those of its
strategy."""


def follow_the_plant(row: Row) -> bool:
    """Return whether a row of `runs` is of a run on paper or live: a backtest holds nothing that there is."""
    return row["mode"] in BY_EVENTS


def account_of_run(row: Row) -> str:
    """Return the account that a row of `runs` tells, "" for none."""
    return str(json.loads(row["risk"] or "{}").get("account", ""))


def symbols_of_run(row: Row) -> list[str]:
    """Return the symbols that a row of `runs` tells."""
    return list(json.loads(row["symbols"] or "[]"))


def told_by(run: str) -> str:
    """Return how the detail of a row of `risk_events` ends that is about no order: the table has no column for it."""
    return f"(run {run})"


def run_of_event(row: Row) -> str:
    """Return the run that made a row of `risk_events`, "" if it does not tell.

    >>> run_of_event({"order_id": "tp-t3x1-7-1qoi-0", "detail": ""})
    't3x1-7'
    >>> run_of_event({"order_id": "", "detail": "risk: kill (run t3x1-7)"})
    't3x1-7'

    What a reconciliation found of an order is told by another run than the order's:

    >>> run_of_event({"order_id": "tp-t3x1-7-1qoi-0", "detail": "it turned up (run manual-paper)"})
    'manual-paper'
    """
    _, told, run = row["detail"].rpartition("(run ")
    if told and run.endswith(")"):
        return str(run[:-1])
    return str(row["order_id"]).removeprefix("tp-").rsplit("-", 2)[0] if row["order_id"] else ""


def is_of_account(row: Row) -> bool:
    """Return whether a row of `risk_events` is about the whole account."""
    return bool(row["strategy"] == "")


class Neighbours:
    """Tells which rows of NEIGHBOURS are handed to a run; which runs follow the plant it learns from rows of `runs`.

    account that of the run
    modes   run -> its mode, of runs of which a row was read before
    fills_of   the strategy whose fills are handed on, "": of all
    """

    def __init__(self, run: str, account: str, modes: Mapping[str, str], fills_of: str = "") -> None:
        self._run, self.account, self._fills_of = run, account, fills_of
        self._others = {name for name, mode in modes.items() if mode in BY_EVENTS} - {run}

    def wanted(self, table: str, columns: Columns) -> NDArray[np.bool_]:
        """Return which rows are handed on, bool[n]; rows of `runs` come before those of the run."""
        if table == "runs":
            mine = self._of(columns["mode"], BY_EVENTS) & (columns["run"] != self._run)
            if mine.any():
                runs: Symbols = columns["run"]
                self._others |= {runs.names[code] for code in np.unique(runs.codes[mine])}
            return mine
        mine = np.asarray(columns["account"] == self.account)
        if table == "risk_events":  # which of them are of others, the run sees by their detail
            return mine & (columns["strategy"] == "") & (columns["action"] == "halted")
        if table == "fills" and self._fills_of:
            mine = mine & (columns["strategy"] == self._fills_of)
        return mine & self._of(columns["run"], self._others)

    def where(self, table: str) -> list[tuple[str, str, Any]]:
        """Return conditions that hold for all rows of a table that are handed on; `takes` looks closer."""
        if table == "runs":
            return []
        of = [("strategy", "==", ""), ("action", "==", "halted")] if table == "risk_events" else []
        of += [("strategy", "==", self._fills_of)] if table == "fills" and self._fills_of else []
        return [("account", "==", self.account), *of]

    def takes(self, table: str, row: Row) -> bool:
        """Return whether a row that meets `where` is handed on, of runs all of which are known."""
        return self.made_by_others(row) if table == "risk_events" else row["run"] in self._others

    def made_by_others(self, row: Row) -> bool:
        """Return whether a row of `risk_events` was made by another run that follows the plant."""
        return run_of_event(row) in self._others

    def _of(self, column: Symbols, names: Any) -> NDArray[np.bool_]:
        return np.array([name in names for name in column.names], dtype=bool)[column.codes]
