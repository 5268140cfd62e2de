"""A time range in pieces of which each holds few enough rows for one answer: so that long work needs little memory."""

from collections.abc import Iterator
from typing import Any

SLICE_ROWS = 100_000
"""Rows of one piece, unless so many have one and the same time."""


def time_slices(
    db: Any, table: str, sym: Any, start: int, end: int, rows: int = SLICE_ROWS, **terms: Any
) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, rows) of pieces of [start, end), in order, each with at most `rows` rows; none without any.

    db   a connection; it is asked for counts only. The terms are those of its `count`.
    """
    waiting = [(start, end)]
    while waiting:
        start, end = waiting.pop()
        if start >= end:
            continue
        count = db.count(table, sym, start, end, **terms)
        if count > rows and end - start > 1:
            middle = start + (end - start) // 2
            waiting += [(middle, end), (start, middle)]
        elif count:
            yield start, end, count
