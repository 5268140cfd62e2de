"""Merge files of the history that are sorted by sym, time, seq into one order, in bounded memory.

The files are read range by range of (sym, time), each about RANGE_ROWS rows; the statistics of their row groups say
where to cut and what to read. Of a table with a key only the newest row of each key is kept. One that replaces a row of
a closed day is told of, so that history can still be read as it was.
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plant.errors import HistoryError
from plant.history.catalogue import File
from plant.history.layout import partition_schema
from plant.history.order import newest_of_keys, order_of, sym_ranks, times_of
from plant.history.partition_file import joined_schema, with_columns
from plant.rows.schema import Table

RANGE_ROWS = 500_000
"""About so many rows are in memory at once, besides a row group of each file."""

REVISED = "revised"
"""Reason in `replaced` for a row that a later one with the same key replaced."""

_EARLIEST = np.iinfo(np.int64).min
_LATEST = np.iinfo(np.int64).max

Place = tuple[str, int]
"""Where a row stands in the order: sym and time."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A range of rows in their order.

    rows       those to keep
    replaced   those of closed days that `rows` replace, with replaced_by and reason
    left_out   those that came and were replaced before any day was closed
    """

    rows: pa.Table
    replaced: pa.Table
    left_out: pa.Table


@dataclass(slots=True)
class _Group:
    """A row group: its number, rows, and the places of its first and last row, as far as statistics tell."""

    number: int
    rows: int
    first: Place
    last: Place


@dataclass(slots=True)
class _Source:
    """A file being read; the row group that two ranges share is kept for the second."""

    path: Path
    closed: bool
    file: pq.ParquetFile
    groups: list[_Group] = field(default_factory=list)
    held: dict[int, pa.Table] = field(default_factory=dict)


def schema_of_files(folder: Path, table: Table, files: Sequence[File]) -> pa.Schema:
    """Return the columns a merge of these files has: those of the table, and any that only a file has."""
    schema = partition_schema(table)
    for file in files:
        try:
            found = pq.read_schema(folder / file.path)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(folder / file.path, error) from None
        schema = joined_schema(schema, {f.name: f.type for f in found})
    return schema


def merged(
    folder: Path,
    table: Table,
    closed: Sequence[File],
    parts: Sequence[File],
    schema: pa.Schema | None = None,
    every_row: bool = False,
) -> Generator[Merged, None, None]:
    """Yield the rows of these files, in order. Raises HistoryError if one cannot be read.

    closed      files of closed days: a row of theirs that is replaced is given in `replaced`
    parts       files beyond them, lowest seq first
    schema      as `schema_of_files` returns it
    every_row   keep rows that were replaced, too
    """
    schema = schema or schema_of_files(folder, table, [*closed, *parts])
    sources = [_opened(folder / f.path, is_closed) for is_closed, fs in ((True, closed), (False, parts)) for f in fs]
    try:
        places = _cuts(sources)
        for first, end in zip(places, [*places[1:], None], strict=True):
            found = _read(sources, schema, first, end)
            if found is not None:
                yield _in_order(table, *found, every_row)
    finally:
        for source in sources:
            source.file.close()


def ahead(pieces: Generator[Merged, None, None]) -> Iterator[Merged]:
    """Yield pieces, the next of them being made in a thread meanwhile."""
    with closing(pieces), ThreadPoolExecutor(1, "merging") as maker:
        following = maker.submit(next, pieces, None)
        while (piece := following.result()) is not None:
            following = maker.submit(next, pieces, None)
            yield piece


def _opened(path: Path, closed: bool) -> _Source:
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(path, error) from None
    source = _Source(path, closed, file)
    sym, time = (file.schema_arrow.names.index(n) for n in ("sym", "time"))
    for i in range(file.num_row_groups):
        group = file.metadata.row_group(i)
        s, t = group.column(sym).statistics, group.column(time).statistics
        if s is None or not s.has_min_max:  # a name too long for statistics
            source.groups.append(_Group(i, group.num_rows, ("", _EARLIEST), (chr(0x10FFFF) * 8, _LATEST)))
            continue
        one = s.min == s.max and t is not None and t.has_min_max
        first, last = (t.min_raw, t.max_raw) if one else (_EARLIEST, _LATEST)
        source.groups.append(_Group(i, group.num_rows, (s.min, first), (s.max, last)))
    return source


def _cuts(sources: Sequence[_Source]) -> list[Place]:
    """Return where ranges begin: the first before everything, the others about RANGE_ROWS apart."""
    cuts: list[Place] = [("", _EARLIEST)]
    rows = 0
    for place, count in sorted((g.first, g.rows) for s in sources for g in s.groups):
        if rows >= RANGE_ROWS and place > cuts[-1]:
            cuts.append(place)
            rows = 0
        rows += count
    return cuts


def _read(
    sources: Sequence[_Source], schema: pa.Schema, first: Place, end: Place | None
) -> tuple[pa.Table, np.ndarray, np.ndarray, np.ndarray] | None:
    """Return what was read of all sources, and for its rows in [first, end): where, sym by rank, if of closed days."""
    found: list[pa.Table] = []
    closed: list[np.ndarray] = []
    for source in sources:
        wanted = [g for g in source.groups if g.last >= first and (end is None or g.first < end)]
        tables = []
        for group in wanted:
            rows = source.held.pop(group.number, None)
            if rows is None:
                rows = _row_group(source, group.number, schema)
            tables.append(rows)
        if end is not None and wanted and wanted[-1].last >= end:
            source.held = {wanted[-1].number: tables[-1]}
        for rows in tables:
            found.append(rows)
            closed.append(np.full(rows.num_rows, source.closed))
    if not found:
        return None
    rows = pa.concat_tables(found).unify_dictionaries().combine_chunks()
    rank, names = sym_ranks(rows.column("sym"))
    positions = np.flatnonzero(_within(rank, names, times_of(rows), first, end))
    flags = np.concatenate(closed)
    return (rows, positions, rank[positions], flags[positions]) if len(positions) else None


def _row_group(source: _Source, number: int, schema: pa.Schema) -> pa.Table:
    try:
        return with_columns(source.file.read_row_group(number, use_threads=False), schema)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(source.path, error) from None
    except HistoryError as error:
        raise HistoryError(f"{source.path}: {error}") from None


def _within(rank: np.ndarray, names: list[str], times: np.ndarray, first: Place, end: Place | None) -> np.ndarray:
    """Return which rows lie in [first, end)."""
    inside = _not_before(rank, names, times, first)
    return inside if end is None else inside & ~_not_before(rank, names, times, end)


def _not_before(rank: np.ndarray, names: list[str], times: np.ndarray, place: Place) -> np.ndarray:
    above = sum(name <= place[0] for name in names)  # names are few beside rows
    found: np.ndarray = rank >= above
    if above and names[above - 1] == place[0]:
        found |= (rank == above - 1) & (times >= place[1])
    return found


def _in_order(
    table: Table, rows: pa.Table, positions: np.ndarray, rank: np.ndarray, closed: np.ndarray, every_row: bool
) -> Merged:
    """Return the rows at these positions sorted by sym, time and seq, without those that others replace."""
    order = order_of(rank, times_of(rows)[positions], rows.column("seq").to_numpy()[positions])
    positions, rank, closed = positions[order], rank[order], closed[order]
    if len(positions) < rows.num_rows or not (positions[1:] > positions[:-1]).all():
        rows = rows.take(pa.array(positions))
    nothing = rows.slice(0, 0)
    replaced_by = None
    if table.key and not every_row:
        replaced_by = newest_of_keys(table, rows, rank, times_of(rows), rows.column("seq").to_numpy())
    if replaced_by is None:
        return Merged(rows, _told(nothing, np.empty(0, np.int64)), nothing)
    gone = replaced_by >= 0
    old = gone & closed
    return Merged(rows.filter(pa.array(~gone)), _told(rows.filter(pa.array(old)), replaced_by[old]),
                  rows.filter(pa.array(gone & ~closed)))  # fmt: skip


def _told(rows: pa.Table, replaced_by: np.ndarray) -> pa.Table:
    rows = rows.append_column(pa.field("replaced_by", pa.int64(), False), pa.array(replaced_by, pa.int64()))
    return rows.append_column(
        pa.field("replaced_reason", pa.string(), False), pa.array([REVISED] * len(replaced_by), pa.string())
    )


def _unreadable(path: Path, error: Any) -> HistoryError:
    return HistoryError(f"{path}: cannot be read: {error}; restore it, or plant rebuild")
