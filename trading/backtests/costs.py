"""What is traded in a backtest: the instruments of its symbols, with the costs that it is told."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plant.errors import SettingsError, nearest_names
from trading.backtests.market import Rows
from trading.instruments import Instrument

FEES = {"maker_bps": "maker_bps", "taker_bps": "taker_bps", "per_unit": "fee_per_unit", "minimum": "min_fee"}
"""Keys of `commission=`, and what they are of an instrument."""


def instruments_for(
    symbols: Sequence[str],
    given: Mapping[str, Instrument] | None,
    tick: float,
    lot: float,
    commission: float | Mapping[str, float] | None,
    calendar: str,
) -> dict[str, Instrument]:
    """Return the instruments by symbol: the given ones, else of one tick and lot. Raises SettingsError."""
    fees = _fees(commission)
    found: dict[str, Instrument] = {}
    for sym in symbols:
        of = (given or {}).get(sym)
        if of is None:
            of = Instrument(sym, tick=tick, lot=lot, calendar=calendar, source="backtest")
        found[sym] = replace(of, **fees) if fees else of
    return found


def warn_of_a_coarse_tick(rows: Rows, instrument: Instrument) -> None:
    """Warn where most prices lie between ticks of more than 0.1 % of the price: the tick is hardly the market's."""
    closes, tick = rows.numbers["close"][:10_000], float(instrument.tick)
    if not len(closes) or tick < 1e-3 * float(np.median(np.abs(closes))):
        return
    apart = np.abs(closes / tick - np.round(closes / tick))
    if float(np.mean(apart > 0.01)) > 0.5:
        warnings.warn(
            f"{rows.sym}: most prices, as {closes[-1]:g}, are not whole ticks of {tick:g}, but fills are; name it, "
            "as tick=1e-5",
            stacklevel=3,
        )


def _fees(commission: float | Mapping[str, float] | None) -> dict[str, Any]:
    if commission is None:
        return {}
    if not isinstance(commission, Mapping):
        return {"maker_bps": commission, "taker_bps": commission, "fee_per_unit": 0.0, "min_fee": 0.0}
    for key in commission:
        if key not in FEES:
            near = nearest_names(key, FEES, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"commission: unknown key {key!r}{hint}; keys are: {', '.join(FEES)}")
    return {field: commission.get(key, 0.0) for key, field in FEES.items()}
