"""The copy of one file of the history, as the archive has it (plant.history.projection), made and proved here.

Row groups stay as they are: whole symbols in order, so that whoever asks for one symbol reads little. The copy is read
back, its times are put together again, and its rows must be exactly those that the catalogue tells of.
"""

import json
import os
import threading
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from plant.errors import HistoryError
from plant.history.catalogue import File
from plant.history.layout import METADATA
from plant.history.partition_file import check_bytes, parquet_options, row_groups
from plant.history.projection import PROJECTED, of_history, projected, projected_schema, restored
from plant.rows.row_hashes import MODULUS, row_sum


class Interrupted(Exception):
    """The process is to end; what was being made is made again after the next start."""


def make(folder: Path, file: File, copy: Path, stopping: threading.Event) -> None:
    """Make the copy of a file of the history in `folder`. Raises HistoryError if it is not that, Interrupted."""
    check_bytes(folder, file)
    source = folder / file.path
    try:
        schema = pq.read_schema(source)
        wanted = projected_schema(schema.remove_metadata())
    except HistoryError as error:
        raise HistoryError(f"{file.table}: {error}") from None
    except (OSError, pa.ArrowException) as error:
        raise HistoryError(f"{source}: cannot be read: {error}; restore it, or plant rebuild") from None
    notes = {METADATA: (schema.metadata or {}).get(METADATA, b"{}"), PROJECTED: json.dumps(asdict(file))}
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Arrow's own types (a dictionary, text of 64 bits) are nothing to other engines.
        with pq.ParquetWriter(copy, wanted, **parquet_options(wanted, store_schema=False)) as writer:
            writer.add_key_value_metadata(notes)  # those of the schema go with Arrow's types, which are left out
            for rows in row_groups(source):
                if stopping.is_set():
                    raise Interrupted(file.path)
                writer.write_table(projected(rows, wanted, file.first_day[:7]), row_group_size=rows.num_rows)
        with copy.open("rb") as made:
            os.fsync(made.fileno())
    except OSError as error:
        raise HistoryError(f"{copy}: cannot be written: {error.strerror or error}") from None
    _prove(copy, file, stopping)


def file_of(filesystem: pafs.FileSystem, path: str, name: str) -> tuple[File, pa.Schema]:
    """Return which file of the history a copy in the store says it is of, and its columns.

    Raises HistoryError if it says nothing, or another name: it is no copy of ours.
    """
    try:
        metadata = pq.read_metadata(path, filesystem=filesystem)
        file = File(**json.loads((metadata.metadata or {})[PROJECTED]))
        schema = metadata.schema.to_arrow_schema()
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise HistoryError(
            f"{path}: expected the archive's copy of {name}, found what cannot be read as one ({error!r}); remove it"
        ) from None
    if file.path != name:
        raise HistoryError(f"{path}: expected the archive's copy of {name}, found that of {file.path}; remove it")
    return file, schema


def _prove(copy: Path, file: File, stopping: threading.Event) -> None:
    rows = total = 0
    for group in row_groups(copy):
        if stopping.is_set():
            raise Interrupted(file.path)
        rows += group.num_rows
        total += row_sum(restored(group, of_history(group.schema)))
    if (rows, total % MODULUS) != (file.rows, file.row_sum):
        raise HistoryError(
            f"{copy}: expected the {file.rows:,} rows of {file.path} with the sum {file.row_sum:#018x}, found {rows:,} "
            f"with {total % MODULUS:#018x}; nothing was put into the archive"
        )
