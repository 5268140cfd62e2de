"""What is to run: of each strategy the run that its rows and the ends of its runs ask for; without sockets and clocks.

A row that wants a strategy to run (or to be paused) begins a run if none is under way: it was stopped before, or is
otherwise by now (its class, definition, parameters, symbols, interval, account, mode), or its run had ended by then, by
itself. Else the run goes on. So which run there is, and its id, are made of rows alone: a trader that starts again
finds the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plant.state.newest import Row
from plant.state.runs import ENDED
from plant.state.strategies import PAUSED, STOPPED
from trading.orders import base36

WHAT_IT_IS = ("class_name", "definition", "code_sha", "parameters", "symbols", "interval", "account", "mode")
"""Columns that a run has for good; another value is another run."""

SECOND = 10**9


@dataclass(frozen=True)
class Wanted:
    """A run that is wanted: its id, the row of `strategies` that began it, and whether it is paused by now."""

    run: str
    row: Row
    paused: bool = False

    @property
    def first_seq(self) -> int:
        """The journal sequence number behind which its events begin."""
        return int(self.row["seq"])


class Director:
    """Takes rows of `strategies` that count, in their order, and says what is to run."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}

    def take(self, rows: Iterable[Row]) -> None:
        """Take rows that count (plant.state.versioned), with `seq`, `seq_row` and `received`."""
        for row in rows:
            self._rows.setdefault(row["sym"], []).append(row)

    def begun(self, runs: Mapping[str, Row]) -> dict[str, Wanted]:
        """Return every run that rows began, by id; `runs` are the newest rows of runs, by id."""
        return {each.run: each for rows in self._rows.values() for each in _begun(rows, runs)}

    def wanted(self, runs: Mapping[str, Row]) -> dict[str, Wanted]:
        """Return strategy -> the run that is wanted, which may have ended."""
        found: dict[str, Wanted] = {}
        for name, rows in self._rows.items():
            begun = _begun(rows, runs)
            if begun and not _is_over(rows[-1]):
                found[name] = begun[-1]
        return found


def has_ended(run: str, runs: Mapping[str, Row]) -> bool:
    """Return whether a run is over."""
    return run in runs and runs[run]["state"] in ENDED


def run_id(row: Row) -> str:
    """Return the id of the run that a row of `strategies` begins: when it was received, and its place in the journal.

    At most 16 of a-z, 0-9 and -: the seconds since 1970 and the seq in base 36, and seq_row if it is not 0.
    """
    place = f"-{base36(row['seq_row'])}" if row["seq_row"] else ""
    return f"{base36(row['received'] // SECOND)}-{base36(row['seq'])}{place}"


def _begun(rows: list[Row], runs: Mapping[str, Row]) -> list[Wanted]:
    """Return the runs that the rows of a strategy begin, in order, each as the newest of its rows has it."""
    found: list[Wanted] = []
    under_way = False
    for row in rows:
        if _is_over(row):
            under_way = False
        elif not under_way or _is_another(row, found[-1], runs):
            found.append(Wanted(run_id(row), row, row["wanted"] == PAUSED))
            under_way = True
        else:
            found[-1] = Wanted(found[-1].run, found[-1].row, row["wanted"] == PAUSED)
    return found


def _is_over(row: Row) -> bool:
    return row["action"] == "delete" or row["wanted"] == STOPPED


def _is_another(row: Row, current: Wanted, runs: Mapping[str, Row]) -> bool:
    if any(row[name] != current.row[name] for name in WHAT_IT_IS):
        return True
    return has_ended(current.run, runs) and runs[current.run]["seq"] < row["seq"]
