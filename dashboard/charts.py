"""Charts: the figure of one symbol, as plain Plotly JSON, made from frames by a pure function.

The x of a bar is its ordinal number, 0 for the oldest bar loaded, so that nights and weekends leave no holes (hour
`rangebreaks` do not work with candlesticks: https://github.com/plotly/plotly.py/issues/2413). The component in `chart/`
puts the tick labels, moves x when old bars drop out, and fits the y axes to the bars in view; `meta` tells it what to
write at the crosshair.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import price_digits
from dashboard.indicators.choice import ABBREVIATIONS, SIGNALS, VOLUME, Choice
from dashboard.indicators.traces import flips, indicator_traces
from dashboard.indicators.traces import numbers as _numbers
from dashboard.panes import DARK, DOWN, PRICE, UP, Palette, Pane, layout, volume_pane

SIDES = ("buy", "sell")
WITHDRAWN = "withdrawn"  # the state of a signal that a correction of the bars took away


def figure(
    bars: pd.DataFrame,
    signals: pd.DataFrame | None,
    shown: Collection[str],
    choices: Sequence[Choice],
    *,
    key: str,
    palette: Palette = DARK,
) -> dict[str, Any]:
    """Return a Plotly figure, a dict with `data` and `layout`, of the bars from `dashboard.bars.chart_bars`.

    `signals` are rows of that table for the same symbol and interval: a marker each, at the bar with the same time;
    `shown` names VOLUME, SIGNALS and texts of `choices`, of which `bars` has the columns; the place of a choice among
    them gives its colour. `key` (symbol and interval) becomes `uirevision`: while it stays, so do zoom and legend.
    Every x is 0..n-1, every number finite or None.
    """
    panes = [PRICE]
    over: list[list[dict[str, Any]]] = []
    below: list[dict[str, Any]] = []
    if VOLUME in shown:
        panes.append(volume_pane(f"y{len(panes) + 1}"))
        below.append(_volume(bars, panes[-1].axis, palette))
    for place, choice in enumerate(choices):
        if choice.text not in shown:
            continue
        kind = choice.kind
        colors = _colors(choice, place, palette)
        if kind is not None and kind.pane == "price":
            over.append(indicator_traces(bars, choice, "y", colors, palette))
            continue
        levels, scale = (kind.levels, kind.scale) if kind is not None else ((), None)
        panes.append(Pane(f"y{len(panes) + 1}", choice.title, 1.6, levels, scale))
        below += indicator_traces(bars, choice, panes[-1].axis, colors, palette)
    over.sort(key=lambda traces: "area" not in traces[0]["meta"])  # bands and their areas lie below other lines
    lines = [trace for traces in over for trace in traces]
    raised = [flip for choice in choices if choice.text in shown for flip in flips(bars, choice)]
    if SIGNALS in shown or raised:
        lines += signal_markers(bars, signals if SIGNALS in shown else None, palette, raised)
    return {"data": [_candles(bars), *lines, *below], "layout": layout(bars, panes, key, palette)}


def _colors(choice: Choice, place: int, palette: Palette) -> tuple[str, ...]:
    """Return the colours of a choice's lines: those of the default ones are known, others take theirs in turn."""
    first, second, third, *_ = palette.lines
    own = {
        "sma_20": (first,),
        "ema_20": (second,),
        "ema_50": (third,),
        "rsi_14": (third,),
        "macd": (palette.macd, palette.macd_signal),
        "bb": (palette.bands,),
    }
    turn = palette.others[place % len(palette.others) :] + palette.others[: place % len(palette.others)]
    return own.get(choice.text, ()) + turn


