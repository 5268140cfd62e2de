"""What a closed bar, a forming bar and a million bars cost in the processor's engine, beside TA-Lib and csp."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.computing.walk import Market, closes
from benchmarks.effort import Effort
from benchmarks.machine import Grid, number, ratio
from plant.conditions.rules import rules_of
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS, declared
from plant.rows.columns import Columns, Symbols
from plant.rows.tables import schema_of
from plant.wire.record import encode
from processor.engine import Engine
from processor.open_bars import PRICES
from processor.outcome import Outcome
from processor.vectors.batch import computed
from processor.vectors.declared import DeclaredIndicators

SYMBOLS, DAY = 10_000, 390
GOAL_MS, GOAL_TALIB, GOAL_CSP, GOAL_BATCH = 25.0, 8.0, 4.0, 1.5
CSP = Path(".venv-csp/bin/python")

HIDDEN = """\
What these numbers hide:
- Ours: from rows of `bar_closes` (or `bars`), decoded, to the bytes of the records that are published: ten columns,
  the six rules, and which rows are new. TA-Lib and csp give the ten columns and nothing else: no rules, no bytes.
- "TA-Lib, the day" computes each symbol's whole day anew, as one does that keeps bars in frames. "TA-Lib, streaming"
  updates its objects, one a symbol and function, from Python.
- csp, graph: a graph of nodes for each symbol, so each may tick when it likes, as our series may. csp, arrays: one
  graph over arrays, where all symbols tick at once or none: a symbol that is new, or a bar that is missing or
  corrected, has no place in it.
