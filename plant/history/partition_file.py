"""Writing and reading one Parquet file of the history (plant.history.catalogue has the layout).

A file is written under another name, synced, read back, and only then renamed. Row groups hold whole symbols; page
checksums and statistics are on. Times and numbers that rise are stored as differences, symbols as dictionaries.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from plant.checksum import crc32
from plant.data_folder import partial_of, sync_folder
from plant.errors import HistoryError
from plant.history.catalogue import File
from plant.history.layout import LEAST_GROUP_ROWS, METADATA, MOST_GROUPS, ROW_GROUP_ROWS, partition_schema
from plant.rows.row_hashes import MODULUS, row_sum
from plant.rows.schema import Table

_READ_BYTES = 2**20
_READERS = 2
_DELTA = ("time", "seq", "received", "replaced_by")


class PartitionFile:
    """A file of rows of `table` in the making, at `path` within the history's `folder`.

    `write` takes rows in the order they are to have; `finish` makes the file durable, reads it back, and returns what
    the catalogue says of it; `place` gives it its name. `notes` go into the file's metadata, with the table's
    declaration. `rows_about`, how many rows will come, makes row groups so small that little is read for one symbol;
    without it, as in parts, which are merged soon, they are as large as they may be. As a context manager it removes
    what is not in place at the end. Raises HistoryError if it cannot be written, or is not read as it was written.
    """

    def __init__(
        self,
        folder: Path,
        path: str,
        table: Table,
        first_day: str,
        last_day: str,
        schema: pa.Schema | None = None,
        rows_about: int | None = None,
        **notes: Any,
    ) -> None:
        self.folder, self.path, self.table = folder, path, table
        self.first_day, self.last_day = first_day, last_day
        self.rows = self.row_sum = 0
        self._least = ROW_GROUP_ROWS if rows_about is None else max(LEAST_GROUP_ROWS, rows_about // MOST_GROUPS)
        self._partial = partial_of(folder / path)
        self._seqs: list[tuple[int, int]] = []
        self._times: list[tuple[int, int]] = []
        fields = {"table": table.declaration(), "first_day": first_day, "last_day": last_day, **notes}
        self.schema = (schema or partition_schema(table)).with_metadata({METADATA: json.dumps(fields).encode()})
        try:
            self._partial.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._partial, self.schema, **parquet_options(self.schema))
        except OSError as error:
            raise self._failed(error) from None

    def write(self, rows: pa.Table) -> None:
        """Add rows, sorted by sym; those of one symbol may come in several pieces, and then have row groups apart."""
        if not rows.num_rows:
            return
        rows = rows.select(self.schema.names).cast(self.schema)
        self.rows += rows.num_rows
        self.row_sum = (self.row_sum + row_sum(rows)) % MODULUS
        for spans, name in ((self._seqs, "seq"), (self._times, "time")):
            values = rows.column(name).to_numpy() if name == "seq" else rows.column(name).cast("int64").to_numpy()
            spans.append((int(values.min()), int(values.max())))
        try:
            for start, end in groups_of(rows, self._least):
                self._writer.write_table(_compacted(rows.slice(start, end - start)), row_group_size=ROW_GROUP_ROWS)
        except OSError as error:
            raise self._failed(error) from None

    def finish(self) -> File:
        """Make the file durable, and read it back; see the class."""
        try:
            self._writer.close()
            with self._partial.open("rb") as file:
                os.fsync(file.fileno())
            made = self._described()
            check_file(self._partial, made)
        except OSError as error:
            raise self._failed(error) from None
        return made

    def place(self) -> None:
        """Give the finished file its name."""
        try:
            self._partial.rename(self.folder / self.path)
            sync_folder(self._partial.parent)
        except OSError as error:
            raise self._failed(error) from None

    def __enter__(self) -> "PartitionFile":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # the disk is full, which has been told, and the file goes away
            self._writer.close()
        self._partial.unlink(missing_ok=True)

    def _described(self) -> File:
        first_seq, last_seq = min(s[0] for s in self._seqs), max(s[1] for s in self._seqs)
        first_time, last_time = min(t[0] for t in self._times), max(t[1] for t in self._times)
        crc, size = checksum(self._partial)
        return File(
            self.table.name, self.path, self.rows, size, crc, first_seq, last_seq, first_time, last_time,
            self.first_day, self.last_day, self.row_sum,
        )  # fmt: skip

    def _failed(self, error: OSError) -> HistoryError:
        return HistoryError(f"{self._partial}: cannot be written: {error.strerror or error}")


def checksum(path: Path) -> tuple[int, int]:
    """Return the CRC-32 and the size of a file's bytes."""
    crc = size = 0
    with path.open("rb") as file:
        while chunk := file.read(_READ_BYTES):
            crc = crc32(chunk, crc)
            size += len(chunk)
    return crc, size


def check_bytes(folder: Path, file: File) -> None:
    """Raise HistoryError if a file is missing, or its bytes are not those the catalogue tells of."""
    path = folder / file.path
    try:
        crc, size = checksum(path)
    except OSError as error:
        raise HistoryError(f"{path}: cannot be read: {error.strerror}; restore it, or plant rebuild") from None
    if (crc, size) != (file.crc, file.bytes):
        raise HistoryError(
            f"{path}: damaged: expected {file.bytes:,} bytes with CRC-32 {file.crc:#010x}, "
            f"found {size:,} with {crc:#010x}; restore it, or plant rebuild"
        )