def signal_markers(
    bars: pd.DataFrame,
    signals: pd.DataFrame | None,
    palette: Palette = DARK,
    raised: Sequence[tuple[int, str, str, str]] = (),
) -> list[dict[str, Any]]:
    """Return traces "Buy", "Sell" and "Withdrawn", with a marker for each bar that has such signals.

    `raised` are further ones: the bar's place, side, name and reason.
    `customdata` of a marker is its list of [signal, reason], which the component shows for the bar at the pointer:
    plain text, because it comes from outside.
    """
    position = {int(time_ns): i for i, time_ns in enumerate(bars["time_ns"])}
    spread = (bars["high"] - bars["low"]).tail(200).mean() if len(bars) else 0.0
    away = 0.9 * float(spread) if np.isfinite(spread) else 0.0
    reasons: dict[str, dict[int, list[list[str]]]] = {"buy": {}, "sell": {}, WITHDRAWN: {}}
    beside: dict[int, str] = {}  # a withdrawn signal's side: where its marker stands
    if signals is not None:
        columns = [signals[name].tolist() for name in ("time_ns", "side", "signal", "detail", "state")]
        for time_ns, side, signal, detail, state in zip(*columns, strict=True):
            x = position.get(time_ns)
            if x is None or side not in SIDES:
                continue
            told = signal_label(str(signal))
            if state == WITHDRAWN:
                reasons[WITHDRAWN].setdefault(x, []).append([f"{side} · {told}", str(detail)])
                beside.setdefault(x, side)
            else:
                reasons[side].setdefault(x, []).append([told, str(detail)])
    for x, side, signal, detail in raised:
        reasons[side].setdefault(x, []).append([signal, detail])
    lows, highs = bars["low"].to_numpy(), bars["high"].to_numpy()
    traces = []
    for name, symbol, size, color in (
        ("buy", "triangle-up", 11, UP),
        ("sell", "triangle-down", 11, DOWN),
        (WITHDRAWN, "x", 7, palette.muted),
    ):
        places = sorted(reasons[name])
        under = [(name if name in SIDES else beside[i]) == "buy" for i in places]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "uid": name,
                "name": name.capitalize(),
                "x": places,
                "y": _numbers(
                    [lows[i] - away if low else highs[i] + away for i, low in zip(places, under, strict=True)]
                ),
                "customdata": [reasons[name][i] for i in places],
                "hoverinfo": "none",
                "marker": {
                    "symbol": symbol,
                    "size": size,
                    "color": color,
                    "line": {"color": palette.surface, "width": 1},
                },
                "yaxis": "y",
                "showlegend": bool(places) or name in SIDES,
                "meta": {"signals": name},
            }
        )
    return traces


def signal_label(signal: str) -> str:
    """Return the name of a signal for people: "golden_cross" is "Golden cross", "rsi_oversold" is "RSI oversold"."""
    words = [word.upper() if word in ABBREVIATIONS else word for word in signal.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def _candles(bars: pd.DataFrame) -> dict[str, Any]:
    return {
        "type": "candlestick",
        "uid": "candles",
        "name": "Price",
        "x": list(range(len(bars))),
        **{name: _numbers(bars[name]) for name in ("open", "high", "low", "close")},
        "increasing": {"line": {"color": UP, "width": 1}, "fillcolor": UP},
        "decreasing": {"line": {"color": DOWN, "width": 1}, "fillcolor": DOWN},
        "yaxis": "y",
        "hoverinfo": "none",
        "showlegend": False,
        "meta": {},
    }


def _volume(bars: pd.DataFrame, axis: str, palette: Palette) -> dict[str, Any]:
    volumes = bars["volume"].to_numpy()
    rising = bars["close"].to_numpy() >= bars["open"].to_numpy()
    return {
        "type": "bar",
        "uid": "volume",
        "name": "Volume",
        "x": list(range(len(bars))),
        "y": _numbers(volumes),
        "marker": {"color": [UP if up else DOWN for up in rising], "opacity": 0.55, "line": {"width": 0}},
        "yaxis": axis,
        "hoverinfo": "none",
        "showlegend": False,
        "meta": {"readout": "Volume", "color": palette.muted, "digits": price_digits(volumes, least=0)},
    }
