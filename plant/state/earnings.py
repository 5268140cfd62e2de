"""What an account holds and what it earned, by day, symbol or strategy: rows of `fills` and `positions`, summed."""

import datetime as dt
import math
from collections.abc import Collection, Iterable
from typing import NamedTuple

import numpy as np

from plant.errors import QueryError
from plant.rows.columns import Columns, taken
from plant.rows.ordering import newest
from plant.rows.schema import UNKNOWN_TIME
from plant.state.newest import Row

BY = ("day", "sym", "strategy")
"""What earnings may be summed by."""

DIGITS = 8
"""Money is counted in 1e-8 of the currency; sums of floats are rounded to that."""


class Earned(NamedTuple):
    """What one day, symbol or strategy earned, account currency.

    name        the day (ISO 8601), the symbol or the strategy
    fills       how many fills there were
    realised    profit of what was closed, before commission
    unrealised  profit of what is held by now; NaN by day: it belongs to none
    commission  paid
    """

    name: str
    fills: int
    realised: float
    unrealised: float
    commission: float

    @property
    def net(self) -> float:
        """Realised and unrealised, less commission."""
        return round(
            self.realised + (0.0 if math.isnan(self.unrealised) else self.unrealised) - self.commission, DIGITS
        )


def earned(fills: Columns, held: Iterable[Row], by: str, zone: dt.tzinfo = dt.UTC) -> list[Earned]:
    """Return the sums, by name. Raises QueryError for another `by` than BY.

    fills   rows of one account, or of several of one currency: fill_id, sym, strategy, market_time and time (int64
            ns UTC), realised, commission, seq, seq_row; of one fill_id the newest counts
    held    what is held by now, as `holdings` tells
    zone    where days begin
    """
    if by not in BY:
        raise QueryError(f"earnings are by {', '.join(BY)}, found {by!r}")
    if len(fills["seq"]):
        fills = taken(fills, newest(fills, ("fill_id",), ("seq", "seq_row")))
    names = _days(fills, zone) if by == "day" else np.array(fills[by].tolist(), dtype=object)
    known, places = np.unique(names.astype(str), return_inverse=True)
    counts = np.bincount(places, minlength=len(known))
    sums = [np.bincount(places, fills[n], minlength=len(known)) for n in ("realised", "commission")]
    found = {
        str(name): Earned(str(name), int(count), round(float(realised), DIGITS), 0.0, round(float(paid), DIGITS))
        for name, count, realised, paid in zip(known, counts, *sums, strict=True)
    }
    if by == "day":
        return [each._replace(unrealised=math.nan) for each in found.values()]
    for row in held:
        before = found.get(row[by], Earned(row[by], 0, 0.0, 0.0, 0.0))
        found[row[by]] = before._replace(unrealised=round(before.unrealised + row["unrealised"], DIGITS))
    return [found[name] for name in sorted(found)]


def holdings(positions: Iterable[Row], account: str, runs: Collection[str]) -> list[Row]:
    """Return what an account holds: the newest row of each strategy and symbol, without what is sold again.

    `positions` are rows with `seq` and `seq_row`; only those of `runs` count: backtests hold nothing there is.
    """
    found: dict[tuple[str, str], Row] = {}
    for row in positions:
        if row["account"] != account or row["run"] not in runs:
            continue
        key = (row["strategy"], row["sym"])
        before = found.get(key)
        if before is None or (row["seq"], row["seq_row"]) > (before["seq"], before["seq_row"]):
            found[key] = row
    return [found[key] for key in sorted(found) if found[key]["qty"]]


def _days(fills: Columns, zone: dt.tzinfo) -> np.ndarray:
    """Return the day of each fill in the market, ISO 8601; where that is not known, the day on which it was learned."""
    import pandas as pd

    at = np.where(fills["market_time"] == UNKNOWN_TIME, fills["time"], fills["market_time"])
    return pd.DatetimeIndex(at, tz="UTC").tz_convert(zone).strftime("%Y-%m-%d").to_numpy(dtype=object)
