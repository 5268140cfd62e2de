"""The state machines of the processor as one: what each takes of the journal, what is due, and what a checkpoint has.

No sockets and no clock; the process hands it batches in the order of the journal, and publishes what it gives.
"""

from collections.abc import Callable, Mapping
from typing import Any

from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.ordering import joined
from processor.annotating import TAKEN as ANNOTATED
from processor.annotating import Annotating
from processor.candles.builder import TAKEN, CandleBuilder
from processor.candles.closer import Closer
from processor.checkpoints.parts import behind
from processor.counting import Counting
from processor.engine import Engine
from processor.outcome import Outcome

PARTS = ("counting", "closer", "builder", "engine", "annotating")
"""What a checkpoint has the state of, in the order in which it is restored."""


class Machines:
    """Candles, closes, indicators, signals and annotations of one journal.

    none      returns no rows of a table, all its columns
    taken     table -> seq up to which its rows were taken
    settled   whether it has been computed once: what the plant had by then is known, and own rows are not looked at
    """

    def __init__(
        self,
        counting: Counting,
        closer: Closer,
        builder: CandleBuilder,
        engine: Engine,
        annotating: Annotating,
        none: Callable[[str], Columns],
    ) -> None:
        self.counting, self.closer, self.builder, self.engine = counting, closer, builder, engine
        self.annotating = annotating
        self._none = none
        self.taken: dict[str, int] = {}
        self.settled = False
        self._signals = [none("signals")]

    def take(self, batch: Batch) -> Batch | None:
        """Take what is new of a batch, and return it; None if nothing is. Own rows: as what was given out before."""
        new = behind(batch, self.taken.get(batch.table, 0))
        if new is None:
            return None
        table, columns = new.table, new.columns
        self.taken[table] = new.seq
        if table in TAKEN:
            self.builder.take(new)
        if table in ("bars", "bar_closes"):
            self.closer.take(new)
        if table == "bars":
            self.engine.take_bars(self.counting.counted(columns))
        elif table == "bar_closes":
            self.engine.take_closes(self.counting.counted(columns, "market_time"))
        elif table == "indicators" and not self.settled:
            self.engine.had(columns)
        elif table == "signals" and not self.settled:
            self._signals.append(columns)
        if table in ANNOTATED:
            self.annotating.take(new)
        return new

    def due(self, now: int) -> dict[str, Columns]:
        """Return what is to be published at once, by table: candles, and which bars are closed; `now` in ns.

        A bar that is given out now is closed when it is back: with all trades that came before.
        """
        candles = self.builder.due(now)
        closes = self.closer.due(now, candles.bars)
        found = {"bars": candles.bars, "amendments": candles.amendments, "gaps": candles.gaps, "bar_closes": closes}
        return {table: rows for table, rows in found.items() if rows is not None}

    def compute(self) -> Outcome:
        """Return the indicators and signals that are new; at first compared with what the plant has of them."""
        if self.settled:
            return self.engine.tick()
        signals = {name: joined([part[name] for part in self._signals]) for name in self._signals[0]}
        found = self.engine.settle(self._none("indicators"), signals)
        self.annotating.settle()
        self.settled, self._signals = True, []
        return found

    def annotations(self) -> Columns | None:
        """Return the rows of `annotations` that are new, None for none, and before it has been computed once."""
        return self.annotating.due() if self.settled else None

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, by part."""
        return {name: getattr(self, name).saved() for name in PARTS}

    def restore(self, state: Mapping[str, Any], taken: dict[str, int]) -> None:
        """Go on from a checkpoint. Raises ValueError, KeyError, TypeError for what is none of ours."""
        for name in PARTS:
            getattr(self, name).restore(state[name])
        self.taken = taken
