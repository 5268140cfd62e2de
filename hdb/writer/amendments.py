"""The amendments that an end of day applies: those of the parts it closes, by table and day of the rows they name."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from hdb.writer.store import Store
from plant.history.amending import TABLE, Amendment, amendments_of, apply, in_order
from plant.history.catalogue import File
from plant.history.merging import Merged
from plant.history.order import sorted_rows
from plant.history.partition_file import row_groups
from plant.rows.schema import Table
from plant.runtime.lifecycle import log


class Amendments:
    """The amendments in some files; the others of these are not looked at. Raises HistoryError."""

    def __init__(self, store: Store, files: Iterable[File]) -> None:
        found = [group for f in files if f.table == TABLE for group in row_groups(store.folder / f.path)]
        amendments = amendments_of(pa.concat_tables(found)) if found else []
        days = store.days.day_of(np.array([a.time for a in amendments], dtype=np.int64))
        self._waiting: dict[tuple[str, str], list[Amendment]] = {}
        for day, amendment in zip(days, amendments, strict=True):
            self._waiting.setdefault((amendment.table, str(day)), []).append(amendment)

    @property
    def tables(self) -> set[str]:
        """Names of the tables that have rows to be amended."""
        return {table for table, _ in self._waiting}

    def days_of(self, table: str) -> list[str]:
        """Return the days that have rows of a table to be amended."""
        return [day for name, day in self._waiting if name == table]

    def amended(self, table: Table, first_day: str, last_day: str, piece: Merged) -> tuple[Merged, pa.Table]:
        """Return a range of a file's rows as amended, and the rows that are new in it.

        The file holds the days `first_day` to `last_day`; rows that were amended are among `replaced`.
        """
        keys = [k for k in self._waiting if k[0] == table.name and first_day <= k[1] <= last_day]
        asked = [amendment for key in keys for amendment in self._waiting[key]]
        if not asked:
            return piece, piece.rows.slice(0, 0)
        done = apply(table, piece.rows, sorted(asked, key=in_order))
        left = {id(amendment) for amendment in done.unmatched}
        for key in keys:
            self._waiting[key] = [a for a in self._waiting[key] if id(a) in left]
        replaced = sorted_rows(pa.concat_tables([piece.replaced, done.replaced.cast(piece.replaced.schema)]))
        return Merged(done.rows, replaced, piece.left_out), done.made

    def tell_unmatched(self) -> None:
        """Log the amendments that found no row: it was revised meanwhile, or is not there."""
        for amendments in self._waiting.values():
            for a in amendments:
                log.warning(
                    "amendment found no row", seq=a.amended_by, table=a.table, sym=a.sym, time=a.time, row_seq=a.seq
                )
