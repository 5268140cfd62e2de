"""Panes: price, volume, RSI and MACD above one another on one x axis, as the `layout` of a Plotly figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import PLAIN_DIGITS, price_digits, price_text

UP, DOWN = "#26a69a", "#ef5350"


@dataclass(frozen=True)
class Palette:
    """The colours of a figure that depend on whether the page is dark or light."""

    surface: str
    muted: str  # labels
    grid: str
    rule: str  # between panes
    day: str  # where a day begins
    legend: str  # behind the legend
    weaker_up: str
    weaker_down: str
    bands: str
    sma_20: str
    ema_20: str
    ema_50: str
    macd: str
    macd_signal: str


DARK = Palette(
    surface="#0b0f17",
    muted="#8391a7",
    grid="#1a2332",
    rule="#232d3d",
    day="#2b3850",
    legend="rgba(11,15,23,0.6)",
    weaker_up="#1f6f69",
    weaker_down="#96403f",
    bands="#5b7aa8",
    sma_20="#f5b83d",
    ema_20="#4fc3f7",
    ema_50="#b388ff",
    macd="#4f8ff7",
    macd_signal="#f5a623",
)
LIGHT = Palette(
    surface="#ffffff",
    muted="#5b6779",
    grid="#edf0f4",
    rule="#d5dbe4",
    day="#b9c3d1",
    legend="rgba(255,255,255,0.7)",
    weaker_up="#93d3cd",
    weaker_down="#f7a9a7",
    bands="#5b7aa8",
    sma_20="#c77700",
    ema_20="#0277bd",
    ema_50="#7c3aed",
    macd="#1d63d8",
    macd_signal="#c2570c",
)
IN_VIEW = 180  # bars shown at first
MOST_IN_VIEW = 500
RIGHT_MARGIN = 6  # bars of empty space after the newest bar


PANES = {"price": 6.0, "Volume": 1.1, "RSI": 1.5, "MACD": 1.7}
AXES = {"price": "y", "Volume": "y2", "RSI": "y3", "MACD": "y4"}
GAP = 0.025


def layout(bars: pd.DataFrame, panes: list[str], key: str, palette: Palette) -> dict[str, Any]:
    """Return the layout for the named PANES, in their order; `key` becomes `uirevision`.

    An axis without a `range` of its own is fitted by the component to the bars in view.
    """
    newest = len(bars) - 1
    domains = _domains(panes)
    digits = price_digits(bars["close"].to_numpy())
    bottom_axis = AXES[panes[-1]]
    muted, grid = palette.muted, palette.grid
    widest = price_text(float(bars["close"].iloc[-1]), digits) if len(bars) else ""
    page: dict[str, Any] = {
        "uirevision": key,
        "autosize": True,
        "margin": {"l": 8, "r": max(74, 18 + 7 * len(widest)), "t": 6, "b": 38},
        "paper_bgcolor": palette.surface,
        "plot_bgcolor": palette.surface,
        "font": {"color": muted, "size": 11},
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
            "bgcolor": palette.legend,
            "font": {"size": 11, "color": muted},
        },
        "xaxis": {
            "type": "linear",
            "anchor": bottom_axis,
            "range": [max(-1, newest - IN_VIEW) + 0.5, newest + RIGHT_MARGIN + 0.5],
            "rangeslider": {"visible": False},
            "gridcolor": grid,
            "zeroline": False,
            "showspikes": True,
            "spikemode": "across",
            "spikesnap": "hovered data",
            "spikethickness": 1,
            "spikedash": "dot",
            "spikecolor": muted,
            "tickfont": {"color": muted},
        },
        "shapes": _day_lines(bars, palette) + _level_lines(bars, panes, palette),
        "annotations": _pane_titles(panes, domains, muted) + _last_price(bars, digits),
    }
    for pane in panes:
        axis = AXES[pane]
        page["yaxis" + axis[1:]] = {
            "domain": domains[pane],
            "anchor": "x",
            "side": "right",
            "fixedrange": True,
            "gridcolor": grid,
            "zeroline": False,
            "nticks": 9 if pane == "price" else 4,
            "tickfont": {"color": muted},
            "tickformat": _tick_format(pane, digits),
        }
    if "RSI" in panes:
        page["yaxis3"] |= {"range": [0, 100], "tickvals": [30, 50, 70]}
    page["yaxis"] |= {
        "showspikes": True,
        "spikemode": "across",
        "spikesnap": "cursor",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": muted,
    }
    return page


def _tick_format(pane: str, digits: int) -> str:
    """Return the labels of an axis, as a format of D3 (https://d3js.org/d3-format)."""
    if pane == "price":
        return f",.{digits}f" if digits <= PLAIN_DIGITS else ".6~g"
    return {"Volume": ".3~s", "RSI": "d"}.get(pane, ",~r" if digits <= 5 else ".3~g")


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


def _day_lines(bars: pd.DataFrame, palette: Palette) -> list[dict[str, Any]]:
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
            "line": {"color": palette.day, "width": 1, "dash": "dot"},
        }
        for i in np.flatnonzero(days.ne(days.shift()).to_numpy())
        if i > 0
    ]


def _level_lines(bars: pd.DataFrame, panes: list[str], palette: Palette) -> list[dict[str, Any]]:
    def level(y: float, axis: str, color: str) -> dict[str, Any]:
        line = {"color": color, "width": 1, "dash": "dot"}
        return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": y, "y1": y, "line": line}

    shapes = [_rule(domain[1] + GAP / 2, palette.rule) for domain in list(_domains(panes).values())[1:]]
    if len(bars):
        last = bars.iloc[-1]
        shapes.append(level(float(last["close"]), "y", UP if last["close"] >= last["open"] else DOWN))
    if "RSI" in panes:
        axis = AXES["RSI"]
        shapes += [level(70, axis, palette.weaker_down), level(30, axis, palette.weaker_up)]
        band = {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": 30, "y1": 70, "layer": "below"}
        shapes.append(band | {"fillcolor": "rgba(179,136,255,0.06)", "line": {"width": 0}})
    return shapes


def _rule(y: float, color: str) -> dict[str, Any]:
    ends = {"x0": 0, "x1": 1, "y0": round(y, 4), "y1": round(y, 4)}
    return {"type": "line", "xref": "paper", "yref": "paper", **ends, "line": {"color": color, "width": 1}}


def _pane_titles(panes: list[str], domains: dict[str, list[float]], muted: str) -> list[dict[str, Any]]:
    titles = {"Volume": "Volume", "RSI": "RSI 14", "MACD": "MACD 12 26 9"}
    place = {"xref": "paper", "yref": "paper", "x": 0.004, "xanchor": "left", "yanchor": "top", "showarrow": False}
    return [
        place | {"text": titles[pane], "y": domains[pane][1], "font": {"size": 11, "color": muted}}
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
            "text": price_text(float(last["close"]), digits),
            "showarrow": False,
            "bgcolor": UP if last["close"] >= last["open"] else DOWN,
            "font": {"color": "#ffffff", "size": 11},
            "borderpad": 2,
        }
    ]
