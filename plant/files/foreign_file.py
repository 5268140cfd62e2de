"""A file of somebody else's making as columns of values: which rows it has, which lines are none, what was assumed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

KEPT_REASONS = 1000
"""Reasons of a file's rejected rows that are kept; the rows are counted all the same."""

HEADER_WITHIN = 50
"""Lines that are not empty among which the names of the columns are looked for."""

IsHeader = Callable[[Sequence[str]], bool]
"""Whether names are those of the columns; lines ahead of them (a title, a note) are passed over."""


@dataclass
class ForeignFile:
    """An opened file: its column names, and a function that reads some of them.

    unit       what `lines` count: "line" of a text, "row" of anything else
    lines      int64[n], where each row that was read stands in the file, counted from 1; set by `read`
    broken     (line, why) of the first KEPT_REASONS rows that have not the file's shape, `broken_rows` of them in all
    assumed    what was decided about the file as a whole, for the user to see
    delimiter  what stands between the fields of a text
    """

    names: list[str]
    read: Callable[[Sequence[str]], Any]
    unit: str = "row"
    lines: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    broken: list[tuple[int, str]] = field(default_factory=list)
    broken_rows: int = 0
    assumed: list[str] = field(default_factory=list)
    delimiter: str = ""

    def leave_out(self, line: int, why: str) -> None:
        """Note a line that is no row."""
        self.broken_rows += 1
        if len(self.broken) < KEPT_REASONS:
            self.broken.append((line, why))

    def pass_over(self, before: int) -> None:
        """Note how many lines stand ahead of the names of the columns."""
        if before:
            self.assumed.append(f"{before} {self.unit}{'s' * (before > 1)} ahead of the column names passed over")


class Rejects:
    """Which rows of one file cannot be used, and why: the first reason of each, for the first KEPT_REASONS rows."""

    def __init__(self, file: ForeignFile) -> None:
        self.rows = np.zeros(len(file.lines), dtype=bool)
        self._lines = file.lines
        self._reasons: dict[int, str] = dict(file.broken)
        self._broken_rows = file.broken_rows

    def add(self, bad: np.ndarray, column: str, expected: str, found: Any) -> None:
        """Mark the rows where `bad` (bool[n]); `found` is the column as it stood, list or Arrow array."""
        for row in np.flatnonzero(bad & ~self.rows)[:KEPT_REASONS].tolist():
            self._reasons[int(self._lines[row])] = f"{column}: expected {expected}, found {_show(found[row])}"
        self.rows |= bad

    @property
    def count(self) -> int:
        """Rows that cannot be used, and lines that are no rows."""
        return self._broken_rows + int(self.rows.sum())

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """(line, why) in the order of the file, KEPT_REASONS at most."""
        return sorted(self._reasons.items())[:KEPT_REASONS]


def _show(found: Any) -> str:
    try:
        return f"{(found.as_py() if isinstance(found, pa.Scalar) else found)!r:.60}"
    except (ValueError, OverflowError):  # an Arrow time that Python's datetime cannot hold
        return "a time out of range"
