"""Which connections take nothing of what is written to them: a state machine without sockets and clocks.

What is written waits in memory until the other side takes it. While more is written, what waits says nothing of that;
so a connection is only judged while nothing is: at the end of an answer, while it is being closed, or while so much
waits that its writer does.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

TAKES_NOTHING_S = 30.0
"""A connection that takes nothing for so long, of an answer that waits for it, is cut."""


class Waits(NamedTuple):
    """A connection by its name: how many bytes wait for it, and `turn`, another one whenever more was written."""

    name: Hashable
    left: int
    turn: Hashable = None


@dataclass
class _Seen:
    left: int
    turn: Hashable
    since: float


class Taking:
    """What was seen of the connections for which something waits."""

    def __init__(self, takes_nothing_s: float = TAKES_NOTHING_S) -> None:
        self._takes_nothing_s = takes_nothing_s
        self._seen: dict[Hashable, _Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def look(self, waiting: Iterable[Waits], now: float) -> list[Hashable]:
        """Take what waits `now` (s of a clock that never goes back); return the connections to be cut."""
        seen: dict[Hashable, _Seen] = {}
        for name, left, turn in waiting:
            before = self._seen.get(name)
            taken = before is None or left < before.left or turn != before.turn
            seen[name] = _Seen(left, turn, now if before is None or taken else before.since)
        self._seen = seen
        return [name for name, each in seen.items() if now - each.since >= self._takes_nothing_s]
