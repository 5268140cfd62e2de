"""Annotations as they are drawn: zones shaded, levels and lines across, marks and texts; each says what it is."""

import json
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import is_color_like, to_hex

from api.pictures.canvas import Area, Canvas, Pane
from api.pictures.scale import Places, spread_apart
from api.pictures.theme import Theme, drawable
from plant.colours import DOWN, UP
from plant.state.newest import Row

_ZONES, _LEVELS, _MARKS = 1, 1.5, 4

_OVER = frozenset(("broken", "failed", "expired"))
"""States in which an object is drawn fainter."""

_UP_WORDS = ("support", "demand", "bull", "low", "s1", "s2", "s3")
_DOWN_WORDS = ("resistance", "supply", "bear", "high", "r1", "r2", "r3")
_APART = 15.0


class Label(NamedTuple):
    """A text at the right edge, at the price that it is about."""

    price: float
    text: str
    color: str


class Style(NamedTuple):
    """How an object is drawn: colour, width in pixels, opacity of what is filled."""

    color: str
    width: float
    opacity: float


def style_of(row: Row, theme: Theme) -> Style:
    """Return how an annotation is drawn: what its style says (colour, width, opacity), else by what it is.

    What the style says and cannot be drawn is passed over.
    """
    words = f"{row['type']} {row['text']} {row['id']}".replace("/", " ").replace("_", " ").lower().split()
    color = theme.neutral
    if row["kind"] in ("zone", "flag", "pivot", "marker") or row["type"] in ("day_level", "floor_pivots"):
        color = UP if any(w.startswith(_UP_WORDS) for w in words) else color
        color = DOWN if any(w.startswith(_DOWN_WORDS) for w in words) and color != UP else color
    try:
        told = json.loads(row["style"] or "{}")
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    own = told.get("colour", told.get("color"))
    color = to_hex(own) if isinstance(own, str) and is_color_like(own) and own != "none" else color
    width, opacity = _number(told.get("width"), 0.5, 6.0, 1.2), _number(told.get("opacity"), 0.02, 1.0, 0.16)
    return Style(color, width, opacity)


def name_of(row: Row) -> str:
    """Return what an annotation is called: its text, else its definition; and its state, if it is over.

    >>> name_of({"text": "", "type": "prev_day_high", "kind": "level", "state": "broken"})
    'prev day high, broken'
    """
    name = row["text"] or (row["type"] if row["type"] not in ("", "user") else row["kind"])
    state = f", {row['state']}" if row["state"] in _OVER else ""
    return drawable(name.replace("_", " ") if not row["text"] else name) + state


def draw_annotations(
    pane: Pane, rows: Sequence[Row], places: Places, theme: Theme, digits: int
) -> tuple[list[Label], list[tuple[float, float, str, str]]]:
    """Draw annotations; return labels for the right edge, and texts in the pane: x, price, text, colour.

    What lies outside the pane is not drawn; a level outside gets its label at the edge, with an arrow.
    """
    labels: list[Label] = []
    texts: list[tuple[float, float, str, str]] = []
    for row in rows:
        style, left = style_of(row, theme), places.x(row["start_at"]) if row["start_at"] is not None else pane.x[0]
        right = places.x(row["end_at"]) if row["end_at"] is not None else pane.x[1]
        if left > pane.x[1] or (row["kind"] in ("zone", "level") and right < pane.x[0]):
            continue
        over = row["state"] in _OVER
        match row["kind"]:
            case "zone":
                _zone(pane, row, style, max(left - 0.5, pane.x[0]), min(right, pane.x[1]), over)
                middle = (min(row["top"], pane.y[1]) + max(row["bottom"], pane.y[0])) / 2
                if row["bottom"] < pane.y[1] and row["top"] > pane.y[0]:
                    text = f"{name_of(row)} {row['bottom']:,.{digits}f} to {row['top']:,.{digits}f}"
                    _named(pane, labels, texts, right, middle, text, style.color)
            case "level":
                ends = [(max(left - 0.5, pane.x[0]), row["price"], min(right, pane.x[1]), row["price"])]
                pane.segments(np.array(ends), style.color, _LEVELS, style.width, "dashed" if over else "solid", 0.9)
                text = f"{name_of(row)} {row['price']:,.{digits}f}"
                _named(pane, labels, texts, right, row["price"], text, style.color)
            case "line" | "flag":
                _line(pane, row, style, left, right, over)
                if pane.x[0] <= right and math.isfinite(row["price_end"]):
                    texts.append((min(right, pane.x[1]), row["price_end"], name_of(row), style.color))
            case _:
                if pane.x[0] <= left <= pane.x[1] and math.isfinite(row["price"]):
                    if row["kind"] != "text":
                        shape = {"pivot": "D", "marker": "o"}.get(row["kind"], "o")
                        size = 5 if row["kind"] == "pivot" else 8
                        pane.marks([left], [row["price"]], shape, size, style.color, theme.surface, _MARKS)
                    if row["kind"] != "pivot":
                        texts.append((left, row["price"], name_of(row), style.color))
    return labels, texts


