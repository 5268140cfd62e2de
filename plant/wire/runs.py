"""The records of a message in runs, so that what many small records take is paid once for all of them.

A reader of the journal is sent hundreds or thousands of them at a time. Their envelopes are taken out of the message as
one numpy array; what is left for each is a look at its length and the two checksums.
"""

from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np

from plant.checksum import crc32
from plant.wire.envelope import HEADER_BYTES, LENGTH, MAGIC, MAX_PAYLOAD, SEALED, VERSION, Header, envelope, envelopes
from plant.wire.record import records

FEW = 32
"""So many records are looked at one by one in as little time."""


class Run(NamedTuple):
    """Records of one table, one behind the other in `message`: all of one row, or none of them.

    Their seq and table_seq rise by one. `starts` are the bytes at which their payloads start; `first` and `last` the
    envelopes of the first and the last.
    """

    message: bytes
    starts: list[int]
    first: Header
    last: Header

    @property
    def rows(self) -> int:
        """How many rows its records have."""
        if self.first.rows == 1 or len(self.starts) == 1:
            return self.first.rows * len(self.starts)
        return int(envelopes(self.message, np.array(self.starts))["rows"].sum(dtype=np.int64))

    def behind(self, table_seq: int) -> "Run":
        """Return those whose table_seq is greater; there must be one."""
        known = table_seq + 1 - self.first.table_seq
        return self if known <= 0 else _run(self.message, self.starts[known:])

    def until(self, seq: int) -> "Run":
        """Return those whose seq is at most this; there must be one."""
        return self if self.last.seq <= seq else _run(self.message, self.starts[: seq + 1 - self.first.seq])

    def each(self) -> "Iterator[Run]":
        """Yield its records, each as a run."""
        if len(self.starts) == 1:
            yield self
            return
        for start in self.starts:
            yield _run(self.message, [start])


Divide = Callable[[bytes], Iterator[Run]]
"""How the records of a message are gone through: `runs` or `singly`."""


def singly(message: bytes, at: int = 0) -> Iterator[Run]:
    """Yield each record from byte `at` on as a run, checksums verified; raises WireError as `runs` does."""
    new = tuple.__new__
    for header, start in records(message, at):
        yield new(Run, (message, [start], header, header))


def runs(message: bytes, few: int = FEW) -> Iterator[Run]:
    """Yield the runs of a message, checksums verified; if it holds no more than `few` records, each is one.

    Raises WireError at the first record that is cut short or damaged; those before it were good.
    """
    found, end = _together(message, few)
    return chain(found, singly(message, end))  # few, or not all of them good: that tells what is wrong


def _together(message: bytes, few: int) -> tuple[list[Run], int]:
    """Return the runs from the beginning of a message on, and where they end, if there are many records."""
    starts = _payloads(message)
    if len(starts) <= few:
        return [], 0
    places = np.array(starts)
    found = envelopes(message, places)
    ends = (places + found["length"]).tolist()
    good = _good(message, starts, ends, found)
    return [_run(message, starts[i:j]) for i, j in _spans(found[:good])], ends[good - 1] if good else 0


def _run(message: bytes, starts: list[int]) -> Run:
    first = envelope(message, starts[0])
    return Run(message, starts, first, first if len(starts) == 1 else envelope(message, starts[-1]))


def _payloads(message: bytes) -> list[int]:
    """Return where payloads start, from one length to the next, as long as the records are whole."""
    length_at = LENGTH.unpack_from
    found: list[int] = []
    at, last = 0, len(message) - HEADER_BYTES
    while at <= last:
        start = at + HEADER_BYTES
        at = start + length_at(message, at)[0]
        if at <= len(message):
            found.append(start)
    return found


def _good(message: bytes, starts: list[int], ends: list[int], found: np.ndarray) -> int:
    """Return how many records are good before the first that is not."""
    view = memoryview(message)
    header_crcs = [crc32(sealed) for (sealed,) in SEALED.iter_unpack(found.tobytes())]
    payload_crcs = [crc32(view[start:end]) for start, end in zip(starts, ends, strict=True)]
    good = (
        (found["magic"] == MAGIC)
        & (found["version"] == VERSION)
        & (found["length"] <= MAX_PAYLOAD)
        & (found["header_crc"] == np.array(header_crcs))
        & (found["payload_crc"] == np.array(payload_crcs))
    )
    return len(good) if good.all() else int(np.argmin(good))


def _spans(found: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield where each run begins and ends among envelopes."""
    if not len(found):
        return
    before, after = found[:-1], found[1:]
    goes_on = (
        (before["schema_id"] == after["schema_id"])
        & ((before["rows"] == 1) == (after["rows"] == 1))
        & (before["seq"] + 1 == after["seq"])
        & (before["table_seq"] + 1 == after["table_seq"])
    )
    bounds = [0, *(np.flatnonzero(~goes_on) + 1).tolist(), len(found)]
    yield from pairwise(bounds)
