"""Panes: price, volume and those of indicators above one another on one x axis, as the `layout` of a Plotly figure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import PLAIN_DIGITS, price_digits, price_text
from plant import colours
from plant.colours import DOWN, UP, Ground


@dataclass(frozen=True)
class Palette(Ground):
    """The colours of a figure that depend on whether the page is dark or light."""

    rule: str  # between panes
    legend: str  # behind the legend
    weaker_up: str
    weaker_down: str
    bands: str
    macd: str
    macd_signal: str
    others: tuple[str, ...]  # lines of further indicators, in turn


DARK = Palette(
    **vars(colours.DARK),
    rule="#232d3d",
    legend="rgba(11,15,23,0.6)",
    weaker_up="#1f6f69",
    weaker_down="#96403f",
    bands="#5b7aa8",
    macd="#4f8ff7",
    macd_signal="#f5a623",
    others=(*colours.DARK.lines[3:], "#ba68c8", "#90a4ae", "#ffd54f"),
)
LIGHT = Palette(
    **vars(colours.LIGHT),
    rule="#d5dbe4",
    legend="rgba(255,255,255,0.7)",
    weaker_up="#93d3cd",
    weaker_down="#f7a9a7",
    bands="#5b7aa8",
    macd="#1d63d8",
    macd_signal="#c2570c",
    others=(*colours.LIGHT.lines[3:], "#8e24aa", "#546e7a", "#b07900"),
)
IN_VIEW = 180  # bars shown at first
MOST_IN_VIEW = 500
RIGHT_MARGIN = 6  # bars of empty space after the newest bar

GAP = 0.025
HEIGHT, ROOMY, MORE = (
    640,
    3,
    110,
)  # pixels of the chart: so high with up to ROOMY panes below the price, and for each more


@dataclass(frozen=True)
class Pane:
    """A part of the chart's height: `weight` beside that of the others, its title, and its y axis ("y", "y2", ...).

    levels   where lines are drawn, with a band between two; scale: from where to where the axis goes, if always
    ticks    format of the labels (https://d3js.org/d3-format), "" those of numbers of any size
    """

    axis: str
    title: str = ""
    weight: float = 1.6
    levels: tuple[float, ...] = ()
    scale: tuple[float, float] | None = None
    ticks: str = ""


PRICE = Pane("y", weight=6.0)


def volume_pane(axis: str) -> Pane:
    """Return the pane of the volume."""
    return Pane(axis, "Volume", 1.1, ticks=".3~s")


def layout(bars: pd.DataFrame, panes: list[Pane], key: str, palette: Palette) -> dict[str, Any]:
    """Return the layout for panes, the first at the top; `key` becomes `uirevision`.

    An axis without a `range` of its own is fitted by the component to the bars in view.
    """
    newest = len(bars) - 1
    domains = _domains(panes)
    digits = price_digits(bars["close"].to_numpy())
    bottom_axis = panes[-1].axis
    muted, grid = palette.muted, palette.grid
    widest = price_text(float(bars["close"].iloc[-1]), digits) if len(bars) else ""
    page: dict[str, Any] = {
        "uirevision": key,
        "meta": {"height": HEIGHT + MORE * max(0, len(panes) - 1 - ROOMY), "last": _last_price(bars, digits)},
        "autosize": True,
        "margin": {"l": 8, "r": max(74, 18 + 7 * len(widest)), "t": 6, "b": 38},
        "paper_bgcolor": palette.surface,
        "plot_bgcolor": palette.surface,
        "font": {"color": muted, "size": 11},
        "dragmode": "pan",
        "hovermode": False,  # the component has a crosshair of its own
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
            "tickfont": {"color": muted},
        },
        "shapes": _day_lines(bars, palette) + _level_lines(panes, palette),
        "annotations": _pane_titles(panes, domains, muted),
    }
    for pane in panes:
        page["yaxis" + pane.axis[1:]] = {
            "domain": domains[pane.axis],
            "anchor": "x",
            "side": "right",
            "fixedrange": True,
            "gridcolor": grid,
            "zeroline": False,
            "nticks": 9 if pane is PRICE else 4,
            "tickfont": {"color": muted},
            "tickformat": _price_ticks(digits) if pane is PRICE else pane.ticks or ",~r",
        } | _scale(pane)
    return page


def _price_ticks(digits: int) -> str:
    return f",.{digits}f" if digits <= PLAIN_DIGITS else ".6~g"


def _scale(pane: Pane) -> dict[str, Any]:
    if pane.scale is None:
        return {}
    low, high = pane.scale
    return {"range": [low, high], "tickvals": sorted({*pane.levels, (low + high) / 2}), "tickformat": "d"}


def _domains(panes: list[Pane]) -> dict[str, list[float]]:
    """Share the height among the panes, the first at the top."""
    gap = GAP * min(1.0, 4 / len(panes))
    free = 1.0 - gap * (len(panes) - 1)
    total = sum(pane.weight for pane in panes)
    domains, top = {}, 1.0
    for pane in panes:
        bottom = top - free * pane.weight / total
        domains[pane.axis] = [round(max(0.0, bottom), 4), round(top, 4)]
        top = bottom - gap
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


def _level_lines(panes: list[Pane], palette: Palette) -> list[dict[str, Any]]:
    def level(y: float, axis: str, color: str) -> dict[str, Any]:
        line = {"color": color, "width": 1, "dash": "dot"}
        return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis, "y0": y, "y1": y, "line": line}

    domains = list(_domains(panes).values())
    shapes = [_rule((above[0] + below[1]) / 2, palette.rule) for above, below in pairwise(domains)]
    for pane in panes:
        if len(pane.levels) != 2:
            shapes += [level(y, pane.axis, palette.rule) for y in pane.levels]
            continue
        low, high = pane.levels
        shapes += [level(high, pane.axis, palette.weaker_down), level(low, pane.axis, palette.weaker_up)]
        place = {"xref": "paper", "x0": 0, "x1": 1, "yref": pane.axis, "y0": low, "y1": high, "layer": "below"}
        shapes.append({"type": "rect", **place, "fillcolor": "rgba(179,136,255,0.06)", "line": {"width": 0}})
    return shapes


def _rule(y: float, color: str) -> dict[str, Any]:
    ends = {"x0": 0, "x1": 1, "y0": round(y, 4), "y1": round(y, 4)}
    return {"type": "line", "xref": "paper", "yref": "paper", **ends, "line": {"color": color, "width": 1}}


def _pane_titles(panes: list[Pane], domains: dict[str, list[float]], muted: str) -> list[dict[str, Any]]:
    place = {"xref": "paper", "yref": "paper", "x": 0.004, "xanchor": "left", "yanchor": "top", "showarrow": False}
    return [
        place | {"text": escape(pane.title), "y": domains[pane.axis][1], "font": {"size": 11, "color": muted}}
        for pane in panes
        if pane.title
    ]


def _last_price(bars: pd.DataFrame, digits: int) -> dict[str, Any] | None:
    """Return what the component draws of the newest price: it moves with every tick, unlike the rest."""
    if not len(bars):
        return None
    last = bars.iloc[-1]
    close = float(last["close"])
    return {"y": close, "text": price_text(close, digits), "color": UP if close >= last["open"] else DOWN}
