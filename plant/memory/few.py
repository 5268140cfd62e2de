"""The newest row of a few symbols, looked up one by one: of four rows, numbers are quicker than arrays.

The rows are those that plant.memory.latest finds, which is asked where this one cannot tell.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from plant.memory.block import Block, Part
from plant.memory.latest import newest_of_first
from plant.memory.names import Names
from plant.memory.selection import Wanted
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import META_COLUMNS

FEW_SYMBOLS = 16

Row = tuple[Part, int]
"""A part, and the position of a row in it."""


def latest_of_few(parts: Sequence[Part], wanted: Wanted, names: Sequence[str]) -> list[Row] | None:
    """Return the newest row of each wanted symbol, by time, then arrival, ordered by the symbols' names.

    None if they are many, if rows are to be tested, or if one may lie in a part that was released to its middle.
    """
    codes, plain = wanted.codes, not wanted.tests and wanted.start is None and wanted.end is None
    if codes is None or len(codes) > FEW_SYMBOLS or not plain:
        return None
    seen: dict[int, np.ndarray] = {}  # by the place of a chunk: which of its rows is the newest of each symbol
    found: list[Row] = []
    for code in sorted(codes.tolist(), key=names.__getitem__):
        best: Row | None = None
        newest = 0
        for i in range(len(parts) - 1, -1, -1):
            part = parts[i]
            if best is not None and part.last_time is not None and part.last_time <= newest:
                continue  # of rows of one time the one that came last is in force: it was found already
            if part.base < wanted.cut:
                return None
            if isinstance(part, Block):
                rows = part.of_symbol(code)
                row = rows.stop - 1 if rows.stop > rows.start else -1
            else:
                if i not in seen:
                    seen[i] = newest_of_first(part, max(min(len(part), wanted.stop - part.base), 0))
                row = seen[i].item(code) if code < len(seen[i]) else -1
            if row >= 0 and (best is None or part.columns["time"].item(row) > newest):
                best, newest = (part, row), part.columns["time"].item(row)
        if best is not None:
            found.append(best)
    return found


def columns_of_few(rows: Sequence[Row], columns: Iterable[str], names: Mapping[str, Names]) -> Columns | None:
    """Return these columns of at least one row; None if one of them is of META_COLUMNS, which parts know by batches."""
    wanted = tuple(columns)
    if not rows or any(name in META_COLUMNS for name in wanted):
        return None
    return {name: _column(rows, name, names) for name in wanted}


def _column(rows: Sequence[Row], name: str, names: Mapping[str, Names]) -> Any:
    first, _ = rows[0]
    if name in first.texts:
        texts = []
        for part, row in rows:
            ends, data = part.text(name, slice(row, row + 1))
            texts.append(bytes(memoryview(data)[ends.item(0) : ends.item(1)]))
        return Texts.joined(texts)
    values = np.array([part.columns[name].item(row) for part, row in rows], dtype=first.columns[name].dtype)
    return Symbols(names[name].names, values) if name in names else values
