"""How far long work is: what is told of it, by work that does not know who listens."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Told how much of how much is done, in rows, records or files; of None if nobody knows."""

Step = Callable[[str], Progress]
"""Begins a step of long work, by what is shown of it."""


def quietly(done: int, of: int | None) -> None:
    """Tell nobody."""
