"""How indicators are drawn: traces of Plotly from the columns of their outputs, by what the outputs are called. Pure.

A line for each output, but for
- two that are the edges of something (upper and lower, span_a and span_b): with the area between them;
- a histogram, and TA-Lib's patterns: bars from 0;
- one that tells the side (position, direction): a trailing line, green below the price, red above it, broken where it
  changes side;
- a parabolic stop: dots; open, high, low and close: candles.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import price_digits
from dashboard.indicators.choice import Choice
from dashboard.panes import DOWN, UP, Palette

SIDES = ("position", "direction", "trend")
EDGES = (("upper", "lower"), ("upperband", "lowerband"), ("span_a", "span_b"))
HISTOGRAMS = ("histogram", "macdhist")
CANDLES = (("open", "high", "low", "close"), ("haopen", "hahigh", "halow", "haclose"))
DOTTED = ("psar", "SAR", "SAREXT")
PATTERNS = "Pattern Recognition"
FILL = "rgba(91,122,168,0.10)"

Trace = dict[str, Any]


def indicator_traces(
    bars: pd.DataFrame, choice: Choice, axis: str, colors: tuple[str, ...], palette: Palette
) -> list[Trace]:
    """Return the traces of a choice, whose columns are among those of `bars`, on a y axis; `colors` are its own.

    The first of those that may stand in the legend does, by the choice's label; all are in one group of it.
    """
    found = list(_traces(bars, choice, axis, colors, palette))
    legend = choice.label if axis == "y" else ""
    for trace in found:
        trace |= {"yaxis": axis, "legendgroup": choice.text, "showlegend": False}
    for trace in found:
        if legend and "area" not in trace.get("meta", {}):
            trace |= {"showlegend": True, "name": legend}
            break
    return found


def flips(bars: pd.DataFrame, choice: Choice) -> list[tuple[int, str, str, str]]:
    """Return the signals of a UT Bot: the bar's place, side, name and reason, where its position becomes 1 or -1.

    Empty for what is no UT Bot, and for one that is declared: the processor raises its signals. The newest bar may
    still form, and has none.
    """
    if choice.declaration.kind != "ut_bot" or choice.declared:
        return []
    stops, positions = (bars[column].to_numpy(dtype=np.float64) for column in choice.columns)
    closes = bars["close"].to_numpy(dtype=np.float64)
    digits = price_digits(closes)
    found = []
    with np.errstate(invalid="ignore"):
        changed = np.flatnonzero((positions[1:-1] != positions[:-2]) & np.isfinite(positions[:-2])) + 1
    for i in changed.tolist():
        if positions[i] in (1, -1):
            side, word = ("buy", "above") if positions[i] == 1 else ("sell", "below")
            told = f"close {closes[i]:,.{digits}f} {word} the stop, now {stops[i]:,.{digits}f}"
            found.append((i, side, choice.label, told))
    return found


def numbers(values: Any) -> list[float | None]:
    """Return finite floats of 12 significant digits, None for the rest: JSON has no NaN."""
    floats = np.asarray(values, dtype=np.float64)
    return [float(f"{value:.12g}") if isfinite(value) else None for value in floats.tolist()]


def line(bars: pd.DataFrame, values: Any, uid: str, label: str, color: str, digits: int, width: float = 1.4) -> Trace:
    """Return a line with a value for each bar, whose readout is called `label`."""
    return {
        "type": "scatter",
        "mode": "lines",
        "uid": uid,
        "name": label,
        "x": list(range(len(bars))),
        "y": numbers(values),
        "line": {"color": color, "width": width},
        "hoverinfo": "none",
        "meta": {"readout": label, "color": color, "digits": digits},
    }


def histogram(bars: pd.DataFrame, values: Any, uid: str, label: str, digits: int, palette: Palette) -> Trace:
    """Return bars from 0, stronger while they grow away from it."""
    heights = np.asarray(values, dtype=np.float64)
    growing = np.diff(heights, prepend=np.nan) >= 0
    up, down = np.where(growing, UP, palette.weaker_up), np.where(growing, palette.weaker_down, DOWN)
    return {
        "type": "bar",
        "uid": uid,
        "name": label,
        "x": list(range(len(bars))),
        "y": numbers(heights),
        "marker": {"color": np.where(heights >= 0, up, down).tolist(), "opacity": 0.8, "line": {"width": 0}},
        "hoverinfo": "none",
        "meta": {"readout": label, "color": palette.muted, "digits": digits},
    }


def band(upper: list[float | None], lower: list[float | None]) -> tuple[list[int | None], list[float | None]]:
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


def _traces(
    bars: pd.DataFrame, choice: Choice, axis: str, colors: tuple[str, ...], palette: Palette
) -> Iterator[Trace]:
    names = choice.declaration.outputs
    columns = dict(zip(names, choice.columns, strict=True))
    values = {name: bars[column].to_numpy(dtype=np.float64) for name, column in columns.items()}
    closes = price_digits(bars["close"].to_numpy())
    digits = closes if axis == "y" else _digits(values, choice, closes)
    kind = choice.kind
    if names in CANDLES:
        yield _candles(bars, columns, values, choice.label, palette)
        return
    side = next((name for name in names if name in SIDES and len(names) == 2), None)
    if side is not None and kind is not None:
        main = next(name for name in names if name != side)
        yield from _trailing(bars, values[main], values[side], columns[main], choice.label, digits)
        return
    edges = next((pair for pair in EDGES if set(pair) <= set(names)), ())
    if edges and axis == "y":
        yield _area(bars, columns, values, edges, choice.text)
    color = iter(colors)
    for name in names:
        label = choice.label if not name or len(names) == 1 else f"{choice.label} {name.replace('_', ' ')}"
        if name in HISTOGRAMS or (kind is not None and kind.category == PATTERNS):
            yield histogram(bars, values[name], columns[name], label, digits, palette)
        elif kind is not None and kind.name in DOTTED:
            yield _dots(bars, values[name], columns[name], label, next(color), digits)
        else:
            edge = name in edges
            yield line(
                bars,
                values[name],
                columns[name],
                label,
                palette.bands if edge else next(color),
                digits,
                1 if edge else 1.4,
            )


def _digits(values: dict[str, np.ndarray], choice: Choice, closes: int) -> int:
    """Return the decimals of an indicator in a pane of its own: one where it has a scale, as prices have, or more."""
    if choice.kind is not None and choice.kind.category == PATTERNS:
        return 0
    if choice.kind is not None and choice.kind.scale is not None:
        return 1
    sizes = [float(np.nanmedian(np.abs(v))) for v in values.values() if np.isfinite(v).any()]
    size = max(sizes, default=0.0)
    return 0 if size >= 1e5 else 1 if size >= 100 else 2 if size >= 10 else closes + 1


def _trailing(
    bars: pd.DataFrame, stop: np.ndarray, side: np.ndarray, uid: str, label: str, digits: int
) -> Iterator[Trace]:
    for name, mine, color in (("up", side > 0, UP), ("down", side < 0, DOWN)):
        trace = line(bars, np.where(mine, stop, np.nan), f"{uid}_{name}", label, color, digits, 2)
        trace["meta"]["sided"] = True  # where it is not, the other one is
        yield trace


def _area(
    bars: pd.DataFrame, columns: dict[str, str], values: dict[str, np.ndarray], edges: tuple[str, ...], text: str
) -> Trace:
    upper, lower = (numbers(values[name]) for name in edges)
    places, prices = band(upper, lower)
    return {
        "type": "scatter",
        "mode": "lines",
        "uid": f"{text}_fill",
        "name": "fill",
        "x": places,
        "y": prices,
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": FILL,
        "hoverinfo": "skip",
        "meta": {"area": [columns[name] for name in edges]},
    }


def _dots(bars: pd.DataFrame, values: np.ndarray, uid: str, label: str, color: str, digits: int) -> Trace:
    trace = line(bars, values, uid, label, color, digits)
    del trace["line"]
    return trace | {"mode": "markers", "marker": {"color": color, "size": 3}}


def _candles(
    bars: pd.DataFrame, columns: dict[str, str], values: dict[str, np.ndarray], label: str, palette: Palette
) -> Trace:
    names = dict(zip(("open", "high", "low", "close"), columns, strict=True))
    return {
        "type": "candlestick",
        "uid": columns[names["close"]],
        "name": label,
        "x": list(range(len(bars))),
        **{price: numbers(values[name]) for price, name in names.items()},
        "increasing": {"line": {"color": palette.macd, "width": 1}, "fillcolor": "rgba(0,0,0,0)"},
        "decreasing": {"line": {"color": palette.macd_signal, "width": 1}, "fillcolor": "rgba(0,0,0,0)"},
        "hoverinfo": "none",
        "meta": {},
    }
