"""A day's files made again from the journal, and compared with those that are stored (`plant rebuild`).

The unit is a file: a day of a table, or the month that the day is part of. Its rows are read from the journal into
sorted pieces on disk, merged as at the end of day, and amended; so memory is bounded. With `write`, a file that differs
is replaced: the new one gets its place in the catalogue at once, and the old one is kept beside it.
"""

import datetime as dt
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from plant.errors import HistoryError
from plant.history.amending import TABLE as AMENDMENTS
from plant.history.amending import Amendment, amendments_of, apply
from plant.history.catalogue import Catalogue, File
from plant.history.days import Days
from plant.history.layout import day_path, history_folder, history_lock, part_path
from plant.history.merging import merged, schema_of_files
from plant.history.order import sorted_rows
from plant.history.partition_file import PartitionFile, check_bytes, row_groups, with_every_column
from plant.journal.rows import JournalRows
from plant.progress import Progress, quietly
from plant.rows.schema import Schema, Table

WORK = "rebuild.new"
"""Folder of the history in which days are made again."""


@dataclass(frozen=True)
class Rebuilt:
    """A file made again: `stored` is what there was (None: nothing), `made` what the journal gives (None: no rows)."""

    table: str
    day: str
    stored: File | None
    made: File | None
    damage: str = ""

    @property
    def same(self) -> bool:
        """Whether the stored file has the rows of the journal, and can be read."""
        one, two = ((f.rows, f.row_sum) if f else (0, 0) for f in (self.stored, self.made))
        return one == two and not self.damage


