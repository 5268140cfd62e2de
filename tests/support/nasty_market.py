"""Markets as nobody wishes them, for tests that compare answers: ties, gaps, revisions, late rows, what is not known.

A `Market` is what was published, in order, and what the history did meanwhile. `Kept` is the same rows where a plant
keeps them: in memory, in a history, or in both with a seam between.
"""

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from histories import History
from plain_rows import Row

from hdb.reader.answering import HistoryAnswerer
from plant.client.gateway import Gateway
from plant.memory.table import MemoryTable
from plant.query.answers import Answerer
from plant.rows.evolution import as_declared
from plant.rows.schema import Column, Table
from plant.rows.tables import schema_of
from plant.sql.engine import SqlEngine

SECOND, MINUTE, HOUR, DAY = 10**9, 60 * 10**9, 3600 * 10**9, 86_400 * 10**9
START = 1_793_491_200_000_000_000
"""2026-11-01 00:00 UTC, a Sunday: New York's clocks go back six hours later, and a month begins."""

_ORDERS = (
    Column("time", "time"),
    Column("sym", "symbol"),
    Column("order_id", "int"),
    Column("price", "float"),
    Column("note", "text"),
)
_LATER = (Column("qty", "int"), Column("venue", "symbol"), Column("seen", "time"), Column("remark", "text"))
BEFORE = schema_of([Table("my_orders", _ORDERS)])
SCHEMA = schema_of([Table("my_orders", (*_ORDERS, *_LATER))])
"""The plant's tables, and my_orders, whose last columns it may get later: older rows have nulls beside ints there."""

SYMS = ("AAPL", "Bé", "C")
HUGE = 2**53 + 1
"""No float64 is this number."""

_DAYS = (0, 0, 0, 1, 1, -1, -2, -40, 30)
_WITHIN = (0, 0, 1, SECOND, 59 * SECOND, MINUTE, MINUTE, HOUR, 5 * HOUR, 14 * HOUR, DAY - 1)
_PRICES = (1.0, 1.5, 2.0, 2.25, 100.0, 0.1)
_UNKNOWN = (math.nan, math.nan, 0.0, 1.0, 2.5, 7.0)
_TEXTS = ("", "a", "é", "nan", "null", "0")
_INTS = (0, 1, -1, 3, HUGE, -HUGE)
_WORK = ("part", "part", "end", "end", "close", "join", "month", "kill")

Ask = Callable[..., pa.Table]
Step = tuple[Any, ...]

SHRINK_S = 60.0
"""Longest to look for a smaller market that fails."""

_SQL = SqlEngine()


