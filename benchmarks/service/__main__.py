"""What does the service cost beside a bare FastAPI route: requests, orders, and streams of many clients?

python -m benchmarks.service [bars] [orders] [streams] [--quick] [--repeats 5] [--clients 200]
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.capture.tickplant import ROOT, BenchPlant, free_ports, running_plant
from benchmarks.effort import CommandLine, Effort, positive
from benchmarks.machine import Grid, Spread, number, ratio
from benchmarks.service.asking import Asked, asked, get, post
from benchmarks.service.following import Follower

API = "read_per_s = 1000000\ntrade_per_s = 1000000\nconnections = 10000\n"
PAPER = """
[[accounts]]
name = "paper"
limits = { stale_s = 0, max_orders_per_minute = 1000000, max_open_orders = 1000000 }
[[instruments]]
sym = "*"
tick = 0.01
lot = 1.0
"""
BARS, SYMBOLS, CONNECTIONS = 500, 100, 8
START = 1_795_185_000_000_000_000
LATE_S = 1.0

BEGIN_S, END_S = 60.0, 120.0
"""All clients follow within so long, and have the last row within so long after it was published."""

HIDDEN = """\
What these numbers hide:
- The client, the service and the plant share this machine's CPUs. The client is asyncio with little of its own; it
  costs the same beside the bare route, so the ratio says more than the rates.
- bars: one symbol's newest 500, JSON, each request asked of the rdb: nothing is kept for the next one.
- orders: an order on paper is answered once the journal has its command, the trader made an order of it and that
  came back: three turns through the plant, an fsync every 100 ms apart. Its audit row is written before the answer.