class Rebuilding:
    """Makes the files of a day again, with the history's lock held: no hdb may run.

    As a context manager it removes what is not in place at the end. Raises HistoryError, also if the journal no longer
    has the rows of that day.
    """

    def __init__(self, data: Path, schema: Schema, days: Days) -> None:
        self._folder = history_folder(data)
        self._lock = history_lock(self._folder)
        try:
            self._catalogue = Catalogue.load(self._folder)
            self._journal = JournalRows(data / "journal")
        except BaseException:
            os.close(self._lock)
            raise
        self._days = days
        self._tables: dict[str, Table] = {**self._journal.tables(), **schema}
        self._work = self._folder / WORK

    def __enter__(self) -> "Rebuilding":
        shutil.rmtree(self._work, ignore_errors=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._work, ignore_errors=True)
        os.close(self._lock)

    def day(self, day: dt.date, progress: Progress = quietly) -> list[Rebuilt]:
        """Make every table's file of a day again, and compare; the new files stay in the work folder."""
        name = day.isoformat()
        if not self._catalogue.closed:
            raise HistoryError(f"{self._folder}: no day is closed yet; there is nothing to rebuild")
        if far := [f for f in self._catalogue.archived if f.first_day <= name <= f.last_day]:
            raise HistoryError(
                f"{name} is not made again: only the archive has {far[0].path}, and the rows would be there twice; "
                "restore what is wrong with it there"
            )
        stored = {f.table: f for f in self._catalogue.files if f.first_day <= name <= f.last_day}
        spans = {table: self._span(stored.get(table), name) for table in self._tables}
        if first := [f for f in stored.values() if f.first_seq < self._journal.first]:
            raise HistoryError(
                f"{name} cannot be made again: {first[0].path} has rows from seq {first[0].first_seq:,} on, "
                f"the journal begins at {self._journal.first:,}; restore the file, or the journal, from a backup"
            )
        pieces, amendments = self._gathered(spans, progress)
        if self._journal.damage:
            raise HistoryError(f"the journal is damaged: {self._journal.damage[0]}; plant journal verify")
        done = []
        for table in sorted({*pieces, *stored}):
            made = self._make(self._tables[table], stored.get(table), name, pieces.get(table, []), amendments)
            done.append(Rebuilt(table, name, stored.get(table), made, self._damage(stored.get(table))))
        return done

    def write(self, done: Sequence[Rebuilt]) -> list[str]:
        """Put new files in the place of those that differ; return what was done, a line for each."""
        lines, gone, fresh = [], [], []
        generation = self._catalogue.generation
        for each in (r for r in done if not r.same):
            if each.made:
                path = self._folder / each.made.path
                place = path.with_name(f"{path.stem}r{generation}{path.suffix}")
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self._work / each.made.path, place)
                fresh.append(replace(each.made, path=str(place.relative_to(self._folder))))
            if each.stored:
                gone.append(each.stored)
        files = [*(f for f in self._catalogue.files if f not in gone), *fresh]
        if gone or fresh:
            self._catalogue = self._catalogue.changed(files=files)
            self._catalogue.save(self._folder)
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        for old in gone:
            path = self._folder / old.path
            kept = path.with_name(f"{path.name}.replaced-{stamp}")
            if path.exists():
                path.rename(kept)
            lines.append(f"{old.path} is kept as {kept.name}")
        return [*(f"{f.path}: {f.rows:,} rows are in place" for f in fresh), *lines]

    def _span(self, file: File | None, day: str) -> tuple[int, int]:
        """Return the times of all days that a file holds."""
        first, last = (file.first_day, file.last_day) if file else (day, day)
        return self._days.bounds(dt.date.fromisoformat(first))[0], self._days.bounds(dt.date.fromisoformat(last))[1]

    def _gathered(
        self, spans: dict[str, tuple[int, int]], progress: Progress
    ) -> tuple[dict[str, list[File]], list[Amendment]]:
        """Write the rows of these times, sorted, a file for each piece of the journal; return them and amendments."""
        found: dict[str, list[File]] = {}
        said: list[pa.Table] = []
        pieces = self._journal.pieces(self._journal.first, self._catalogue.closed, progress=progress)
        for number, (name, rows) in enumerate(pieces):
            if name == AMENDMENTS:
                said.append(rows)
            if name not in self._tables:
                continue
            times = rows.column("time").cast("int64").to_numpy()
            rows = rows.filter(pa.array((times >= spans[name][0]) & (times < spans[name][1])))
            if rows.num_rows:
                table = self._tables[name]
                rows = sorted_rows(with_every_column(rows, table))
                path = part_path(name, number, number, "x")
                with PartitionFile(self._work, path, table, "x", "x", rows.schema) as file:
                    file.write(rows)
                    found.setdefault(name, []).append(file.finish())
                    file.place()
        return found, amendments_of(pa.concat_tables(said, promote_options="default")) if said else []

    def _make(
        self, table: Table, stored: File | None, day: str, pieces: Sequence[File], amendments: Sequence[Amendment]
    ) -> File | None:
        """Write a file from sorted pieces; None if no rows are left."""
        first, last = (stored.first_day, stored.last_day) if stored else (day, day)
        path = day_path(table.name, first if first == last else first[:7], self._catalogue.closed)
        applied = self._applied(table, amendments)
        if not pieces:
            return None
        schema = schema_of_files(self._work, table, pieces)
        rows = sum(f.rows for f in pieces)
        with PartitionFile(self._work, path, table, first, last, schema, rows, cut=self._catalogue.closed) as file:
            for piece in merged(self._work, table, [], pieces, schema):
                done = apply(table, piece.rows, applied)
                applied = done.unmatched
                file.write(done.rows)
            if not file.rows:
                return None
            made = file.finish()
            file.place()
        return made

    def _applied(self, table: Table, amendments: Sequence[Amendment]) -> list[Amendment]:
        """Return the amendments that replaced a row: all that have a row in `replaced`; if that cannot be read, all."""
        asked = [a for a in amendments if a.table == table.name]
        done: set[tuple[int, int, str]] = set()
        try:
            for rows in self._replaced(table.name) if asked else ():
                names = ("replaced_by", "time", "sym")
                columns = [rows.column(n).cast("int64" if n == "time" else rows.column(n).type) for n in names]
                done |= set(zip(*(column.to_pylist() for column in columns), strict=True))
        except HistoryError:
            return asked
        return [a for a in asked if (a.amended_by, a.time, a.sym) in done]

    def _replaced(self, table: str) -> Iterator[pa.Table]:
        for file in self._catalogue.replaced_of(table):
            yield from row_groups(self._folder / file.path)

    def _damage(self, file: File | None) -> str:
        try:
            if file is not None:
                check_bytes(self._folder, file)
        except HistoryError as error:
            return str(error)
        return ""
