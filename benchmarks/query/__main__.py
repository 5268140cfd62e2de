"""How fast are questions answered, next to Polars, DuckDB and pandas with the same rows on the same machine?

    python -m benchmarks.query [questions] [client] [small] [size] [ingest] [sql] [start]
                               [--quick] [--symbols 500] [--repeats 5] [--scale 1]

10 million trades and 20 million quotes, first over 500 symbols, then over 10,000. The systems take turns, and what they
answer is compared before it is timed.
"""

import gc
import statistics
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.effort import CommandLine, Effort, positive
from benchmarks.machine import Grid, number, ratio
from benchmarks.query.ingest import ingest
from benchmarks.query.market import Market
from benchmarks.query.served import HIDDEN as SERVED_HIDDEN
from benchmarks.query.served import QUESTIONS as SERVED
from benchmarks.query.served import durations_s, served
from benchmarks.query.small import small
from benchmarks.query.sql_latency import sql_latency
from benchmarks.query.start import start
from benchmarks.query.systems import QUESTIONS, SYSTEMS, Ours

ROWS = 10_000_000
SYMBOLS = (500, 10_000)

HIDDEN = """\
What these numbers hide:
- An answer is what a user of the system would hold: for us an Arrow table in order of time, with null for NaN; for the
  others their own frame, in any order (DuckDB: Arrow). Nobody's time for turning it into something else is in it.
- Our table has had time to sort all but its newest rows. Polars and DuckDB use all CPUs, we use one per question.
- Polars and pandas know that rows are in order of time, DuckDB finds it out block by block; none of them has an index
  by symbol. Sorted by symbol they would be faster, and could not be appended to.
- The best time of several runs is compared, the median is shown: with two CPUs something else always runs."""


def questions(effort: Effort, symbols: int) -> bool:
    """Print how long each question takes in process; False if answers differ."""
    market = Market(effort.size(ROWS, 20_000), symbols)
    grown = _memory(market)
    systems = {name: make(market) for name, make in SYSTEMS.items()}
    for name in ("trades", "quotes"):
        market.__dict__.pop(name)
    gc.collect()
    good = True
    grid = Grid(
        f"Questions in process: {market.rows:,} trades, {2 * market.rows:,} quotes, {symbols:,} symbols; milliseconds",
        ("question", "rows", *(f"{name}  median (best)" for name in systems), "vs the faster of two", "goal"),
    )
    for method, (label, goal, column) in QUESTIONS.items():
        answers = {name: system.as_arrow(getattr(system, method)()) for name, system in systems.items()}
        if differing := _differing(answers, column):
            good = False
            print(f"{label}: {differing}", file=sys.stderr)
        found: dict[str, list[float]] = {name: [] for name in systems}
        for _ in effort.times():
            for name, system in systems.items():
                least = 1 if effort.quick or name == "pandas" else 5
                found[name] += durations_s(getattr(system, method), 0.0 if effort.quick else 0.2, least)
        best = {name: min(times) for name, times in found.items()}
        times = [f"{number(statistics.median(t) * 1e3)}  ({number(min(t) * 1e3)})" for t in found.values()]
        faster = min(best["Polars"], best["DuckDB"])
        rows = answers[Ours.name].num_rows
        grid.add(label, rows, *times, ratio(faster, best[Ours.name]), f"{goal:g}x")
    print(grid)
    print(grown)
    print(f"\n{HIDDEN}", flush=True)
    return good


