"""What is computed anew when bars were corrected: which series, from what, and what comes of it."""

from collections.abc import Iterator
from typing import NamedTuple

from processor.open_bars import Floats, Ints
from processor.outcome import Event, Rows


class Stale(NamedTuple):
    """A series that is to be computed anew from the bar at `since` on, to the one at `until`, both included."""

    slot: int
    sym: str
    interval: str
    since: int
    until: int


class Known(NamedTuple):
    """What the plant has of a series: bars in order of time, and what was given out from the first of them on.

    times int64[n], values float64[n, 5]; `given` rows of `indicators`, `events` (time, signal) -> Event. `whole`: the
    first of the bars is the first that the plant ever had, or as far before `since` as is wanted.
    """

    times: Ints
    values: Floats
    given: Rows
    events: dict[tuple[int, str], Event]
    whole: bool = True


class Anew(NamedTuple):
    """A series computed anew, from the bar on that is known to have been computed from enough: what it should have,
    and what the plant has; events by (time, signal), those of the rules that are.
    """

    rows: Rows
    given: Rows
    events: dict[tuple[int, str], Event]
    known: dict[tuple[int, str], Event]

    def changed_events(self) -> Iterator[tuple[tuple[int, str], Event]]:
        """Yield the events that the plant has otherwise, in order; one that the series does not have is withdrawn."""
        for key in sorted(self.events.keys() | self.known.keys()):
            event = self.events[key] if key in self.events else self.known[key].withdrawn
            if self.known.get(key) != event:
                yield key, event
