"""Long work on many pieces, shared among the CPUs: numpy lets other threads run while it computes.

For what takes milliseconds; a piece costs tens of microseconds to hand over.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

_WORKERS = min(os.cpu_count() or 1, 4)
_POOL = ThreadPoolExecutor(_WORKERS, thread_name_prefix="sharing")


def shared(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """Yield `work(piece)` of each piece, in their order; only a few pieces are under way at once.

    One piece alone is done by the caller's thread. What `work` raises is raised here. When the iterator is left, what
    has not begun never does.
    """
    pieces = iter(pieces)
    first = list(islice(pieces, 2))
    if len(first) < 2:
        yield from map(work, first)
        return
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in chain(first, pieces):
            waiting.append(_POOL.submit(work, piece))
            if len(waiting) > 2 * _WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
