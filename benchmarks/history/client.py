"""How long until a DataFrame of many days is there: through the client, and through DuckDB on the same files?"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection as Pipe
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks.effort import Effort
from benchmarks.history.days import SCHEMA, History, close, opened, write_parts
from benchmarks.machine import Grid, Spread, number, ratio
from plant.history.order import sorted_rows

HIDDEN = """\
What these numbers hide:
- Files are in the system's cache. Client, hdb and rdb share the CPUs named above; DuckDB has them for itself.
- Every system is asked in a process of its own, one question after the other; the first question, for which the hdb
  reads footers, does not count. DuckDB reads them with every question, unless parquet_metadata_cache is set.
- "with today": the rdb has more rows of the next day; DuckDB is given them as one more file, sorted like the others.
- DuckDB's bars take open and close by the time of the trade alone; ours go by the order of arrival as well."""

READY_S = 600.0

_BARS = """select time_bucket(interval '{}', time::timestamptz) as time, sym, arg_min(price, time) as open,
max(price) as high, min(price) as low, arg_max(price, time) as close, sum(size) as volume,
sum(price * size) / sum(size) as vwap from {} group by all order by 1, 2"""

QUESTIONS: dict[str, str] = {
    "one symbol, all days": f"select {', '.join(SCHEMA['trades'].names)} from {{}} where sym = '{{}}' order by time",
    "5-minute bars of all": _BARS.replace("'{}'", "'5 minutes'", 1),
    "daily bars of all": _BARS.replace("'{}'", "'1 day'", 1),
    "SQL: 5-minute bars of all": _BARS.replace("'{}'", "'5 minutes'", 1),
    "SQL: rows and mean price by symbol": "select sym, count(*) n, avg(price) price from {} group by sym order by sym",
}
"""What is asked, and what DuckDB is asked for it, of a table and a symbol."""


