"""Checksums of rows that do not depend on their order: to tell that two places hold the same rows.

A row's hash covers every column, seq and received too, by name; so it is the same in whatever order the columns stand,
and a column that is missing counts as null. It leaves out seq_row, which files written before there was one do not
have: so their sums are those of the journal still. The sum of a table is the sum of its rows' hashes, modulo 2**64: the
sums of two parts add up to that of the whole, and taking rows away subtracts theirs.

The hash of a row is made for finding errors, not for keeping anybody from making two rows alike.
"""

import zlib

import numpy as np
import pyarrow as pa

MODULUS = 2**64

_ODD = np.uint64(0x9E3779B97F4A7C15)  # the constants of splitmix64
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_BASE = 0x5851F42D4C957F2D  # odd: it has an inverse modulo 2**64
_HALF, _LOW = np.uint64(32), np.uint64(29)
_CHUNK = 32_768
"""Rows that are hashed at once, so that what is in the making fits a processor's cache."""


def row_sum(rows: pa.Table) -> int:
    """Return the sum of the rows of an Arrow table with the columns of plant.history.catalogue."""
    total = 0
    for start in range(0, rows.num_rows, _CHUNK):
        total += int(row_hashes(rows.slice(start, _CHUNK)).sum())
    return total % MODULUS


def row_hashes(rows: pa.Table) -> np.ndarray:
    """Return the hash of each row, uint64[n]. Raises TypeError for a type that no column of the plant has."""
    found = np.zeros(rows.num_rows, dtype=np.uint64)
    for name in rows.column_names:
        column = rows.column(name)
        if column.null_count == len(column) or name == "seq_row":
            continue  # as if it were not there
        chunks = [_hashes(chunk) for chunk in column.chunks if len(chunk)]
        hashes = chunks[0] if len(chunks) == 1 else np.concatenate(chunks)
        hashes ^= np.uint64(zlib.crc32(name.encode()) * 0x100000001)
        hashes *= _ODD
        hashes ^= hashes >> _HALF
        if column.null_count:
            valid = column.is_valid().to_numpy()
            hashes[~valid] = 0
        found += hashes
    found *= _MIX
    found ^= found >> _LOW
    return found


def text_hashes(offsets: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Return the hash of each of n texts, uint64[n], from their int[n + 1] offsets into UTF-8, uint8[...].

    Text t is the polynomial of its bytes in _BASE, told apart from others by its length too. The differences of one
    running sum over all bytes give it, once the power that the text's place brings in is divided out.
    """
    starts, ends = offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64)
    begin, end = int(offsets[0]), int(offsets[-1])
    powers, inverses = _powers(end - begin + 1)
    sums = np.zeros(end - begin + 1, dtype=np.uint64)
    np.cumsum((data[begin:end].astype(np.uint64) + np.uint64(1)) * powers[: end - begin], out=sums[1:])
    found: np.ndarray = (sums[ends - begin] - sums[starts - begin]) * inverses[starts - begin]
    found ^= (ends - starts).astype(np.uint64) * _MIX
    return found


def _hashes(array: pa.Array) -> np.ndarray:
    """Return a value's bits for each row; those of nulls mean nothing."""
    if pa.types.is_dictionary(array.type):
        names = array.dictionary
        codes = array.indices.fill_null(0).to_numpy()
        return _hashes(names)[codes] if len(names) else np.zeros(len(array), dtype=np.uint64)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        wide = pa.types.is_large_string(array.type)
        _, offsets, data = array.buffers()
        ends = np.frombuffer(offsets, np.int64 if wide else np.int32)[array.offset : array.offset + len(array) + 1]
        return text_hashes(ends, np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8))
    if pa.types.is_timestamp(array.type) or pa.types.is_int64(array.type) or pa.types.is_float64(array.type):
        values = np.frombuffer(array.buffers()[1], np.uint64)[array.offset : array.offset + len(array)]
        return values + np.uint64(1)  # a copy; 0 is no special value
    raise TypeError(f"no column of the plant is {array.type}")


_known: tuple[np.ndarray, np.ndarray] = (np.ones(1, dtype=np.uint64), np.ones(1, dtype=np.uint64))


def _powers(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return _BASE to the power of 0, 1, 2, ... and the inverses of those, modulo 2**64."""
    global _known
    if len(_known[0]) < count:
        wanted = max(count, 2 * len(_known[0]), 2**16)
        made = []
        for base in (_BASE, pow(_BASE, -1, MODULUS)):
            powers = np.full(wanted, base, dtype=np.uint64)
            powers[0] = 1
            made.append(np.cumprod(powers))
        _known = (made[0], made[1])
    return _known
