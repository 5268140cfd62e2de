"""Decode many records of a table in one step, each of any number of rows.

Where a column begins in each payload is computed for all payloads at once, from what plant.wire.payload says of their
layout; then its bytes are joined out of them. The strings of symbols are looked for by plant.wire.strings.
"""

import numpy as np

from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import FIXED_DTYPES, Table
from plant.wire.envelope import bytes_at, envelope, envelopes
from plant.wire.strings import Strings, joined_pieces, strings_at

_WORD = 8
"""Bytes that are looked at to read the opening of a msgpack bin, which has 2, 3 or 5."""

_BYTES = np.array([256**i - 1 for i in range(6)], dtype=np.uint64)
"""So many bytes of a word."""

_PAIR = b"\x92"


class NotAsExpected(Exception):
    """A payload is not laid out as ours are."""


def several(table: Table, message: bytes, starts: list[int]) -> Batch | None:
    """Return one batch of the rows of the records whose payloads start here, with the seq of each record.

    None if one of them is not laid out as `plant.wire.payload` does it, whether it can be decoded or not: decoding
    them one by one tells. What is checked there is checked here, and that codes are of their own record's strings.
    """
    at = np.array(starts)
    found = envelopes(message, at)
    rows = found["rows"].astype(np.int64)
    payloads = _Payloads(message, at, at + found["length"], rows)
    columns: Columns = dict.fromkeys(table.names)
    try:
        payloads.take_bytes(_array_opening(len(table.columns)))
        for column in table.fixed_columns:
            columns[column.name] = np.frombuffer(payloads.take_bins(8 * rows), FIXED_DTYPES[column.kind])
        for column in table.other_columns:
            payloads.take_bytes(_PAIR)
            columns[column.name] = _texts(payloads) if column.kind == "text" else _symbols(payloads)
        payloads.end()
    except (NotAsExpected, UnicodeDecodeError):
        return None
    last = envelope(message, starts[-1])
    parts = (np.cumsum(rows) - rows, found["seq"].astype(np.int64), found["received"].copy())
    return Batch(table.name, columns, last.seq, last.table_seq, last.received, table.key, parts, times=table.times)


class _Payloads:
    """Pieces [at, ends) of `message`, one of each record; what is taken is passed over in all of them at once."""

    def __init__(self, message: bytes, at: np.ndarray, ends: np.ndarray, rows: np.ndarray) -> None:
        self.message = message
        self.at = at
        self.ends = ends
        self.rows = rows

    def take_bytes(self, expected: bytes) -> None:
        """Pass over bytes that must be these."""
        count = len(expected)
        if (self.at + count > self.ends).any():
            raise NotAsExpected
        found = bytes_at(self.message, self.at, count).view(np.uint8).reshape(-1, count)
        if (found != [*expected]).any():
            raise NotAsExpected
        self.at = self.at + count

    def take_bins(self, sizes: np.ndarray) -> bytes:
        """Return the contents, joined, of msgpack bins that must have these sizes."""
        head = np.where(sizes < 2**8, 2, np.where(sizes < 2**16, 3, 5))
        tag = np.where(sizes < 2**8, 0xC4, np.where(sizes < 2**16, 0xC5, 0xC6))
        stop = self.at + head + sizes
        if (stop > self.ends).any():
            raise NotAsExpected
        word = bytes_at(self.message, self.at + head - _WORD, _WORD).view(">u8")  # it ends with the opening
        opened = tag << (8 * (head - 1)) | sizes
        if (word.astype(np.uint64) & _BYTES[head] != opened.astype(np.uint64)).any():
            raise NotAsExpected
        joined = joined_pieces(self.message, self.at + head, stop)
        self.at = stop
        return joined

    def take_strings(self) -> Strings:
        """Return the strings of msgpack arrays of strings."""
        found = strings_at(self.message, self.at, self.ends)
        if found is None:
            raise NotAsExpected
        strings, self.at = found
        return strings

    def end(self) -> None:
        """Have nothing be left."""
        if (self.at != self.ends).any():
            raise NotAsExpected


def _symbols(payloads: _Payloads) -> Symbols:
    strings = payloads.take_strings()
    codes = np.frombuffer(payloads.take_bins(4 * payloads.rows), "<i4")
    if (codes.view("<u4") >= np.repeat(strings.counts, payloads.rows)).any():
        raise NotAsExpected
    names, places = strings.distinct()
    before = (np.cumsum(strings.counts) - strings.counts).astype(np.int32)
    return Symbols(names, places[codes + np.repeat(before, payloads.rows)])


def _texts(payloads: _Payloads) -> Texts:
    lengths = np.frombuffer(payloads.take_bins(4 * payloads.rows), "<i4")
    if len(lengths) and int(lengths.min()) < 0:
        raise NotAsExpected
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    ends = np.cumsum(payloads.rows)
    data = payloads.take_bins(offsets[ends] - offsets[ends - payloads.rows])
    texts = Texts(offsets, data)
    if not data.isascii():
        texts.tolist()  # each must be UTF-8
    return texts


def _array_opening(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")
