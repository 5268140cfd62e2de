"""What the plant holds of a series, read from it: for what is not in the processor's memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.errors import QueryError, Unavailable
from plant.indicators.declarations import Declaration
from plant.rows.arrow import columns_from_arrow
from plant.rows.columns import Columns
from plant.rows.intervals import interval_ns
from plant.rows.ordering import joined
from plant.rows.schema import Schema
from processor.candles.recorded import RecordedRows
from processor.counting import Counting
from processor.open_bars import PRICES, Floats, Ints
from processor.outcome import Rows, events_of
from processor.patience import Patience
from processor.renewal import Known, Stale
from processor.series import Series
from processor.vectors.batch import computed

LEAST_BARS = 400
"""Bars ahead of a corrected one from which on a series is computed anew, at least."""

PERIODS = 40
"""Or so many periods of the longest indicator: what was before weighs less than 1e-15 then, by Wilder's, too."""


ENDLESS = frozenset(
    (
        *("obv", "OBV", "AD", "CUMSUM", "NVI", "PVI", "PVT", "VWAP", "WAD"),  # sums of all bars there ever were
        *("MAXINDEX", "MININDEX", "MINMAXINDEX"),  # the number of a bar, from the first one on
        *("HT_DCPHASE", "LINEARREG_ANGLE"),  # more than rounding is left of what was long before
    )
)
"""Kinds that forget nothing: a series is computed anew from its first bar on."""

EVERY = 2**31
"""So many bars ahead are all there are."""


def bars_before(declarations: tuple[Declaration, ...], interval: str) -> int:
    """Return how many bars ahead of a corrected one a series must be computed anew from.

    Those that begin anew with each trading day need the bars of a day.
    """
    if any(one.kind in ENDLESS for one in declarations):
        return EVERY
    lengths = [value for one in declarations for value in one.parameters.values() if type(value) is int]
    by_day = any("session" in one.inputs for one in declarations)
    return max(LEAST_BARS, PERIODS * max(lengths, default=0), _in_a_day(interval) if by_day else 0)


def _in_a_day(interval: str) -> int:
    try:
        return interval_ns("1d") // interval_ns(interval)
    except QueryError:  # a feed's own name, of no length that we know
        return 0


class RecordedSeries:
    """Reads bars, indicators and signals of a series from rdb and hdb, `wanted` bars ahead of what is stale.

    `folder` is that of plant.toml, for classes of the user's own.
    """

    def __init__(
        self,
        plant: PlantConnection,
        schema: Schema,
        declarations: tuple[Declaration, ...],
        counting: Counting,
        folder: Path | None = None,
    ) -> None:
        self._plant, self._schema, self._counting = plant, schema, counting
        self._declarations, self._folder = declarations, folder
        self._columns = [column for one in declarations for column in one.columns]

    def wanted(self, interval: str) -> int:
        """Return how many bars of an interval are read ahead."""
        return bars_before(self._declarations, interval)

    def check_reached(self, seq: int) -> None:
        """Raise Unavailable unless the rdb has all rows up to this seq."""
        check_reached(self._plant, seq)

    def known(self, series: Series, stale: Stale) -> Known:
        """Return what the plant has of a stale series. Raises what its answers raise."""

        def earlier(end: int | None, last: int) -> Columns:
            return self._select("bars", stale, end=end, last=last)

        wanted = self.wanted(stale.interval)
        before = bars_ahead(earlier, self._counting, wanted, stale.since)
        after = self._counting.counted(self._select("bars", stale, start=stale.since, end=stale.until + 1))
        both = {name: joined([before[name], after[name]]) for name in before}
        begins = int(both["time"][0]) if len(both["time"]) else stale.since
        given = self._select("indicators", stale, start=begins, end=stale.until + 1)
        signals = self._select("signals", stale, start=begins, end=stale.until + 1)
        rows = Rows.of(series, given, self._columns)
        events = {(time, name): event for (_, time, name), event in events_of(series, signals).items()}
        times, values = times_and_values(both)
        whole = len(before["time"]) == wanted or not self._began_earlier(both, rows)
        return Known(times, values, rows, events, whole)

    def _began_earlier(self, bars: Columns, given: Rows) -> bool:
        """Return whether the row of the first bar was computed from bars before it, which are gone by now.

        It has a value then that the first bar of a series does not have.
        """
        first = given.values[given.times == bars["time"][0]] if len(bars["time"]) else given.values[:0]
        if not len(first):
            return False
        one = {name: bars[name][:1] for name in ("time", *PRICES)}
        alone = np.concatenate(list(computed(self._declarations, one, self._folder).values()) or [np.zeros(0)])
        return bool((np.isnan(alone) & ~np.isnan(first[-1, len(PRICES) :])).any())

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


def bars_ahead(
    select: Callable[[int | None, int], Columns], counting: Counting, wanted: int, end: int | None = None
) -> Columns:
    """Return the newest `wanted` bars of a series that count, before `end`, in order of time; all if there are fewer.

    `select(end, last)` gives the newest so many before a time. Of those some may not count: it is asked for more then.
    """
    parts: list[Columns] = []
    count = 0
    while True:
        asked = wanted if not parts else 3 * wanted
        found = select(end, asked)
        parts.insert(0, counting.counted(found))
        count += len(parts[0]["time"])
        if count >= wanted or len(found["time"]) < asked:
            break
        end = int(found["time"][0])
    return {name: joined([part[name] for part in parts])[max(count - wanted, 0) :] for name in parts[0]}


def times_and_values(bars: Columns) -> tuple[Ints, Floats]:
    """Return times, int64[n], and values, float64[n, 5], of rows of `bars`."""
    return bars["time"], np.column_stack([bars[name] for name in PRICES])