- streams: a batch has a row of each of 100 symbols, every client wants all of them. Late is what came to a client more
  than 1 s after it was published. The bare one sends a text of the same size to as many clients, without a plant, a
  journal, subscriptions or bounds."""


def bars(effort: Effort, clients: int) -> None:
    """Print what GET bars of 500 costs."""
    count = effort.size(4_000, 40)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _plant(folder, "tickerplant", "rdb", "api") as plant:
        _bars(plant, BARS, ("AAPL",))
        request = get(f"/api/v1/bars?sym=AAPL&interval=1m&last={BARS}&session=extended")
        _compared(f"GET bars of {BARS}", plant, request, count, effort)


def orders(effort: Effort, clients: int) -> None:
    """Print what POST order on paper costs."""
    count = effort.size(400, 8)
    processes = ("tickerplant", "rdb", "trading", "api")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _plant(folder, *processes, toml=PAPER) as plant:
        with plant.publisher("bench") as feed:
            feed.publish("trades", {"time": START, "sym": "AAPL", "price": 100.25, "size": 1.0, "source": "bench"})
            _reached(plant, feed.flush())
        body = {"sym": "AAPL", "side": "buy", "qty": 1, "type": "limit", "limit_price": 95.0, "time_in_force": "gtc"}
        request = post("/api/v1/orders", json.dumps(body).encode())
        _compared("POST order on paper", plant, request, count, effort, b"201")


def streams(effort: Effort, clients: int) -> None:
    """Print how late rows come to many clients."""
    followers, symbols = 5 if effort.quick else clients, effort.size(SYMBOLS, 10)
    batches, pause_s = (5, 0.05) if effort.quick else (effort.size(600, 5), 0.1)
    say = json.dumps({"op": "subscribe", "channel": "bars", "interval": "1m", "last": 0})
    names = tuple(f"S{i:03d}" for i in range(symbols))
    grid = Grid(
        f"{followers} clients follow {symbols} bars each {pause_s * 1e3:g} ms, {batches} times",
        ("", "rows/s", "p50 ms", "p99 ms", "late", "memory MB", "ratio of p99"),
    )
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _plant(folder, "tickerplant", "rdb", "api") as plant:
        url = f"ws://127.0.0.1:{plant.settings.api.port}/api/v1/ws"
        process = psutil.Process(plant.processes["api"].pid)
        with plant.publisher("bench") as feed:

            def publish(batch: int) -> None:
                feed.publish("bars", _rows(names, batch, batch))

            came, size = asyncio.run(_followed(url, say, '"trades":', followers, batches, pause_s, publish))
        memory = process.memory_info().rss
    with _bare(size) as (port, bare):

        def push(batch: int) -> None:
            text = f'{{"trades":{batch},"x":"{"x" * size}"}}'.encode()
            asyncio.run(asked(port, post("/push", text), 1, 1))

        plain, _ = asyncio.run(
            _followed(f"ws://127.0.0.1:{port}/ws", "", '"trades":', followers, batches, pause_s, push)
        )
        bare_memory = bare.memory_info().rss
    least = float(np.percentile(plain, 99))
    for name, found, rss in (("tickplant", came, memory), ("bare", plain, bare_memory)):
        p50, p99 = np.percentile(found, [50, 99]).tolist()
        late = int((found > LATE_S).sum()) * symbols
        rows = number(followers * symbols / pause_s)
        grid.add(name, rows, number(p50 * 1e3), number(p99 * 1e3), late, number(rss / 1e6), ratio(p99, least))
    print(grid, flush=True)


async def _followed(
    url: str, say: str, mark: str, count: int, batches: int, pause_s: float, publish: Any
) -> tuple[np.ndarray, int]:
    """Return how long each batch took to each client (s), and how many bytes a message had."""
    followers = [Follower(mark) for _ in range(count)]
    ready = [asyncio.Event() for _ in followers]
    if not say:
        for event in ready:
            event.set()
    sent: dict[int, float] = {}
    now = asyncio.get_running_loop().time
    async with asyncio.timeout(BEGIN_S) as limit, asyncio.TaskGroup() as group:  # a client that fails ends the section
        for each, event in zip(followers, ready, strict=True):
            group.create_task(each.follow(url, say, event, batches))
        await asyncio.gather(*(event.wait() for event in ready))
        await asyncio.sleep(0.5)
        limit.reschedule(None)
        for batch in range(1, batches + 1):
            sent[batch] = time.monotonic()
            await asyncio.to_thread(publish, batch)
            await asyncio.sleep(max(sent[batch] + pause_s - time.monotonic(), 0))
        limit.reschedule(now() + END_S)
    took = []
    for each in followers:
        came = float("inf")
        for batch in sorted(sent, reverse=True):  # what came together has the last one's number
            came = each.came.get(batch, came)
            took.append(came - sent[batch])
    one = followers[0]
    return np.array(took), one.size // max(one.messages, 1)


def _compared(
    title: str, plant: BenchPlant, request: bytes, count: int, effort: Effort, expected: bytes = b"200"
) -> None:
    """Print ours and a bare route that answers as many bytes, by turns."""
    port = plant.settings.api.port
    asyncio.run(asked(port, request, max(count // 10, 1), CONNECTIONS, expected))
    size = asyncio.run(asked(port, request, 1, 1, expected)).size
    process = psutil.Process(plant.processes["api"].pid)
    found: dict[str, list[Asked]] = {"tickplant": [], "bare": []}
    with _bare(size) as (bare_port, bare):
        plain = get("/bare") if request.startswith(b"GET") else post("/bare", b"{}")
        for _ in effort.times():
            found["tickplant"].append(asyncio.run(asked(port, request, count, CONNECTIONS, expected)))
            found["bare"].append(asyncio.run(asked(bare_port, plain, count, CONNECTIONS)))
        memory = {"tickplant": process.memory_info().rss, "bare": bare.memory_info().rss}
    grid = Grid(
        f"{title}: {count} requests over {CONNECTIONS} connections, {size:,} bytes",
        ("", "requests/s", "p50 ms", "p99 ms", "memory MB", "bare is faster by"),
    )
    ours = Spread.of(each.per_s for each in found["tickplant"]).median
    for name, every in found.items():
        rate = Spread.of(each.per_s for each in every)
        p50, p99 = (Spread.of(getattr(each, of) * 1e3 for each in every) for of in ("p50", "p99"))
        grid.add(
            name, rate, number(p50.median), number(p99.median), number(memory[name] / 1e6), ratio(rate.median, ours)
        )
    print(grid, flush=True)


@contextmanager
def _bare(size: int) -> Iterator[tuple[int, psutil.Process]]:
    """Give the port and the process of a bare service."""
    (port,) = free_ports(1)
    with subprocess.Popen([sys.executable, "-m", "benchmarks.service.bare", str(port), str(size)], cwd=ROOT) as process:
        try:
            _until_open(port)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()


def _until_open(port: int) -> None:
    async def look() -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return

    asyncio.run(look())


def _plant(folder: str, *processes: str, **options: Any) -> Any:
    return running_plant(Path(folder) / "plant", *processes, api=API, **options)


def _bars(plant: BenchPlant, count: int, syms: tuple[str, ...]) -> None:
    """Publish bars, and wait until rdb and service have them."""
    with plant.publisher("bench") as feed:
        for minute in range(count):
            feed.publish("bars", _rows(syms, minute, 0))
        _reached(plant, feed.flush())


def _reached(plant: BenchPlant, seq: int) -> None:
    """Wait until the rdb has the rows up to a seq."""
    db, deadline = plant.ask(), time.monotonic() + 60
    while db.status()["seq"] < seq:
        if time.monotonic() > deadline:
            raise RuntimeError("the rdb does not take the rows")
        time.sleep(0.05)


def _rows(syms: tuple[str, ...], minute: int, batch: int) -> dict[str, Any]:
    """Return one bar of a minute of each symbol; `trades` tells the batch."""
    rows = len(syms)
    prices = {name: [100.25] * rows for name in ("open", "high", "low", "close")}
    told = {"time": [START + minute * 60 * 10**9] * rows, "sym": list(syms), "interval": ["1m"] * rows}
    return {**told, **prices, "volume": [1000.0] * rows, "source": ["bench"] * rows, "trades": [float(batch)] * rows}


SECTIONS = {"bars": bars, "orders": orders, "streams": streams}


def main() -> None:
    """Run the sections named on the command line, all without one."""
    line = CommandLine("benchmarks.service", str(__doc__), SECTIONS)
    line.add_argument("--clients", type=positive, default=200, help="clients that follow (200)")
    arguments = line.begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    for name in arguments.sections:
        SECTIONS[name](effort, arguments.clients)
    print(f"\n{HIDDEN}", flush=True)


if __name__ == "__main__":
    main()
