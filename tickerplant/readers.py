"""How far each subscriber is: what it reported last, and how many batches of its tables it is behind."""

import time
from collections.abc import Mapping
from typing import NamedTuple

from plant.wire.messages import REPORT_S, Report

FORGET_S = 60.0
"""A subscriber that has not reported for so long is forgotten."""

MOST = 1000
"""More subscribers than this are served, but not listed."""


class Reader(NamedTuple):
    """A subscriber's last report: when, how far it was in each table, and how many batches behind."""

    at: float
    tables: dict[str, int]
    lag: int


class Readers:
    """The subscribers heard of lately."""

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def note(self, report: Report, table_seqs: Mapping[str, int]) -> None:
        """Take a report."""
        name, tables = report
        if name in self._readers or len(self._readers) < MOST:
            self._readers[name] = Reader(time.monotonic(), tables, _behind(tables, table_seqs))

    def lags(self, table_seqs: Mapping[str, int]) -> dict[str, int]:
        """Return by how many batches of its tables each subscriber is behind.

        One that reports is as far behind as it was then; one that has fallen silent, as it is by now.
        """
        now = time.monotonic()
        self._readers = {name: r for name, r in self._readers.items() if now - r.at < FORGET_S}
        return {
            name: reader.lag if now - reader.at < 2.5 * REPORT_S else _behind(reader.tables, table_seqs)
            for name, reader in self._readers.items()
        }


def _behind(tables: Mapping[str, int], table_seqs: Mapping[str, int]) -> int:
    return sum(max(table_seqs.get(table, 0) - seen, 0) for table, seen in tables.items())
