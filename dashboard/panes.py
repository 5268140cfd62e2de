"""Panes: price, volume, RSI and MACD above one another on one x axis, as the `layout` of a Plotly figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import price_digits

UP, DOWN = "#26a69a", "#ef5350"
MUTED, GRID, SURFACE = "#8391a7", "#1a2332", "#0b0f17"
IN_VIEW = 180  # bars shown at first
MOST_IN_VIEW = 500
RIGHT_MARGIN = 6  # bars of empty space after the newest bar


PANES = {"price": 6.0, "Volume": 1.1, "RSI": 1.5, "MACD": 1.7}
AXES = {"price": "y", "Volume": "y2", "RSI": "y3", "MACD": "y4"}
GAP = 0.025


def layout(bars: pd.DataFrame, panes: list[str], key: str) -> dict[str, Any]:
    """Return the layout for the named PANES, in their order; `key` becomes `uirevision`.

    An axis without a `range` of its own is fitted by the component to the bars in view.
    """
    newest = len(bars) - 1
    domains = _domains(panes)
    digits = price_digits(bars["close"].to_numpy())
    bottom_axis = AXES[panes[-1]]
    page: dict[str, Any] = {
        "uirevision": key,
        "autosize": True,
        "margin": {"l": 8, "r": 74, "t": 6, "b": 38},
        "paper_bgcolor": SURFACE,
        "plot_bgcolor": SURFACE,
        "font": {"color": MUTED, "size": 11},
        "dragmode": "pan",
        "hovermode": "x",
        "hoverdistance": -1,  # the nearest bar, however far
        "spikedistance": -1,
        "bargap": 0.25,
        "legend": {
            "orientation": "h",
            "x": 0.004,
            "y": 0.995,
            "yanchor": "top",
            "bgcolor": "rgba(11,15,23,0.6)",
            "font": {"size": 11, "color": MUTED},
        },
        "xaxis": {
            "type": "linear",
            "anchor": bottom_axis,
            "range": [max(-1, newest - IN_VIEW) + 0.5, newest + RIGHT_MARGIN + 0.5],
            "rangeslider": {"visible": False},
            "gridcolor": GRID,
            "zeroline": False,
            "showspikes": True,
            "spikemode": "across",
            "spikesnap": "hovered data",
            "spikethickness": 1,
            "spikedash": "dot",
            "spikecolor": MUTED,
            "tickfont": {"color": MUTED},
        },
        "shapes": _day_lines(bars) + _level_lines(bars, panes),
        "annotations": _pane_titles(panes, domains) + _last_price(bars, digits),
    }
    for pane in panes:
        axis = AXES[pane]
        page["yaxis" + axis[1:]] = {
            "domain": domains[pane],
            "anchor": "x",
            "side": "right",
            "fixedrange": True,
            "gridcolor": GRID,
            "zeroline": False,
            "nticks": 9 if pane == "price" else 4,
            "tickfont": {"color": MUTED},
            "tickformat": {"price": f",.{digits}f", "Volume": ".3~s", "RSI": "d"}.get(pane, ",~r"),
        }
    if "RSI" in panes:
        page["yaxis3"] |= {"range": [0, 100], "tickvals": [30, 50, 70]}
    page["yaxis"] |= {
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "cursor",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": MUTED,
    }
    return page


def _domains(panes: list[str]) -> dict[str, list[float]]:
    """Share the height among the panes, the first at the top."""
    free = 1.0 - GAP * (len(panes) - 1)
    total = sum(PANES[pane] for pane in panes)
    domains, top = {}, 1.0
    for pane in panes:
        bottom = top - free * PANES[pane] / total
        domains[pane] = [round(max(0.0, bottom), 4), round(top, 4)]
        top = bottom - GAP
    return domains


def _day_lines(bars: pd.DataFrame) -> list[dict[str, Any]]:
    days = bars["local"].dt.normalize()
    return [
        {
            "type": "line",
            "xref": "x",
            "yref": "paper",
            "x0": int(i) - 0.5,
            "x1": int(i) - 0.5,
            "y0": 0,
            "y1": 1,
            "layer": "below",
            "line": {"color": "#2b3850", "width": 1, "dash": "dot"},
        }
        for i in np.flatnonzero(days.ne(days.shift()).to_numpy())
        if i > 0
    ]


def _level_lines(bars: pd.DataFrame, panes: list[str]) -> list[dict[str, Any]]:
    def level(y: float, axis: str, color: str) -> dict[str, Any]:
        line = {"color": color, "width": 1, "dash": "dot"}
        return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": y, "y1": y, "line": line}

    shapes = [_rule(domain[1] + GAP / 2) for domain in list(_domains(panes).values())[1:]]
    if len(bars):
        last = bars.iloc[-1]
        shapes.append(level(float(last["close"]), "y", UP if last["close"] >= last["open"] else DOWN))
    if "RSI" in panes:
        axis = AXES["RSI"]
        shapes += [level(70, axis, "#7d4a55"), level(30, axis, "#2f6b67")]
        band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": 30, "y1": 70, "layer": "below"}
        shapes.append(band | {"fillcolor": "rgba(179,136,255,0.06)", "line": {"width": 0}})
    return shapes


def _rule(y: float) -> dict[str, Any]:
    ends = {"x0": 0, "x1": 1, "y0": round(y, 4), "y1": round(y, 4)}
    return {"type": "line", "xref": "paper", "yref": "paper", **ends, "line": {"color": "#232d3d", "width": 1}}


def _pane_titles(panes: list[str], domains: dict[str, list[float]]) -> list[dict[str, Any]]:
    titles = {"Volume": "Volume", "RSI": "RSI 14", "MACD": "MACD 12 26 9"}
    place = {"xref": "paper", "yref": "paper", "x": 0.004, "xanchor": "left", "yanchor": "top", "showarrow": False}
    return [
        place | {"text": titles[pane], "y": domains[pane][1], "font": {"size": 11, "color": MUTED}}
        for pane in panes
        if pane in titles
    ]


def _last_price(bars: pd.DataFrame, digits: int) -> list[dict[str, Any]]:
    if not len(bars):
        return []
    last = bars.iloc[-1]
    return [
        {
            "xref": "paper",
            "x": 1.0,
            "xanchor": "left",
            "yref": "y",
            "y": float(last["close"]),
            "yanchor": "middle",
            "text": f"{last['close']:,.{digits}f}",
            "showarrow": False,
            "bgcolor": UP if last["close"] >= last["open"] else DOWN,
            "font": {"color": "#ffffff", "size": 11},
            "borderpad": 2,
        }
    ]
