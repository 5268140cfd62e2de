"""Decode many one-row records of a table in one step.

A record of one row has its fixed-width columns at fixed offsets: byte 0 of the payload opens the array, and column i is
the two bytes C4 08 and its value at 3 + 10 i. So numpy takes them out of all records at once. The symbols that follow
mostly repeat, and are looked up by their bytes; a text is taken as it is.
"""

from typing import Any

import msgpack
import numpy as np

from plant.errors import WireError
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import FIXED_DTYPES, Table
from plant.wire.envelope import bytes_at, envelope, envelopes

_CACHE = 10_000
"""Combinations of symbols remembered per table; if there are more after a message, all are forgotten."""

_MARKED, _MARKS = [0, 1, 2, 4, 5, 6, 7], [0x92, 0xC4, 4, 0, 0, 0, 0xC4]
"""Of the nine bytes before a text those that are always the same; the two others are its length."""


class Singles:
    """Decoder of one-row records of `table`, in the order they came."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._fixed = [c for c in table.wire_order if c.fixed]
        self._symbols = [c for c in table.wire_order if c.kind == "symbol"]
        self._texts = [c for c in table.wire_order if c.kind == "text"]
        self._width = 1 + 10 * len(self._fixed)
        self._usable = len(table.columns) < 16
        self._opening = 0x90 | len(table.columns)
        self._known = _Known(table.name, len(self._symbols))

    def decode(self, message: bytes, starts: list[int]) -> Batch | None:
        """Return one batch of the rows whose payloads start here, with the seq of each; None if it cannot.

        That is if a record is not laid out as expected: one of more than 15 columns, with a symbol of 32 bytes, or a
        text of 256. They are rare, and decoded one by one.
        """
        if not self._usable:
            return None
        data = np.frombuffer(message, dtype=np.uint8)
        at = np.array(starts)
        found = envelopes(message, at)
        ends = at + found["length"]
        if (at + self._width > ends).any():
            return None
        columns: Columns = dict.fromkeys(self._table.names)
        fixed = bytes_at(message, at, self._width).view(np.uint8).reshape(len(at), self._width)
        marks = fixed[:, 1:].reshape(len(at), -1, 10)[:, :, :2]
        if (fixed[:, 0] != self._opening).any() or (marks != (0xC4, 8)).any():
            return None
        for i, column in enumerate(self._fixed):
            values = np.ascontiguousarray(fixed[:, 3 + 10 * i : 11 + 10 * i])
            columns[column.name] = values.view(FIXED_DTYPES[column.kind]).ravel()
        tails = at + self._width
        texts = self._after_symbols(data, tails, ends)
        if texts is None or not self._add_texts(columns, message, texts, ends):
            return None
        self._add_symbols(columns, message, tails, texts)
        last = envelope(message, starts[-1])
        parts = (np.arange(len(at)), found["seq"].astype(np.int64), found["received"].copy())
        return Batch(
            self._table.name,
            columns,
            last.seq,
            last.table_seq,
            last.received,
            self._table.key,
            parts,
            times=self._table.times,
        )

    def _after_symbols(self, data: np.ndarray, at: np.ndarray, ends: np.ndarray) -> np.ndarray | None:
        """Return where each record's symbols end: each is 92 91, A0 + length, the string, C4 04 and its code."""
        for _ in self._symbols:
            if (at + 9 > ends).any():
                return None
            lengths = data[at + 2].astype(np.int64)
            if (data[at] != 0x92).any() or (data[at + 1] != 0x91).any() or (lengths & 0xE0 != 0xA0).any():
                return None
            at = at + 9 + (lengths & 0x1F)
        return None if (at > ends).any() else at

    def _add_symbols(self, columns: Columns, message: bytes, starts: np.ndarray, ends: np.ndarray) -> None:
        known = self._known
        if len(known) > _CACHE:
            known.forget()
        places = [known[message[start:end]] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        codes = np.array(known.codes, dtype=np.int32)[places]
        for i, column in enumerate(self._symbols):
            columns[column.name] = Symbols(list(known.names[i]), np.ascontiguousarray(codes[:, i]))

    def _add_texts(self, columns: Columns, message: bytes, starts: np.ndarray, ends: np.ndarray) -> bool:
        """Take out the texts, each 92, C4 04 and its length as int32, C4 and its length as a byte, and the text."""
        at = starts
        for column in self._texts:
            if (at + 9 > ends).any():
                return False
            heads = bytes_at(message, at, 9).view(np.uint8).reshape(len(at), 9)
            if (heads[:, _MARKED] != _MARKS).any() or (heads[:, 3] != heads[:, 8]).any():
                return False
            at, offsets = at + 9, np.zeros(len(at) + 1, np.int64)
            np.cumsum(heads[:, 8], out=offsets[1:])
            behind = at + heads[:, 8]
            texts = [message[a:b] for a, b in zip(at.tolist(), behind.tolist(), strict=True)] if offsets[-1] else []
            columns[column.name] = Texts(offsets, b"".join(texts))
            at = behind
        return bool((at == ends).all())


class _Known(dict[bytes, int]):
    """Combinations of symbols by their bytes, each with its place in `codes`; one that is new is added.

    names   of each symbol column, the code of each string
    codes   of each combination, the code in each column
    """

    def __init__(self, table: str, columns: int) -> None:
        super().__init__()
        self._table = table
        self._opening = bytes([0x90 | columns])
        self.names: list[dict[str, int]] = [{} for _ in range(columns)]
        self.codes: list[tuple[int, ...]] = []

    def __missing__(self, symbols: bytes) -> int:
        try:
            items: list[Any] = msgpack.unpackb(self._opening + symbols)
            names = [item[0][int.from_bytes(item[1], "little")] for item in items]
            codes = tuple(known.setdefault(name, len(known)) for known, name in zip(self.names, names, strict=True))
        except (ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
            raise WireError(f"{self._table}: a row's symbols cannot be read: {error}") from None
        self.codes.append(codes)
        place = self[symbols] = len(self)
        return place

    def forget(self) -> None:
        """Forget the combinations; the strings keep their codes."""
        self.clear()
        self.codes.clear()
