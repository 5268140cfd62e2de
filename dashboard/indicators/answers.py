"""The columns of chosen indicators that the processor does not have, beside the bars of a chart. No Streamlit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.bars import PRICES, chart_bars
from dashboard.connections import Connections
from dashboard.indicators.calculated import Floats, Times
from dashboard.indicators.choice import Choice
from plant.errors import PlantError

BAR_COLUMNS = ("time", "sym", "interval", *PRICES)


def with_calculated(
    connections: Connections, bars: pd.DataFrame, choices: Sequence[Choice], sym: str, interval: str
) -> tuple[pd.DataFrame, list[str]]:
    """Return the bars with the columns of all choices, and what is to be said about those that are not known.

    Of indicators that are not declared they are computed here, from the bars of history and today.
    """
    columns: dict[str, np.ndarray] = {}
    told = []
    times, prices = _arrays(bars)

    def earlier(before: int, count: int) -> tuple[Times, Floats]:
        answer = connections.rdb.select(
            "bars",
            needs=BAR_COLUMNS,
            sym=sym,
            end=pd.Timestamp(before, tz="UTC"),
            where={"interval": interval},
            columns=list(BAR_COLUMNS),
            last=count,
        )
        if answer.error is not None:
            raise answer.error
        return _arrays(chart_bars(answer.frame, None, interval, "UTC", limit=count, columns=()))

    for choice in choices:
        if choice.declared:
            if not choice.declaration.covers(sym, interval):
                told.append(
                    f"{choice.label} is not declared for {sym} {interval}: its intervals and symbols leave it out"
                )
            continue
        try:
            whole = not connections.rdb.missing
            values = connections.calculator.values(choice, (sym, interval), times, prices, earlier, whole)
        except PlantError as error:
            values = np.full((len(bars), len(choice.columns)), np.nan)
            told.append(f"{choice.label}: {error}")
        columns |= dict(zip(choice.columns, values.T, strict=True))
    return bars.assign(**columns), told


def _arrays(bars: pd.DataFrame) -> tuple[Times, Floats]:
    return bars["time_ns"].to_numpy(dtype=np.int64), bars[list(PRICES)].to_numpy(dtype=np.float64)
