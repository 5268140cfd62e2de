"""The newest row of each symbol, by time, then arrival: from the newest part of a table back, until all are found."""

from collections.abc import Sequence

import numpy as np

from plant.block import Block, Part
from plant.chunk import Rows
from plant.columns import runs
from plant.selection import Piece, Wanted, bisect, length


def latest(parts: Sequence[Part], wanted: Wanted, symbols: int) -> list[Piece]:
    """Return pieces that hold just these rows; `symbols`: how many codes there are.

    The newest of all rows of a symbol is in force: what replaces a row has its time, and came later. So only tests need
    to know which rows are replaced.
    """
    found_in = np.full(symbols, -1, dtype=np.int32)
    place = np.zeros(symbols, dtype=np.int64)
    time = np.zeros(symbols, dtype=np.int64)
    for i in range(len(parts) - 1, -1, -1):
        part = parts[i]
        if isinstance(part, Block) and not wanted.tests and part.base >= wanted.cut:
            missing = (found_in < 0) | (time < part.last_time)
            rows = _ends(part, wanted, missing)
        else:
            rows = _newest(part, wanted.rows(part, also_replaced=not wanted.tests))
        codes, times = part.columns["sym"][rows], part.columns["time"][rows]
        better = (found_in[codes] < 0) | (times > time[codes])
        codes = codes[better]
        found_in[codes], place[codes], time[codes] = i, rows[better], times[better]
    pieces: list[Piece] = []
    for i in np.unique(found_in[found_in >= 0]).tolist():
        pieces.append((parts[i], place[found_in == i]))
    return pieces


def _ends(block: Block, wanted: Wanted, missing: np.ndarray) -> np.ndarray:
    """Return the last row of each wanted and missing symbol, int64[k]."""
    codes = np.flatnonzero(missing) if wanted.codes is None else wanted.codes[missing[wanted.codes]]
    codes = codes[: codes.searchsorted(len(block.bounds) - 1)]
    first, last = block.bounds[codes], block.bounds[codes + 1]
    if wanted.end is not None and wanted.end <= block.last_time:
        last = bisect(block.columns["time"], first, last, wanted.end)
    rows = last[last > first] - 1
    if wanted.start is not None:
        rows = rows[block.columns["time"][rows] >= wanted.start]
    return rows


def _newest(part: Part, rows: Rows) -> np.ndarray:
    """Return which of the rows are the newest of their symbol, int64[k]."""
    count = length(rows)
    codes, times = part.columns["sym"][rows], part.columns["time"][rows]
    if not count:
        return np.empty(0, dtype=np.int64)
    if isinstance(part, Block):
        newest = np.append(runs(codes)[1:], count) - 1
    else:
        place = np.full(int(codes.max()) + 1, -1, dtype=np.int64)
        place[codes] = np.arange(count)  # of those with the same code, the last stays
        late = np.flatnonzero(times > times[place[codes]])  # later by time, though they came before
        late = late[np.argsort(times[late], kind="stable")]
        place[codes[late]] = late
        newest = place[place >= 0]
    return newest + rows.start if isinstance(rows, slice) else rows[newest]
