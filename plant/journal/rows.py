"""The journal's rows as Arrow tables, read from its files: beside a running plant, or without one."""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa

from plant.errors import WireError
from plant.journal.files import (
    existing_paths,
    first_seq_of,
    paths_between,
    present_segment,
    segment_paths,
)
from plant.journal.segment import Segment
from plant.progress import Progress, quietly
from plant.rows.batch import Batch, arrow_of
from plant.rows.schema import Table
from plant.wire.decoding import Merge, read_until
from plant.wire.envelope import Header

CHUNK_BYTES = 4 * 2**20

PIECE_ROWS = 65_536
"""About so many rows are handed on at once."""


class JournalRows:
    """The rows of a journal's folder. Raises JournalError if there is no journal, or a segment cannot be opened.

    first, last   seq of the first record there is, and of the last whole one when this was made
    damage        what could not be read so far
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damage: list[str] = []
        paths = existing_paths(folder)
        self.first = first_seq_of(paths[0])
        self.last = self._last(paths[-1])

    def tables(self) -> dict[str, Table]:
        """Return the newest declaration of every table in any segment."""
        found: dict[str, Table] = {}
        for path in segment_paths(self.folder):
            found |= {table.name: table for table in present_segment(path).tables.values()}
        return found

    def pieces(
        self,
        first: int,
        last: int,
        tables: Collection[str] | None = None,
        progress: Progress = quietly,
    ) -> Iterator[tuple[str, pa.Table]]:
        """Yield (table, rows with seq and received) of the records numbered `first` to `last`, in order of seq.

        A piece holds whole records of one table, about PIECE_ROWS rows; a column that some of its records lack is null.
        """
        waiting: dict[str, list[Batch]] = {}
        rows: dict[str, int] = {}
        for batch in self._batches(first, min(last, self.last), tables, progress):
            name = batch.table
            waiting.setdefault(name, []).append(batch)
            rows[name] = rows.get(name, 0) + len(batch)
            if rows[name] >= PIECE_ROWS:
                yield name, arrow_of(waiting.pop(name))
                del rows[name]
        for name, batches in waiting.items():
            yield name, arrow_of(batches)

    def _batches(self, first: int, last: int, tables: Collection[str] | None, progress: Progress) -> Iterator[Batch]:
        merge = Merge(unreadable=self._note_unreadable)
        for path in paths_between(self.folder, first, last):
            segment = present_segment(path)
            at = max(first, first_seq_of(path))
            while at <= last:
                try:
                    chunk = segment.read(at, CHUNK_BYTES, check=True)
                except FileNotFoundError:  # compressed since it was opened
                    self._note_damage(segment)
                    segment = present_segment(path)
                    continue
                if not chunk:
                    break
                wanted = {i: t for i, t in segment.tables.items() if tables is None or t.name in tables}
                found, read = read_until(chunk, wanted, last)
                if read.wrong:
                    self.damage.append(f"{segment.path.name}: behind seq {read.reached}: {read.wrong}")
                yield from merge.batches(found)
                if not read.reached:
                    break
                at = read.reached + 1
                progress(min(at, last + 1) - first, last - first + 1)
            self._note_damage(segment)

    def _note_unreadable(self, table: Table, header: Header, why: WireError) -> None:
        self.damage.append(f"seq {header.seq} cannot be read: {why}")

    def _note_damage(self, segment: Segment) -> None:
        self.damage += [text for d in segment.damage if (text := str(d)) not in self.damage]

    @staticmethod
    def _last(path: Path) -> int:
        while True:
            segment = present_segment(path)
            last = segment.first_seq - 1
            with contextlib.suppress(FileNotFoundError):  # compressed since it was opened
                for header, _ in segment.scan():
                    last = header.seq
                return last
