"""Excel sheets, in and out: what a cell holds, and what it cannot.

A sheet knows a time to the millisecond, a whole number to 2**53, no zone, no control characters. What it cannot hold as
it is goes into it as a text, or is refused; nothing is cut off.
"""

import contextlib
import datetime as dt
import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plant.errors import BadRows
from plant.files.foreign_file import HEADER_WITHIN, ForeignFile, IsHeader

SHEET_ROWS = 1_048_575
"""Rows a sheet can hold below its heading."""

EXACT = 2**53
"""Beyond it a float, as which a sheet keeps every number, is no longer each whole number."""

_LONGEST = 32_767
_NOT_IN_A_SHEET = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")
"""Characters that XML has not, or reads as others (a carriage return becomes a line feed)."""

_NS_PER_MS = 1_000_000


def open_sheet(path: Path, is_header: IsHeader) -> ForeignFile:
    """Return the columns of the first sheet; its first row that has the names is the header. Raises OSError."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [
            (number, row) for number, row in enumerate(book.worksheets[0].values, 1) if any(v is not None for v in row)
        ]
        book.close()
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise OSError(f"no Excel file: {error}") from error
    headings = [["" if name is None else str(name) for name in row] for _, row in rows[:HEADER_WITHIN]]
    first = next((place for place, names in enumerate(headings) if is_header(names)), 0)
    names = headings[first] if rows else []

    def read(wanted: Sequence[str]) -> Any:
        below = rows[first + 1 :]
        file.lines = np.array([number for number, _ in below], dtype=np.int64)
        return pa.table({name: _column([row[names.index(name)] for _, row in below]) for name in wanted})

    file = ForeignFile(names, read)
    file.pass_over(first)
    return file


def _column(values: list[Any]) -> pa.Array:
    """Return a sheet's column: numbers if it holds nothing else, or times, else texts."""
    kinds = {type(v) for v in values if v is not None}
    far = any(type(v) is int and abs(v) > EXACT for v in values)
    if kinds == {int} and not any(v is not None and abs(v) >= 2**63 for v in values):
        return pa.array(values, pa.int64())
    if kinds <= {int, float} and not far:
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if kinds == {dt.datetime}:
        return pa.array(values, pa.timestamp("us"))
    return pa.array([None if v is None else _text(v) for v in values], pa.string())


def _text(value: Any) -> str:
    exact = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return str(int(value)) if exact else str(value)


class SheetWriter:
    """A new Excel file with one sheet; times are in UTC, without a zone. Raises BadRows for what no sheet can hold."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import openpyxl

        self._path = path
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet("rows")
        self._sheet.append(schema.names)

    def write(self, rows: pa.Table) -> None:
        """Append rows."""
        columns = [self._cells(name, rows.column(name)) for name in rows.column_names]
        for row in zip(*columns, strict=True):
            self._sheet.append(row)

    def close(self) -> None:
        """Finish the file."""
        self._book.save(self._path)

    def abandon(self) -> None:
        """Let go of what was written so far, unless it is finished."""
        from openpyxl.utils.exceptions import WorkbookAlreadySaved

        with contextlib.suppress(WorkbookAlreadySaved):
            self._sheet.close()  # the rows so far are in a file of openpyxl's, which it removes at its end

    def _cells(self, name: str, column: pa.ChunkedArray) -> list[Any]:
        if pa.types.is_timestamp(column.type):
            whole = column.cast(pa.timestamp("us"), safe=False).to_pylist()
            return [
                v if ns is None or ns % _NS_PER_MS == 0 else f"{np.datetime64(ns, 'ns')}Z"
                for v, ns in zip(whole, column.cast(pa.int64()).to_pylist(), strict=True)
            ]
        values = column.to_pylist()
        if pa.types.is_floating(column.type):
            return [v if v is None else self._number(v) for v in values]
        if pa.types.is_integer(column.type):
            return [v if v is None or abs(v) < 10**15 else self._cell(str(v), "s") for v in values]
        return [v if not v else self._string(name, v) for v in values]

    def _number(self, value: float) -> Any:
        if math.isinf(value):
            return self._cell(repr(value), "s")
        return value if float(f"{value:.16g}") == value else self._cell(repr(value), "n")

    def _string(self, name: str, text: str) -> Any:
        if found := _NOT_IN_A_SHEET.search(text):
            raise BadRows(
                f"{name}: {text!r:.60} has the character {found[0]!r}, which a sheet cannot hold; "
                "export as .csv or .parquet"
            )
        if len(text) > _LONGEST:
            raise BadRows(
                f"{name}: a text of {len(text):,} characters, and a cell holds {_LONGEST:,}; export as .csv or .parquet"
            )
        return self._cell(text, "s") if text[0] in "=#" else text  # a formula, an error: not of ours

    def _cell(self, text: str, data_type: str) -> Any:
        """Return a cell of this text, "s", or of the number it writes, "n" (openpyxl itself writes 16 digits)."""
        from openpyxl.cell import WriteOnlyCell

        cell = WriteOnlyCell(self._sheet, value=text)
        cell.data_type = data_type
        return cell
