"""Equity and drawdown of one run or several, as plain Plotly JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dashboard.bars import local_times
from dashboard.freshness import utc_nanoseconds
from dashboard.panes import Palette

MOST_POINTS = 2_000  # of a line; a screen has no more pixels
HEIGHT = 420


def equity_figure(
    equity: pd.DataFrame | None, names: Mapping[str, str], time_zone: str, palette: Palette
) -> dict[str, Any]:
    """Return the equity of runs above, and their drawdown (%) below, over the market's time.

    equity   rows of that table, of several runs
    names    run -> what its line is called
    """
    colors = (palette.macd, palette.macd_signal, *palette.others)
    data: list[dict[str, Any]] = []
    for place, (run, name) in enumerate(names.items()):
        rows = curve(equity, run)
        at = [stamp.isoformat() for stamp in local_times(utc_nanoseconds(rows["market_time"]), time_zone)]
        line = {"color": colors[place % len(colors)], "width": 1.5}
        both = {"type": "scatter", "mode": "lines", "x": at, "line": line, "legendgroup": run}
        shown = "%{y:,.2f}<extra></extra>" if len(names) == 1 else f"{name}: %{{y:,.2f}}<extra></extra>"
        data.append({**both, "name": name, "y": rows["equity"].tolist(), "hovertemplate": shown})
        under = {"y": (100 * rows["drawdown"]).tolist(), "yaxis": "y2", "showlegend": False, "name": name}
        data.append(
            {
                **both,
                **under,
                "fill": "tozeroy" if len(names) == 1 else "none",
                "hovertemplate": "%{y:.2f} %<extra></extra>",
            }
        )
    axis = {"gridcolor": palette.grid, "zeroline": False, "tickfont": {"color": palette.muted}, "side": "right"}
    corner: dict[str, Any] = {
        "xref": "paper",
        "yref": "paper",
        "x": 0.004,
        "xanchor": "left",
        "yanchor": "top",
        "showarrow": False,
    }
    words = [
        {**corner, "text": text, "y": y, "font": {"size": 11}} for text, y in (("Equity", 0.99), ("Drawdown", 0.06))
    ]
    layout = {
        "height": HEIGHT,
        "margin": {"l": 8, "r": 74, "t": 28, "b": 28},
        "paper_bgcolor": palette.surface,
        "plot_bgcolor": palette.surface,
        "font": {"color": palette.muted, "size": 11},
        "annotations": words,
        "hovermode": "x unified",
        "showlegend": len(names) > 1,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
        "xaxis": {"gridcolor": palette.grid, "zeroline": False, "anchor": "y2"},
        "yaxis": {**axis, "domain": [0.36, 1.0], "separatethousands": True, "exponentformat": "none"},
        "yaxis2": {**axis, "domain": [0.0, 0.3], "ticksuffix": " %"},
    }
    return {"data": data, "layout": layout}


def curve(equity: pd.DataFrame | None, run: str) -> pd.DataFrame:
    """Return the equity of one run in the market's order, at most MOST_POINTS: lows and ends of equal stretches."""
    if equity is None or equity.empty:
        return pd.DataFrame({"market_time": pd.to_datetime([], utc=True), "equity": [], "drawdown": []})
    rows = equity[(equity["run"].astype(str) == run) & equity["market_time"].notna()]
    rows = rows.sort_values(["market_time", "seq", "seq_row"], kind="stable").reset_index(drop=True)
    if len(rows) <= MOST_POINTS:
        return rows
    stretch = rows.index // -(-len(rows) * 2 // MOST_POINTS)
    lowest = rows["equity"].groupby(stretch).idxmin()
    last = pd.Series(rows.index).groupby(stretch).max()
    return rows.loc[sorted({0, *lowest, *last})].reset_index(drop=True)
