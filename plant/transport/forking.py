"""What is to begin anew in the child of a fork: ZeroMQ's sockets and our threads are the parent's alone.

`multiprocessing` forks by default on Linux before Python 3.14, also with a connection open.
"""

import os
import weakref
from typing import Any, Protocol


class BeginsAnew(Protocol):
    """What knows how to go on in a child."""

    def forked(self) -> None:
        """Let go of what is the parent's; called in the child, where only this thread goes on."""


_living: "weakref.WeakSet[Any]" = weakref.WeakSet()


def begins_anew(thing: BeginsAnew) -> None:
    """Have `thing.forked()` called in every child that is forked while it lives."""
    _living.add(thing)


def _forked() -> None:
    for thing in list(_living):
        thing.forked()


os.register_at_fork(after_in_child=_forked)
