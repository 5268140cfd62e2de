"""Foreign files as columns of values: CSV (also .csv.gz), Excel (.xlsx), Parquet and Arrow, by the ending of the name.

`open_file` finds the names of the columns; `ForeignFile.read` reads some of them, each as an Arrow column.
"""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from plant.files.foreign_file import ForeignFile, IsHeader
from plant.files.sheet import open_sheet
from plant.files.text_file import open_text

EXCEL = (".xlsx", ".xlsm")
PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".feather")


def open_file(path: Path, is_header: IsHeader = lambda names: True, encoding: str = "") -> ForeignFile:
    """Return the columns of a file; ValueError names the file that cannot be read.

    is_header   which line of a text or a sheet has the names of the columns; default: the first that is not empty
    encoding    of a text; "": as it begins, else UTF-8
    """
    suffix = path.suffix.lower()
    try:
        if suffix in PARQUET:
            return _whole(pq.read_schema(path).names, lambda wanted: pq.read_table(path, columns=list(wanted)))
        if suffix in ARROW:
            return _open_arrow(path)
        if suffix in EXCEL:
            return open_sheet(path, is_header)
        packed = path.read_bytes()
        return open_text(gzip.decompress(packed) if suffix == ".gz" else packed, is_header, encoding)
    except FileNotFoundError:
        raise ValueError(f"paths: no file {path} (looked for it in {Path.cwd()})") from None
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise ValueError(f"paths: {path} cannot be read: {error}") from error


def _open_arrow(path: Path) -> ForeignFile:
    with pa.memory_map(str(path)) as source:
        table = pa.ipc.open_file(source).read_all()
    return _whole(table.column_names, table.select)


def _whole(names: Sequence[str], read_columns: Any) -> ForeignFile:
    def read(wanted: Sequence[str]) -> Any:
        table = read_columns(list(wanted))
        file.lines = np.arange(1, table.num_rows + 1)
        return table

    file = ForeignFile(list(names), read)
    return file
