"""A plant with the trader, strategies of its own beside plant.toml, and closed bars that a test publishes."""

import random
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from forked import Forked, Forker
from running import RunningPlant

from plant.client.connection import Connection
from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import META_COLUMNS
from plant.state.newest import Row, rows_of_columns
from plant.state.strategies import Strategies
from trading.live.again import Again, again

MINUTE = 60 * 10**9

CROSS = '''
from trading.strategy import Strategy
from trading.parameters import param


class Cross(Strategy):
    """Long above the mean of the last bars, short below it."""

    length: int = param(3, low=1, high=50, help="bars")
    size: float = param(10.0, low=0, help="units")

    def start(self):
        self.closes = {}

    def on_bar(self, bar):
        closes = self.closes.setdefault(bar.sym, [])
        closes.append(bar.close)
        if len(closes) < self.length:
            return
        mean = self.plot("mean", sum(closes[-self.length:]) / self.length)
        side = "long" if bar.close > mean else "short" if bar.close < mean else ""
        if side:
            self.enter(side, self.size, sym=bar.sym)
'''
"""A strategy that turns often."""

TOML = """
[[accounts]]
name = "paper"
fills = { preset = "careful", volume_share = 1.0 }
limits = { stale_s = 0 }

[[instruments]]
sym = "*"
tick = 0.01
lot = 1.0
taker_bps = 1.0
"""


class TradingPlant(RunningPlant):
    """A plant whose trader finds CROSS, and paper accounts that trade on prices of any age."""

    wait_s = 60.0

    def __init__(self, folder: Path, forker: Forker, **options: Any) -> None:
        super().__init__(folder, **{"toml": TOML, **options})
        self._forker = forker
        (folder / "strategies").mkdir()
        (folder / "strategies" / "cross.py").write_text(CROSS)

    def spawn(self, name: str) -> Forked:
        """Return a new process of the plant."""
        log = self.folder / f"{name}.log"
        log.touch()
        return self._forker.start(f"{name}.__main__", [], self.environment, log)

    @cached_property
    def db(self) -> Connection:
        """A connection to the rdb, whose answers are Arrow tables."""
        return self.ask("rdb", frames="arrow", timeout_s=30.0)

    def rows(self, table: str, **terms: Any) -> list[Row]:
        """Return rows of today's, in the order of the journal."""
        declared = self.settings.table_schema[table]
        names = (*declared.names, *META_COLUMNS)
        found = self.db.select(table, columns=names, **terms)
        rows = rows_of_columns(columns_from_arrow(found, declared, names), declared.times)
        return sorted(rows, key=lambda row: (row["seq"], row["seq_row"]))

    def change(self, name: str, action: str = "update", **columns: Any) -> int:
        """Publish the next version of a strategy; return its seq."""
        fold = Strategies()
        declared = self.settings.table_schema["strategies"]
        names = (*declared.names, *META_COLUMNS)
        found = self.db.select("strategies", columns=names)
        if len(found):
            fold.take(columns_from_arrow(found, declared, names))
        feed = self.publisher(f"changes-{time.time_ns()}")
        feed.publish("strategies", fold.changed(name, action, "test", time.time_ns(), **columns), strict=True)
        return feed.flush()

    def cross(self, name: str = "cross", syms: Sequence[str] = ("A",), **columns: Any) -> int:
        """Have a strategy of class Cross run on bars of 1m; return the seq of the row."""
        told = {"class_name": "Cross", "symbols": list(syms), "interval": "1m", "wanted": "running", "mode": "paper"}
        return self.change(name, "create", **{**told, "parameters": {"limits": {"stale_s": 0}}, **columns})

    def again(self, run: str) -> Again:
        """Make a run again, in this process, of what the plant has."""
        return again(run, self.whole(frames="arrow"), self.settings)


def closed_bars(chance: random.Random, count: int, syms: Sequence[str] = ("A",), start: int = 0) -> Iterable[Row]:
    """Yield rows of `bar_closes`: `count` bars of 1m of each symbol, prices in steps of 0.01 that wander."""
    begin = (start or (time.time_ns() - count * MINUTE)) // MINUTE * MINUTE
    last = dict.fromkeys(syms, 10_000)
    for minute in range(count):
        for sym in syms:
            first = last[sym] + chance.randint(-3, 3)
            end = max(first + chance.randint(-25, 25), 1_000)
            low, high = min(first, end) - chance.randint(0, 9), max(first, end) + chance.randint(0, 9)
            last[sym] = end
            at = begin + minute * MINUTE
            prices = {"open": first / 100, "high": high / 100, "low": low / 100, "close": end / 100}
            yield {"time": at + MINUTE, "sym": sym, "market_time": at, "interval": "1m", **prices, "volume": 1e4}
