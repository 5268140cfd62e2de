"""Bars of many symbols for the processor's benchmarks: a minute of all of them at once, prices a random walk."""

from collections.abc import Iterator

import numpy as np

from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols

MINUTE = 60 * 10**9
BEGAN = 1_767_600_000 * 10**9 // MINUTE * MINUTE
"""The first bar's time, ns."""


class Market:
    """Minutes of `symbols` symbols: each bar has the open of the close before it."""

    def __init__(self, symbols: int, seed: int = 1) -> None:
        self.names = [f"S{i:05}" for i in range(symbols)]
        self._chance = np.random.default_rng(seed)
        self._close = np.full(symbols, 100.0)
        self._seq = 0

    def minute(self, number: int) -> Columns:
        """Return the bars of a minute, as rows of `bars`."""
        count, before = len(self.names), self._close
        self._close = before * np.exp(self._chance.normal(0, 0.002, count))
        high, low = np.maximum(before, self._close) * 1.0005, np.minimum(before, self._close) * 0.9995
        every = {"open": before, "high": high, "low": low, "close": self._close, "volume": np.full(count, 100.0)}
        return {
            "time": np.full(count, BEGAN + number * MINUTE),
            "sym": self._coded(),
            "interval": Symbols(["1m"], np.zeros(count, np.int32)),
            **every,
            "source": Symbols(["bench"], np.zeros(count, np.int32)),
            "vwap": np.full(count, np.nan),
            "trades": np.zeros(count, np.int64),
        }

    def closed(self, bars: Columns) -> Columns:
        """Return the rows of `bar_closes` that close these bars."""
        kept = {name: bars[name] for name in ("sym", "interval", "open", "high", "low", "close", "volume")}
        return {"time": bars["time"] + MINUTE, "market_time": bars["time"], **kept}

    def batch(self, table: str, rows: Columns) -> Batch:
        """Return rows as they come out of the plant."""
        self._seq += 1
        received = int(rows["time"][0]) + MINUTE
        return Batch(table, rows, self._seq, self._seq, received)

    def _coded(self) -> Symbols:
        return Symbols(self.names, np.arange(len(self.names), dtype=np.int32))


def closes(symbols: int, bars: int) -> Iterator[np.ndarray]:
    """Yield closing prices of each symbol, float64[bars]."""
    chance = np.random.default_rng(1)
    for _ in range(symbols):
        yield 100 * np.exp(np.cumsum(chance.normal(0, 0.002, bars)))
