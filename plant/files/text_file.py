"""CSV and its like: which encoding, where the names of the columns stand, which lines are rows.

Values are all texts. A text in quotes may go over several lines; a quote that is never closed costs its own line only.
"""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from plant.files.foreign_file import HEADER_WITHIN, ForeignFile, IsHeader

_DELIMITERS = (",", ";", "\t", "|")

_MARKS = (  # UTF-32 begins as UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

UNREADABLE = "\ufffd"
"""What stands for bytes that are no text in the file's encoding."""


def open_text(data: bytes, is_header: IsHeader, encoding: str = "") -> ForeignFile:
    """Return the columns of a text; raises ValueError for an encoding that nobody knows.

    Without an `encoding` it is UTF-8, or UTF-16 or 32 if it begins so. What is no text in it becomes UNREADABLE, so
    that the row fails, and not the file.
    """
    name = encoding or _encoding(data)
    try:
        parts = re.split(r"(\r\n|\n|\r)", data.decode(name, "replace").removeprefix("\ufeff"))
    except LookupError:
        raise ValueError(f"encoding: expected a name such as utf-8, utf-16 or cp1252, found {encoding!r}") from None
    lines, ends = parts[0::2], parts[1::2]
    first, delimiter, names = _header(lines, is_header)
    file = ForeignFile(names, lambda wanted: None, "line", delimiter=delimiter)
    if name != "utf-8-sig":
        file.assumed.append(f"encoding {name}")
    file.pass_over(sum(1 for line in lines[:first] if line.strip()))
    lines[:first] = [""] * first
    several = _join(file, lines, ends)
    filled = np.array([number for number, line in enumerate(lines, start=1) if line], dtype=np.int64)

    def read(wanted: Sequence[str]) -> Any:
        skipped: list[int] = []

        def leave_out(row: Any) -> str:  # row.number counts the lines that are not empty
            skipped.append(row.number - 1)
            found = f"{row.actual_columns}: {row.text!r:.60}"
            file.leave_out(int(filled[row.number - 1]), f"expected {row.expected_columns} fields, found {found}")
            return "skip"

        table = pyarrow.csv.read_csv(
            io.BytesIO(("\n".join(line for line in lines if line) + "\n").encode()),
            read_options=pyarrow.csv.ReadOptions(use_threads=False),  # with threads, rows have no numbers
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, invalid_row_handler=leave_out, newlines_in_values=several
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
            ),
        )
        file.lines = np.delete(filled, [0, *skipped])
        return table

    file.read = read
    return file


def _encoding(data: bytes) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    head = data[:1000]
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if len(head) > 2 and zeros.count(0) > len(zeros) // 2:
            return name
    return "utf-8-sig"


def _header(lines: list[str], is_header: IsHeader) -> tuple[int, str, list[str]]:
    """Return the position of the line with the names, its delimiter and the names; the first line if none has them."""
    filled = [place for place, line in enumerate(lines) if line.strip()][:HEADER_WITHIN] or [0]
    found = []
    for place in filled:
        delimiter = max(_DELIMITERS, key=lines[place].count)
        try:
            names = next(csv.reader([lines[place]], delimiter=delimiter), [])
        except csv.Error:  # a field without end
            names = []
        found.append((place, delimiter, names))
        if is_header(found[-1][2]):
            return found[-1]
    return found[0]


def _join(file: ForeignFile, lines: list[str], ends: list[str]) -> bool:
    """Make one line of those that one text in quotes goes over; leave out lines whose quote is not closed.

    Returns whether there are any of the former. A quote that opens here and one that opens further down are no pair:
    a closing one stands before a delimiter or an end of line.
    """
    mark = re.escape(file.delimiter)
    value = rf'(?:"[^"]*(?:""[^"]*)*"|[^"{mark}\r\n]*)'
    whole = re.compile(rf"{value}(?:{mark}{value}){{{max(len(file.names) - 1, 0)}}}")
    several = False
    odd = [place for place, line in enumerate(lines) if line.count('"') % 2]
    while odd:
        first = odd.pop(0)
        joined = ""
        if odd:
            pieces = zip(lines[first : odd[0]], ends[first : odd[0]], strict=True)
            joined = "".join(line + end for line, end in pieces) + lines[odd[0]]
        if joined and whole.fullmatch(joined):
            last = odd.pop(0)
            lines[first : last + 1] = [joined, *[""] * (last - first)]
            several = True
        else:
            file.leave_out(first + 1, f"a quote is not closed: {lines[first]!r:.60}")
            lines[first] = ""
    return several
