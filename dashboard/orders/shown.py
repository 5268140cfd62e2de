"""Orders, positions, fills and earnings as tables for people. Rows in, frames out; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import local_times
from dashboard.orders.ticket import number
from dashboard.panes import DOWN, UP, Palette
from plant.control.books import Seen
from plant.rows.columns import Columns, taken
from plant.rows.ordering import newest
from plant.state.earnings import Earned
from plant.state.newest import Row
from plant.state.orders import FINAL

ORDERS = 200  # rows that are shown
FILLS = 500
FEW_DAYS = 12  # so many have room, though there are fewer


def open_orders(seen: Seen, account: str) -> list[Row]:
    """Return the orders of an account that are not final, newest first."""
    found = [row for row in seen.orders.values() if row["account"] == account and row["state"] not in FINAL]
    return sorted(found, key=lambda row: (row["seq"], row["seq_row"]), reverse=True)


def order_line(row: Row, told: bool = True) -> str:
    """Return an order in a line: "buy 10 AAPL, limit 190.5, day"; `told`: with its side."""
    levels = [
        f"{word} {number(row[name])}"
        for name, word in (("limit_price", "limit"), ("stop_price", "stop"), ("trail", "trailing by"))
        if not _unknown(row[name])
    ]
    filled = f"{number(row['filled'])} of " if row["filled"] else ""
    words = [
        f"{row['side'] + ' ' if told else ''}{filled}{number(row['qty'])} {row['sym']}",
        *(levels or [row["kind"]]),
        row["time_in_force"],
    ]
    return ", ".join(word for word in words if word)


def orders_table(rows: Iterable[Row], time_zone: str) -> pd.DataFrame:
    """Return the newest orders, newest first; time is when the plant learned their state, as wall clock."""
    rows = sorted(rows, key=lambda row: (row["seq"], row["seq_row"]), reverse=True)[:ORDERS]
    names = (
        "side",
        "kind",
        "qty",
        "filled",
        "average",
        "limit_price",
        "stop_price",
        "state",
        "reason",
        "strategy",
        "tag",
    )
    table = {"time": _clock([row["time"] for row in rows], time_zone), "symbol": [row["sym"] for row in rows]}
    return pd.DataFrame(table | {name: [row[name] for row in rows] for name in (*names, "order_id")})


def positions_table(held: Sequence[Row]) -> pd.DataFrame:
    """Return what is held: symbol, strategy, qty, average, price, value, unrealised, realised, commission."""
    names = ("strategy", "qty", "average", "price", "value", "unrealised", "realised", "commission")
    return pd.DataFrame(
        {"symbol": [row["sym"] for row in held]} | {name: [row[name] for row in held] for name in names}
    )


def of_account(fills: Columns, account: str) -> Columns:
    """Return the fills of an account."""
    return taken(fills, np.flatnonzero(fills["account"] == account)) if fills else fills


def fills_table(fills: Columns, time_zone: str) -> pd.DataFrame:
    """Return the newest fills, newest first; time is that in the market, as wall clock."""
    if not fills or not len(fills["seq"]):
        return pd.DataFrame()
    rows = taken(fills, newest(fills, ("fill_id",), ("seq", "seq_row")))
    rows = taken(rows, np.lexsort((rows["seq_row"], rows["seq"]))[::-1][:FILLS])
    names = ("side", "qty", "price", "commission", "realised", "position_after", "liquidity", "strategy", "order_id")
    table: dict[str, Any] = {
        "time": local_times(np.asarray(rows["market_time"]), time_zone),
        "symbol": _plain(rows["sym"]),
    }
    return pd.DataFrame(table | {name: _plain(rows[name]) for name in names})


def earnings_table(rows: Sequence[Earned], by: str) -> pd.DataFrame:
    """Return earnings: its name, fills, realised, unrealised (not by day), commission, net; days newest first."""
    rows = list(reversed(rows)) if by == "day" else rows
    table = pd.DataFrame(
        {
            {"sym": "symbol"}.get(by, by): [row.name for row in rows],
            "net": [row.net for row in rows],
            "realised": [row.realised for row in rows],
            "unrealised": [row.unrealised for row in rows],
            "commission": [row.commission for row in rows],
            "fills": [row.fills for row in rows],
        }
    )
    return table.drop(columns="unrealised") if by == "day" else table


def days_figure(rows: Sequence[Earned], palette: Palette) -> dict[str, Any]:
    """Return a bar for the net of each day, the last 60 of them, as plain Plotly JSON."""
    rows = list(rows)[-60:]
    net = [row.net for row in rows]
    bars = {"type": "bar", "x": [row.name for row in rows], "y": net, "hovertemplate": "%{x}: %{y:,.2f}<extra></extra>"}
    axis = {"gridcolor": palette.grid, "zerolinecolor": palette.rule, "tickfont": {"color": palette.muted}}
    return {
        "data": [{**bars, "marker": {"color": [UP if value >= 0 else DOWN for value in net]}}],
        "layout": {
            "height": 180,
            "margin": {"l": 8, "r": 70, "t": 8, "b": 24},
            "paper_bgcolor": palette.surface,
            "plot_bgcolor": palette.surface,
            "font": {"color": palette.muted, "size": 11},
            "bargap": 0.4,
            "xaxis": {**axis, "type": "category", "nticks": 8, "range": [-0.5, max(len(rows), FEW_DAYS) - 0.5]},
            "yaxis": {**axis, "side": "right", "separatethousands": True, "exponentformat": "none"},
        },
    }


def _clock(times: Sequence[int], time_zone: str) -> pd.DatetimeIndex:
    return local_times(np.array(times, dtype=np.int64), time_zone)


def _plain(column: Any) -> Any:
    return column.tolist()


def _unknown(value: float | None) -> bool:
    return value is None or math.isnan(value)
