"""Which files may be read one after the other, and rows in parts put in order: so that much is answered piece by piece.

Files of days have different times. Where files share times, as parts of one day do, those of one came after all of the
other's, unless rows were replaced since: then they have to be put in order together.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import pyarrow as pa

from plant.history.catalogue import File
from plant.rows.arrow import columns_from_arrow, nulls
from plant.rows.columns import Columns, taken
from plant.rows.ordering import grouped, joined
from plant.rows.schema import Table

PART_ROWS = 65_536
"""Fewer rows are not worth a part of their own."""


def runs_of(files: Iterable[File]) -> Iterator[list[File]]:
    """Yield files in an order in which each has later rows than those before it that share its times.

    Those that have such rows only together with others come in one list, in order of their last times.
    """
    alike: list[File] = []
    end = 0
    for file in sorted(files, key=lambda f: (f.first_time, f.last_time)):
        if alike and file.first_time > end:
            yield from _in_turn(alike)
            alike = []
        alike.append(file)
        end = max(end, file.last_time) if len(alike) > 1 else file.last_time
    if alike:
        yield from _in_turn(alike)


def _in_turn(files: list[File]) -> Iterator[list[File]]:
    """Yield files that share times one by one if one came after the other, else all of them."""
    ordered = sorted(files, key=lambda f: f.first_seq)
    if all(a.last_seq < b.first_seq for a, b in pairwise(ordered)):
        yield from ([file] for file in ordered)
    else:
        yield sorted(files, key=lambda f: f.last_time)


def parts_of(pieces: Iterable[pa.Table], table: Table, columns: Sequence[str]) -> Iterator[Columns]:
    """Yield rows of pieces by symbol, then time, in parts that are worth it.

    Rows of one symbol and time stay in the order in which they come.
    """
    waiting: list[pa.Table] = []
    rows = 0
    for piece in pieces:
        if piece.num_rows:
            waiting.append(piece)
            rows += piece.num_rows
        if rows >= PART_ROWS:
            yield by_symbol(columns_of(waiting, table, columns), columns)
            waiting, rows = [], 0
    if waiting:
        yield by_symbol(columns_of(waiting, table, columns), columns)


def by_symbol(rows: Columns, columns: Sequence[str]) -> Columns:
    """Return these columns of rows by symbol, in any order of these, then time, then as they stand."""
    codes, times = rows["sym"].codes, rows["time"]
    rows = {name: rows[name] for name in columns}
    same = codes[1:] == codes[:-1]
    if not (codes[1:] < codes[:-1]).any() and not (same & (times[1:] < times[:-1])).any():
        return rows
    return taken(rows, grouped(codes, times))


def columns_of(pieces: Iterable[pa.Table], table: Table, columns: Sequence[str]) -> Columns:
    """Return these columns of rows of a table, one piece after the other; one that a piece lacks is null there."""
    some = [piece for piece in pieces if piece.num_rows]
    if not some:
        return {name: nulls(table, name, 0) for name in columns}
    if all(piece.schema.equals(some[0].schema) for piece in some):
        some = [pa.concat_tables(some)]
    return joined_columns([columns_from_arrow(piece, table, columns) for piece in some], columns)


def joined_columns(pieces: Sequence[Columns], columns: Sequence[str]) -> Columns:
    """Return these columns of all pieces, one after the other; of pieces of no rows not even the type counts."""
    pieces = [piece for piece in pieces if len(piece["time"])] or pieces[-1:]
    return {name: joined([piece[name] for piece in pieces]) for name in columns}
