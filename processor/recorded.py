"""What the plant holds of a series, read from it: for what is not in the processor's memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.errors import Unavailable
from plant.indicators.declarations import Declaration
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns
from plant.rows.ordering import joined
from plant.rows.schema import Schema
from processor.candles.recorded import RecordedRows
from processor.counting import Counting
from processor.engine import Known, Stale
from processor.open_bars import PRICES, Floats, Ints
from processor.outcome import Rows, events_of
from processor.patience import Patience
from processor.series import Series

LEAST_BARS = 400
"""Bars ahead of a corrected one from which on a series is computed anew, at least."""

PERIODS = 40
"""Or so many periods of the longest indicator: what was before weighs less than 1e-15 then, by Wilder's, too."""


def bars_before(declarations: tuple[Declaration, ...]) -> int:
    """Return how many bars ahead of a corrected one a series must be computed anew from."""
    lengths = [value for one in declarations for value in one.parameters.values() if type(value) is int]
    return max(LEAST_BARS, PERIODS * max(lengths, default=0))


class RecordedSeries:
    """Reads bars, indicators and signals of a series from rdb and hdb, `wanted` bars ahead of what is stale."""

    def __init__(
        self, plant: PlantConnection, schema: Schema, declarations: tuple[Declaration, ...], counting: Counting
    ) -> None:
        self.wanted = bars_before(declarations)
        self._plant, self._schema, self._counting = plant, schema, counting
        self._columns = [column for one in declarations for column in one.columns]

    def check_reached(self, seq: int) -> None:
        """Raise Unavailable unless the rdb has all rows up to this seq."""
        check_reached(self._plant, seq)

    def known(self, series: Series, stale: Stale) -> Known:
        """Return what the plant has of a stale series. Raises what its answers raise."""
        before = self._select("bars", stale, end=stale.since, last=self.wanted)
        after = self._select("bars", stale, start=stale.since, end=stale.until + 1)
        both = {name: joined([before[name], after[name]]) for name in before}
        both = self._counting.counted(both)
        begins = int(both["time"][0]) if len(both["time"]) else stale.since
        given = self._select("indicators", stale, start=begins, end=stale.until + 1)
        signals = self._select("signals", stale, start=begins, end=stale.until + 1)
        rows = Rows.of(series, given, self._columns)
        events = {(time, name): event for (_, time, name), event in events_of(series, signals).items()}
        times, values = times_and_values(both)
        whole = len(before["time"]) == self.wanted or not _began_earlier(begins, rows)
        return Known(times, values, rows, events, whole)

    def _select(self, table: str, stale: Stale, **terms: Any) -> Columns:
        names = self._schema[table].names
        options: dict[str, Any] = {"where": {"interval": stale.interval}, "columns": names, "frames": "arrow"}
        found: pa.Table = self._plant.select(table, stale.sym, **options, **terms)
        return columns_from_arrow(found, self._schema[table], names)


class ReachedRows(RecordedRows):
    """What the plant holds, for candles: once the rdb has everything up to the seq that `seq` tells."""

    def __init__(self, plant: PlantConnection, schema: Schema, seq: Callable[[], int], patience: Patience) -> None:
        super().__init__(plant, schema)
        self._reached, self._seq, self._patience = plant, seq, patience

    def _rows(self, name: str, sym: str, start: int, end: int, where: Any = None) -> Columns:
        with self._patience.asking():
            check_reached(self._reached, self._seq())
            return super()._rows(name, sym, start, end, where)


def check_reached(plant: PlantConnection, seq: int) -> None:
    """Raise Unavailable unless the rdb has all rows up to this seq."""
    reached = int(Connection.status(plant)["seq"])  # the rdb's alone: the history may be away
    if reached < seq:
        raise Unavailable(f"the rdb has rows up to seq {reached:,}, not yet up to {seq:,}")


def times_and_values(bars: Columns) -> tuple[Ints, Floats]:
    """Return times, int64[n], and values, float64[n, 5], of rows of `bars`."""
    return bars["time"], np.column_stack([bars[name] for name in PRICES])


def _began_earlier(begins: int, given: Rows) -> bool:
    """Return whether the row of the first bar that is left was computed from bars before it: they are gone by now."""
    first = given.values[given.times == begins]
    return bool(len(first) and (~np.isnan(first[-1, len(PRICES) :])).any())