@dataclass(frozen=True)
class Market:
    """What happened, step by step: ("publish", table, rows), or the name of what the history did.

    declared   at which step my_orders got its later columns; 0: it had them from the start
    memory     rows of a chunk in memory, and the steps of sorting after each batch
    released   what the rdb had let go of at the end: "nothing", what is "closed", or all that history holds, "through"
    """

    steps: tuple[Step, ...]
    declared: int
    memory: tuple[int, int]
    released: str

    def smaller(self) -> Iterator["Market"]:
        """Yield markets that lack some steps or a row of this one."""
        count = len(self.steps)
        for some in sorted({max(count // 2, 1), max(count // 4, 1), 1}, reverse=True):
            for i in range(0, count, some):
                yield replace(self, steps=(*self.steps[:i], *self.steps[i + some :]))
        for i, step in enumerate(self.steps):
            for row in range(len(step[2]) if step[0] == "publish" and len(step[2]) > 1 else 0):
                fewer = ("publish", step[1], [*step[2][:row], *step[2][row + 1 :]])
                yield replace(self, steps=(*self.steps[:i], fewer, *self.steps[i + 1 :]))


def smallest(market: Market, fails: Callable[[Market], str]) -> Market:
    """Return a market that fails, as that one does, and of which little can be left out; found within SHRINK_S."""
    end = time.monotonic() + SHRINK_S
    smaller: Market | None = market
    while smaller is not None:
        market = smaller
        smaller = next((m for m in market.smaller() if time.monotonic() < end and fails(m)), None)
    return market


def market_of(chance: random.Random) -> Market:
    """Return a market of at most some dozens of rows."""
    steps: list[Step] = []
    tables = chance.sample(list(ROWS), chance.choice([1, 2, 2, 3, 4]))
    for _ in range(chance.choice([0, 1, 2, 5, 8, 12, 16])):
        table = chance.choice(tables)
        rows = [ROWS[table](chance) for _ in range(chance.choice([1, 1, 2, 4, 8]))]
        steps.append(("publish", table, rows))
        steps += [(chance.choice(_WORK),) for _ in range(chance.choice([0, 0, 1, 2]))]
    memory = chance.choice([(65_536, 0), (2, 0), (3, 1), (1, 100)])
    released = chance.choice(["nothing", "closed", "closed", "through"])
    return Market(tuple(steps), chance.choice([0, 0, 3, 8]), memory, released)


def time_of(chance: random.Random) -> int:
    """Return a time on one of a few days; several rows will have it."""
    return START + chance.choice(_DAYS) * DAY + chance.choice(_WITHIN)


def _trade(chance: random.Random) -> Row:
    price, size, trade_id = (chance.choice(values) for values in (_PRICES, _UNKNOWN, _TEXTS))
    venue = {name: chance.choice(_TEXTS) for name in ("conditions", "tape", "exchange")}
    told = {"source": "x", "trade_id": trade_id, **venue, "venue_seq": chance.choice((0, 1, HUGE))}
    return {**_common(chance), "price": price, "size": size, **told}


def _quote(chance: random.Random) -> Row:
    names = ("bid", "ask", "bid_size", "ask_size")
    return {**_common(chance), **{n: chance.choice(_UNKNOWN) for n in names}, "source": chance.choice(_TEXTS)}


def _bar(chance: random.Random) -> Row:
    low, one, other, high = sorted(chance.choices(_PRICES, k=4))
    prices = {"open": one, "high": high, "low": low, "close": other}
    numbers = {
        "volume": chance.choice([0.0, 1.0, 2.5]),
        "vwap": chance.choice(_UNKNOWN),
        "trades": chance.choice(_UNKNOWN),
    }
    return {**_common(chance), "interval": "1s", **prices, **numbers, "source": "x"}


def _order(chance: random.Random) -> Row:
    numbers = {"order_id": chance.choice(_INTS), "price": chance.choice(_UNKNOWN), "qty": chance.choice(_INTS)}
    texts = {name: chance.choice(_TEXTS) for name in ("note", "venue", "remark")}
    return {**_common(chance), **numbers, **texts, "seen": chance.choice([None, time_of(chance), time_of(chance)])}


def _common(chance: random.Random) -> Row:
    return {"time": time_of(chance), "sym": chance.choice(SYMS)}


ROWS: dict[str, Callable[[random.Random], Row]] = {
    "trades": _trade,
    "quotes": _quote,
    "bars": _bar,
    "my_orders": _order,
}
"""What makes a row of each table."""


class Kept:
    """The rows of a market in an rdb and in a history under `data`; `answer` asks both as one, `hdb` and `rdb` alone.

    rows    by table, in order of arrival, with seq, seq_row and received; None where a column came later than the row
    let_go  the seq up to which the rdb has no rows
    """

    def __init__(self, market: Market, data: Path) -> None:
        self.market = market
        self.rows: dict[str, list[Row]] = {name: [] for name in ROWS}
        self.history = History(data, BEFORE if market.declared else SCHEMA)
        self._past = HistoryAnswerer(self.history.folder, SCHEMA, lambda question, budget: self.rdb(question, budget))
        self._ended = 0
        self._restarted = 0
        for number, (what, *terms) in enumerate(market.steps, 1):
            if what == "publish":
                self._publish(*terms)
            else:
                self._work(what)
            if number == market.declared:
                self._declare()
        if market.declared and self.history.schema is BEFORE:
            self._declare()
        self.serve()

    def close(self) -> None:
        """End the day, and close it; the rdb lets go of all."""
        self._work("end")
        self._work("close")
        self.serve("closed")

    def _publish(self, table: str, rows: list[Row]) -> None:
        names = self.history.schema[table].names
        seq = self.history.publish(table, [{name: row[name] for name in names} for row in rows])
        absent = dict.fromkeys(set(SCHEMA[table].names) - set(names))
        received = self.history.batches[-1].received
        self.rows[table] += [
            {**row, **absent, "seq": seq, "seq_row": place, "received": received} for place, row in enumerate(rows)
        ]

    def _work(self, what: str) -> None:
        if what != "end":
            self.history.work(what)
        elif len(self.history.batches) > self._ended:
            self.history.part("2026-11-20")
            self._ended = len(self.history.batches)

    def _declare(self) -> None:
        """Give my_orders its later columns, once what there is lies in history."""
        self._work("end")
        self._work("close")
        self.history.declare(SCHEMA)
        self._restarted = len(self.history.batches)

    def serve(self, released: str = "") -> None:
        """Have the rdb take every row anew, and let go of what it need not keep."""
        catalogue = self.history.store.catalogue
        seqs = {"nothing": 0, "closed": catalogue.closed, "through": catalogue.through}
        chunk_rows, tidied = self.market.memory
        tables = {name: MemoryTable(table, chunk_rows, 2 if tidied else 4) for name, table in SCHEMA.items()}
        for batch in self.history.batches[self._restarted :]:
            tables[batch.table].append(as_declared(batch, SCHEMA[batch.table]))
            for _ in range(tidied):
                tables[batch.table].tidy()
        let_go = max(seqs[released or self.market.released], self._restarted)
        for table in tables.values():
            table.release(let_go)
        self.let_go = let_go
        today = Answerer(tables, _SQL)
        self.rdb: Ask = today.answer
        self.hdb: Ask = self._past.answer
        self.answer: Ask = Gateway(lambda q, _: self._past.answer(q), lambda q, _: today.answer(q), SCHEMA).answer
