"""The journal's rows as Arrow tables, read from its files: beside a running plant, or without one."""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
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
from plant.rows.batch import Batch, Symbols, arrow_column
from plant.rows.schema import Table
from plant.wire.decoding import Merge, Raw, raw
from plant.wire.runs import runs

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
        merge = Merge()
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
                found, reached, ended = self._records(segment, chunk, last, tables)
                yield from merge.batches(found)
                progress(max(reached - first + 1, 0), last - first + 1)
                if ended:
                    break
                at = reached + 1
            self._note_damage(segment)

    def _note_damage(self, segment: Segment) -> None:
        self.damage += [text for d in segment.damage if (text := str(d)) not in self.damage]

    def _records(
        self, segment: Segment, chunk: bytes, last: int, tables: Collection[str] | None
    ) -> tuple[list[Raw], int, bool]:
        """Return the records of a chunk, the seq of the last, and whether no more is to be read of this segment."""
        found: list[Raw] = []
        reached = 0
        try:
            for run in runs(chunk):
                if run.first.seq > last:
                    return found, run.first.seq, True
                reached = min(run.last.seq, last)
                table = segment.tables.get(run.first.schema_id)
                if table is not None and (tables is None or table.name in tables):
                    found.append(raw(table, run.until(last)))
        except WireError as error:
            self.damage.append(f"{segment.path.name}: behind seq {reached}: {error}")
            return found, reached, not reached
        return found, reached, False

    @staticmethod
    def _last(path: Path) -> int:
        while True:
            segment = present_segment(path)
            last = segment.first_seq - 1
            with contextlib.suppress(FileNotFoundError):  # compressed since it was opened
                for header, _ in segment.scan():
                    last = header.seq
                return last


def arrow_of(batches: list[Batch]) -> pa.Table:
    """Return batches of one table as one Arrow table, with seq and received; a column that some lack is null there."""
    runs: list[pa.Table] = []
    start = 0
    for i in range(1, len(batches) + 1):
        if i == len(batches) or batches[i].columns.keys() != batches[start].columns.keys():
            runs.append(_joined(batches[start:i]))
            start = i
    return runs[0] if len(runs) == 1 else pa.concat_tables(runs, promote_options="default")


def _joined(batches: list[Batch]) -> pa.Table:
    columns: dict[str, Any] = {}
    for name, first in batches[0].columns.items():
        parts = [b.columns[name] for b in batches]
        if isinstance(first, Symbols):
            columns[name] = arrow_column(_symbols(parts))
        elif isinstance(first, np.ndarray):
            columns[name] = arrow_column(np.concatenate(parts), is_time=name == "time")
        else:
            columns[name] = pa.chunked_array([arrow_column(p) for p in parts]).combine_chunks()
    columns["seq"] = pa.array(np.concatenate([_per_row(b, b.seq, 1) for b in batches]))
    columns["received"] = pa.array(np.concatenate([_per_row(b, b.received, 2) for b in batches])).view(
        pa.timestamp("ns", "UTC")
    )
    return pa.table(columns)


def _symbols(parts: list[Symbols]) -> Symbols:
    """Return symbol columns joined, with one list of names."""
    known: dict[str, int] = {}
    codes, same, places = [], None, np.empty(0, dtype=np.int32)
    for part in parts:
        if same is None or part.names != same:  # batch after batch, a feed sends the same symbols
            same = part.names
            places = np.array([known.setdefault(name, len(known)) for name in same], dtype=np.int32)
        codes.append(places[part.codes])
    return Symbols(list(known), np.concatenate(codes))


def _per_row(batch: Batch, value: int, which: int) -> np.ndarray:
    """Return seq (1) or received (2) for each row of a batch, int64[n]."""
    if batch.parts is None:
        return np.full(len(batch), value, dtype=np.int64)
    counts = np.diff(batch.parts[0], append=len(batch))
    return np.repeat(np.asarray(batch.parts[which], dtype=np.int64), counts)
