"""What fell between two runs of a feed, as holes: what the plant has of a symbol, and where this run began. Pure.

The plant is asked once, for what it had before the start (held.py). What is fetched beside the rows of this run leaves
out what it has, and what came by the socket meanwhile (later.py).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from feedhandler.past.later import Later
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.seam import Note, Seam, note_of
from feedhandler.venue.seams import Seams

Series = tuple[str, str, str]
"""A table, a symbol, and the interval of bars, "" of trades."""

LOOK_S = 1.0
NOT_FETCHED = "what came since the newest row in the plant, if anything did"
_SKEW_NS = 5 * 10**9  # the venue's clock may be so far ahead of ours


class Held(NamedTuple):
    """What the plant has of a series from before the start of a feed.

    time      UTC ns of the newest row, of bars its start
    since     UTC ns: of trades from here on `known` has what tells them apart (`key_of`), `numbers` their `venue_seq`;
              of bars `known` has time, open, high, low, close, volume
    """

    time: int
    since: int = 0
    known: tuple[object, ...] = ()
    numbers: tuple[int, ...] = ()


class CatchUp:
    """Call `look` now and then; `notes` are the caller's to take.

    most_ns    what is older than so long before the start is not asked for
    without    says why nothing of a hole can be fetched, "" if it can: what cannot be is told as lost
    """

    def __init__(
        self, seams: Seams, later: Later, most_ns: int, without: Callable[[Hole], str] = lambda hole: ""
    ) -> None:
        self.notes: list[Note] = []
        self._without = without
        self._seams, self._later, self._most_ns = seams, later, most_ns
        self._waiting: dict[Series, Held] = {}
        self._look_at = 0.0

    def held(self, held: Mapping[Series, Held]) -> None:
        """Take what the plant has; symbols are the venue's."""
        self._waiting |= held

    def look(self, now: float) -> None:
        """Ask for what is missing of symbols that have begun; of numbered trades the first has to have come."""
        if not self._waiting or now < self._look_at:
            return
        self._look_at = now + LOOK_S
        for series, held in list(self._waiting.items()):
            seam = self._seams.of(series[1])
            if seam is None or not seam.begun or (series[0] == "trades" and self._seams.numbered and not seam.first):
                continue
            del self._waiting[series]
            self._ask(series, held, seam, now)

    def _ask(self, series: Series, held: Held, seam: Seam, now: float) -> None:
        table, sym, interval = series
        earliest = seam.begun - self._most_ns
        why = self._without(Hole(table, sym, interval, held.time, seam.begun))
        if why:
            number = max((number for number in held.numbers if number < seam.first), default=0)
            if table != "trades" or not number or number + 1 < seam.first:
                span = (number + 1, seam.first - 1) if number else (0, 0)
                hole = Hole(table, sym, interval, held.time, seam.begun, *span)
                self.notes.append(note_of(hole, "lost", f"{NOT_FETCHED}: {why}"))
            return
        if held.time < earliest:
            lost = Hole(table, sym, interval, held.time, earliest)
            self.notes.append(note_of(lost, "lost", "older than catch_up_h at the start; plant backfill has it"))
        start = max(held.since or held.time, earliest)
        if table != "trades" or not self._seams.numbered:
            known = (*held.known, *seam.known()) if table == "trades" else held.known
            self._later.catch_up(Hole(table, sym, interval, start, seam.begun), known, 0, now)
            return
        number = max((number for number in held.numbers if number < seam.first), default=0)
        if held.time < earliest or not number:  # which numbers are missing is not known, but from which one on not
            hole = Hole(table, sym, interval, start, seam.begun + _SKEW_NS)
            self._later.catch_up(hole, held.numbers, seam.first, now)
        elif number + 1 < seam.first:
            hole = Hole(table, sym, interval, held.time, seam.begun, number + 1, seam.first - 1)
            self._later.catch_up(hole, held.numbers, seam.first, now)
