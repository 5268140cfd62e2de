"""Charts: the figure of one symbol, as plain Plotly JSON, made from frames by a pure function.

The x of a bar is its ordinal number, 0 for the oldest bar loaded, so that nights and weekends leave no holes (hour
`rangebreaks` do not work with candlesticks: https://github.com/plotly/plotly.py/issues/2413). The component in `chart/`
puts the tick labels, moves x when old bars drop out, and fits the y axes to the bars in view; `meta` tells it what to
write at the crosshair.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import price_digits
from dashboard.panes import AXES, DARK, DOWN, PANES, UP, Palette, layout

PRICE_LINES = {"SMA 20": "sma_20", "EMA 20": "ema_20", "EMA 50": "ema_50"}
LAYERS = ("Volume", *PRICE_LINES, "Bollinger", "RSI", "MACD", "Signals")  # what can be switched on and off


def figure(
    bars: pd.DataFrame, signals: pd.DataFrame | None, shown: Collection[str], *, key: str, palette: Palette = DARK
) -> dict[str, Any]:
    """Return a Plotly figure, a dict with `data` and `layout`, of the bars from `dashboard.bars.chart_bars`.

    `signals` are rows of that table for the same symbol and interval: a marker each, at the bar with the same time;
    `shown` names LAYERS; `key` (symbol and interval) becomes `uirevision`: while it stays, so do zoom and legend.
    Every x is 0..n-1, every number finite or None.
    """
    x = list(range(len(bars)))
    panes = [pane for pane in PANES if pane == "price" or pane in shown]
    traces = [_candles(bars, x)]
    if "Bollinger" in shown:
        traces += _bollinger(bars, x, palette)
    for label, column in PRICE_LINES.items():
        if label in shown:
            traces.append(_line(bars, x, column, label, getattr(palette, column), "y"))
    if "Signals" in shown:
        traces += signal_markers(bars, signals, palette)
    if "Volume" in shown:
        traces.append(_volume(bars, x, palette))
    if "RSI" in shown:
        traces.append(_line(bars, x, "rsi_14", "RSI 14", palette.ema_50, AXES["RSI"], legend=False))
    if "MACD" in shown:
        traces += _macd(bars, x, palette)
    return {"data": traces, "layout": layout(bars, panes, key, palette)}


def signal_markers(bars: pd.DataFrame, signals: pd.DataFrame | None, palette: Palette = DARK) -> list[dict[str, Any]]:
    """Return two traces, "Buy" and "Sell", with a marker for each bar that has such signals.

    `customdata` of a marker is its list of [signal, reason], which the component shows for the bar at the pointer:
    plain text, because it comes from outside.
    """
    position = {int(time_ns): i for i, time_ns in enumerate(bars["time_ns"])}
    spread = (bars["high"] - bars["low"]).tail(200).mean() if len(bars) else 0.0
    away = 0.9 * float(spread) if np.isfinite(spread) else 0.0
    reasons: dict[str, dict[int, list[list[str]]]] = {"buy": {}, "sell": {}}
    if signals is not None:
        columns = [signals[name].tolist() for name in ("time_ns", "side", "signal", "detail")]
        for time_ns, side, signal, detail in zip(*columns, strict=True):
            x = position.get(time_ns)
            if x is not None and side in reasons:
                reasons[side].setdefault(x, []).append([signal_label(str(signal)), str(detail)])
    traces = []
    for side, column, sign, symbol, color in (
        ("buy", "low", -1.0, "triangle-up", UP),
        ("sell", "high", 1.0, "triangle-down", DOWN),
    ):
        places = sorted(reasons[side])
        prices = bars[column].to_numpy()
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "uid": side,
                "name": side.capitalize(),
                "x": places,
                "y": _numbers(np.array([prices[i] + sign * away for i in places])),
                "customdata": [reasons[side][i] for i in places],
                "hoverinfo": "none",
                "marker": {
                    "symbol": symbol,
                    "size": 11,
                    "color": color,
                    "line": {"color": palette.surface, "width": 1},
                },
                "yaxis": "y",
                "meta": {"signals": side},
            }
        )
    return traces


def signal_label(signal: str) -> str:
    """Return the name of a signal for people: "golden_cross" is "Golden cross", "rsi_oversold" is "RSI oversold"."""
    words = [word.upper() if word in {"rsi", "macd", "ema", "sma"} else word for word in signal.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _candles(bars: pd.DataFrame, x: list[int]) -> dict[str, Any]:
    return {
        "type": "candlestick",
        "uid": "candles",
        "name": "Price",
        "x": x,
        **{name: _numbers(bars[name].to_numpy()) for name in ("open", "high", "low", "close")},
        "increasing": {"line": {"color": UP, "width": 1}, "fillcolor": UP},
        "decreasing": {"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
        "yaxis": "y",
        "hoverinfo": "none",
        "showlegend": False,
    }


def _volume(bars: pd.DataFrame, x: list[int], palette: Palette) -> dict[str, Any]:
    volumes = bars["volume"].to_numpy()
    rising = bars["close"].to_numpy() >= bars["open"].to_numpy()
    return {
        "type": "bar",
        "uid": "volume",
        "name": "Volume",
        "x": x,
        "y": _numbers(volumes),
        "marker": {"color": [UP if up else DOWN for up in rising], "opacity": 0.55, "line": {"width": 0}},
        "yaxis": AXES["Volume"],
        "hoverinfo": "none",
        "showlegend": False,
        "meta": {"readout": "Volume", "color": palette.muted, "digits": price_digits(volumes, least=0)},
    }


def _line(
    bars: pd.DataFrame, x: list[int], column: str, label: str, color: str, axis: str, *, legend: bool = True
) -> dict[str, Any]:
    digits = price_digits(bars["close"].to_numpy()) if axis == "y" else 1
    return {
        "type": "scatter",
        "mode": "lines",
        "uid": column,
        "name": label,
        "x": x,
        "y": _numbers(bars[column].to_numpy()),
        "line": {"color": color, "width": 1.4},
        "yaxis": axis,
        "hoverinfo": "none",
        "showlegend": legend,
        "meta": {"readout": label, "color": color, "digits": digits},
    }


def _bollinger(bars: pd.DataFrame, x: list[int], palette: Palette) -> list[dict[str, Any]]:
    upper = _line(bars, x, "bb_upper", "Bollinger 20/2", palette.bands, "y")
    lower = _line(bars, x, "bb_lower", "Bollinger 20/2", palette.bands, "y", legend=False)
    for trace in (upper, lower):
        trace["line"] = {"color": palette.bands, "width": 1}
        trace["legendgroup"] = "bollinger"
    upper["meta"]["readout"], lower["meta"]["readout"] = "BB upper", "BB lower"
    places, prices = _band(upper["y"], lower["y"])
    fill = {
        "type": "scatter",
        "mode": "lines",
        "uid": "bb_fill",
        "name": "Bollinger fill",
        "x": places,
        "y": prices,
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": "rgba(91,122,168,0.10)",
        "yaxis": "y",
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": "bollinger",
        "meta": {"area": ["bb_upper", "bb_lower"]},
    }
    return [fill, upper, lower]


def _band(upper: list[float | None], lower: list[float | None]) -> tuple[list[int | None], list[float | None]]:
    """Return the outline of the area between two lines, a closed one for each run of bars that has both.

    Plotly's `fill: tonexty` goes on over a hole as a wedge; outlines apart, with None between them, leave it open.
    """
    places: list[int | None] = []
    prices: list[float | None] = []
    whole = [above is not None and below is not None for above, below in zip(upper, lower, strict=True)]
    start = 0
    for known, run in groupby(whole):
        end = start + len(list(run))
        if known:
            there, back = range(start, end), range(end - 1, start - 1, -1)
            places += [*there, *back, None]
            prices += [*(upper[i] for i in there), *(lower[i] for i in back), None]
        start = end
    return places[:-1], prices[:-1]


def _macd(bars: pd.DataFrame, x: list[int], palette: Palette) -> list[dict[str, Any]]:
    axis = AXES["MACD"]
    digits = price_digits(bars["close"].to_numpy()) + 1
    histogram = bars["macd_histogram"].to_numpy()
    growing = np.diff(histogram, prepend=np.nan) >= 0
    colors = np.where(
        histogram >= 0, np.where(growing, UP, palette.weaker_up), np.where(growing, palette.weaker_down, DOWN)
    )
    bar = {
        "type": "bar",
        "uid": "macd_histogram",
        "name": "MACD histogram",
        "x": x,
        "y": _numbers(histogram),
        "marker": {"color": colors.tolist(), "opacity": 0.8, "line": {"width": 0}},
        "yaxis": axis,
        "hoverinfo": "none",
        "showlegend": False,
        "meta": {"readout": "Histogram", "color": palette.muted, "digits": digits},
    }
    lines = [
        _line(bars, x, "macd", "MACD", palette.macd, axis, legend=False),
        _line(bars, x, "macd_signal", "MACD signal", palette.macd_signal, axis, legend=False),
    ]
    for line in lines:
        line["meta"]["digits"] = digits
    return [bar, *lines]


def _numbers(values: np.ndarray) -> list[float | None]:
    """Return finite floats of 12 significant digits, None for the rest: JSON has no NaN."""
    floats = np.asarray(values, dtype=np.float64)
    return [float(f"{value:.12g}") if isfinite(value) else None for value in floats.tolist()]
