"""The default columns in csp (Point72's engine): run in an environment of its own, it prints figures as JSON.

    python benchmarks/computing/beside_csp.py FORM SYMBOLS BARS

FORM graph: a graph of nodes for each symbol. FORM arrays: one graph over arrays of all symbols. Every bar closes for
all symbols in one cycle of the engine; what is printed are the seconds of each cycle, and of building the graph.
"""

import json
import sys
import time
from datetime import datetime, timedelta
from typing import Any

import csp  # type: ignore[import-not-found]
import numpy as np
from csp import stats, ts  # type: ignore[import-not-found]
from csp.typing import NumpyNDArray  # type: ignore[import-not-found]

START, STEP = datetime(2026, 1, 5), timedelta(minutes=1)
ended: list[float] = []


@csp.node
def stamp(edges: [ts[object]]):  # type: ignore[no-untyped-def,valid-type]
    """Note when a cycle has come to its end."""
    if csp.ticked(edges):
        ended.append(time.perf_counter())


def columns(close: Any) -> list[Any]:
    """Return the edges of sma_20, ema_20, ema_50, rsi_14, macd with its signal and histogram, and Bollinger's three."""

    def ema(edge: Any, period: int) -> Any:
        return stats.ema(edge, span=period, adjust=False)

    mean = stats.mean(close, 20, min_window=20)
    deviation = stats.stddev(close, 20, ddof=0, min_window=20)
    change = close - csp.delay(close, 1)
    gain = stats.ema(csp.max(change, change * 0.0), alpha=1 / 14, adjust=False)
    loss = stats.ema(csp.max(change * -1.0, change * 0.0), alpha=1 / 14, adjust=False)
    macd = ema(close, 12) - ema(close, 26)
    signal = ema(macd, 9)
    rsi = 100.0 - 100.0 / (gain / loss + 1.0)
    return [
        mean,
        ema(close, 20),
        ema(close, 50),
        rsi,
        macd,
        signal,
        macd - signal,
        mean,
        mean + deviation * 2.0,
        mean - deviation * 2.0,
    ]


def closes(symbols: int, bars: int) -> np.ndarray:
    """Return prices, float64[bars, symbols]."""
    steps = np.random.default_rng(1).normal(0, 0.002, (bars, symbols))
    return np.asarray(100 * np.exp(np.cumsum(steps, axis=0)))


@csp.graph
def by_symbol(prices: np.ndarray):  # type: ignore[no-untyped-def]
    """Compute the columns of each symbol by nodes of its own."""
    edges = []
    for column in prices.T:
        close = csp.curve(float, [(START + i * STEP, float(price)) for i, price in enumerate(column)])
        edges += columns(close)
    stamp(edges)


@csp.graph
def by_arrays(prices: np.ndarray):  # type: ignore[no-untyped-def]
    """Compute the columns of all symbols by nodes over arrays."""
    close = csp.curve(NumpyNDArray[float], [(START + i * STEP, row) for i, row in enumerate(prices)])
    stamp(columns(close))


def main() -> None:
    """Print {"build_s": ..., "cycles_s": [...]}."""
    form, symbols, bars = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    prices = closes(symbols, bars)
    began = time.perf_counter()
    graph = csp.build_graph({"graph": by_symbol, "arrays": by_arrays}[form], prices)
    built = time.perf_counter()
    csp.run(graph, starttime=START, endtime=bars * STEP)
    print(json.dumps({"build_s": built - began, "cycles_s": np.diff(ended).tolist()}))


if __name__ == "__main__":
    main()
