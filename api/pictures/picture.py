"""A picture: a viewport drawn as a PNG. Pure, and any thread may draw: matplotlib's Agg without pyplot.

From the top: what it is of, the newest bar in numbers, what must be said of the data; candles with annotations,
signals, fills and lines; volume; a pane for each group of indicators that needs its own; times.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from api.pictures.annotated import draw_annotations, write_labels, write_texts
from api.pictures.candles import draw_candles, draw_extended, draw_grid, draw_lines, draw_volume
from api.pictures.canvas import Area, Canvas, Pane
from api.pictures.marks import (
    Kept,
    draw_fills,
    draw_signals,
    fill_legend,
    fills_of,
    marks_of,
    most_named,
    signal_legend,
)
from api.pictures.scale import Places, Tick, digits_of, price_range, price_ticks, time_ticks
from api.pictures.theme import THEMES, drawable
from api.pictures.viewport import Overlay, Viewport
from plant.colours import DOWN, UP
from plant.errors import QueryError
from plant.rows.intervals import interval_ns

WIDTH, HEIGHT = 1400, 700
"""Pixels, if nothing else is said."""

LEAST, MOST = (320, 200), (4000, 3000)
"""Width and height that a picture may have."""

_LEAST_BARS = 40
"""Bars that there is room for at least."""

_MARGIN, _LABELS = 0.02, 170.0
"""Empty space right of the newest bar, in parts of the bars; in pixels if labels of levels shall not lie over it."""


@dataclass(frozen=True)
class Look:
    """How a picture looks: pixels, and the name of a theme. Raises QueryError for what cannot be drawn."""

    width: int = WIDTH
    height: int = HEIGHT
    theme: str = "dark"

    def __post_init__(self) -> None:
        for name, least, most in zip(("width", "height"), LEAST, MOST, strict=True):
            value = getattr(self, name)
            if not least <= value <= most:
                raise QueryError(f"{name} of a picture is {least:,} to {most:,} pixels, found {value:,}")
        if self.theme not in THEMES:
            raise QueryError(f"theme is {' or '.join(THEMES)}, found {self.theme!r}")


DEFAULT_LOOK = Look()


def png_of(viewport: Viewport, look: Look = DEFAULT_LOOK) -> bytes:
    """Return a viewport as a PNG; the same viewport gives the same bytes.

    One without bars is a picture that says so.
    """
    drawing = _Drawing(viewport, look)
    if len(viewport.bars):
        drawing.draw()
    else:
        drawing.say_nothing_is_there()
    title = f"{viewport.sym} {viewport.interval}"
    return drawing.canvas.png(drawable(title, 200).replace("…", "..."), f"seq {viewport.seq}")


class _Drawing:
    """One picture under way."""

    def __init__(self, viewport: Viewport, look: Look) -> None:
        self.view, self.theme = viewport, THEMES[look.theme]
        self.canvas = Canvas(look.width, look.height, self.theme)
        small = look.width < 700 or look.height < 380
        self.size, self.big = (10.0, 14.0) if small else (11.5, 18.0)
        self.bars = viewport.bars
        self.digits = digits_of(np.concatenate([self.bars.open, self.bars.high, self.bars.low, self.bars.close]))

    def draw(self) -> None:
        """Draw all of it."""
        top = self._head()
        prices, own = self._overlays()
        low, high = self._range([overlay for overlay, _ in prices])
        panes = self._panes(top, low, high, len(own))
        ticks = time_ticks(self._local(), panes[0].pitch * len(self.bars), 58 if self.size < 11 else 70)
        self._price(panes[0], ticks, prices)
        rest = panes[1:]
        if len(rest) > len(own):
            self._volume(rest[0], ticks)
            rest = rest[1:]
        for pane, group in zip(rest, own, strict=True):
            self._own(pane, ticks, group)
        for above, below in pairwise(panes):
            y = (above.area.bottom + below.area.top) / 2
            self.canvas.rule(0, y, self.canvas.width, y, self.theme.day)
        self._times(panes[-1], ticks)

    def say_nothing_is_there(self) -> None:
        """Draw the head, and a sentence."""
        self._head()
        text = f"no bars of {drawable(self.view.sym)} {self.view.interval}"
        self.canvas.text(self.canvas.width / 2, self.canvas.height / 2, text, self.theme.muted, 14, align="center")

    def _local(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.bars.time, tz="UTC").tz_convert(self.view.zone)

    def _head(self) -> float:
        """Write what it is of, and what must be said; return where the head ends."""
        canvas, theme, view = self.canvas, self.theme, self.view
        line = self.big * 1.5
        x, y = 12.0, line * 0.72
        x += canvas.text(x, y, drawable(view.sym, 24), theme.strong, self.big, bold=True) + 8
        x += canvas.text(x, y, view.interval, theme.muted, self.big) + 18
        for note in view.notes:  # in words, on a ground of their own: nobody takes made-up prices for real ones
            text = drawable(note, 80)
            wide = canvas.wide(text, self.size, True)
            if x + wide + 12 > canvas.width:
                x, y = 12.0, y + line
            canvas.text(x + 6, y, text, theme.on_note, self.size, bold=True, behind=theme.note)
            x += wide + 24
        if not len(self.bars):
            return y + line
        x, y, d = 12.0, y + line * 0.95, self.digits
        last, rising = -1, self.bars.close[-1] >= self.bars.open[-1]
        for name in ("open", "high", "low", "close") if canvas.width > 360 else ("close",):
            value = float(getattr(self.bars, name)[last])
            x += canvas.text(x, y, name[0].upper(), theme.muted, self.size) + 4
            x += canvas.text(x, y, f"{value:,.{d}f}", UP if rising else DOWN, self.size) + 10
        volume = _short(float(self.bars.volume[-1]))
        if x + canvas.wide(f"V {volume}", self.size) + 12 < canvas.width:
            x += canvas.text(x, y, "V", theme.muted, self.size) + 4
            x += canvas.text(x, y, volume, theme.strong, self.size) + 14
        first, newest = self._local()[0], self._local()[-1]
        told = f"{_moment(first)} to {_moment(newest, first)} {_zone_name(newest)} · seq {view.seq:,}"
        forming = "newest bar still forming · " if self.bars.forming else ""
        for text in (forming + told, told, forming.removesuffix(" · ")):
            if text and x + canvas.wide(text, self.size) + 12 < canvas.width:
                canvas.text(canvas.width - 12, y, text, theme.muted, self.size, align="right")
                break
        return y + line * 0.62

    def _overlays(self) -> tuple[list[tuple[Overlay, str]], list[list[tuple[Overlay, str]]]]:
        """Return overlays with their colours: those over the bars, and those of each pane of its own."""
        colors = self.theme.lines
        prices: list[tuple[Overlay, str]] = []
        own: dict[str, list[tuple[Overlay, str]]] = {}
        for overlay in self.view.overlays:
            if overlay.pane == "price":
                prices.append((overlay, colors[len(prices) % len(colors)]))
            else:
                group = own.setdefault(overlay.group or overlay.name, [])
                group.append((overlay, colors[(len(group) + 1) % len(colors)]))
        return prices, list(own.values())

    def _range(self, overlays: list[Overlay]) -> tuple[float, float]:
        rows = self.view.annotations
        kinds = {"level": ("price",), "zone": ("top", "bottom"), "line": ("price", "price_end")}
        levels = [row[name] for row in rows for name in kinds.get(row["kind"], ()) if row[name] == row[name]]
        fills = [row["price"] for row in self.view.fills if row["price"] == row["price"]]
        return price_range(self.bars.low, self.bars.high, [each.values for each in overlays], levels + fills)

    def _panes(self, top: float, low: float, high: float, own: int) -> list[Pane]:
        """Return the panes: prices, volume where there is room, and those of indicators."""
        canvas, count = self.canvas, len(self.bars)
        right = max(canvas.wide(f"{value:,.{self.digits}f}", self.size) for value in (low, high)) + 18
        bottom = canvas.height - self.size * 2.1
        weights = [6.0] + [1.2] * (bottom - top > 190) + [1.5] * own
        least = 0.22 * (bottom - top) / max(sum(weights), 1)
        gap = 6.0 if least > 6 else 2.0
        unit = (bottom - top - gap * (len(weights) - 1)) / sum(weights)
        area_width = canvas.width - right
        labelled = canvas.width >= 700 and any(row["kind"] in ("level", "zone") for row in self.view.annotations)
        margin = max(1.0, max(count, _LEAST_BARS) * (_LABELS / (area_width - _LABELS) if labelled else _MARGIN))
        left = min(-0.5 - 0.004 * count, count - 0.5 - _LEAST_BARS)  # a few bars do not fill the whole width
        x = (left, count - 0.5 + margin)
        found = []
        for i, weight in enumerate(weights):
            area = Area(0, top, area_width, weight * unit)
            found.append(canvas.pane(area, x, (low, high) if i == 0 else self._bounds(i - (len(weights) - own))))
            top = area.bottom + gap
        return found

    def _bounds(self, group: int) -> tuple[float, float]:
        """Return from where to where a lower pane goes: of volume (-1), or of a group of overlays."""
        if group < 0:
            most = float(np.nanmax(np.nan_to_num(self.bars.volume)))
            return 0.0, most * 1.12 or 1.0
        overlays = [overlay for overlay, _ in self._overlays()[1][group]]
        values = np.concatenate([*(overlay.values for overlay in overlays), *(np.array(o.levels) for o in overlays)])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        pad = 0.1 * (high - low) or abs(high) * 0.1 or 1.0
        return low - pad, high + pad

    def _price(self, pane: Pane, ticks: list[Tick], overlays: list[tuple[Overlay, str]]) -> None:
        canvas, view, theme, bars = self.canvas, self.view, self.theme, self.bars
        places = Places(bars.time, interval_ns(view.interval))
        draw_extended(pane, bars, theme)
        prices = price_ticks(*pane.y, pane.area.height)
        draw_grid(pane, prices, [t.x for t in ticks if not t.strong], [t.x for t in ticks if t.strong], theme)
        if view.faint:
            size = min(pane.area.height * 0.22, pane.area.width / (0.8 * len(view.faint)))
            canvas.text(pane.area.left + pane.area.width / 2, pane.area.top + pane.area.height / 2, view.faint,
                        theme.muted, size, bold=True, align="center", alpha=0.1)  # fmt: skip
        labels, texts = draw_annotations(pane, view.annotations, places, theme, self.digits)
        draw_candles(pane, bars)
        draw_lines(pane, [overlay for overlay, _ in overlays], [color for _, color in overlays])
        write_labels(canvas, pane, labels, float(bars.close[-1]), self.size - 1)
        marked = marks_of(view.signals, places), fills_of(view.fills, places)
        self._legend(pane, overlays, [*signal_legend(marked[0], theme), *fill_legend(marked[1])])
        draw_signals(canvas, pane, marked[0], bars, theme, self.size - 1)
        draw_fills(canvas, pane, marked[1], theme, self.digits, self.size - 1)
        if most_named(pane):
            write_texts(canvas, pane, texts, self.size - 1)
        close = pane.y_of(float(bars.close[-1]))
        self._scale(pane, [price for price in prices if abs(pane.y_of(price) - close) > self.size * 1.3], self.digits)
        self._last(pane)

    def _scale(self, pane: Pane, prices: list[float], digits: int) -> None:
        for price in prices:
            y = pane.y_of(price)
            if pane.area.top + 5 < y < pane.area.bottom - 5:
                text = f"{price:,.{digits}f}" if digits >= 0 else _short(price)
                self.canvas.text(pane.area.right + 8, y, text, self.theme.muted, self.size)

    def _last(self, pane: Pane) -> None:
        """Draw the last price across, and on the scale."""
        close = float(self.bars.close[-1])
        if not pane.y[0] <= close <= pane.y[1]:
            return
        color = UP if close >= self.bars.open[-1] else DOWN
        pane.segments(np.array([(pane.x[0], close, pane.x[1], close)]), color, 2.5, 1.0, "dotted")
        text = f"{close:,.{self.digits}f}"
        self.canvas.text(pane.area.right + 8, pane.y_of(close), text, "#ffffff", self.size, bold=True, behind=color)

    def _legend(self, pane: Pane, overlays: list[tuple[Overlay, str]], kept: list[Kept]) -> None:
        """Write the names of lines with their newest value, and what the marks are."""
        canvas, theme = self.canvas, self.theme
        x, y = pane.area.left + 12, pane.area.top + 12
        told = []
        for overlay, color in overlays:
            value = _newest(overlay.values)
            told.append((f"{drawable(overlay.name, 24)} {value:,.{self.digits}f}" if value == value else
                         f"{drawable(overlay.name, 24)}: none yet", color))  # fmt: skip
        told += [(f"{each.sign} {each.words}", each.color) for each in kept]
        rows = int(pane.area.height / 110)
        for text, color in told if rows else ():
            wide = canvas.wide(text, self.size)
            if x > pane.area.left + 12 and x + wide > pane.area.right - 12:
                x, y, rows = pane.area.left + 12, y + self.size * 1.5, rows - 1
            if not rows:
                break
            area = Area(x - 4, y - self.size, wide + 8, self.size * 2)
            if not canvas.is_clear(area):
                continue
            canvas.text(x, y, text, color, self.size, behind=theme.surface, alpha=0.75)
            canvas.keep_clear(area)
            x += wide + 16

    def _volume(self, pane: Pane, ticks: list[Tick]) -> None:
        draw_extended(pane, self.bars, self.theme)
        draw_grid(pane, [], [t.x for t in ticks if not t.strong], [t.x for t in ticks if t.strong], self.theme)
        draw_volume(pane, self.bars)
        self.canvas.text(12, pane.area.top + 9, "Volume", self.theme.muted, self.size - 1,
                         behind=self.theme.surface, alpha=0.6)  # fmt: skip
        most = price_ticks(*pane.y, pane.area.height, 30)[-1:]
        self._scale(pane, [value for value in most if value > 0], -1)

    def _own(self, pane: Pane, ticks: list[Tick], group: list[tuple[Overlay, str]]) -> None:
        """Draw the pane of a group of indicators."""
        levels = sorted({level for overlay, _ in group for level in overlay.levels})
        draw_grid(pane, levels, [t.x for t in ticks if not t.strong], [t.x for t in ticks if t.strong], self.theme)
        draw_lines(pane, [overlay for overlay, _ in group], [color for _, color in group])
        digits = digits_of(np.concatenate([overlay.values for overlay, _ in group]), 1)
        digits = 1 if levels else min(digits, max(1, self.digits + 1))
        x = 12.0
        for overlay, color in group:
            value = _newest(overlay.values)
            text = f"{drawable(overlay.name, 24)} " + (f"{value:,.{digits}f}" if value == value else "none yet")
            self.canvas.text(x, pane.area.top + 9, text, color, self.size - 1, behind=self.theme.surface, alpha=0.6)
            x += self.canvas.wide(text, self.size - 1) + 14
        scale = digits_of(np.array(levels), 0) if levels else digits
        self._scale(pane, levels or price_ticks(*pane.y, pane.area.height, 30), scale)

    def _times(self, pane: Pane, ticks: list[Tick]) -> None:
        y = self.canvas.height - self.size * 1.05
        self.canvas.rule(0, pane.area.bottom + 1, self.canvas.width, pane.area.bottom + 1, self.theme.day)
        for tick in ticks:
            half = self.canvas.wide(tick.text, self.size, tick.strong) / 2
            x = pane.x_of(tick.x - 0.5)
            if pane.area.left + half + 2 < x < self.canvas.width - half - 2:
                color = self.theme.strong if tick.strong else self.theme.muted
                self.canvas.text(x, y, tick.text, color, self.size, bold=tick.strong, align="center")


def _newest(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else float("nan")


def _short(value: float) -> str:
    """Return a large number as people write it: 1.2M."""
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def _moment(at: pd.Timestamp, beside: pd.Timestamp | None = None) -> str:
    if beside is not None and at.date() == beside.date():
        return f"{at:%H:%M}"
    return f"{at:%Y-%m-%d}" if at == at.normalize() and beside is None else f"{at:%Y-%m-%d %H:%M}"


def _zone_name(at: pd.Timestamp) -> str:
    name = str(at.tzinfo)
    return name.rpartition("/")[2].replace("_", " ") + (" time" if "/" in name else "")
