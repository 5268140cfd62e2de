"""CSV and its like: which encoding, where the names of the columns stand, which lines are rows.

Values are all texts. A text in quotes may go over several lines; a quote that is never closed costs its own line only.
"""

import codecs
import csv
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv

from plant.files.foreign_file import HEADER_WITHIN, ForeignFile, IsHeader
from plant.files.lines import Lines

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
        text = _as_utf8(data, name)
    except LookupError:
        raise ValueError(f"encoding: expected a name such as utf-8, utf-16 or cp1252, found {encoding!r}") from None
    lines = Lines.of(text)
    first, before, delimiter, names = _header(lines, is_header)
    file = ForeignFile(names, lambda wanted: None, "line", delimiter=delimiter)
    if name != "utf-8-sig":
        file.assumed.append(f"encoding {name}")
    file.pass_over(before)
    lines.leave_out(slice(0, first))
    several = _join(file, lines)

    def read(wanted: Sequence[str]) -> Any:
        filled = lines.filled
        table, skipped = _parsed(lines.kept(), delimiter, several, wanted)
        for row, expected, found in skipped:  # rows count the lines that are not empty, from 1
            file.leave_out(int(filled[row - 1]), f"expected {expected} fields, found {found}")
        places = [0, *(row - 1 for row, _, _ in skipped)]
        file.lines = filled[1:] if len(places) == 1 else np.delete(filled, places)
        return table

    file.read = read
    return file


def _as_utf8(data: bytes, name: str) -> bytes:
    """Return a text as UTF-8 without a mark ahead of it. Raises LookupError for an unknown encoding."""
    if name in ("utf-8", "utf-8-sig"):
        text = data.removeprefix(codecs.BOM_UTF8) if name == "utf-8-sig" else data
        try:
            if not text.isascii():
                text.decode()
            return text.removeprefix(codecs.BOM_UTF8)
        except UnicodeDecodeError:
            pass
    return data.decode(name, "replace").removeprefix("\ufeff").encode()


def _parsed(
    text: bytes, delimiter: str, several: bool, wanted: Sequence[str]
) -> tuple[Any, list[tuple[int, int, str]]]:
    """Return the columns wanted, and (row, fields expected, what was found) of rows with fewer or more fields."""
    skipped: list[tuple[int, int, str]] = []

    def note(row: Any) -> str:
        skipped.append((row.number or 0, row.expected_columns, f"{row.actual_columns}: {row.text!r:.60}"))
        return "skip"

    options = {
        "parse_options": pyarrow.csv.ParseOptions(
            delimiter=delimiter, invalid_row_handler=note, newlines_in_values=several
        ),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted, strings_can_be_null=False
        ),
    }
    for threads in (True, False):  # with threads, rows have no numbers: wanted only if some have not the right shape
        skipped.clear()
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text), read_options=pyarrow.csv.ReadOptions(use_threads=threads), **options
        )
        if not skipped:
            break
    return table.combine_chunks(), skipped


def _encoding(data: bytes) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    head = data[:1000]
    for name, zeros in (("utf-16-le", head[1::2]), ("utf-16-be", head[0::2])):
        if len(head) > 2 and zeros.count(0) > len(zeros) // 2:
            return name
    return "utf-8-sig"


def _header(lines: Lines, is_header: IsHeader) -> tuple[int, int, str, list[str]]:
    """Return the position of the line with the names, how many that are not empty stand before it, delimiter and names.

    It is the first line if none has them.
    """
    found: list[tuple[int, int, str, list[str]]] = []
    for place in range(len(lines)):
        line = lines.text_of(place)
        if not line.strip():
            continue
        delimiter = max(_DELIMITERS, key=line.count)
        try:
            names = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:  # a field without end
            names = []
        found.append((place, len(found), delimiter, names))
        if is_header(names):
            return found[-1]
        if len(found) == HEADER_WITHIN:
            break
    return found[0] if found else (0, 0, _DELIMITERS[0], [])


def _join(file: ForeignFile, lines: Lines) -> bool:
    """Make one line of those that one text in quotes goes over; leave out lines whose quote is not closed.

    Returns whether there are any of the former. A quote that opens here and one that opens further down are no pair:
    a closing one stands before a delimiter or an end of line.
    """
    mark = re.escape(file.delimiter)
    value = rf'(?:"[^"]*(?:""[^"]*)*"|[^"{mark}\r\n]*)'
    whole = re.compile(rf"{value}(?:{mark}{value}){{{max(len(file.names) - 1, 0)}}}".encode())
    several = False
    odd = lines.odd_quotes().tolist()
    at = 0
    while at < len(odd):
        first = odd[at]
        if at + 1 < len(odd) and whole.fullmatch(lines.bytes_of(first, odd[at + 1])):
            lines.join(first, odd[at + 1])
            several = True
            at += 2
        else:
            file.leave_out(first + 1, f"a quote is not closed: {lines.text_of(first)!r:.60}")
            lines.leave_out(slice(first, first + 1))
            at += 1
    return several
