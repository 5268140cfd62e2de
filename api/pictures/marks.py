"""Signals and fills as marks on the bars that they belong to."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from api.pictures.canvas import Canvas, Pane
from api.pictures.scale import Places
from api.pictures.theme import Theme, drawable
from api.pictures.viewport import PlainBars
from plant.colours import DOWN, UP
from plant.state.newest import Row

_SIGNALS, _FILLS = 4, 5
_AWAY = 9.0

Signals = Mapping[tuple[str, bool], Sequence[tuple[int, Row]]]
"""By side, and whether they are withdrawn: the bar of each, and its row."""

Fills = Mapping[str, Sequence[tuple[int, Row]]]
"""By side: the bar of each, and its row."""


class Kept(NamedTuple):
    """What a legend says of marks: a sign, words, their colour."""

    sign: str
    words: str
    color: str


def most_named(pane: Pane) -> int:
    """Return how many marks of a kind are named: so many that their names find room."""
    roomy = pane.area.width > 450 and pane.area.height > 180
    return int(pane.area.width * pane.area.height / 40_000) if roomy else 0


def marks_of(rows: Sequence[Row], places: Places) -> Signals:
    """Return the signals that lie in the bars; of one bar, side and name the last, as it is what counts."""
    found: dict[tuple[str, bool], dict[tuple[int, str], Row]] = {}
    for row in rows:
        at = places.bar(row["time"])
        if at is not None and row["side"] in ("buy", "sell"):
            found.setdefault((row["side"], row["state"] == "withdrawn"), {})[at, row["signal"]] = row
    return {key: [(at, row) for (at, _), row in those.items()] for key, those in sorted(found.items())}


def fills_of(rows: Sequence[Row], places: Places) -> Fills:
    """Return the fills that lie in the bars, by their time in the market."""
    found: dict[str, list[tuple[int, Row]]] = {}
    for row in rows:
        at = places.bar(row["market_time"] if row["market_time"] is not None else row["time"])
        if at is not None and row["side"] in ("buy", "sell") and math.isfinite(row["price"]):
            found.setdefault(row["side"], []).append((at, row))
    return dict(sorted(found.items()))


def signal_legend(signals: Signals, theme: Theme) -> list[Kept]:
    """Return what a legend says of signals."""
    found = []
    for (side, withdrawn), those in signals.items():
        words = f"{len(those)} {side} signal{'s' * (len(those) > 1)}" + (" withdrawn" if withdrawn else "")
        sign, color = _signal_sign(side, withdrawn, theme)
        found.append(Kept(sign, words, color))
    return found


def fill_legend(fills: Fills) -> list[Kept]:
    """Return what a legend says of fills."""
    signs = {"buy": ("►", UP), "sell": ("◄", DOWN)}
    return [
        Kept(signs[side][0], f"{len(those)} {side} fill{'s' * (len(those) > 1)}", signs[side][1])
        for side, those in fills.items()
    ]


def draw_signals(canvas: Canvas, pane: Pane, signals: Signals, bars: PlainBars, theme: Theme, size: float) -> None:
    """Draw signals: buys below their bar, sells above it, withdrawn ones as crosses; named while they are few."""
    step = (pane.y[1] - pane.y[0]) / pane.area.height
    named = sum(map(len, signals.values())) <= most_named(pane)
    counts: dict[tuple[int, str], int] = {}
    for (side, withdrawn), those in signals.items():
        color = _signal_sign(side, withdrawn, theme)[1]
        shape = "x" if withdrawn else "^" if side == "buy" else "v"
        xs, ys = [], []
        for at, row in those:
            nth = counts[at, side] = counts.get((at, side), -1) + 1
            away = (_AWAY + nth * 14) * step
            xs.append(float(at))
            ys.append(float(bars.low[at]) - away if side == "buy" else float(bars.high[at]) + away)
            if named:
                y = pane.y_of(ys[-1]) + (12 if side == "buy" else -12)
                text = drawable(row["signal"].replace("_", " "), 24)
                terms = {"align": "center", "behind": theme.surface, "alpha": 0.6, "within": pane.area}
                canvas.text(pane.x_of(at), y, text, color, size, **terms)
        pane.marks(xs, ys, shape, 8, color, color if withdrawn else theme.surface, _SIGNALS)


def draw_fills(canvas: Canvas, pane: Pane, fills: Fills, theme: Theme, digits: int, size: float) -> None:
    """Draw fills at their price; while they are few each says what it is."""
    named = sum(map(len, fills.values())) <= most_named(pane)
    for side, those in fills.items():
        color, shape = (UP, ">") if side == "buy" else (DOWN, "<")
        pane.marks([at for at, _ in those], [row["price"] for _, row in those], shape, 10, color, theme.strong, _FILLS)
        for at, row in those if named else ():
            text = f"{side} {row['qty']:g} at {row['price']:,.{digits}f}"
            x, align = (pane.x_of(at) - 10, "right") if side == "buy" else (pane.x_of(at) + 10, "left")
            terms = {"align": align, "behind": theme.surface, "alpha": 0.6, "within": pane.area}
            canvas.text(x, pane.y_of(row["price"]), text, theme.strong, size, **terms)


def _signal_sign(side: str, withdrawn: bool, theme: Theme) -> tuple[str, str]:
    if withdrawn:
        return "\u00d7", theme.muted
    return ("▲", UP) if side == "buy" else ("▼", DOWN)
