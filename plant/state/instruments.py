"""What is known of instruments: rows of `instruments`, folded; their sym may be a pattern."""

from fnmatch import fnmatchcase

from plant.rows.tables import schema_of
from plant.state.newest import Newest, Row


class Instruments(Newest):
    """The newest row of each (sym, since)."""

    def __init__(self) -> None:
        super().__init__(("sym", "since"), schema_of()["instruments"].times)

    def at(self, sym: str, time: int) -> Row | None:
        """Return what is known of a symbol at a time in the market (ns UTC), None if there is nothing.

        A row of the symbol's own comes before one of a pattern, and of patterns the longest; of one sym the latest
        `since` counts that has come by then.
        """
        fitting = [
            row
            for row in self.values()
            if (row["since"] or 0) <= time and (row["sym"] == sym or fnmatchcase(sym, row["sym"]))
        ]
        return max(fitting, key=lambda r: (r["sym"] == sym, len(r["sym"]), r["sym"], r["since"] or 0), default=None)
