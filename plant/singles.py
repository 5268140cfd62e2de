"""Decode many one-row records of a table in one step.

A record of one row has its fixed-width columns at fixed offsets: byte 0 of the payload opens the array, and column i is
the two bytes C4 08 and its value at 3 + 10 i. So numpy takes them out of all records at once. What follows, symbols and
texts, mostly repeats, and is looked up by its bytes.
"""

from typing import Any

import msgpack
import numpy as np

from plant.batch import Batch, Columns, Symbols, Texts
from plant.errors import WireError
from plant.schema import FIXED_DTYPES, Table
from plant.wire import Header

_CACHE = 10_000
"""Tails (symbols and texts of a row) remembered per table; beyond it, all are forgotten."""


class Singles:
    """Decoder of one-row records of `table`, in the order they came."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._fixed = [c for c in table.wire_order if c.fixed]
        self._symbols = [c for c in table.wire_order if c.kind == "symbol"]
        self._texts = [c for c in table.wire_order if c.kind == "text"]
        self._width = 1 + 10 * len(self._fixed)
        self._opening = msgpack.Packer().pack_array_header(len(table.columns))
        self._usable = len(self._opening) == 1
        self._rest = msgpack.Packer().pack_array_header(len(table.columns) - len(self._fixed))
        self._names: list[dict[str, int]] = [{} for _ in self._symbols]
        self._tails: dict[bytes, tuple[tuple[int, ...], tuple[str, ...]]] = {}

    def decode(self, message: bytes, headers: list[Header], starts: list[int]) -> Batch | None:
        """Return one batch of all rows, with the seq of each; None if the records are not laid out as expected."""
        if not self._usable:
            return None
        data = np.frombuffer(message, dtype=np.uint8)
        fixed = data[np.array(starts)[:, None] + np.arange(self._width)]
        if not self._as_expected(fixed):
            return None
        columns: Columns = dict.fromkeys(self._table.names)
        for i, column in enumerate(self._fixed):
            values = np.ascontiguousarray(fixed[:, 3 + 10 * i : 11 + 10 * i])
            columns[column.name] = values.view(FIXED_DTYPES[column.kind]).ravel()
        self._add_tails(columns, message, headers, starts)
        last = headers[-1]
        parts = (np.arange(len(headers)), np.array([h.seq for h in headers]), np.array([h.received for h in headers]))
        return Batch(self._table.name, columns, last.seq, last.table_seq, last.received, self._table.key, parts)

    def _as_expected(self, fixed: np.ndarray) -> bool:
        marks = fixed[:, 1:].reshape(len(fixed), -1, 10)[:, :, :2]
        return bool((fixed[:, 0] == self._opening[0]).all() and (marks == (0xC4, 8)).all())

    def _add_tails(self, columns: Columns, message: bytes, headers: list[Header], starts: list[int]) -> None:
        known, width = self._tails, self._width
        rows: list[tuple[tuple[int, ...], tuple[str, ...]]] = []
        for header, start in zip(headers, starts, strict=True):
            tail = message[start + width : start + header.length]
            row = known.get(tail)
            rows.append(self._learn(tail) if row is None else row)
        if self._symbols:
            codes = np.array([codes for codes, _ in rows], dtype=np.int32)
            for i, column in enumerate(self._symbols):
                columns[column.name] = Symbols(list(self._names[i]), np.ascontiguousarray(codes[:, i]))
        for i, column in enumerate(self._texts):
            columns[column.name] = Texts.of([texts[i] for _, texts in rows])

    def _learn(self, tail: bytes) -> tuple[tuple[int, ...], tuple[str, ...]]:
        try:
            items: list[Any] = msgpack.unpackb(self._rest + tail)
            symbols, texts = items[: len(self._symbols)], items[len(self._symbols) :]
            names = [item[0][int.from_bytes(item[1], "little")] for item in symbols]
            row = (
                tuple(known.setdefault(name, len(known)) for known, name in zip(self._names, names, strict=True)),
                tuple(item[1].decode() for item in texts),
            )
        except (ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
            raise WireError(f"{self._table.name}: a row's symbols and texts cannot be read: {error}") from None
        if len(self._tails) >= _CACHE:
            self._tails.clear()
        self._tails[tail] = row
        return row