- csp runs in an environment of its own (make bench-csp), with its own versions of numpy and pyarrow."""


def close(effort: Effort) -> bool:
    """Print what one closed bar for each of 10,000 symbols costs, and one that forms."""
    symbols, bars = effort.size(SYMBOLS, 50), 60 if effort.quick else DAY
    forming, closed = _engine(symbols, bars)
    grid = Grid(
        f"One bar for each of {symbols:,} symbols, the ten default columns, after {bars} bars; milliseconds",
        ("", "n", "median", "p99", "vs a closed bar", "goal"),
    )
    ours = _add(grid, "closed bar", closed, None, f"{GOAL_MS:g} ms")
    _add(grid, "forming bar", forming, ours, f"{GOAL_MS:g} ms")
    _add(grid, "TA-Lib, the day", _talib_day(effort, symbols, bars), ours, f"{GOAL_TALIB:g}x")
    _add(grid, "TA-Lib, streaming", _talib_streams(symbols, bars), ours)
    for form, some in (("graph", 500), ("graph", 2000), ("graph", SYMBOLS), ("arrays", SYMBOLS)):
        count = min(some, symbols)
        built, cycles = _csp(form, count, bars if form == "arrays" else 100)
        name = f"csp, {form}, {count:,} symbols"
        if not cycles:
            grid.add(name, "", built)
            continue
        goal = f"{GOAL_CSP:g}x" if (form, count) == ("graph", symbols) else ""
        _add(grid, f"{name} (built in {built} s)", cycles[40:], ours if count == symbols else None, goal)
    print(grid)
    print(f"\n{HIDDEN}", flush=True)
    return True


def calculate(effort: Effort) -> bool:
    """Print what the default columns over a million bars of one symbol cost, beside TA-Lib."""
    bars = effort.size(1_000_000, 2_000)
    (prices,) = closes(1, bars)
    _talib(prices[:100])  # imports it
    ours = _times(effort, lambda: computed(DEFAULTS, {"close": prices}))
    theirs = _times(effort, lambda: _talib(prices))
    grid = Grid(
        f"The ten default columns over {bars:,} bars of one symbol; milliseconds",
        ("", "n", "median", "p99", "vs TA-Lib", "goal"),
    )
    base = float(np.median(theirs))
    for name, times, goal in (("ours", ours, f"at most {GOAL_BATCH:g}x"), ("TA-Lib", theirs, "")):
        median, tail = np.percentile(times, [50, 99]).tolist()
        grid.add(name, len(times), number(median * 1e3), number(tail * 1e3), ratio(median, base), goal)
    print(grid, flush=True)
    return True


def talib(effort: Effort) -> bool:
    """Print what all functions of TA-Lib cost, declared, for one bar of each of 100 symbols."""
    symbols, bars = effort.size(100, 3), 130 if effort.quick else DAY
    names = [name for name, kind in CATALOGUE.items() if name.isupper()]
    entries = [{"name": f"x_{name.lower()}", "kind": name} for name in names]
    entries[names.index("MAVP")]["periods"] = "close"  # the only one with an input that has no natural column
    indicators = DeclaredIndicators(declared(entries, defaults=False))
    indicators.grow(symbols)
    market, slots, times = Market(symbols), np.arange(symbols), []
    for i in range(bars):
        rows = market.minute(i)
        values = {name: rows[name] for name in ("time", *PRICES)}
        began = time.perf_counter()
        indicators.update(slots, values)
        times.append(time.perf_counter() - began)
    median, tail = np.percentile(times[bars // 2 :], [50, 99]).tolist()
    print(
        f"\nAll {len(names)} functions of TA-Lib, one bar of each of {symbols} symbols, behind {bars // 2} bars or more"
    )
    print(f"n {bars - bars // 2}, median {number(median * 1e3)} ms, p99 {number(tail * 1e3)} ms", flush=True)
    return True


def _engine(symbols: int, bars: int) -> tuple[list[float], list[float]]:
    """Return the seconds of each forming and of each closed bar, of the last third."""
    schema, market = schema_of(), Market(symbols)
    engine = engine_of()
    forming, closed = [], []
    for i in range(bars):
        rows = market.minute(i)
        closes_ = market.closed(rows)
        began = time.perf_counter()
        engine.take_bars(rows)
        _encoded(schema, engine.tick())
        between = time.perf_counter()
        engine.take_closes(closes_)
        _encoded(schema, engine.tick())
        closed.append(time.perf_counter() - between)
        forming.append(between - began)
    return forming[-bars // 3 :], closed[-bars // 3 :]


def engine_of() -> Engine:
    """Return an engine of the default columns and rules that has nothing yet."""
    columns = [column for one in DEFAULTS for column in one.columns]
    engine = Engine(DEFAULTS, rules_of([], [*PRICES, *columns]))
    nothing: Columns = {"time": np.zeros(0, np.int64)}
    nothing |= {name: Symbols([], np.zeros(0, np.int32)) for name in ("sym", "interval", "signal", "side", "state")}
    nothing |= {name: np.zeros(0) for name in (*PRICES, "price")}
    engine.settle(nothing, nothing | {"detail": Symbols([], np.zeros(0, np.int32))})
    return engine


def _encoded(schema: Any, found: Outcome) -> int:
    """Return how many bytes the rows are on the wire."""
    given = {table: rows for table, rows in found._asdict().items() if rows is not None}
    return sum(len(encode(schema[table], rows, 1, 1)) for table, rows in given.items())


def _talib(prices: np.ndarray) -> list[Any]:
    import talib as ta

    averages = [ta.SMA(prices, 20), ta.EMA(prices, 20), ta.EMA(prices, 50), ta.RSI(prices, 14)]
    return [*averages, *ta.MACD(prices, 12, 26, 9), *ta.BBANDS(prices, 20, 2.0, 2.0)]


def _talib_day(effort: Effort, symbols: int, bars: int) -> list[float]:
    days = list(closes(symbols, bars))

    def all_symbols() -> None:
        for day in days:
            _talib(day)

    _talib(days[0])  # imports it
    return _times(effort, all_symbols)


def _talib_streams(symbols: int, bars: int) -> list[float]:
    from talib import stream

    ways = (
        ("SMA", (20,)),
        ("EMA", (20,)),
        ("EMA", (50,)),
        ("RSI", (14,)),
        ("MACD", (12, 26, 9)),
        ("BBANDS", (20, 2.0, 2.0)),
    )
    objects = [[getattr(stream, name)(day, *given) for name, given in ways] for day in closes(symbols, bars)]
    times = []
    for i in range(40):
        began = time.perf_counter()
        for of_symbol in objects:
            for each in of_symbol:
                each.update(100.0 + i)
        times.append(time.perf_counter() - began)
    return times


def _csp(form: str, symbols: int, bars: int) -> tuple[str, list[float]]:
    """Return how long csp built its graph, and the seconds of each cycle; or why there are none."""
    python = os.environ.get("CSP_PYTHON") or str(CSP)
    if not Path(python).exists():
        return f"no {python}: make bench-csp, or CSP_PYTHON=...", []
    program = Path(__file__).with_name("beside_csp.py")
    command = [python, str(program), form, str(symbols), str(bars)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        return f"csp ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}", []
    found = json.loads(done.stdout)
    return number(found["build_s"]), found["cycles_s"]


def _times(effort: Effort, run: Callable[[], object]) -> list[float]:
    times = []
    for _ in effort.times():
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return times


def _add(grid: Grid, name: str, times: Sequence[float], ours: float | None, goal: str = "") -> float:
    median, tail = np.percentile(times, [50, 99]).tolist()
    grid.add(name, len(times), number(median * 1e3), number(tail * 1e3), ratio(median, ours), goal)
    return float(median)
