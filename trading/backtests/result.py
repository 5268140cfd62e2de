"""What a backtest gave: its rows as DataFrames, with the columns of the tables, and a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.strategy import Window

if TYPE_CHECKING:
    import pandas as pd

_TRIP = (
    *("side", "entry_at", "entry_price", "entry_tag", "exit_at", "exit_price", "exit_tag", "qty", "profit"),
    *("profit_pct", "commission", "run_up", "drawdown", "bars", "open"),
)

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orders": (
        *("time", "sym", "order_id", "n", "client_order_id", "run", "strategy", "account", "side", "kind", "qty"),
        *("limit_price", "stop_price", "trail", "time_in_force", "parent", "oco", "tag", "filled", "average", "state"),
        *("reason", "broker_id", "market_time", "made_at", "cause_seq"),
    ),
    "fills": (
        *("time", "sym", "fill_id", "order_id", "run", "strategy", "account", "market_time", "side", "qty", "price"),
        *("commission", "liquidity", "realised", "position_after", "cause_seq"),
    ),
    "equity": (
        *("time", "sym", "run", "market_time", "cash", "value", "equity", "realised", "unrealised", "commission"),
        *("exposure", "drawdown"),
    ),
    "positions": (
        *("time", "sym", "account", "strategy", "run", "market_time", "qty", "average", "cost", "price", "value"),
        *("realised", "unrealised", "commission"),
    ),
    "round_trips": (*_TRIP, "time", "sym", "run", "strategy", "number"),
    "metrics": ("name", "value", "detail", "time", "sym", "run"),
    "plots": ("time", "sym", "run", "market_time", "interval", "name", "value"),
    "strategy_events": ("time", "sym", "run", "market_time", "kind", "detail"),
    "risk_events": (*("time", "sym", "account", "strategy", "rule", "bound", "value", "action", "order_id", "detail"),),
}
"""Columns of each frame, in their order; those of the tables, but round_trips and metrics begin with what one reads."""

_INTS = ("n", "cause_seq", "number", "bars")
_FLOATS = (
    *("qty", "limit_price", "stop_price", "trail", "filled", "average", "price", "commission", "realised"),
    *("position_after", "cash", "value", "equity", "unrealised", "exposure", "drawdown", "cost", "entry_price"),
    *("exit_price", "profit", "profit_pct", "run_up", "bound"),
)


def frame_of(table: str, rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """Return rows as a DataFrame with the table's columns; times are datetime64[ns, UTC], unknown ones NaT."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in COLUMNS[table]:
        values = [row[name] for row in rows]
        if name == "time" or name == "market_time" or name.endswith("_at"):
            stamps = np.array(values, dtype=np.int64).view("M8[ns]")
            columns[name] = pd.DatetimeIndex(stamps).tz_localize("UTC")
        elif name == "open":
            columns[name] = np.array(values, dtype=bool)
        elif name in _INTS:
            columns[name] = np.array(values, dtype=np.int64)
        elif name in _FLOATS:
            columns[name] = np.array(values, dtype=np.float64)
        else:
            columns[name] = pd.array(values, dtype="str")
    return pd.DataFrame(columns)


@dataclass
class Result:
    """A finished backtest.

    round_trips, orders, fills, equity, metrics   DataFrames; of orders every state is a row, `n` counts them
    positions, plots, strategy_events, risk_events   likewise; an order that risk refused is in the last
    bars      by symbol, the bars it was run over, warm-up included
    refused   how many orders were refused, why, and what lifts that; "": none was
    """

    strategy: str
    interval: str
    rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(repr=False)
    bars: Mapping[str, Window] = field(repr=False)
    refused: str = ""
    _frames: "dict[str, pd.DataFrame]" = field(default_factory=dict, repr=False)

    def frame(self, table: str) -> "pd.DataFrame":
        """Return the rows of one of COLUMNS, made into a frame when first asked for."""
        if table not in self._frames:
            self._frames[table] = frame_of(table, self.rows.get(table, ()))
        return self._frames[table]

    @property
    def round_trips(self) -> "pd.DataFrame":
        """Trips from flat to flat, or from one side to the other; the last may be open."""
        return self.frame("round_trips")

    @property
    def orders(self) -> "pd.DataFrame":
        """Every state that every order went through."""
        return self.frame("orders")

    @property
    def fills(self) -> "pd.DataFrame":
        """Executions."""
        return self.frame("fills")

    @property
    def equity(self) -> "pd.DataFrame":
        """The account at the start, at session closes, and at points between."""
        return self.frame("equity")

    @property
    def positions(self) -> "pd.DataFrame":
        """Positions at the same times."""
        return self.frame("positions")

    @property
    def metrics(self) -> "pd.DataFrame":
        """What it was worth; see trading.backtests.metrics."""
        return self.frame("metrics")

    @property
    def plots(self) -> "pd.DataFrame":
        """What the strategy showed by `self.plot`."""
        return self.frame("plots")

    @property
    def strategy_events(self) -> "pd.DataFrame":
        """Started, warm, stopped, and what the strategy logged."""
        return self.frame("strategy_events")

    @property
    def risk_events(self) -> "pd.DataFrame":
        """Orders that were refused, and what halted the run."""
        return self.frame("risk_events")

    def metric(self, name: str) -> float:
        """Return one metric, NaN where it has no value. Raises KeyError for a name there is not."""
        for row in self.rows["metrics"]:
            if row["name"] == name:
                return float(row["value"])
        raise KeyError(f"no metric {name!r}; metrics are: {', '.join(row['name'] for row in self.rows['metrics'])}")

    def plot(self, sym: str | None = None) -> Any:
        """Return a Plotly figure: candles with entries and exits, what was plotted, the equity and its drawdown."""
        from trading.backtests.figure import figure_of

        return figure_of(self, sym or next(iter(self.bars)))
