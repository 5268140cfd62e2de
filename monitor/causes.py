"""What may be told: a signal, or something that the plant notices of itself; and how it stands in a row of `alerts`."""

import datetime as dt
from typing import NamedTuple

BEGUN, OVER, WITHDRAWN, LOST = "", "over", "withdrawn", "lost"
"""What becomes of it. A gap that is lost has no end."""

BETWEEN = " | "
"""In the `detail` of a row of `alerts`, between what it is about and the rest."""


class Cause(NamedTuple):
    """Something that may be told, in one of its states.

    head     names it, and is the same in all its states: by that a later one finds what was told of it
    ended    ns UTC, when its bar ended, or it happened
    taken    ns UTC, when the plant took its row
    lasting  whether it is a condition, given anew as long as it lasts, and not one event
    """

    event: str
    sym: str
    head: str
    text: str
    state: str = BEGUN
    ended: int = 0
    taken: int = 0
    interval: str = ""
    lasting: bool = False

    @property
    def detail(self) -> str:
        """The sentence for people: what it is about, then the rest.

        >>> Cause("gap", "rdb", "rdb missed batch 5 of bars", "read from the journal", OVER).detail
        'over: rdb missed batch 5 of bars | read from the journal'
        """
        return f"{self.state}: {self.head}{BETWEEN}{self.text}" if self.state else f"{self.head}{BETWEEN}{self.text}"


def head_of(text: str) -> str:
    """Return a text as a head: what stands between a head and the rest is not in it."""
    return text.replace(BETWEEN, " / ")


def read_back(detail: str) -> tuple[str, str]:
    """Return (state, head) of what a row of `alerts` tells.

    >>> read_back("over: rdb is down | it answers again"), read_back("rdb is down | no answer")
    (('over', 'rdb is down'), ('', 'rdb is down'))
    """
    head = detail.partition(BETWEEN)[0]
    for state in (OVER, WITHDRAWN, LOST):
        if head.startswith(f"{state}: "):
            return state, head.removeprefix(f"{state}: ")
    return BEGUN, head


def clock(time_ns: int) -> str:
    """Return a time for people, UTC.

    >>> clock(1_763_649_060_000_000_000)
    '2025-11-20 14:31:00 UTC'
    """
    return f"{dt.datetime.fromtimestamp(time_ns // 10**9, dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
