"""The detectors within the processor: what of the journal they take, when they work, and what they begin with.

They work once candles, closes, indicators and signals are given out: until then batches wait here, in their order.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from plant.client.connection import AsOf
from plant.detectors.detectors import Detectors
from plant.rows.arrow import columns_from_arrow
from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.ordering import joined
from plant.rows.schema import Schema
from processor.candles.rows import arrivals
from processor.checkpoints.saved import Saved

TAKEN = ("bars", "bar_closes", "annotations")

MOST_WAITING = 256
"""Batches; with more the detectors work before anything is given out, as while the journal is replayed."""

WARM_BARS = {"1m": 2000, "1d": 60}
"""How many of the newest closed bars of a series history is asked for."""

WARM_OTHERS = 4000


class Annotating:
    """Detectors, and the batches that they have not taken yet."""

    def __init__(self, detectors: Detectors) -> None:
        self.detectors = detectors
        self._waiting: list[Batch] = []

    @property
    def state(self) -> str:
        """What there is to be said of them, "" for nothing."""
        count = self.detectors.unfollowed
        return f"{count:,} bars revised too late for annotations" if count else ""

    def take(self, batch: Batch) -> None:
        """Take a batch of one of TAKEN."""
        self._waiting.append(batch)
        if len(self._waiting) > MOST_WAITING:
            self.work()

    def work(self) -> None:
        """Have the detectors take what waits."""
        waiting, self._waiting = self._waiting, []
        for batch in waiting:
            if batch.table == "bars":
                self.detectors.take_bars(batch.columns, *arrivals(batch))
            elif batch.table == "bar_closes":
                self.detectors.take_closes(batch.columns)
            else:
                self.detectors.take_annotations(batch.columns)

    def due(self) -> Columns | None:
        """Return the rows of `annotations` that are to be published, None for none."""
        self.work()
        return self.detectors.due()

    def settle(self) -> None:
        """Let what was found be compared with what the plant has."""
        self.work()
        self.detectors.settle()

    def saved(self) -> Saved:
        """Return the state, for a checkpoint."""
        self.work()
        return self.detectors.saved()

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from there, one that is new. Raises ValueError, KeyError or TypeError for what is none of ours."""
        self.detectors.restore(dict(saved))

    def warm_up(self, history: AsOf, schema: Schema) -> None:
        """Begin with the newest closed bars in history, and with what was found of them. Raises what its answers raise.

        Where history has more bars than are read, objects that began in the older half of them are left as they are.
        """
        detectors = self.detectors
        known = history.sql(_CLOSED, frames="arrow").to_pylist()
        by_sym: dict[str, list[Columns]] = {}
        for series in known:
            sym, interval = series["sym"], series["interval"]
            if interval not in detectors.intervals or series["closed"] is None:
                continue
            wanted = WARM_BARS.get(interval, WARM_OTHERS)
            closed = int(series["closed"].value)
            terms: dict[str, Any] = {"where": {"interval": interval}, "end": closed + 1, "last": wanted}
            names = schema["bars"].names
            rows: pa.Table = history.select("bars", sym, columns=names, frames="arrow", **terms)
            bars = columns_from_arrow(rows, schema["bars"], names)
            if len(bars["time"]) == wanted:
                detectors.trust(sym, int(bars["time"][wanted // 2]))
            by_sym.setdefault(sym, []).append(bars)
        for parts in by_sym.values():
            both = {name: joined([part[name] for part in parts]) for name in parts[0]}
            count = len(both["time"])
            detectors.take_closes(both | {"market_time": both["time"], "bar_seq": np.zeros(count, np.int64)})
        names = (*schema["annotations"].names, "seq", "seq_row")
        found: pa.Table = history.select("annotations", columns=names, where={"source": "auto"}, frames="arrow")
        if found.num_rows:
            found = found.sort_by([("seq", "ascending"), ("seq_row", "ascending")])
            detectors.take_annotations(columns_from_arrow(found, schema["annotations"], schema["annotations"].names))


_CLOSED = "select sym, interval, max(market_time) as closed from bar_closes group by all order by all"
