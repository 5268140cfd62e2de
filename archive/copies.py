"""The copy of one file of the history, as the archive has it (plant.history.projection), made and proved here.

Row groups stay as they are: whole symbols in order, so that whoever asks for one symbol reads little. The copy is read
back, its times are put together again, and its rows must be exactly those that the catalogue tells of.

Two threads are at it: one reads and projects while the other writes, and both read back.
"""

import json
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from plant.errors import HistoryError
from plant.history.catalogue import File
from plant.history.layout import METADATA
from plant.history.partition_file import parquet_options, row_groups
from plant.history.projection import MONTH, PROJECTED, of_history, projected, projected_schema, restored
from plant.rows.row_hashes import MODULUS, row_sum

_PROVERS = 2


class Unfit(HistoryError):
    """A file that cannot be archived, `name`, as it is; it takes nothing from the others."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


class Interrupted(Exception):
    """The process is to end; what was being made is made again after the next start."""


def make(folder: Path, file: File, copy: Path, stopping: threading.Event) -> None:
    """Make the copy of a file of the history in `folder`. Raises HistoryError if it cannot be read, Interrupted."""
    source = folder / file.path
    try:
        schema = pq.read_schema(source)
        wanted = projected_schema(schema.remove_metadata())
    except HistoryError as error:
        raise Unfit(file.path, f"{file.table}: {error}") from None
    except (OSError, pa.ArrowException) as error:
        raise Unfit(file.path, f"{source}: cannot be read: {error}; restore it, or plant rebuild") from None
    notes = {METADATA: (schema.metadata or {}).get(METADATA, b"{}"), PROJECTED: json.dumps(asdict(file))}
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Arrow's own types (a dictionary, text of 64 bits) are nothing to other engines.
        with pq.ParquetWriter(copy, wanted, **parquet_options(wanted, store_schema=False)) as writer:
            writer.add_key_value_metadata(notes)  # those of the schema go with Arrow's types, which are left out
            groups = (projected(rows, wanted, file.first_day[:7]) for rows in _readable(source, file))
            with closing(_ahead(groups)) as tables:
                for rows in tables:
                    if stopping.is_set():
                        raise Interrupted(file.path)
                    writer.write_table(rows, row_group_size=rows.num_rows)
    except OSError as error:
        raise HistoryError(f"{copy}: cannot be written: {error.strerror or error}") from None


def prove(copy: Path, file: File, stopping: threading.Event) -> None:
    """Read a copy back. Raises Unfit if its rows are not exactly those of the file it is to be of, Interrupted."""
    coded = _coded(copy)
    with ThreadPoolExecutor(_PROVERS, "proving") as provers:
        found = list(provers.map(lambda first: _summed(copy, file, coded, first, stopping), range(_PROVERS)))
    rows, total = sum(f[0] for f in found), sum(f[1] for f in found) % MODULUS
    if (rows, total) != (file.rows, file.row_sum):
        raise Unfit(
            file.path,
            f"{copy}: expected the {file.rows:,} rows of {file.path} with the sum {file.row_sum:#018x}, found {rows:,} "
            f"with {total:#018x}; nothing was put into the archive",
        )


def file_of(filesystem: pafs.FileSystem, path: str, name: str) -> tuple[File, pa.Schema]:
    """Return which file of the history a copy in the store says it is of, and its columns.

    Raises Unfit if it says nothing, or another name: it is no copy of ours.
    """
    try:
        metadata = pq.read_metadata(path, filesystem=filesystem)
        file = File(**json.loads((metadata.metadata or {})[PROJECTED]))
        schema = metadata.schema.to_arrow_schema()
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise Unfit(
            name,
            f"{path}: expected the archive's copy of {name}, found what cannot be read as one ({error!r}); remove it",
        ) from None
    if file.path != name:
        raise Unfit(name, f"{path}: expected the archive's copy of {name}, found that of {file.path}; remove it")
    return file, schema


def _readable(source: Path, file: File) -> Iterator[pa.Table]:
    """Yield the row groups of a file of the history. Raises Unfit if it cannot be read."""
    try:
        yield from row_groups(source)
    except HistoryError as error:
        raise Unfit(file.path, str(error)) from None


def _ahead(tables: Iterable[pa.Table]) -> Generator[pa.Table]:
    """Yield tables; while one is used, a thread makes the next."""
    waiting = iter(tables)
    with ThreadPoolExecutor(1, "reading") as reader:
        coming = reader.submit(next, waiting, None)
        while (table := coming.result()) is not None:
            coming = reader.submit(next, waiting, None)
            yield table


def _coded(copy: Path) -> list[str]:
    """Return the columns of text that lie as dictionaries, which are read as such: each name is hashed once."""
    metadata = pq.read_metadata(copy)
    if not metadata.num_row_groups:
        return []
    group = metadata.row_group(0)
    columns = (group.column(i) for i in range(group.num_columns))
    return [c.path_in_schema for c in columns if c.physical_type == "BYTE_ARRAY" and c.has_dictionary_page]


def _summed(copy: Path, file: File, coded: list[str], first: int, stopping: threading.Event) -> tuple[int, int]:
    """Return how many rows every _PROVERS-th row group from `first` on has, and their sum."""
    rows = total = 0
    for group in row_groups(copy, first, _PROVERS, coded):
        if stopping.is_set():
            raise Interrupted(file.path)
        if (months := group.column(MONTH).unique().to_pylist()) != [file.first_day[:7]]:
            raise Unfit(file.path, f"{copy}: expected rows of the month {file.first_day[:7]}, found {months}")
        rows += group.num_rows
        total += row_sum(restored(group, of_history(group.schema)))
    return rows, total