def write_labels(canvas: Canvas, pane: Pane, labels: Sequence[Label], last: float, size: float) -> None:
    """Write labels at the right edge of a pane, none over another; those that lie outside stand at the edge.

    Those nearest to the `last` price are written; if there are more than fit, how many more.
    """
    low, high = pane.area.top + 10, pane.area.bottom - 10
    room = max(1, int((high - low) / _APART * (0.8 if pane.area.width > 600 else 0.4)))
    inside = [each for each in labels if pane.y[0] <= each.price <= pane.y[1]]
    inside.sort(key=lambda each: abs(each.price - last))
    above = sorted((each for each in labels if each.price > pane.y[1]), key=lambda each: each.price)
    below = sorted((each for each in labels if each.price < pane.y[0]), key=lambda each: -each.price)
    shown = inside[:room]
    told = [each.text for each in shown]
    for beyond, arrow, edge in ((above, "↑", pane.y[1]), (below, "↓", pane.y[0])):
        if beyond and len(shown) < room:
            more = f" and {len(beyond) - 1} more" if len(beyond) > 1 else ""
            shown.append(beyond[0]._replace(price=edge))
            told.append(f"{arrow} {beyond[0].text}{more}")
    if len(inside) > room:
        told[-1] += f" and {len(inside) - room} more"
    places = spread_apart([pane.y_of(each.price) - 8 for each in shown], _APART, low, high)
    for each, text, y in zip(shown, told, places, strict=True):
        wide = canvas.wide(text, size)
        canvas.keep_clear(Area(pane.area.right - wide - 10, y - _APART / 2, wide + 10, _APART))
        canvas.text(
            pane.area.right - 6, y, text, each.color, size, align="right", behind=canvas.theme.surface, alpha=0.72
        )


def write_texts(canvas: Canvas, pane: Pane, texts: Sequence[tuple[float, float, str, str]], size: float) -> None:
    """Write texts beside what they are about, within the pane."""
    for x, price, text, color in texts:
        if not pane.y[0] <= price <= pane.y[1]:
            continue
        at = (pane.x_of(x) + 7, pane.y_of(price) - 8)
        canvas.text(*at, text, color, size, behind=canvas.theme.surface, alpha=0.6, within=pane.area)


def _named(
    pane: Pane,
    labels: list[Label],
    texts: list[tuple[float, float, str, str]],
    right: float,
    price: float,
    text: str,
    color: str,
) -> None:
    """Have an object named at the right edge, or, if it ends before, where it ends."""
    if right < pane.x[1] - 0.25 * (pane.x[1] - pane.x[0]):
        texts.append((right, price, text, color))
    else:
        labels.append(Label(price, text, color))


def _zone(pane: Pane, row: Row, style: Style, left: float, right: float, over: bool) -> None:
    opacity = style.opacity * (0.5 if over else 1.0)
    pane.boxes(np.array([(left, row["bottom"], right, row["top"])]), style.color, _ZONES, opacity)
    edges = [(left, row[name], right, row[name]) for name in ("top", "bottom")]
    pane.segments(np.array(edges), style.color, _ZONES, 1.0, "dashed" if over else "solid", 0.55)


def _line(pane: Pane, row: Row, style: Style, left: float, right: float, over: bool) -> None:
    end = row["price_end"] if math.isfinite(row["price_end"]) else row["price"]
    dashes = "dashed" if over or row["state"] == "forming" else "solid"
    pane.segments(np.array([(left, row["price"], right, end)]), style.color, _LEVELS, max(style.width, 1.4), dashes)


def _number(value: object, low: float, high: float, usual: float) -> float:
    right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return min(max(float(value), low), high) if right else usual  # type: ignore[arg-type]
