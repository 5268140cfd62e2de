"""Objects that several writers may change: each row has a version, and counts only if it is one more than the last.

Of two writers that both made version 4 of what they saw as version 3, the one whose row came first in the journal has
it; the other finds out by `writer` once its row was acknowledged.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from plant.rows.columns import Columns, taken
from plant.state.newest import Row, rows_of_columns


class Versioned(Mapping[str, Row]):
    """The objects that are there, by name; each the newest of its rows that count.

    times   names of the columns that are times (Table.times)
    whole   all rows there ever were will be taken; else the first of an object may have any version
    named   the column that has an object's name

    Rows are taken in order of seq, in any portions; those of a seq that was taken before are passed over. A deleted
    object is not there, but its versions count on.
    """

    def __init__(self, times: frozenset[str], whole: bool = True, named: str = "sym") -> None:
        self._times, self._whole, self._named = times, whole, named
        self._rows: dict[str, Row] = {}
        self._seqs: dict[str, dict[int, tuple[int, int]]] = {}
        self._reached = (-1, -1)

    def take(self, columns: Columns) -> list[Row]:
        """Take rows, with `seq` and `seq_row`; return those that count, in their order."""
        order = np.lexsort((columns["seq_row"], columns["version"], columns["seq"]))
        found, reached = [], self._reached
        for row in rows_of_columns(taken(columns, order), self._times):
            place = (row["seq"], row["seq_row"])
            if place <= self._reached:
                continue
            reached = max(reached, place)
            name, version = row[self._named], row["version"]
            if version == self.version(name) + 1 or (not self._whole and name not in self._seqs):
                self._rows[name] = row
                self._seqs.setdefault(name, {})[version] = place
                found.append(row)
        self._reached = reached
        return found

    def version(self, name: str) -> int:
        """Return the newest version of an object that was ever there, 0 if none was."""
        return self._rows[name]["version"] if name in self._rows else 0

    def writer(self, name: str, version: int) -> tuple[int, int] | None:
        """Return seq and seq_row of the row that is this version of an object, None if there is none (yet)."""
        return self._seqs.get(name, {}).get(version)

    def newest(self, name: str) -> Row | None:
        """Return the newest row of an object, also of one that was deleted."""
        return self._rows.get(name)

    def __getitem__(self, name: str) -> Row:
        row = self._rows[name]
        if row["action"] == "delete":
            raise KeyError(name)
        return row

    def __iter__(self) -> Iterator[str]:
        return (name for name, row in self._rows.items() if row["action"] != "delete")

    def __len__(self) -> int:
        return sum(1 for _ in self)
