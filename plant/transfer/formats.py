"""Foreign files as columns of values: CSV (also .csv.gz), Excel (.xlsx) and Parquet; which line is not a row, and why.

`open_file` finds the names of the columns; `File.read` reads some of them, each as an Arrow column. A CSV's values are
all texts. What becomes of them is in `recording_values.py`.
"""

import csv
import datetime as dt
import gzip
import io
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

EXCEL = (".xlsx", ".xlsm")
PARQUET = (".parquet", ".pq")

KEPT_REASONS = 1000
"""Reasons of a file's rejected rows that are kept; the rows are counted all the same."""

_DELIMITERS = (",", ";", "\t", "|")


@dataclass
class ForeignFile:
    """An opened file: its column names, and a function that reads some of them.

    unit     what `lines` count: "line" of a text, "row" of anything else
    lines    int64[n], where each row that was read stands in the file, counted from 1; set by `read`
    broken   (line, why) of the first KEPT_REASONS rows that have not the file's shape, `broken_rows` of them in all
    """

    names: list[str]
    read: Callable[[Sequence[str]], Any]
    unit: str = "row"
    lines: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    broken: list[tuple[int, str]] = field(default_factory=list)
    broken_rows: int = 0

    def leave_out(self, line: int, why: str) -> None:
        """Note a line that is no row."""
        self.broken_rows += 1
        if len(self.broken) < KEPT_REASONS:
            self.broken.append((line, why))


def open_file(path: Path) -> ForeignFile:
    """Return the columns of a file; ValueError names the file that cannot be read."""
    suffix = path.suffix.lower()
    try:
        if suffix in PARQUET:
            return _open_parquet(path)
        if suffix in EXCEL:
            return _open_excel(path)
        packed = path.read_bytes()
        return _open_csv(gzip.decompress(packed) if suffix == ".gz" else packed)
    except FileNotFoundError:
        raise ValueError(f"paths: no file {path} (looked for it in {Path.cwd()})") from None
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise ValueError(f"paths: {path} cannot be read: {error}") from error


def _open_parquet(path: Path) -> ForeignFile:
    def read(wanted: Sequence[str]) -> Any:
        table = pq.read_table(path, columns=list(wanted))
        file.lines = np.arange(1, table.num_rows + 1)
        return table

    file = ForeignFile(pq.read_schema(path).names, read)
    return file


def _open_csv(data: bytes) -> ForeignFile:
    # Names and values may be in any old encoding; what is not UTF-8 becomes U+FFFD, and then fails as a value or not.
    lines = re.split(r"\r\n|\n|\r", data.decode("utf-8-sig", "replace"))
    delimiter = max(_DELIMITERS, key=lines[0].count)
    file = ForeignFile(next(csv.reader(lines[:1], delimiter=delimiter), []), lambda wanted: None, "line")
    # A quote that is never closed would swallow all the rows after it.
    for number in [number for number, line in enumerate(lines, start=1) if line.count('"') % 2]:
        file.leave_out(number, f"a quote is not closed: {lines[number - 1]!r:.60}")
        lines[number - 1] = ""
    filled = np.array([number for number, line in enumerate(lines, start=1) if line], dtype=np.int64)

    def read(wanted: Sequence[str]) -> Any:
        skipped: list[int] = []

        def leave_out(row: Any) -> str:  # row.number counts the lines that are not empty
            skipped.append(row.number - 1)
            found = f"{row.actual_columns}: {row.text!r:.60}"
            file.leave_out(int(filled[row.number - 1]), f"expected {row.expected_columns} fields, found {found}")
            return "skip"

        table = pyarrow.csv.read_csv(
            io.BytesIO(("\n".join(lines) + "\n").encode()),
            read_options=pyarrow.csv.ReadOptions(use_threads=False),  # with threads, rows have no numbers
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=leave_out),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
            ),
        )
        file.lines = np.delete(filled, [0, *skipped])
        return table

    file.read = read
    return file


def _open_excel(path: Path) -> ForeignFile:
    """Open the first sheet; its first row that is not empty has the names."""
    import zipfile

    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [
            (number, row) for number, row in enumerate(book.worksheets[0].values, 1) if any(v is not None for v in row)
        ]
        book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise OSError(f"no Excel file: {error}") from error
    names = ["" if name is None else str(name) for name in rows[0][1]] if rows else []

    def read(wanted: Sequence[str]) -> Any:
        file.lines = np.array([number for number, _ in rows[1:]], dtype=np.int64)
        columns = {name: _cells([row[names.index(name)] for _, row in rows[1:]]) for name in wanted}
        return pa.table(columns)

    file = ForeignFile(names, read)
    return file


def _cells(values: list[Any]) -> pa.Array:
    """Return a sheet's column: numbers if it holds nothing else, or times, else texts."""
    kinds = {type(v) for v in values if v is not None}
    if kinds <= {int, float}:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if kinds == {dt.datetime}:
        return pa.array(values, pa.timestamp("us"))
    return pa.array([None if v is None else _text(v) for v in values], pa.string())


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
