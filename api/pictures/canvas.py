"""A canvas: a figure drawn by Agg without pyplot, so that any thread may draw; sizes are pixels from the top left."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from api.pictures.theme import Theme, font

_DPI = 100
_POINTS = 72 / _DPI


class Area(NamedTuple):
    """A part of the canvas in pixels, from the top left."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.top + self.height


class Canvas:
    """A picture under way. No setting of matplotlib's that a user may have changed is used."""

    def __init__(self, width: int, height: int, theme: Theme) -> None:
        self.width, self.height, self.theme = width, height, theme
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=theme.surface)
        self._agg = FigureCanvasAgg(self._figure)
        self._taken: list[Area] = []

    def pane(self, area: Area, x: tuple[float, float], y: tuple[float, float]) -> "Pane":
        """Return a part of the canvas with axes of its own: x and y go from where to where."""
        left, bottom = area.left / self.width, 1 - area.bottom / self.height
        axes = self._figure.add_axes((left, bottom, area.width / self.width, area.height / self.height))
        axes.set_axis_off()
        axes.set_autoscale_on(False)
        axes.set_xlim(*x)
        axes.set_ylim(*y)
        return Pane(axes, area, x, y)

    def text(self, x: float, y: float, text: str, color: str, size: float = 12, **terms: Any) -> float:
        """Write a text, by default with its left edge at x and its middle at y; return its width.

        bold   bool; align: left, center or right; behind: colour of a box behind it, "" for none; alpha
        within an area of the canvas: the text is moved so that it lies in there, and over no other that was kept clear
        """
        bold, align = terms.get("bold", False), terms.get("align", "left")
        wide = self.wide(text, size, bold)
        if (within := terms.get("within")) is not None:
            left = x - wide * {"left": 0.0, "center": 0.5, "right": 1.0}[align]
            left = max(min(left, within.right - wide - 4), within.left + 2)
            y = self._free(left, y, wide, size * 1.3, within)
            x, align = left, "left"
        box = None
        if terms.get("behind"):
            box = {"boxstyle": "square,pad=0.25", "facecolor": terms["behind"], "edgecolor": "none"}
            box["alpha"] = terms.get("alpha", 1.0)
        self._figure.text(
            x / self.width,
            1 - y / self.height,
            text,
            color=color,
            fontproperties=font(bold),
            fontsize=size * _POINTS,
            ha=align,
            va="center_baseline",
            parse_math=False,
            bbox=box,
            alpha=terms.get("alpha") if box is None else None,
        )
        return wide

    def wide(self, text: str, size: float = 12, bold: bool = False) -> float:
        """Return how wide a text is, in pixels."""
        prop = font(bold)
        prop.set_size(size * _POINTS)
        return float(self._agg.get_renderer().get_text_width_height_descent(text, prop, False)[0]) if text else 0.0

    def keep_clear(self, area: Area) -> None:
        """Have texts that may be moved stay out of an area."""
        self._taken.append(area)

    def is_clear(self, area: Area) -> bool:
        """Return whether nothing that was kept clear reaches into an area."""
        return not any(_overlap(area, other) for other in self._taken)

    def _free(self, left: float, y: float, wide: float, high: float, within: Area) -> float:
        """Return the nearest y where a text lies over no other, else the one asked for; the text is kept clear."""
        found = min(max(y, within.top + high / 2), within.bottom - high / 2)
        for step in (0, -1, 1, -2, 2, -3, 3, -4, 4):
            moved = Area(left - 3, y + step * high - high / 2, wide + 6, high)
            inside = within.top <= moved.top and moved.bottom <= within.bottom
            if inside and self.is_clear(moved):
                found = y + step * high
                break
        self.keep_clear(Area(left - 3, found - high / 2, wide + 6, high))
        return found

    def rule(self, x0: float, y0: float, x1: float, y1: float, color: str, width: float = 1.0) -> None:
        """Draw a straight line."""
        xs, ys = (x0 / self.width, x1 / self.width), (1 - y0 / self.height, 1 - y1 / self.height)
        self._figure.add_artist(Line2D(xs, ys, color=color, linewidth=width * _POINTS, antialiased=False))

    def png(self, title: str, comment: str) -> bytes:
        """Return the picture; title and comment are written into the file."""
        out = io.BytesIO()
        self._agg.print_png(out, metadata={"Software": "tickplant", "Title": title, "Comment": comment})
        return out.getvalue()


class Pane:
    """A part of a canvas with axes: what is drawn in it is cut off at its edges."""

    def __init__(self, axes: Axes, area: Area, x: tuple[float, float], y: tuple[float, float]) -> None:
        self._axes, self.area, self.x, self.y = axes, area, x, y

    def x_of(self, x: float) -> float:
        """Return where an x lies on the canvas, pixels."""
        return self.area.left + (x - self.x[0]) / (self.x[1] - self.x[0]) * self.area.width

    def y_of(self, y: float) -> float:
        """Return where a y lies on the canvas, pixels."""
        return self.area.bottom - (y - self.y[0]) / (self.y[1] - self.y[0]) * self.area.height

    @property
    def pitch(self) -> float:
        """Pixels from one bar to the next."""
        return self.area.width / (self.x[1] - self.x[0])

    def boxes(self, corners: np.ndarray, color: str, order: float, alpha: float = 1.0, edge: str = "none") -> None:
        """Fill boxes: corners float64[n, 4], x0, y0, x1, y1 each."""
        if len(corners):
            x0, y0, x1, y1 = corners.T
            shapes = np.stack((np.stack((x0, x1, x1, x0), 1), np.stack((y0, y0, y1, y1), 1)), axis=2)
            terms: dict[str, Any] = {"facecolors": color, "edgecolors": edge, "linewidths": 0.7, "alpha": alpha}
            filled = PolyCollection(list(shapes), **terms, zorder=order, antialiaseds=False)
            self._axes.add_collection(filled, autolim=False)

    def segments(
        self, ends: np.ndarray, color: str, order: float, width: float = 1.0, dashes: str = "solid", alpha: float = 1.0
    ) -> None:
        """Draw straight lines: ends float64[n, 4], x0, y0, x1, y1 each."""
        if len(ends):
            pairs, wide = np.asarray(ends, np.float64).reshape(-1, 2, 2), width * _POINTS
            lines = LineCollection(
                list(pairs), colors=color, linewidths=wide, linestyles=dashes, alpha=alpha, zorder=order
            )
            self._axes.add_collection(lines, autolim=False)

    def line(self, xs: np.ndarray, ys: np.ndarray, color: str, order: float, width: float = 1.4) -> None:
        """Draw a line through points; a NaN leaves a hole."""
        self._axes.add_line(
            Line2D(xs, ys, color=color, linewidth=width * _POINTS, zorder=order, solid_joinstyle="round")
        )

    def marks(
        self, xs: Sequence[float], ys: Sequence[float], shape: str, size: float, face: str, edge: str, order: float
    ) -> None:
        """Draw marks of a shape of matplotlib's, `size` pixels wide."""
        if len(xs):
            self._axes.add_line(
                Line2D(xs, ys, linestyle="none", marker=shape, markersize=size * _POINTS, markerfacecolor=face,
                       markeredgecolor=edge, markeredgewidth=0.9, zorder=order))  # fmt: skip


def _overlap(one: Area, other: Area) -> bool:
    return one.left < other.right and other.left < one.right and one.top < other.bottom and other.top < one.bottom
