"""Questions that wait for a worker: clients take turns, and one that was cancelled is never begun.

A state machine without sockets. A client is whoever is behind one connection.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plant.query.limits import Budget
from plant.query.questions import KINDS

WAITING = 100
"""Questions of one client that may wait; more are refused."""


@dataclass(eq=False, slots=True)
class Asked:
    """A question on its way: where its answer goes (`envelope`), what it is, what it may cost."""

    envelope: list[bytes]
    fields: dict[str, Any]
    budget: Budget
    client: str = ""
    parts: bool = False
    arrived: float = field(default_factory=time.monotonic)

    @property
    def peer(self) -> bytes:
        """The connection it came over."""
        return self.envelope[0]

    @property
    def id(self) -> bytes:
        """The number its client gave it."""
        return self.envelope[-1]

    @property
    def of_rows(self) -> bool:
        """Whether it is about rows, not about how the process is."""
        return self.fields.get("ask") in KINDS

    @property
    def slow(self) -> bool:
        """Whether it may take long, whatever the table."""
        return self.fields.get("ask") == "sql"


class Waiting:
    """The questions that no worker has begun, and those under way.

    `workers` are under way at once at most; of slow ones, and of one client's, one fewer, so that there is a worker for
    quick questions of others.
    """

    def __init__(self, workers: int) -> None:
        self.under_way: list[Asked] = []
        self._workers = workers
        self._waiting: OrderedDict[bytes, deque[Asked]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, asked: Asked) -> bool:
        """Let a question wait; False if too many of its client do."""
        queue = self._waiting.setdefault(asked.peer, deque())
        if len(queue) >= WAITING:
            return False
        queue.append(asked)
        return True

    def begin(self, may_ask: Callable[[bytes], bool] = lambda peer: True, rows: bool = True) -> Asked | None:
        """Return the next question to work on, None if there is none; `may_ask` tells whose turn may come.

        rows   those about rows may be begun, too
        """
        if len(self.under_way) >= self._workers:
            return None
        room_for_slow = sum(a.slow for a in self.under_way) < self._workers - 1
        for peer, queue in self._waiting.items():
            if sum(a.peer == peer for a in self.under_way) >= self._workers - 1 or not may_ask(peer):
                continue
            found = next((a for a in queue if (rows or not a.of_rows) and (room_for_slow or not a.slow)), None)
            if found is not None:
                self._remove(found)
                if peer in self._waiting:
                    self._waiting.move_to_end(peer)
                self.under_way.append(found)
                return found
        return None

    def ended(self, asked: Asked) -> None:
        """Note that a question under way was answered."""
        self.under_way.remove(asked)

    def cancel(self, peer: bytes, number: bytes | None = None) -> list[Asked]:
        """Stop a client's question of this number (None: all of them); return those that were not begun."""
        for asked in self.under_way:
            if asked.peer == peer and number in (None, asked.id):
                asked.budget.cancel()
        found = [a for a in self._waiting.get(peer, ()) if number in (None, a.id)]
        for asked in found:
            asked.budget.cancel()
            self._remove(asked)
        return found

    def overdue(self) -> list[Asked]:
        """Give up those whose time is over before they were begun, and return them."""
        found = [a for queue in self._waiting.values() for a in queue if not a.budget.left_s]
        for asked in found:
            self._remove(asked)
        return found

    def _remove(self, asked: Asked) -> None:
        queue = self._waiting[asked.peer]
        queue.remove(asked)
        if not queue:
            del self._waiting[asked.peer]