def client(effort: Effort) -> bool:
    """Print how long questions about many days take until the DataFrame is there."""
    history = History(effort.size(20, 3), effort.size(100_000, 2_000), 50)
    with tempfile.TemporaryDirectory(prefix="bench-") as made, ExitStack() as stack:
        folder = Path(made)
        store = opened(folder)
        for day in range(history.days):
            print(f"client: day {day + 1} of {history.days}", file=sys.stderr, end="\r")
            write_parts(store, history.trades(day), history.date(day))
            close(store)
        today = folder / "today.parquet"
        rows = history.trades(history.days).slice(0, max(history.rows // 5, 1))
        pq.write_table(sorted_rows(rows), today)
        rdb = stack.enter_context(_served(_serve_today, str(today), store.catalogue.through))
        hdb = stack.enter_context(_served(_serve_history, str(store.folder), rdb))
        files = f"{store.folder}/trades/*/*.parquet"
        asked = {
            "": {"tickplant": (_ask_hdb, (hdb,)), "DuckDB": (_ask_duckdb, ([files],))},
            ", with today": {"tickplant": (_ask_both, (rdb, hdb)), "DuckDB": (_ask_duckdb, ([files, str(today)],))},
        }
        count = 3 if effort.quick else 10 * effort.repeats
        grid = Grid(
            f"{history.days * history.rows:,} trades of {history.symbols} symbols, {history.days} days",
            ("question", "rows", "tickplant, ms", "p99", "DuckDB, ms", "p99", "times as fast"),
        )
        for how, systems in asked.items():
            apart = {name: stack.enter_context(_apart(*system)) for name, system in systems.items()}
            for question in QUESTIONS:
                print(f"client: {question}{how}          ", file=sys.stderr, end="\r")
                grid.add(f"{question}{how}", *_compared(apart, question, history.market.one, count))
    print(grid)
    print(f"\nn = {count} of each, by turns; best..worst in brackets\n\n{HIDDEN}")
    return True


def _compared(systems: dict[str, Pool], question: str, sym: str, count: int) -> list[object]:
    """Return the cells of a question; exit if the answers differ."""
    answers = {name: pool.apply(_answer, (question, sym)) for name, pool in systems.items()}
    (ours, theirs) = answers.values()
    if ours.keys() != theirs.keys() or not all(_same(ours[name], theirs[name]) for name in ours):
        raise SystemExit(f"client: {question}: {' and '.join(answers)} answer differently")
    times: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(count):
        for name, pool in systems.items():
            times[name].append(pool.apply(_timed, (question, sym)))
    cells: list[object] = [len(next(iter(ours.values())))]
    for found in times.values():
        cells += [str(Spread.of(found)), number(float(np.percentile(found, 99)))]
    medians = [Spread.of(found).median for found in times.values()]
    return [*cells, ratio(medians[1], medians[0])]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if len(one) != len(other):
        return False
    return bool(np.allclose(one, other) if one.dtype.kind == "f" else (one == other).all())


_asking: list[Callable[[str, str], Any]] = []
"""What asks this process's system a question about a symbol."""


@contextmanager
def _apart(prepare: Callable[..., None], arguments: tuple[Any, ...]) -> Iterator[Pool]:
    """Give a process of its own, prepared to ask one system."""
    with multiprocessing.get_context("spawn").Pool(1, prepare, arguments) as pool:
        yield pool


def _answer(question: str, sym: str) -> dict[str, np.ndarray]:
    """Return the answer's columns, those that all systems have."""
    frame = _asking[0](question, sym)
    return {name: _plain(frame[name]) for name in frame.columns if name != "interval"}


def _plain(column: Any) -> np.ndarray:
    """Return a column of a DataFrame as numbers, times as ns, or texts, whatever its type."""
    if column.dtype.kind == "M":
        utc = column if column.dt.tz is not None else column.dt.tz_localize("UTC")  # as DuckDB gives ns
        found: np.ndarray = utc.astype("datetime64[ns, UTC]").astype("int64").to_numpy()
        return found
    return np.array(column.to_numpy() if column.dtype.kind in "iuf" else column.astype(str).tolist())


def _timed(question: str, sym: str) -> float:
    begun = time.perf_counter()
    frame = _asking[0](question, sym)
    took = (time.perf_counter() - begun) * 1e3
    del frame
    return took


def _ask_duckdb(files: list[str]) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    table = f"read_parquet({files})"
    _asking.append(lambda question, sym: connection.sql(QUESTIONS[question].format(table, sym)).df())


def _ask_hdb(address: str) -> None:
    from plant.client.connection import Connection

    _ask(Connection("hdb", address, timeout_s=60.0))


def _ask_both(rdb: str, hdb: str) -> None:
    from plant.client.plant_connection import PlantConnection

    _ask(PlantConnection(rdb, hdb, SCHEMA, timeout_s=60.0))


def _ask(db: Any) -> None:
    asks: dict[str, Callable[[str], Any]] = {
        "one symbol, all days": lambda sym: db.select("trades", sym),
        "5-minute bars of all": lambda sym: db.resample("trades", "5m"),
        "daily bars of all": lambda sym: db.resample("trades", "1d"),
    }
    for question in QUESTIONS.keys() - asks.keys():
        asks[question] = lambda sym, text=QUESTIONS[question]: db.sql(text.format("trades", sym))  # type: ignore[misc]
    _asking.append(lambda question, sym: asks[question](sym))


@contextmanager
def _served(serve: Callable[..., None], *arguments: Any) -> Iterator[str]:
    """Run a server in a process of its own; give its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(*arguments, theirs))
    process.start()
    theirs.close()  # so that its end is heard of
    try:
        if not ours.poll(READY_S):
            raise SystemExit(f"client: {serve.__name__} was not ready within {READY_S:g} s")
        try:
            address = ours.recv()
        except EOFError:
            raise SystemExit(f"client: {serve.__name__} ended before it was ready") from None
        yield address
    finally:
        ours.close()
        process.join(10)
        process.kill()


def _serve_history(folder: str, rdb: str, pipe: Pipe) -> None:
    from hdb.reader.answering import HistoryAnswerer
    from plant.query.streams import from_ipc
    from plant.transport.request import Requester

    today = Requester(rdb, "rdb")
    _serve(HistoryAnswerer(Path(folder), SCHEMA, lambda question, _: from_ipc(today.table(question.to_wire()))), pipe)


def _serve_today(path: str, through: int, pipe: Pipe) -> None:
    from plant.memory.table import MemoryTable
    from plant.rows.arrow import columns_from_arrow
    from plant.rows.batch import Batch
    from plant.rows.columns import taken

    tables = {name: MemoryTable(table) for name, table in SCHEMA.items()}
    rows = pq.read_table(path).sort_by("time")
    columns = columns_from_arrow(rows, SCHEMA["trades"], SCHEMA["trades"].names)
    for i, start in enumerate(range(0, rows.num_rows, 100), 1):
        some = taken(columns, slice(start, start + 100))
        tables["trades"].append(Batch("trades", some, through + i, i, int(some["time"][0])))
    _serve(tables, pipe)


def _serve(answering: Any, pipe: Pipe) -> None:
    from plant.serving.server import QueryServer

    server = QueryServer("tcp://127.0.0.1:*", answering, lambda: {"caught_up": True})
    pipe.send(server.address)
    try:
        pipe.recv()
    except EOFError:
        server.close()
