"""The history's folder and catalogue in the hands of the one process that writes it.

What is being made is in no catalogue, so a crash leaves files that nobody reads; the next start removes them. What a
catalogue no longer names is removed right after that catalogue is in place.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plant.data_folder import PARTIAL
from plant.errors import HistoryError
from plant.history.catalogue import Catalogue, End, File, Part
from plant.history.days import Days
from plant.history.layout import PARTS, REPLACED, SUFFIX, history_folder, history_lock, part_path
from plant.history.merging import merged, schema_of_files
from plant.history.order import sorted_rows
from plant.history.partition_file import PartitionFile, declared_of, with_every_column
from plant.journal.journal import confirmed_in
from plant.rows.built_in import is_of_a_user, kept_rows
from plant.rows.schema import Schema, Table
from plant.runtime.lifecycle import log

JOINED = 16
"""So many parts in a row become one, if that makes each of them part of one at least twice its size: so a day has some
dozens of parts at most, and a row is written again only a few times."""

JOINED_ROWS = 10_000_000
"""Parts are not joined to larger ones than this."""


class Store:
    """The history of a plant whose data folder is `data`, open for writing.

    `catalogue` is what counts now; it is replaced, never changed. Any thread may call. Raises HistoryError if another
    process writes this history, if the catalogue cannot be read, or if it is older than what was confirmed; SchemaError
    if it has rows of a user's table whose name is the plant's own by now.
    """

    def __init__(self, data: Path, schema: Schema, days: Days) -> None:
        self.folder = history_folder(data)
        self.schema = schema
        self.days = days
        self._changing = threading.Lock()
        self._held = history_lock(self.folder)
        try:
            self.catalogue = Catalogue.load(self.folder)
            self._refuse_rows_of_a_user()
            confirmed = confirmed_in(data / "journal")
            if confirmed > self.catalogue.closed:
                raise HistoryError(
                    f"{self.folder}: the catalogue has days closed up to seq {self.catalogue.closed:,}, "
                    f"but the journal was told of {confirmed:,}; restore the newest catalogue"
                )
            self._remove_leftovers()
        except BaseException:
            os.close(self._held)
            raise

    def close(self) -> None:
        """Let go of the history."""
        os.close(self._held)

    def change(self, change: Callable[[Catalogue], dict[str, Any]]) -> Catalogue:
        """Put in place the catalogue that has the fields `change` returns; then remove the files it names no longer."""
        with self._changing:
            before = self.catalogue
            after = before.changed(**change(before))
            after.save(self.folder)
            self.catalogue = after
        kept = {f.path for f in after.every_file()}
        for file in before.every_file():
            if file.path not in kept:
                (self.folder / file.path).unlink(missing_ok=True)
        return after

    def table(self, name: str, files: Iterable[File] = ()) -> Table:
        """Return the declaration of a table; of one that is no longer declared, what its files say."""
        if name in self.schema:
            return self.schema[name]
        for file in files:
            return declared_of(self.folder / file.path)
        raise HistoryError(f"{name}: no table has this name, and no file of it says what it was")

    def write_part(
        self,
        tables: Mapping[str, pa.Table],
        last: int,
        end: End | None = None,
        record_crc: int = 0,
        ended_day: str = "",
    ) -> None:
        """Make everything up to `last` part of the history: rows of each table, in the order they came.

        `end` is the end of day that is met at `last`, if one is; `record_crc` and `ended_day` as in Part and Catalogue.
        """
        first = self.catalogue.through + 1
        files = []
        for name, rows in tables.items():
            table = self.table(name)
            rows = sorted_rows(with_every_column(rows, table))
            for day, of_day in by_day(self.days, rows):
                files.append(self._write(part_path(name, first, last, day), table, day, of_day, first=first, last=last))
        part = Part(first, last, record_crc, False, tuple(files))

        def add(catalogue: Catalogue) -> dict[str, Any]:
            days = (ended_day, catalogue.ended_day, end.day if end else "")
            fields: dict[str, Any] = {"through": last, "parts": (*catalogue.parts, part), "ended_day": max(days)}
            return fields | ({"ends": (*catalogue.ends, end)} if end else {})

        self.change(add)

    def verified(self, part: Part) -> None:
        """Note that a part is what the journal says; one that was joined to another meanwhile is gone through again."""
        self.change(lambda c: {"parts": tuple(replace(p, verified=True) if p == part else p for p in c.parts)})

    def join_parts(self) -> bool:
        """Make one part of JOINED parts of one size, if there are so many in a row; return whether there were."""
        run = self._run_to_join()
        if not run:
            return False
        first, last = run[0].first, run[-1].last
        files = []
        for name, day in dict.fromkeys((f.table, f.first_day) for part in run for f in part.files):
            sources = [f for part in run for f in part.files if (f.table, f.first_day) == (name, day)]
            table = self.table(name, sources)
            path = part_path(name, first, last, day)
            schema = schema_of_files(self.folder, table, sources)
            with PartitionFile(self.folder, path, table, day, day, schema, first=first, last=last) as file:
                for piece in merged(self.folder, table, [], sources, schema, every_row=True):
                    file.write(piece.rows)
                files.append(conserved(file.finish(), sources))
                file.place()
        joined = Part(first, last, run[-1].record_crc, True, tuple(files))

        def put(catalogue: Catalogue) -> dict[str, Any]:
            rest = catalogue.parts
            at = rest.index(run[0])
            return {"parts": (*rest[:at], joined, *rest[at + len(run) :])}

        self.change(put)
        return True

    def roll_back(self, seq: int) -> None:
        """Take parts with anything beyond `seq` out of the history, because the journal has it no longer.

        Their files are kept beside, under `lost`.
        """
        gone = [p for p in self.catalogue.parts if p.last > seq]
        through = max((p.last for p in self.catalogue.parts if p.last <= seq), default=self.catalogue.closed)
        for file in (f for part in gone for f in part.files):
            place = self.folder / "lost" / file.path
            place.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.link(self.folder / file.path, place)
        log.error("the journal ends before the history", seq=seq, through=self.catalogue.through, kept="history/lost")
        self.change(
            lambda c: {
                "through": through,
                "parts": tuple(p for p in c.parts if p.last <= seq),
                "ends": tuple(e for e in c.ends if e.seq <= through),
            }
        )

    def _run_to_join(self) -> list[Part]:
        """Return JOINED parts in a row, verified and behind every end of day that waits; those with the fewest rows."""
        beyond = max((e.seq for e in self.catalogue.ends), default=0)
        parts = [p for p in self.catalogue.parts if p.first > beyond]
        rows = [p.rows if p.verified else 2 * JOINED_ROWS for p in parts]
        found: list[tuple[int, int]] = []
        for i in range(len(parts) - JOINED + 1):
            window = rows[i : i + JOINED]
            if 2 * max(window) <= sum(window) <= JOINED_ROWS:
                found.append((sum(window), i))
        return parts[min(found)[1] : min(found)[1] + JOINED] if found else []

    def _write(self, path: str, table: Table, day: str, rows: pa.Table, **notes: Any) -> File:
        with PartitionFile(self.folder, path, table, day, day, rows.schema, **notes) as file:
            file.write(rows)
            made = file.finish()
            file.place()
            return made

    def _refuse_rows_of_a_user(self) -> None:
        oldest = {file.table: file for file in sorted(self.catalogue.every_file(), key=lambda f: -f.first_seq)}
        for file in oldest.values():
            with contextlib.suppress(HistoryError):  # one that is missing or damaged is told of who needs it
                declared = declared_of(self.folder / file.path)
                if is_of_a_user(declared):
                    raise kept_rows(self.folder / file.path, declared)

    def _remove_leftovers(self) -> None:
        """Remove what was being made, or no longer counted, when this process ended the last time."""
        kept = {f.path for f in self.catalogue.every_file()}
        for pattern in (f"{PARTS}/*/*", f"{REPLACED}/*/*", "*/month=*/*", "*"):
            for path in self.folder.glob(pattern):
                ours = path.name.endswith(PARTIAL) or (path.name.endswith(SUFFIX) and "/" in pattern)
                if ours and path.is_file() and str(path.relative_to(self.folder)) not in kept:
                    path.unlink()
                    log.info("history", removed=str(path))


def conserved(made: File, sources: Iterable[File], gone_rows: int = 0, gone_sum: int = 0) -> File:
    """Return `made`. Raises HistoryError unless its rows, and those that are gone, are exactly those of the sources."""
    sources = list(sources)
    rows, total = sum(f.rows for f in sources), sum(f.row_sum for f in sources)
    if (made.rows + gone_rows, (made.row_sum + gone_sum) % 2**64) != (rows, total % 2**64):
        raise HistoryError(
            f"{made.path}: {made.rows:,} rows and {gone_rows:,} replaced ones are not the {rows:,} rows of "
            f"{', '.join(f.path for f in sources[:5])}; nothing was put in place"
        )
    return made


def by_day(days: Days, rows: pa.Table) -> list[tuple[str, pa.Table]]:
    """Return the rows of each day of the plant, oldest day first, in the order they have."""
    of_row = days.day_of(rows.column("time").cast("int64").to_numpy())
    found = np.unique(of_row)
    if len(found) == 1:
        return [(str(found[0]), rows)]
    return [(str(day), rows.filter(pa.array(of_row == day))) for day in found]
