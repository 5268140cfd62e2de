"""Where the journal is to be read from, so that what came since some time is seen again."""

from plant.errors import PlantError
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.envelope import header_at

ASK_S = 2.0
"""Longest the tickerplant may take for one answer."""


def seq_before(journal: Requester, since: int) -> int | None:
    """Return a seq such that all that was taken at `since` (ns UTC) or later lies behind it, 0 for all of the journal.

    It is the last one before, found in a few dozen questions for one record each. None if the tickerplant does not
    answer them all: it looks for the index of an old file first, or was restarted.
    """
    try:
        beat, found = journal.ask(ASK_S, **messages.ask_journal(0, max_bytes=0))
        standing = messages.beat_of(beat)
        low, high = standing.first_seq - 1, standing.seq  # taken before `since`, or before the first; and the last
        while low < high:
            middle = (low + high + 1) // 2
            _, found = journal.ask(ASK_S, **messages.ask_journal(middle, max_bytes=0))
            if not found:
                high = middle - 1  # the journal ends before it
                continue
            header = header_at(found, 0)
            if header.received < since:
                low = min(max(header.seq, middle), high)
            else:
                high = middle - 1
    except PlantError:
        return None
    return low
