"""What the plant holds, asked of a connection: today and history as one; and larger bars made anew of it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from plant.calendars.sessions import DAY_NS
from plant.intake.forms import columns_of
from plant.rows.columns import Columns
from plant.rows.evolution import without_nulls
from plant.rows.schema import Schema
from plant.rows.tables_candles import BUILT
from processor.candles.rows import built, differ, values_of
from processor.candles.sums import emptied_of, sums_of, together, values_from, with_prints
from processor.trades.counting import Print

Key = tuple[int, int, int]
"""A larger bar: slot, which of the intervals, start."""

DAYS_AT_ONCE = 10
"""Old bars are asked for so many symbols and days at a time, so that they hold up nothing else."""


class RecordedRows:
    """Recorded by a connection with frames="arrow" and warn_unknown=False, of `plant.connect` or to an rdb."""

    def __init__(self, db: Any, schema: Schema) -> None:
        self._db, self._schema = db, schema

    def trades(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trades` of a symbol with start <= time < end (ns)."""
        return self._rows("trades", sym, start, end)

    def corrections(self, sym: str, start: int, end: int) -> Columns:
        """Return rows of `trade_corrections` likewise."""
        return self._rows("trade_corrections", sym, start, end)

    def bars(self, sym: str, interval: str, start: int, end: int) -> Columns:
        """Return the newest revisions of bars likewise; interval "": of every one."""
        return self._rows("bars", sym, start, end, {"interval": interval} if interval else None)

    def _rows(self, name: str, sym: str, start: int, end: int, where: Any = None) -> Columns:
        table = self._schema[name]
        found = self._db.select(name, sym, start, end, columns=[*table.names, "seq", "seq_row"], where=where)
        columns = columns_of(table, {n: without_nulls(found.column(n), table.column(n)) for n in table.names})
        numbers = {n: found.column(n).cast(pa.int64()).fill_null(0).to_numpy() for n in ("seq", "seq_row")}
        return {**columns, **numbers}


class Remade(NamedTuple):
    """The minutes of a larger bar in order of time: times int64[n], sums float64[n, 7] and the feed of the last.

    `had`: values of the bar that the plant has, float64[7], None if it has none; `foreign`: a feed sent that itself,
    `source` is whose it is.
    """

    times: np.ndarray
    sums: np.ndarray
    feed: str
    had: np.ndarray | None
    foreign: bool
    source: str

    def to_be_given(self, prints: Sequence[Print]) -> tuple[np.ndarray, str] | None:
        """Return the bar's values, float64[7], and its feed; None if it stays as it is. `prints` set a day's close."""
        if self.foreign:
            return None
        if len(self.times):
            one = together(self.sums)
            made = values_from((with_prints(one, prints) if prints else one)[None])
            return (made[0], self.feed) if self.had is None or differ(made, self.had[None])[0] else None
        if self.had is not None and self.had[6] != 0:
            return emptied_of(self.had[None])[0], self.source
        return None


def remade(minutes: Columns, held: Columns) -> Remade:
    """Return what comes of rows of 1m bars, and of those of the larger bar itself."""
    values = values_of(minutes)
    there = ~(built(minutes["source"]) & (values[:, 6] == 0))  # one that lost its last trade is none
    order = np.argsort(minutes["time"], kind="stable")
    order = order[there[order]]
    feed = minutes["source"].tolist()[order[-1]].removeprefix(BUILT) if len(order) else ""
    had, foreign, source = None, False, ""
    if len(held["time"]):
        had, foreign = values_of(held)[-1], not built(held["source"])[-1]
        source = held["source"].tolist()[-1].removeprefix(BUILT)
    return Remade(minutes["time"][order], sums_of(values)[order], feed, had, foreign, source)


def by_day(keys: Iterable[Key]) -> list[list[Key]]:
    """Return the first of some bars, those of one symbol and day together, DAYS_AT_ONCE of them at most."""
    days: dict[tuple[int, int], list[Key]] = {}
    for key in keys:
        day = key[0], key[2] // DAY_NS
        if day not in days and len(days) >= DAYS_AT_ONCE:
            break
        days.setdefault(day, []).append(key)
    return list(days.values())