def client(effort: Effort, symbols: int) -> bool:
    """Print how long it takes until a client has its DataFrame."""
    market = Market(effort.size(ROWS, 20_000), symbols)
    grid = Grid(
        f"Questions at the client, DataFrame included: {market.rows:,} trades, {symbols:,} symbols; milliseconds",
        ("question", "system", "n", "p50", "p99", "vs ours"),
    )
    found: dict[str, dict[str, list[float]]] = {question: {} for question in SERVED}
    for name in SYSTEMS:
        print(f"client: {name}", file=sys.stderr)
        with served(name, market) as ask:
            for question in SERVED:
                seconds = 0.0 if effort.quick else 1.0 * effort.repeats
                found[question][name] = durations_s(lambda q=question: ask(q), seconds, 3)  # type: ignore[misc]
    for question, label in SERVED.items():
        ours = float(np.percentile(found[question][Ours.name], 50))
        for name, times in found[question].items():
            median, tail = np.percentile(times, [50, 99]).tolist()
            grid.add(label, name, len(times), number(median * 1e3), number(tail * 1e3), ratio(median, ours))
    print(grid)
    print(f"\n{SERVED_HIDDEN}\nGoal: p50 under 1 ms for the last rows of 500 symbols, and for one symbol's last 100.")
    return True


def size(effort: Effort, _symbols: int) -> bool:
    """Print how a question about one symbol, with as many rows, depends on the length of the table."""
    grid = Grid(
        "Length of the table: one symbol with as many rows in each; milliseconds",
        ("trades", "symbols", "all day", "one hour", "last 100", "vs the shorter"),
    )
    before: float | None = None
    for rows, symbols in ((ROWS // 10, 50), (ROWS, 500)):
        market = Market(effort.size(rows, rows // 500), symbols)
        system = Ours(market)
        asks: tuple[Callable[[], Any], ...] = (system.one_day, system.one_hour, system.one_last_100)
        best = [min(durations_s(ask, 0.0 if effort.quick else 1.0, 5)) * 1e3 for ask in asks]
        grid.add(market.rows, symbols, *map(number, best), ratio(best[0], before))
        before = best[0]
    print(grid)
    print("Goal: less than 2 times.", flush=True)
    return True


def _memory(market: Market) -> str:
    """Return a line about the memory that our tables take, resident and by their own account."""
    raw = sum(market.raw_bytes(name) for name in ("trades", "quotes"))
    gc.collect()
    before = psutil.Process().memory_info().rss
    tables = [market.in_memory(name) for name in ("trades", "quotes")]
    gc.collect()
    grown, told = psutil.Process().memory_info().rss - before, sum(t.nbytes for t in tables)
    return (
        f"Memory: our tables take {grown / 1e6:,.0f} MB resident ({told / 1e6:,.0f} MB by their own account) for "
        f"{raw / 1e6:,.0f} MB of raw columns, {ratio(grown, raw)} ({ratio(told, raw)}); goal 1.3x"
    )


def _differing(answers: dict[str, pa.Table], column: str) -> str:
    """Return how the answers differ in their number of rows or the sum of a column, "" if they do not."""
    found = {
        name: (answer.num_rows, float(pc.sum(answer.column(column)).as_py() or 0.0)) for name, answer in answers.items()
    }
    same = all(a[0] == b[0] and abs(a[1] - b[1]) <= 1e-9 * abs(a[1]) for a, b in pairwise(found.values()))
    return "" if same else f"answers differ (rows, sum of {column}): {found}"


SECTIONS: dict[str, Callable[[Effort, int], bool]] = {
    "questions": questions,
    "client": client,
    "small": lambda effort, _symbols: small(effort),
    "size": size,
    "ingest": lambda effort, _symbols: ingest(effort),
    "sql": lambda effort, _symbols: sql_latency(effort),
    "start": lambda effort, _symbols: start(effort),
}
OF_EVERY_MARKET = ("questions", "client")


def main() -> None:
    """Run the sections named on the command line, all without one; exit with 1 if one failed."""
    line = CommandLine("benchmarks.query", str(__doc__), SECTIONS)
    line.add_argument("--symbols", type=positive, help="only over so many symbols")
    arguments = line.begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    results = []
    for name in arguments.sections:
        markets = (arguments.symbols,) if arguments.symbols else SYMBOLS
        for symbols in markets if name in OF_EVERY_MARKET else markets[:1]:
            results.append(SECTIONS[name](effort, symbols))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
