"""What does it cost that SQL runs in a process of its own? The same SELECTs there, and in DuckDB in this process."""

import time
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import psutil

from benchmarks.effort import Effort
from benchmarks.machine import Grid, number, ratio
from benchmarks.query.market import Market
from benchmarks.query.served import durations_s
from plant.query import questions
from plant.query.answers import Answerer
from plant.rows.schema import META_COLUMNS
from plant.sql.engine import SqlEngine

ROWS = 10_000_000

SELECTS = {
    "no table": "select 1 x",
    "one value of one column": "select max(price) m from trades",
    "by symbol": "select sym, count(*) n, max(price) m from trades group by sym",
    "1,000 rows": "select time, sym, price from trades limit 1000",
    "1,000,000 rows": "select time, sym, price from trades limit 1000000",
}


def sql_latency(effort: Effort) -> bool:
    """Print how long SELECTs take in a process of their own and in process, and what such a process takes."""
    market = Market(effort.size(ROWS, 20_000), 500)
    table = market.in_memory("trades")
    answerer, engine = Answerer({"trades": table}, SqlEngine()), SqlEngine()
    begun = time.perf_counter()
    engine.answer("select 1", {})
    first_s = time.perf_counter() - begun
    database = duckdb.connect(":memory:", config={"threads": 1})

    def within(text: str) -> Any:
        connection = database.cursor()
        view = table.snapshot()
        meta = () if "*" not in text else META_COLUMNS
        if "trades" in text:
            connection.register("trades", view.arrow((*view.declaration.names, *meta)))
        found = connection.sql(text).to_arrow_table()
        connection.close()
        return found

    def apart(text: str) -> Any:
        return answerer.answer(questions.Sql(text))

    grid = Grid(
        f"SQL in a process of its own, next to DuckDB in process: {market.rows:,} trades; milliseconds",
        ("question", "in process p50", "p99", "apart p50", "p99", "cost"),
    )
    for label, text in SELECTS.items():
        found: list[tuple[float, float]] = []
        asks: tuple[Callable[[str], Any], ...] = (within, apart)
        for ask in asks:
            ask(text)
            times = durations_s(lambda a=ask, t=text: a(t), 0.0 if effort.quick else 1.0 * effort.repeats, 5)  # type: ignore[misc]
            median, tail = np.percentile(times, [50, 99]).tolist()
            found.append((median * 1e3, tail * 1e3))
        grid.add(label, *(number(x) for pair in found for x in pair), ratio(found[1][0], found[0][0]))
    print(grid)
    taken = [child.memory_full_info().uss / 1e6 for child in psutil.Process().children(recursive=True)]
    print(
        f"The first question of all took {first_s * 1e3:,.0f} ms, a process to start. {len(taken)} processes, "
        f"{max(taken, default=0):,.0f} MB each at most, shared libraries and rows left out."
    )
    return True
