"""Candles, volume and lines over them, drawn into panes."""

import numpy as np

from api.pictures.canvas import Pane
from api.pictures.theme import Theme
from api.pictures.viewport import Overlay, PlainBars
from plant.colours import DOWN, UP

_EXTENDED, _GRID, _VOLUME, _WICKS, _BODIES, _LINES = 0.1, 0.5, 2, 2, 2.1, 3


def draw_extended(pane: Pane, bars: PlainBars, theme: Theme) -> None:
    """Shade what lies outside regular sessions."""
    if bars.extended is None or not bars.extended.any():
        return
    edges = np.flatnonzero(np.diff(np.concatenate(([0], bars.extended.astype(np.int8), [0]))))
    firsts, ends = edges[::2] - 0.5, edges[1::2] - 0.5
    low, high = np.full(len(firsts), pane.y[0]), np.full(len(firsts), pane.y[1])
    pane.boxes(np.stack((firsts, low, ends, high), axis=1), theme.extended, _EXTENDED)


def draw_grid(pane: Pane, prices: list[float], times: list[int], days: list[int], theme: Theme) -> None:
    """Draw lines across at prices, and up at bars; those at which a day begins are stronger."""
    across = [(pane.x[0], price, pane.x[1], price) for price in prices]
    pane.segments(np.array(across), theme.grid, _GRID)
    for places, color in ((times, theme.grid), (days, theme.day)):
        pane.segments(np.array([(x - 0.5, pane.y[0], x - 0.5, pane.y[1]) for x in places]), color, _GRID)


def draw_candles(pane: Pane, bars: PlainBars) -> None:
    """Draw bars: body from open to close, wick from low to high; wicks alone where there is no room for bodies."""
    at, rising = np.arange(len(bars), dtype=np.float64), bars.close >= bars.open
    bodies = pane.pitch >= 3
    half = min(0.38, 0.5 - 0.5 / pane.pitch) if bodies else 0.0
    least = (pane.y[1] - pane.y[0]) / pane.area.height  # a bar that opens and closes at one price is a line
    for mine, color in ((rising, UP), (~rising, DOWN)):
        x = at[mine]
        ends = np.stack((x, bars.low[mine], x, np.maximum(bars.high[mine], bars.low[mine] + least)), axis=1)
        pane.segments(ends, color, _WICKS)
        if bodies:
            low, high = (f(bars.open[mine], bars.close[mine]) for f in (np.minimum, np.maximum))
            pane.boxes(np.stack((x - half, low, x + half, np.maximum(high, low + least)), axis=1), color, _BODIES)


def draw_volume(pane: Pane, bars: PlainBars) -> None:
    """Draw volumes from 0, in the colour of their candles."""
    rising, at = bars.close >= bars.open, np.arange(len(bars), dtype=np.float64)
    half = 0.38
    for mine, color in ((rising, UP), (~rising, DOWN)):
        x, volume = at[mine], np.nan_to_num(bars.volume[mine])
        if pane.pitch < 3:
            pane.segments(np.stack((x, np.zeros(len(x)), x, volume), axis=1), color, _VOLUME, alpha=0.6)
        else:
            pane.boxes(np.stack((x - half, np.zeros(len(x)), x + half, volume), axis=1), color, _VOLUME, alpha=0.5)


def draw_lines(pane: Pane, overlays: list[Overlay], colors: list[str]) -> None:
    """Draw overlays, each in its colour."""
    for overlay, color in zip(overlays, colors, strict=True):
        pane.line(np.arange(len(overlay.values)), np.asarray(overlay.values, np.float64), color, _LINES)
