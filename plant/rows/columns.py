"""Rows of one table as columns: what travels, is stored, and is handed to a user.

A fixed-width column is a numpy array of its dtype, a symbol column a `Symbols`, a text column a `Texts`.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from plant.rows.schema import FIXED_DTYPES, UNKNOWN_TIME, Column

DEFAULTS: dict[str, Any] = {"time": UNKNOWN_TIME, "float": np.nan, "int": 0, "symbol": "", "text": ""}
"""What a column that was not given holds; `time`, `sym` and the columns of a key must be given."""

NULL = -1
"""The code of a symbol that is not there: of a row that is older than its column. Rows that are published have none."""


_FEW_ROWS = 128
"""Codes of so few rows are looked at one by one."""


class Symbols:
    """A column of repeating strings: `names` (distinct) and `codes`, int32[n] into names, or NULL."""

    __slots__ = ("codes", "names")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, names: list[str], codes: np.ndarray) -> None:
        self.names = names
        self.codes = codes

    @classmethod
    def of(cls, given: Iterable[str]) -> "Symbols":
        """Return the column of these strings, in order of first appearance."""
        strings = given if isinstance(given, list | tuple) else tuple(given)
        if strings and strings.count(strings[0]) == len(strings):
            strings[0].encode()
            return cls([strings[0]], np.zeros(len(strings), dtype=np.int32))  # one source, one interval: very common
        names = list(dict.fromkeys(strings))
        "".join(names).encode()  # a lone surrogate is no text: say so now, as a ValueError
        code_of = dict(zip(names, range(len(names)), strict=True))
        return cls(names, np.fromiter(map(code_of.__getitem__, strings), np.int32, len(strings)))

    def copy(self) -> "Symbols":
        """Return a column that shares nothing with this one."""
        return Symbols(self.names.copy(), self.codes.copy())

    def stripped(self) -> "Symbols":
        """Return the column without blanks around its names; one that has none stays as it is."""
        names = [*map(str.strip, self.names)]
        return self if names == self.names else Symbols.of([names[code] for code in self.codes.tolist()])

    def compact(self, few: int = 0) -> "Symbols":
        """Return the column with only the names that it uses; one that has no more than `few` stays as it is."""
        if len(self.names) <= few:
            return self
        if len(self.codes) <= _FEW_ROWS:
            codes = self.codes.tolist()
            place = {code: i for i, code in enumerate(sorted({*codes} - {NULL}))}
            names = [self.names[code] for code in place]
            place[NULL] = NULL
            return Symbols(names, np.array([place[code] for code in codes], dtype=np.int32))
        used = np.flatnonzero(np.bincount(self.codes + 1)[1:]).tolist()  # without NULL
        if len(used) == len(self.names):
            return self
        translate = np.full(len(self.names) + 1, NULL, dtype=np.int32)
        translate[used] = np.arange(len(used), dtype=np.int32)
        return Symbols([self.names[code] for code in used], translate[self.codes])

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> "Symbols":
        return Symbols(self.names, self.codes[rows])

    def __eq__(self, text: object) -> Any:
        """Compare each row with a text, as a numpy column does: bool[n]."""
        return self.codes == (self.names.index(text) if text in self.names else -1)

    def __ne__(self, text: object) -> Any:
        return np.ones(len(self), dtype=bool) if text not in self.names else ~(self == text)

    def tolist(self) -> list[str]:
        """Return the strings, one per row; None for NULL."""
        names: list[Any] = [*self.names, None]
        return [names[c] for c in self.codes.tolist()]


_FEW_TEXTS, _VERY_FEW_TEXTS = 1000, 16


class Texts:
    """A column of strings that do not repeat: `data` (UTF-8, joined) and `offsets`, int64[n + 1] into it.

    `missing`, bool[n]: those that are not there, as rows that are older than their column; None if all are.
    """

    __slots__ = ("data", "missing", "offsets")

    def __init__(self, offsets: np.ndarray, data: bytes | memoryview, missing: np.ndarray | None = None) -> None:
        self.offsets = offsets
        self.data = data
        self.missing = missing

    @classmethod
    def of(cls, strings: Iterable[str]) -> "Texts":
        """Return the column of these strings."""
        given = strings if isinstance(strings, list | tuple) else tuple(strings)
        text = "".join(given)
        if not text.isascii():
            return cls.joined([s.encode() for s in given])
        lengths = np.fromiter(map(len, given), np.int64, len(given))  # as many bytes as characters
        offsets = np.zeros(len(given) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        return cls(offsets, text.encode())

    @classmethod
    def joined(cls, parts: Sequence[bytes]) -> "Texts":
        """Return the column of these strings, each of them UTF-8."""
        return cls(np.array([*accumulate(map(len, parts), initial=0)], dtype=np.int64), b"".join(parts))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: Any) -> "Texts":
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            ends = self.offsets[first : max(first, last) + 1]
            missing = None if self.missing is None else self.missing[rows]
            return Texts(ends - ends[0], memoryview(self.data)[int(ends[0]) : int(ends[-1])], missing)
        starts = self.offsets[:-1][rows]
        stops = self.offsets[1:][rows]
        lengths = stops - starts
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        missing = None if self.missing is None else self.missing[rows]
        if len(lengths) <= _VERY_FEW_TEXTS:
            pieces = map(memoryview(self.data).__getitem__, map(slice, starts.tolist(), stops.tolist()))
            return Texts(offsets, b"".join(pieces), missing)
        if len(lengths) > _FEW_TEXTS:
            return Texts(offsets, self._data_at(rows)[: int(offsets[-1])], missing)
        taken = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])  # where each byte comes from
        return Texts(offsets, np.frombuffer(self.data, dtype=np.uint8)[taken].tobytes(), missing)

    def _data_at(self, rows: Any) -> memoryview:
        """Return the texts at some rows, joined; Arrow copies texts, where numpy would copy bytes."""
        import pyarrow as pa

        places = np.arange(len(self))[rows] if not isinstance(rows, np.ndarray) or rows.dtype == bool else rows
        places = np.where(places < 0, places + len(self), places)
        buffers = [None, pa.py_buffer(np.ascontiguousarray(self.offsets)), pa.py_buffer(self.data)]
        found = pa.Array.from_buffers(pa.large_string(), len(self), buffers).take(pa.array(places))
        return memoryview(found.buffers()[2] or b"")

    def tolist(self) -> list[str]:
        """Return the strings, one per row; None for those that are missing."""
        data, ends = bytes(self.data), self.offsets.tolist()
        texts: list[Any] = [data[a:b].decode() for a, b in pairwise(ends)]
        if self.missing is not None:
            for row in np.flatnonzero(self.missing).tolist():
                texts[row] = None
        return texts


Columns = dict[str, Any]
"""Column name to ndarray, Symbols or Texts, all of one length."""


def constant(column: Column, count: int, value: Any) -> Any:
    """Return a column of `count` times the same value."""
    if column.kind == "symbol":
        return Symbols([str(value)], np.zeros(count, dtype=np.int32))
    if column.kind == "text":
        once = str(value).encode()
        return Texts(np.arange(count + 1, dtype=np.int64) * len(once), once * count)
    return np.full(count, value, dtype=FIXED_DTYPES[column.kind])


def taken(columns: Columns, rows: Any) -> Columns:
    """Return some rows (positions, bool[n] or a slice) of all columns."""
    return {name: column[rows] for name, column in columns.items()}


def compacted(columns: Columns, few: int = 0) -> Columns:
    """Return columns whose symbols have only the names that they use (Symbols.compact): what is sent of many."""
    return {name: column.compact(few) if isinstance(column, Symbols) else column for name, column in columns.items()}
