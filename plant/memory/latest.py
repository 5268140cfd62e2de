"""The newest row of each symbol, by time, then arrival: from the newest part of a table back, until all are found.

In a block it is the last row of its symbol. In a chunk it is known from the question before, but for the rows that came
since.
"""

from collections.abc import Sequence

import numpy as np

from plant.memory.block import Block, Part
from plant.memory.chunk import Chunk, Rows
from plant.memory.selection import Piece, Wanted, bisect, length
from plant.rows.ordering import group_starts

_EARLIEST = -(2**63)


def latest(parts: Sequence[Part], wanted: Wanted, order: np.ndarray) -> list[Piece]:
    """Return pieces that hold just these rows; `order`, int[symbols]: every code, as the rows of a piece are to come.

    The newest of all rows of a symbol is in force: what replaces a row has its time, and came later. So only tests need
    to know which rows are replaced.
    """
    found_in = np.full(len(order), -1, dtype=np.int32)
    place = np.zeros(len(order), dtype=np.int64)
    time = np.full(len(order), _EARLIEST, dtype=np.int64)
    oldest = _EARLIEST
    for i in range(len(parts) - 1, -1, -1):
        part = parts[i]
        if part.last_time is not None and part.last_time < oldest:
            continue
        if wanted.tests or part.base < wanted.cut:
            rows = _newest(part, wanted.rows(part, also_replaced=not wanted.tests))
        elif isinstance(part, Block):
            rows = _ends(part, wanted, (found_in < 0) | (time < part.last_time))
        elif wanted.end is None:
            rows = _remembered(part, wanted)
        else:
            rows = _newest(part, wanted.rows(part, also_replaced=True))
        codes, times = part.columns["sym"][rows], part.columns["time"][rows]
        better = (found_in[codes] < 0) | (times > time[codes])
        codes = codes[better]
        found_in[codes], place[codes], time[codes] = i, rows[better], times[better]
        if len(codes):
            oldest = int((time if wanted.codes is None else time[wanted.codes]).min())
    pieces: list[Piece] = []
    in_order, place = found_in[order], place[order]
    for i in np.flatnonzero(np.bincount(in_order + 1, minlength=1)[1:]).tolist():
        pieces.append((parts[i], place[in_order == i]))
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


def _remembered(chunk: Chunk, wanted: Wanted) -> np.ndarray:
    """Return the newest row of each wanted symbol, int64[k]."""
    newest = newest_of_first(chunk, max(min(len(chunk), wanted.stop - chunk.base), 0))
    if wanted.codes is not None:
        newest = newest[wanted.codes[wanted.codes < len(newest)]]
    rows = newest[newest >= 0]
    if wanted.start is not None:
        rows = rows[chunk.columns["time"][rows] >= wanted.start]
    return rows


def newest_of_first(chunk: Chunk, count: int) -> np.ndarray:
    """Return which of the first `count` rows of a chunk is the newest of each symbol, -1 for none, int64[symbols]."""
    seen, newest = chunk.newest
    if seen > count:  # another question has looked further than this one's snapshot goes
        seen, newest = 0, newest[:0]
    if seen < count:
        rows = _newest(chunk, slice(seen, count))
        codes, times = chunk.columns["sym"][rows], chunk.columns["time"]
        more = max(int(codes.max()) + 1 - len(newest), 0)
        newest = np.concatenate([newest, np.full(more, -1, dtype=np.int64)])
        before = newest[codes]
        better = (before < 0) | (times[rows] >= times[before])
        newest[codes[better]] = rows[better]
        chunk.newest = count, newest
    return newest


def _newest(part: Part, rows: Rows) -> np.ndarray:
    """Return which of the rows are the newest of their symbol, int64[k]."""
    count = length(rows)
    codes, times = part.columns["sym"][rows], part.columns["time"][rows]
    if not count:
        return np.empty(0, dtype=np.int64)
    if isinstance(part, Block):
        newest = np.append(group_starts(codes)[1:], count) - 1
    else:
        place = np.full(int(codes.max()) + 1, -1, dtype=np.int64)
        place[codes] = np.arange(count)  # of those with the same code, the last stays
        late = np.flatnonzero(times > times[place[codes]])  # later by time, though they came before
        late = late[np.argsort(times[late], kind="stable")]
        place[codes[late]] = late
        newest = place[place >= 0]
    return newest + rows.start if isinstance(rows, slice) else rows[newest]
