"""Fills of orders whose run was over: what the next run of the strategy has of them already, and what it takes over.

A broker may fill an order that is being cancelled, or was, after its run ended. The standing run of the account makes
the rows of the order and the fill, in the name of the order's run. What the strategy holds is one run's to tell at a
time: the run of the strategy that is under way, which takes such a fill over as it takes over a position; or, while
there is none that trades the symbol, the standing run.
"""

from collections.abc import Mapping
from typing import Any

from plant.state.newest import Row
from trading.accounts.opening import Opening
from trading.events import Event, Fill, Side
from trading.instruments import Instrument, exact, money_of


def fill_of(row: Mapping[str, Any], instrument: Instrument, event: Event) -> Fill:
    """Return a row of `fills` in lots and ticks, at the place in the journal of an event."""
    ticks = exact(row["price"]) / exact(instrument.tick)
    return Fill(
        row["sym"],
        row["market_time"] or 0,
        event.known_at,
        event.seq,
        event.seq_row,
        row["fill_id"],
        row["order_id"],
        Side(row["side"]),
        instrument.lots(row["qty"]),
        int(ticks) if ticks.denominator == 1 else ticks,
        money_of(row["commission"]),
        row["liquidity"],
    )


class LateFills:
    """Rows of `fills` and `positions` of a strategy and its account, until a run takes over what others left.

    standing   id of the account's standing run, whose rows of `positions` have all fills of before them
    """

    def __init__(self, strategy: str, standing: str) -> None:
        self._strategy, self._standing = strategy, standing
        self._fills: list[Row] = []
        self._bases: dict[str, tuple[str, int]] = {}
        self._ends: dict[str, int] = {}

    def remember(self, opening: Opening) -> None:
        """Take what there was before the run began."""
        self._fills += opening.late
        self._ends |= opening.ends
        for table, row in opening.rows:
            if table == "positions":
                self.position(row)

    def position(self, row: Row) -> None:
        """Take a row of `positions`, of which those of the strategy count."""
        if row["strategy"] == self._strategy:
            self._bases[row["sym"]] = row["run"], row["seq"]

    def fill(self, row: Row) -> None:
        """Take the row of a fill that came after its run was over."""
        self._fills.append(row)

    def ended(self, row: Row) -> None:
        """Take the row of `runs` by which one ended; `last_seq` says how far it took its inputs."""
        self._ends[row["run"]] = row["last_seq"]

    def untaken(self, sym: str) -> list[Row]:
        """Return the fills that are not in the newest row of `positions` of a symbol."""
        run, seq = self._bases.get(sym, ("", -1))
        through = seq if run == self._standing else self._ends.get(run, -1)
        return [row for row in self._fills if row["sym"] == sym and row["seq"] > through]
