"""Many msgpack arrays of strings, read in one step: the names of the symbols of many records."""

from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np

from plant.rows.ordering import ranges

_STR8 = 0xD9

_SHORT, _LONG = 1 + 31, 2 + 255
"""Bytes of msgpack that a string of at most 31 bytes takes, and one of less than 256."""


@dataclass(frozen=True, slots=True)
class Strings:
    """Strings of several arrays.

    data     the bytes that they are found in
    counts   how many strings each array has, int64[k]
    places   where each string's msgpack begins, array by array, int64[sum of counts]
    ends     where each array ends, int64[k]
    """

    data: bytes
    counts: np.ndarray
    places: np.ndarray
    ends: np.ndarray

    def distinct(self) -> tuple[list[str], np.ndarray]:
        """Return the different strings in order of appearance, and which of them each string is, int32[n].

        Raises UnicodeDecodeError if one is not UTF-8.
        """
        import pyarrow as pa

        if not len(self.places):
            return [], np.empty(0, dtype=np.int32)
        after = np.append(self.places[1:], 0)  # where the next begins, or its array ends
        of_some = self.counts > 0
        after[np.cumsum(self.counts)[of_some] - 1] = self.ends[of_some]
        sizes = after - self.places
        offsets = np.zeros(len(sizes) + 1, dtype=np.int32)
        np.cumsum(sizes, out=offsets[1:])
        firsts = self.places[(np.cumsum(self.counts) - self.counts)[of_some]]
        joined = joined_pieces(self.data, firsts, self.ends[of_some])
        encoded: Any = pa.Array.from_buffers(
            pa.binary(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(joined)]
        ).dictionary_encode()
        packed = encoded.dictionary.to_pylist()  # each as msgpack has it, so that of equal strings the bytes are equal
        names = msgpack.unpackb(b"\xdd" + len(packed).to_bytes(4, "big") + b"".join(packed))
        return names, encoded.indices.to_numpy()


def strings_at(message: bytes, at: np.ndarray, ends: np.ndarray) -> tuple[Strings, np.ndarray] | None:
    """Return the strings of the arrays that begin at these bytes of a message, and where in it each array ends.

    None if they are not whole before `ends`, or anything else than arrays of strings of less than 256 bytes.
    """
    opened = _openings(np.frombuffer(message, np.uint8), at)
    if opened is None:
        return None
    counts, first = opened
    for longest, places_of in ((_SHORT, _places_of_ascii), (_LONG, _places)):
        stops = np.minimum(first + longest * counts + 1, ends)  # with the byte that follows
        if (stops <= first).any():
            return None
        data = joined_pieces(message, first, stops)
        sizes = stops - first
        begin = np.cumsum(sizes) - sizes
        found = places_of(np.frombuffer(data, np.uint8), begin, counts)
        if found is not None and (found[1] - begin <= sizes).all():
            return Strings(data, counts, *found), first + found[1] - begin
    return None


def joined_pieces(message: bytes, starts: np.ndarray, ends: np.ndarray) -> bytes:
    """Return these pieces of a message, one behind the other."""
    return b"".join(map(memoryview(message).__getitem__, map(slice, starts.tolist(), ends.tolist())))


def _openings(data: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return how many items each array has, and where the first begins."""
    if (at + 3 > len(data)).any():
        return None
    tag = data[at].astype(np.int64)
    short, long = tag >> 4 == 0x9, tag == 0xDC
    if not (short | long).all():
        return None
    counts = np.where(short, tag & 0xF, data[at + 1].astype(np.int64) << 8 | data[at + 2])
    return counts, at + np.where(short, 1, 3)


def _places_of_ascii(data: np.ndarray, first: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return where each string begins and where each array ends, None unless all strings are short and ASCII.

    Then the only bytes beyond 127 are those that a string begins with, 0xA0 and its length, and what follows the array
    begins with such a byte as well. Any other string has one that stands for something else, and does not fit.
    """
    high = np.flatnonzero(data >= 0x80)
    begin = np.searchsorted(high, first)
    if (begin + counts >= len(high)).any():
        return None
    which = ranges(begin, begin + counts)
    places = high[which]
    ends = high[begin + counts]
    lengths = data[places].astype(np.int64) - 0xA0
    if (lengths != high[which + 1] - places - 1).any() or (lengths > 31).any() or (high[begin] != first).any():
        return None
    return places, ends


def _places(data: np.ndarray, first: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the same of any strings of less than 256 bytes, going through all arrays side by side."""
    places = np.empty(int(counts.sum()), dtype=np.int64)
    before, at = np.cumsum(counts) - counts, first.copy()
    for i in range(int(counts.max(initial=0))):
        those = np.flatnonzero(counts > i)
        here = at[those]
        if (here + 2 > len(data)).any():
            return None
        tag = data[here].astype(np.int64)
        long = tag == _STR8
        if not (long | (tag & 0xE0 == 0xA0)).all():
            return None
        places[before[those] + i] = here
        at[those] += np.where(long, 2 + data[here + 1].astype(np.int64), 1 + (tag & 0x1F))
    return places, at
