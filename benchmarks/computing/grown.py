"""How much memory a series' state takes: run in a process of its own, it prints the MB that a day's bars added.

python -m benchmarks.computing.grown SYMBOLS BARS
"""

import gc
import sys

import psutil

from benchmarks.computing.arithmetic import engine_of
from benchmarks.computing.walk import Market
from plant.calendars.assignment import Calendars
from processor.candles.closer import Closer
from processor.counting import Counting


def main() -> None:
    """Print the resident MB that engine and closer have more after the bars than before."""
    symbols, bars = int(sys.argv[1]), int(sys.argv[2])
    market, engine = Market(symbols), engine_of()
    closer = Closer(Counting(Calendars({}, {}), "regular").sessions_of)
    before = _resident()
    for i in range(bars):
        rows = market.minute(i)
        engine.take_bars(rows)
        closer.take(market.batch("bars", rows))
        closes = closer.due(int(rows["time"][0]))
        if closes is not None:
            engine.take_closes(closes)
            closer.take(market.batch("bar_closes", closes))
        engine.tick()
    print(f"{(_resident() - before) / 1e6:.1f}")


def _resident() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main()
