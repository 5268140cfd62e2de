"""Close a day: what came up to an end of day is merged into one file per table and day, and put in place at once.

    1  every part up to the cut is compared with the journal, and read by its checksum
    2  for each table and day the parts, and the file that the day has already, are merged into a new file, which is
       read back; its rows and those that were replaced must be exactly the ones that went in
    3  one new catalogue names the new files and no longer the parts

Until step 3 nothing that counts has changed: whatever happens before, it is done again. After it the day is closed,
whatever happens. Days that a late row, a revision or an amendment falls into are written anew with it; a row that is
replaced goes to `replaced`, so that history can be read as it was.
"""

import dataclasses
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import pyarrow as pa

from hdb.writer.amendments import Amendments
from hdb.writer.journal_sums import Journaled
from hdb.writer.store import Store, conserved
from plant.errors import HistoryError
from plant.history.catalogue import Catalogue, End, File, Part
from plant.history.layout import day_path, replaced_path, told_schema
from plant.history.merging import ahead, merged, schema_of_files
from plant.history.partition_file import PartitionFile, check_bytes
from plant.rows.row_hashes import row_sum
from plant.rows.schema import Table

Progress = Callable[[str], None]


class Interrupted(Exception):
    """The process is to end; what was being done is done again after the next start."""


class Closing:
    """The work on one end of day. `run` raises HistoryError if it cannot be done now, with nothing changed."""

    def __init__(
        self, store: Store, journaled: Journaled, end: End, stopping: threading.Event, progress: Progress
    ) -> None:
        self.store = store
        self.end = end
        self.rows = 0
        self._journaled = journaled
        self._stopping = stopping
        self._progress = progress

    def run(self) -> Catalogue:
        """Close the day, and return the catalogue that says so; see the module."""
        parts = [p for p in self.store.catalogue.parts if p.last <= self.end.seq]
        self._verify(parts)
        files = [f for part in parts for f in part.files]
        self.rows = sum(f.rows for f in files)
        with ExitStack() as stack:
            made = _Made(stack)
            self._amendments = Amendments(self.store, files)
            known = {f.table for f in self.store.catalogue.files}
            for name in sorted({f.table for f in files} | (self._amendments.tables & known)):
                days = self.store.catalogue.days_of(name)
                self._table(self.store.table(name, [*files, *days]), [f for f in files if f.table == name], made)
            self._amendments.tell_unmatched()
            for file in made.pending:
                file.place()
            return self.store.change(lambda c: self._closed(c, made))

    def _verify(self, parts: Sequence[Part]) -> None:
        """Compare with the journal what was not compared yet."""
        for i, part in enumerate(parts, 1):
            self._go_on()
            if part.verified:
                continue
            self._progress(f"comparing with the journal, part {i} of {len(parts)}")
            if wrong := self._journaled.differences(part):
                raise HistoryError(f"the history is not what the journal says: {'; '.join(wrong[:3])}")
            self.store.verified(part)

    def _table(self, table: Table, parts: Sequence[File], made: "_Made") -> None:
        """Write the new files of a table, and those of the rows they replace in the files they take the place of."""
        groups: dict[str, tuple[list[File], list[File]]] = {}
        known = self.store.catalogue.days_of(table.name)
        for part in parts:
            day = part.first_day
            closed = [f for f in known if f.first_day <= day <= f.last_day]
            groups.setdefault(closed[0].path if closed else day, (closed, []))[1].append(part)
        for day in self._amendments.days_of(table.name):
            for old in (f for f in known if f.first_day <= day <= f.last_day):
                groups.setdefault(old.path, ([old], []))
        gone = [f for closed, _ in groups.values() for f in closed]
        for file in (*gone, *parts):
            self._go_on()
            check_bytes(self.store.folder, file)
        schema = schema_of_files(self.store.folder, table, [*gone, *parts])
        for i, (closed, new) in enumerate(groups.values(), 1):
            self._progress(f"{table.name} {i}/{len(groups)}")
            self._day(table, schema, closed, new, made)
        made.gone += gone

    def _day(
        self,
        table: Table,
        schema: pa.Schema,
        closed: Sequence[File],
        parts: Sequence[File],
        made: "_Made",
    ) -> None:
        """Write the file of a day, or of the month that holds it, and one of the rows that were replaced, if any were.

        Each is sorted; rows of several days one behind the other would not be.
        """
        replaced: PartitionFile | None = None
        first, last = (closed or parts)[0].first_day, (closed or parts)[0].last_day
        folder, cut = self.store.folder, self.end.seq
        day = first if first == last else first[:7]
        path = day_path(table.name, day, cut)
        rows = sum(f.rows for f in (*closed, *parts))
        file = made.file(PartitionFile(folder, path, table, first, last, schema, rows, cut=cut))
        gone_rows = gone_sum = 0
        for merged_piece in ahead(merged(folder, table, closed, parts, schema)):
            self._go_on()
            piece, fresh = self._amendments.amended(table, first, last, merged_piece)
            file.write(piece.rows)
            gone_rows += piece.left_out.num_rows + piece.replaced.num_rows - fresh.num_rows
            gone_sum += row_sum(piece.left_out) + row_sum(piece.replaced.select(schema.names)) - row_sum(fresh)
            if piece.replaced.num_rows:
                if replaced is None:
                    path = replaced_path(table.name, cut, day)
                    columns = told_schema(schema)
                    replaced = made.file(PartitionFile(folder, path, table, first, last, columns, cut=cut))
                replaced.write(piece.replaced)
        if file.rows:
            made.days.append(conserved(file.finish(), [*closed, *parts], gone_rows, gone_sum))
        else:  # every row was removed
            nothing = dataclasses.replace((closed or parts)[0], path=file.path, rows=0, row_sum=0)
            conserved(nothing, [*closed, *parts], gone_rows, gone_sum)
            made.pending.remove(file)
        if replaced is not None:
            made.replaced.append(replaced.finish())

    def _closed(self, catalogue: Catalogue, made: "_Made") -> dict[str, Any]:
        """Return what the next catalogue has."""
        return {
            "closed": self.end.seq,
            "closed_day": max(self.end.day, catalogue.closed_day),
            "closed_rows": self.rows,
            "ends": tuple(e for e in catalogue.ends if e.seq > self.end.seq),
            "parts": tuple(p for p in catalogue.parts if p.last > self.end.seq),
            "files": [*(f for f in catalogue.files if f not in made.gone), *made.days],
            "replaced": (*catalogue.replaced, *made.replaced),
        }

    def _go_on(self) -> None:
        if self._stopping.is_set():
            raise Interrupted(f"closing {self.end.day}")


class _Made:
    """The files made so far; those that are not in place when `stack` ends are removed."""

    def __init__(self, stack: ExitStack) -> None:
        self.pending: list[PartitionFile] = []
        self.days: list[File] = []
        self.replaced: list[File] = []
        self.gone: list[File] = []
        self._stack = stack

    def file(self, made: PartitionFile) -> PartitionFile:
        """Take charge of a file."""
        self.pending.append(self._stack.enter_context(made))
        return made
