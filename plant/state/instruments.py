"""What is known of instruments: rows of `instruments`, folded; their sym may be a pattern."""

from collections.abc import Callable
from fnmatch import fnmatchcase

from plant.rows.tables import schema_of
from plant.state.newest import Newest, Row

PLANT_TOML = "plant.toml"
"""The source of rows that [[instruments]] became."""

COMMISSIONS = ("maker_bps", "taker_bps", "fee_per_unit")
"""Columns that a venue's list does not know, as they are an account's."""


class Instruments(Newest):
    """The newest row of each (sym, since, source)."""

    def __init__(self) -> None:
        super().__init__(("sym", "since", "source"), schema_of()["instruments"].times)

    def at(self, sym: str, time: int) -> Row | None:
        """Return what is known of a symbol at a time in the market (ns UTC), None if there is nothing.

        A row of the symbol's own comes before one of a pattern, and of patterns the longest; of one sym what plant.toml
        says before what a venue does, and of one source the latest `since` that has come by then. Commissions that a
        row does not know are those of the next one that does.
        """
        fitting = [
            row
            for row in self.values()
            if (row["since"] or 0) <= time and (row["sym"] == sym or fnmatchcase(sym, row["sym"]))
        ]
        fitting.sort(key=_weight(sym), reverse=True)
        if not fitting:
            return None
        found = dict(fitting[0])
        for name in COMMISSIONS:
            found[name] = next((row[name] for row in fitting if row[name] == row[name]), found[name])
        return found


def _weight(sym: str) -> Callable[[Row], tuple[bool, int, str, bool, int, int]]:
    return lambda r: (r["sym"] == sym, len(r["sym"]), r["sym"], r["source"] == PLANT_TOML, r["since"] or 0, r["seq"])
