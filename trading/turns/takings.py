"""What older runs of a paper account took of the events that a run is handed: read from their rows of `fills`.

A row tells which row of the journal filled it (`cause_seq`, `cause_row`), and that is one bar, trade or quote of one
symbol. One that does not tell (`cause_row` 0) is a broker's, or of a run that began before runs left each other
something: it counts for nobody.
"""

from collections.abc import Mapping
from typing import Any

from plant.state.newest import Row
from plant.state.strategies import MANUAL
from trading.accounts.neighbours import follow_the_plant
from trading.accounts.standing import is_standing
from trading.events import Bar, Quote, Trade
from trading.instruments import Instrument
from trading.live.director import Wanted
from trading.live.reading import Where

MOST = 1024
"""So many events may be kept before those that the run has taken are let go."""

Age = tuple[bool, int, str]


def age_of(wanted: Wanted) -> Age:
    """Return what runs of an account are ordered by, the oldest first: first_seq, then id.

    The standing run is behind all others: it begins at any time, lists symbols as they are ordered, and may wait for
    the rdb to tell of them; nobody waits for that.
    """
    return is_standing(wanted), wanted.first_seq, wanted.run


def older_than(wanted: Wanted, begun: Mapping[str, Wanted], runs: Mapping[str, Row]) -> set[str]:
    """Return the ids of all runs there were that are older than one, of any account.

    begun   those that rows of `strategies` began, by id; runs: the newest rows of runs, by id
    """
    first = {name: row["first_seq"] for name, row in runs.items() if follow_the_plant(row) and row["sym"] != MANUAL}
    first |= {name: other.first_seq for name, other in begun.items() if not is_standing(other)}
    mine = age_of(wanted)
    return {name for name, seq in first.items() if (False, seq, name) < mine}


class Takings:
    """What older runs took, of events behind those that the run has taken."""

    def __init__(self) -> None:
        self._of: dict[tuple[int, int], list[tuple[str, float]]] = {}
        self._most = MOST

    def __len__(self) -> int:
        return len(self._of)

    def add(self, row: Mapping[str, Any]) -> None:
        """Take a row of `fills` of an older run of the account; each once."""
        if row["cause_row"]:
            place = row["cause_seq"], row["cause_row"] - 1
            self._of.setdefault(place, []).append((row["side"], row["qty"]))

    def of(self, event: Bar | Trade | Quote, instrument: Instrument) -> tuple[int, int]:
        """Return the lots that were bought of an event, and sold."""
        bought = sold = 0
        for side, qty in self._of.get((event.seq, event.seq_row), ()):
            lots = instrument.covering(qty)
            bought, sold = (bought + lots, sold) if side == "buy" else (bought, sold + lots)
        return bought, sold

    def passed(self, place: tuple[int, int]) -> None:
        """Note that the run has taken all up to a row of the journal, (seq, seq_row)."""
        if len(self._of) > self._most:
            self._of = {at: taken for at, taken in self._of.items() if at > place}
            self._most = max(MOST, 2 * len(self._of))


def taken_where(account: str, first_seq: int) -> Where:
    """Return which rows of `fills` tell what runs of an account took of the events behind a seq."""
    return [("account", "==", account), ("cause_seq", ">", first_seq)]
