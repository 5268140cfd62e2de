"""Bars on which indicators are tried: random walks, and all that is hard for them."""

import numpy as np

from plant.indicators.bars import Bar

MINUTE_NS = 60 * 10**9


def walk(seed: int, bars: int, move: float = 1e-2, start: float = 100.0) -> list[Bar]:
    """Return bars of 40 minutes whose prices move by so much; every tenth has no volume."""
    random = np.random.default_rng(seed)
    close = start * np.exp(np.cumsum(random.normal(0, move, bars)))
    open = close * np.exp(random.normal(0, move, bars))
    high, low = (
        edge(open, close) * np.exp(sign * np.abs(random.normal(0, move, bars)))
        for edge, sign in ((np.maximum, 1), (np.minimum, -1))
    )
    volume = np.where(random.random(bars) < 0.1, 0, random.integers(1, 1_000, bars))
    columns = (open, high, low, close, volume.astype(np.float64))
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Bar(i * 40 * MINUTE_NS, *row) for i, row in enumerate(rows)]


def columns_of(bars: list[Bar]) -> dict[str, np.ndarray]:
    """Return bars as columns, those with which `update` of a Vector is called."""
    names = Bar._fields[:6]
    return {name: np.array([getattr(bar, name) for bar in bars]) for name in names}