def check_file(path: Path, file: File) -> None:
    """Read a file from its beginning to its end. Raises HistoryError if its rows are not those `file` tells of."""
    with ThreadPoolExecutor(_READERS, "reading back") as readers:
        found = list(readers.map(lambda first: _summed(row_groups(path, first, _READERS)), range(_READERS)))
    rows, total = sum(f[0] for f in found), sum(f[1] for f in found) % MODULUS
    if (rows, total) != (file.rows, file.row_sum):
        raise HistoryError(
            f"{path}: expected {file.rows:,} rows with the sum {file.row_sum:#018x}, found {rows:,} with {total:#018x}"
        )


def _summed(groups: Iterable[pa.Table]) -> tuple[int, int]:
    rows = total = 0
    for group in groups:
        rows += group.num_rows
        total += row_sum(group)
    return rows, total


def row_groups(path: Path, first: int = 0, step: int = 1, coded: Iterable[str] = ()) -> Iterator[pa.Table]:
    """Yield row groups of a file: all, or every step-th from `first` on. Raises HistoryError if it cannot be read.

    coded   columns of text that become dictionaries, which they do by themselves in files with Arrow's own types
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=list(coded)) as file:
            for i in range(first, file.num_row_groups, step):
                yield file.read_row_group(i, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{path}: cannot be read: {error}; restore it, or plant rebuild") from None


def declared_of(path: Path) -> Table:
    """Return the declaration of the table that a file was written with. Raises HistoryError."""
    try:
        metadata = pq.read_schema(path).metadata or {}
        return Table.declared(json.loads(metadata[METADATA])["table"])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise HistoryError(
            f"{path}: cannot tell which table this is: {error!r}; restore it, or plant rebuild"
        ) from None


def groups_of(rows: pa.Table, least: int = ROW_GROUP_ROWS) -> Iterator[tuple[int, int]]:
    """Yield the row groups [start, end) of rows sorted by sym: whole symbols, or pieces of a large one.

    A group ends with its symbol once it has `least` rows.
    """
    codes = symbol_codes(rows.column("sym"))
    edges = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
    start = 0
    for before, end in pairwise(edges):
        if end - start > ROW_GROUP_ROWS and before > start:
            yield start, before
            start = before
        while end - start > ROW_GROUP_ROWS:
            yield start, start + ROW_GROUP_ROWS
            start += ROW_GROUP_ROWS
        if end - start >= least:
            yield start, end
            start = end
    if start < len(codes):
        yield start, len(codes)


def symbol_codes(column: pa.ChunkedArray) -> np.ndarray:
    """Return a dictionary column's codes, int32[n], into one dictionary."""
    codes: np.ndarray = column.unify_dictionaries().combine_chunks().indices.to_numpy()
    return codes


def with_columns(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows with exactly the columns of `schema`, null where they lack one; raises HistoryError."""
    columns = []
    for wanted in schema:
        if wanted.name not in rows.column_names:
            columns.append(pa.nulls(rows.num_rows, wanted.type))
            continue
        column = rows.column(wanted.name)
        if column.type != wanted.type:
            try:
                column = column.cast(wanted.type)
            except pa.ArrowException as error:
                raise HistoryError(f"column {wanted.name}: {column.type} is no {wanted.type}: {error}") from None
        columns.append(column)
    return pa.table(columns, schema=schema)


def with_every_column(rows: pa.Table, table: Table) -> pa.Table:
    """Return rows with the columns of `table` as files have them, and behind those any that rows have besides."""
    return with_columns(rows, joined_schema(partition_schema(table), {f.name: f.type for f in rows.schema}))


def joined_schema(schema: pa.Schema, others: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return a schema with the columns that others have besides, at its end: what is stored is never dropped."""
    for name, kind in others.items():
        if name not in schema.names:
            schema = schema.append(pa.field(name, kind))
    return schema


def _compacted(rows: pa.Table) -> pa.Table:
    """Return rows whose dictionaries hold only what they use, so that a row group of one symbol names one."""
    for i, name in enumerate(rows.column_names):
        column = rows.column(name)
        if pa.types.is_dictionary(column.type):
            rows = rows.set_column(i, rows.schema.field(i), _compact(column))
    return rows


def _compact(column: pa.ChunkedArray) -> pa.DictionaryArray:
    array = column.unify_dictionaries().combine_chunks()
    names, codes = array.dictionary, array.indices
    used = np.flatnonzero(np.bincount(codes.drop_null().to_numpy(), minlength=len(names)))
    if len(used) == len(names):
        return array
    place = np.zeros(len(names) + 1, dtype=np.int32)
    place[used] = np.arange(len(used), dtype=np.int32)
    moved = pa.array(place[codes.fill_null(0).to_numpy()])
    if codes.null_count:
        moved = pc.if_else(codes.is_valid(), moved, pa.scalar(None, pa.int32()))
    return pa.DictionaryArray.from_arrays(moved, names.take(pa.array(used)))


def parquet_options(schema: pa.Schema, store_schema: bool = True) -> dict[str, Any]:
    """Return how files of the history, and copies of them, are written; `store_schema`: with Arrow's own types."""
    delta = [name for name in _DELTA if name in schema.names]
    return {
        "compression": "zstd",
        "compression_level": 1,
        "use_dictionary": [f.name for f in schema if f.name not in delta and not pa.types.is_large_string(f.type)],
        "column_encoding": {**dict.fromkeys(delta, "DELTA_BINARY_PACKED")},
        "write_page_checksum": True,
        "write_statistics": True,
        "store_schema": store_schema,
    }
