"""How many small questions a second are answered to several processes while rows come in, how late, and at what cost?

Ours is a whole plant: publisher, tickerplant, rdb. Redis, if it is installed, keeps what the same questions need: of
each symbol its newest row, and a list of its last rows.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgpack
import numpy as np
import pandas as pd
import psutil

from benchmarks.capture.redis_streams import Redis
from benchmarks.capture.roles import READY_S, Role, RoleFailed, Stage
from benchmarks.capture.tickplant import running_plant
from benchmarks.capture.work import SYMBOLS, Item, Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, number
from plant.client.connect import connect_to, publisher

CLIENTS = (0, 1, 2, 4)
RATE = 50_000
ROWS = 100
BEFORE = 200_000
"""Rows that are there before the first question; answers are compared with them."""

FOUR = [SYMBOLS[i] for i in (7, 23, 42, 91)]
ONE = SYMBOLS[23]
LAST = 100

QUESTIONS = ("last of four symbols", "one symbol's last 100 rows")
GOAL = "Goal: 4 clients, 4,000 questions a second in all, p99 at most 4 ms."

HIDDEN = """\
Publisher, server and clients share the CPUs named above. Every client asks without pause, both questions in turn, and
has pandas' DataFrame of each answer. What the server's CPU has done without clients is left out of its microseconds a
question. Redis has no journal here, no sequence, no order by time: a symbol's rows are as they came, its newest is the
one that came last, and only what these two questions need is kept. Its DataFrame is made of a list of tuples."""

Asks = tuple[Callable[[], pd.DataFrame], ...]
Server = tuple[str, int]
"""Its address, and the process that answers."""


class Answering(Protocol):
    """Who takes rows and answers both questions; it travels to the processes of the others."""

    name: str
    coded: bool  # whether it takes symbols as codes

    def serve(self, folder: Path) -> AbstractContextManager[Server]: ...
    def taking(self, address: str) -> AbstractContextManager[Callable[[Item], None]]: ...
    def asking(self, address: str) -> AbstractContextManager[Asks]: ...


class Plant:
    """A tickerplant and an rdb, as their user starts them."""

    name = "tickplant"
    coded = True

    @contextmanager
    def serve(self, folder: Path) -> Iterator[Server]:
        """Run both; the address is their plant.toml."""
        with running_plant(folder / "plant", "tickerplant", "rdb") as plant:
            yield str(plant.config), plant.processes["rdb"].pid

    @contextmanager
    def taking(self, address: str) -> Iterator[Callable[[Item], None]]:
        """Give what publishes an item; all are in the rdb at the end."""
        with publisher("bench", config=address) as feed:
            yield lambda item: feed.publish("trades", item)
            seq = feed.flush(60.0)
        with connect_to("rdb", config=address) as db:
            deadline = time.monotonic() + READY_S
            while db.status()["seq"] < seq:
                if time.monotonic() > deadline:
                    raise RoleFailed(f"the rdb does not reach seq {seq:,}: {db.status()}")
                time.sleep(0.02)

    @contextmanager
    def asking(self, address: str) -> Iterator[Asks]:
        """Give what asks."""
        with connect_to("rdb", config=address, timeout_s=60.0) as db:
            yield lambda: db.last("trades", FOUR), lambda: db.select("trades", ONE, last=LAST)


class RedisLast:
    """redis-server, the newest row of each symbol as a value of its own, its last rows as a list."""

    name = "Redis"
    coded = False

    def __init__(self) -> None:
        self._server = Redis()

    def missing(self) -> str | None:
        """Return whether server or client is not installed."""
        return self._server.missing()

    @contextmanager
    def serve(self, folder: Path) -> Iterator[Server]:
        """Run a server; the address is a URL."""
        import redis

        with self._server.serve(folder) as address, redis.Redis.from_url(address) as client:
            yield address, int(client.info("server")["process_id"])

    @contextmanager
    def taking(self, address: str) -> Iterator[Callable[[Item], None]]:
        """Give what hands over an item in one pipeline, by symbol."""
        import redis

        pack = msgpack.Packer().pack

        def take(item: Item) -> None:
            columns = [c if isinstance(c, list) else c.tolist() for c in item.values()]
            of: dict[str, list[bytes]] = {}
            for row in zip(*columns, strict=True):
                of.setdefault(row[1], []).append(pack(row))
            pipeline = client.pipeline(transaction=False)
            pipeline.mset({f"last:{sym}": rows[-1] for sym, rows in of.items()})
            for sym, rows in of.items():
                pipeline.rpush(f"rows:{sym}", *rows)
                pipeline.ltrim(f"rows:{sym}", -10 * LAST, -1)
            pipeline.execute()

        with redis.Redis.from_url(address) as client:
            yield take

    @contextmanager
    def asking(self, address: str) -> Iterator[Asks]:
        """Give what asks."""
        import redis

        columns, keys = list(Work("trades", 1, 1).columns()), [f"last:{sym}" for sym in FOUR]

        def frame(rows: Any) -> pd.DataFrame:
            made = pd.DataFrame([msgpack.unpackb(row) for row in rows], columns=columns)
            made["time"] = pd.to_datetime(made["time"], utc=True)
            return made

        with redis.Redis.from_url(address) as client:
            yield lambda: frame(client.mget(keys)), lambda: frame(client.lrange(f"rows:{ONE}", -LAST, -1))


def small(effort: Effort) -> bool:
    """Print how many small questions are answered beside ingest; False if an answer is wrong."""
    seconds = 0.5 if effort.quick else max(8.0 * effort.scale, 1.0)
    systems: list[Answering] = [Plant()]
    redis = RedisLast()
    if why := redis.missing():
        print(f"Redis: {why}")
    else:
        systems.append(redis)
    grid = Grid(
        f"Small questions beside {RATE:,} rows/s, {seconds:g} s for each line; both questions in turn",
        ("system", "clients", "a second", "p50 ms", "p99 ms", "server us", "client us", "server CPU", "rows/s"),
    )
    good = True
    for system in systems:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, system.serve(Path(folder)) as (address, pid):
            good &= _as_published(system, address, effort.size(BEFORE, 20_000) // ROWS)
            alone = 0.0
            for clients in CLIENTS[::3] if effort.quick else CLIENTS:
                cells, alone = _measured(system, address, pid, clients, seconds, alone)
                grid.add(system.name, clients, *cells)
    print(grid)
    print(f"\n{GOAL}\n{HIDDEN}", flush=True)
    return good


def _as_published(system: Answering, address: str, batches: int) -> bool:
    """Publish the rows that are there before; return whether both questions are answered with them."""
    work = Work("trades", batches, ROWS, coded=system.coded)
    with system.taking(address) as take:
        for item in work.items():
            take(item)
    rows = pd.DataFrame(work.columns())
    expected = (rows[rows.sym.isin(FOUR)].groupby("sym").tail(1).sort_values("sym"), rows[rows.sym == ONE].tail(LAST))
    with system.asking(address) as asks:
        for question, ask, wanted in zip(QUESTIONS, asks, expected, strict=True):
            found = ask()
            if any(found[name].tolist() != wanted[name].tolist() for name in ("sym", "price", "trade_id")):
                print(f"{system.name}: {question}: expected\n{wanted}\nfound\n{found}")
                return False
    return True


def _measured(
    system: Answering, address: str, pid: int, clients: int, seconds: float, alone: float
) -> tuple[list[str], float]:
    """Return the cells of a line, and the server's CPU seconds a second; `alone` is that without clients."""
    server = psutil.Process(pid)
    roles = [Role(_ask, system, address, seconds) for _ in range(clients)]
    roles.append(Role(_publish, system, address, seconds))
    try:
        for role in roles:
            role.hear("ready", READY_S)
        before, begun = server.cpu_times(), time.monotonic()
        for role in roles:
            role.go()
        *asked, rate = [role.hear("done", READY_S) for role in roles]
        after, lasted = server.cpu_times(), time.monotonic() - begun
    finally:
        for role in roles:
            role.__exit__(RuntimeError)
    used = (after.user + after.system - before.user - before.system) / lasted
    if not asked:
        return ["", "", "", "", "", f"{used:.0%}", number(rate)], used
    times = np.concatenate([found for found, _ in asked])
    a_second = len(times) / seconds
    median, tail = (np.percentile(times, [50, 99]) * 1e3).tolist()
    mine = sum(cpu_s for _, cpu_s in asked) / len(times) * 1e6
    cost = max(used - alone, 0.0) / a_second * 1e6
    return [*map(number, (a_second, median, tail, cost, mine)), f"{used:.0%}", number(rate)], alone


def _publish(system: Answering, address: str, seconds: float, stage: Stage) -> float:
    """Hand over rows at the pace; return how many a second it were."""
    items = Work("trades", 500, ROWS, coded=system.coded).items()
    with system.taking(address) as take:
        stage.ready()
        begun, count = time.monotonic(), 0
        while (now := time.monotonic() - begun) < seconds:
            if (early := count * ROWS / RATE - now) > 0:
                time.sleep(early)
            item = items[count % len(items)]
            item["time"] = np.full(ROWS, time.time_ns())
            take(item)
            count += 1
        return count * ROWS / (time.monotonic() - begun)


def _ask(system: Answering, address: str, seconds: float, stage: Stage) -> tuple[np.ndarray, float]:
    """Ask without pause; return the seconds of each question, and this process's CPU seconds."""
    found: list[float] = []
    with system.asking(address) as asks:
        for ask in asks:
            ask()
        stage.ready()
        end, cpu_s = time.perf_counter() + seconds, time.process_time()
        while time.perf_counter() < end:
            for ask in asks:
                begun = time.perf_counter()
                ask()
                found.append(time.perf_counter() - begun)
        return np.array(found), time.process_time() - cpu_s
