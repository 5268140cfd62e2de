"""A time range in pieces of which each holds few enough rows for one answer: so that long work needs little memory."""

from collections.abc import Callable, Iterator

SLICE_ROWS = 100_000
"""Rows of one piece, unless more have one and the same time."""


def time_slices(
    count: Callable[[int, int], int], start: int, end: int, rows: int = SLICE_ROWS
) -> Iterator[tuple[int, int]]:
    """Yield pieces [start, end) of a time range, in order, each with 1 to `rows` rows; `count(start, end)` tells.

    Times are ns since 1970 UTC. A piece of one nanosecond is not divided, however many rows it has.

    >>> list(time_slices(lambda start, end: len(range(start, end)), 0, 10, rows=3))
    [(0, 2), (2, 5), (5, 7), (7, 10)]
    """
    waiting = [(start, end)]
    while waiting:
        start, end = waiting.pop()
        found = count(start, end) if start < end else 0
        if found > rows and end - start > 1:
            middle = start + (end - start) // 2
            waiting += [(middle, end), (start, middle)]
        elif found:
            yield start, end
