"""Arrays of a table in memory: one that grows at its end, and some whose memory goes back to the system when they go.

What malloc gives for large arrays may stay with the process, in holes between others, however much is let go. A block
of a table therefore has pages of its own: untouched ones cost nothing, and all of them are returned at once. Those of a
block, which never changes, are shared with the processes that work on SQL.
"""

import contextlib
import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np

from plant.shared_memory import shared_memory

FIRST_CAPACITY = 1024


class Growing:
    """`array[:length]` holds the values; it moves to an array twice as long when it is full, never within one.

    A reader that took `array` keeps its rows however much is added.
    """

    __slots__ = ("array", "length")

    def __init__(self, dtype: Any) -> None:
        self.array = np.empty(FIRST_CAPACITY, dtype=dtype)
        self.length = 0

    def extend(self, values: Any) -> None:
        """Add values at the end."""
        end = self.length + len(values)
        self.reserve(end)
        self.array[self.length : end] = values
        self.length = end

    def append(self, value: Any) -> None:
        """Add one value at the end."""
        if self.length == len(self.array):
            self.reserve(self.length + 1)
        self.array[self.length] = value
        self.length += 1

    def reserve(self, capacity: int) -> None:
        """Make room for so many values in all."""
        if capacity > len(self.array):
            grown = np.empty(max(capacity, 2 * len(self.array)), dtype=self.array.dtype)
            grown[: self.length] = self.array[: self.length]
            self.array = grown


_ALIGNED = 64

_WORTH_A_MAPPING = 2**18


def arrays(layout: Sequence[tuple[Any, int]], settled: bool = True) -> list[np.ndarray]:
    """Return an array for each (dtype, length), values undefined, all on memory that is returned with the last of them.

    `settled`: all of it will be written soon, once, and may be read by other processes where it lies.
    """
    sizes = [np.dtype(dtype).itemsize * length for dtype, length in layout]
    starts = np.cumsum([0, *(-(-size // _ALIGNED) * _ALIGNED for size in sizes)]).tolist()
    if starts[-1] < _WORTH_A_MAPPING:
        return [np.empty(length, dtype=dtype) for dtype, length in layout]
    pages = _pages(starts[-1], settled)
    return [
        np.frombuffer(pages, dtype, length, start) for (dtype, length), start in zip(layout, starts[:-1], strict=True)
    ]


def _pages(size: int, settled: bool) -> Any:
    shared = shared_memory() if settled else None
    if shared is not None:
        with contextlib.suppress(OSError):  # too many open files: SQL will be given a copy
            return shared.region(size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
