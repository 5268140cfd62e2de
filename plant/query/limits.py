"""What one question may cost: time, rows and bytes, and whether its asker still wants the answer.

    budget = Limits(seconds=30).budget(timeout_s=5)
    budget.rows(len(found))     # before an answer is made of them
    budget.check()              # now and then during long work
    with budget.interrupting(connection.interrupt): ...

Whoever answers calls `check`, `rows` and `bytes` at points of his choice; another thread calls `cancel`.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from plant.errors import Cancelled, QueryLimit

MEBIBYTE = 2**20

AGAIN_S = 0.05
"""Pause between calls of an interrupt: one that came before the work began may have been forgotten by it."""


@dataclass(frozen=True)
class Limits:
    """What every question of a process may cost at most: seconds, rows and bytes of its answer."""

    seconds: float = 30.0
    max_rows: int = 20_000_000
    max_bytes: int = 2048 * MEBIBYTE

    def budget(self, timeout_s: float | None = None) -> "Budget":
        """Return the budget of a question that begins now; its asker may want it within `timeout_s`."""
        return Budget(self.seconds if timeout_s is None else min(self.seconds, timeout_s), self)


class Budget:
    """The limits of one question, from the moment it is made. Any thread."""

    def __init__(self, seconds: float | None = None, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.seconds = self.limits.seconds if seconds is None else seconds
        self.deadline = time.monotonic() + self.seconds
        self._changed = threading.Condition()
        self._cancelled = False

    @property
    def left_s(self) -> float:
        """Seconds until the deadline; 0 once it has passed."""
        return max(self.deadline - time.monotonic(), 0.0)

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more."""
        return self._cancelled

    def cancel(self) -> None:
        """Note that nobody wants the answer any more."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raise Cancelled if nobody wants the answer any more, QueryLimit if its time is up."""
        if self._cancelled:
            raise Cancelled("cancelled by its asker")
        if time.monotonic() >= self.deadline:
            raise QueryLimit(f"stopped after {self.seconds:g} s; ask for less, or allow more time (timeout_s)")

    def rows(self, count: int) -> None:
        """Raise QueryLimit if an answer of `count` rows is more than is answered at once."""
        if count > self.limits.max_rows:
            raise QueryLimit(
                f"{count:,} rows, at most {self.limits.max_rows:,} are answered at once; "
                "ask for a time range, symbols, or last=n"
            )

    def bytes(self, count: int) -> None:
        """Raise QueryLimit if an answer of `count` bytes is more than is answered at once."""
        if count > self.limits.max_bytes:
            raise QueryLimit(
                f"{count / MEBIBYTE:,.0f} MiB, at most {self.limits.max_bytes / MEBIBYTE:,.0f} MiB are answered at "
                "once; ask for fewer columns, a time range, symbols, or last=n"
            )

    @contextlib.contextmanager
    def interrupting(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call `stop` once the time is up or the asker gives up, again and again until the block ends.

        The block still has to tell why it was stopped: `check` raises that.
        """
        done = False

        def watch() -> None:
            with self._changed:
                self._changed.wait_for(lambda: done or self._cancelled, self.left_s)
                while not done:
                    stop()
                    self._changed.wait_for(lambda: done, AGAIN_S)

        watcher = threading.Thread(target=watch, name="query deadline", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            with self._changed:
                done = True
                self._changed.notify_all()
            watcher.join()
