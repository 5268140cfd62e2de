"""Arrays whose memory goes back to the system when they go.

What malloc gives for large arrays may stay with the process, in holes between others, however much is let go. A block
of a table therefore has a mapping of its own: untouched pages cost nothing, and all of it is returned at once.
"""

import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np

_ALIGNED = 64
_WORTH_A_MAPPING = 2**18
_WORTH_HUGE_PAGES = 2**23
_HUGE = getattr(mmap, "MADV_HUGEPAGE", None)


def arrays(layout: Sequence[tuple[Any, int]], touched: bool = True) -> list[np.ndarray]:
    """Return an array for each (dtype, length), values undefined, all on memory that is returned with the last of them.

    `touched`: all of it will be written soon, so that large pages pay.
    """
    sizes = [np.dtype(dtype).itemsize * length for dtype, length in layout]
    starts = np.cumsum([0, *(-(-size // _ALIGNED) * _ALIGNED for size in sizes)]).tolist()
    if starts[-1] < _WORTH_A_MAPPING:
        return [np.empty(length, dtype=dtype) for dtype, length in layout]
    pages = mmap.mmap(-1, starts[-1], flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if touched and _HUGE is not None and starts[-1] >= _WORTH_HUGE_PAGES:
        pages.madvise(_HUGE)
    return [
        np.frombuffer(pages, dtype, length, start) for (dtype, length), start in zip(layout, starts[:-1], strict=True)
    ]
