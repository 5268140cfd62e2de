"""A numpy array that grows at its end."""

from typing import Any

import numpy as np

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
