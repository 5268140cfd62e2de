"""What one process carries of a busy venue: trades of 200 symbols over a WebSocket, from frame to journal."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from benchmarks.capture.busy_venue import symbols_of
from benchmarks.capture.roles import READY_S, RoleFailed
from benchmarks.capture.tickplant import BenchPlant, running_plant
from benchmarks.effort import Effort
from benchmarks.machine import Grid
from plant.client.connect import subscriber_of
from plant.rows.batch import Batch
from plant.state.newest import columns_of_batch

SYMBOLS = 200

HIDDEN = """\
The venue is a Python process of this machine that writes the trades of 5 ms at once, each in a frame of its own, so it
takes CPU from the others. Latency is from the write to the tickerplant's stamp; the first tenth is left out.
Two feeds share the venue by its symbols. All trades are counted in the journal, once each, in order of their symbol."""

FEED = """
[[feeds]]
kind = "feedhandler.binance.feed:BinanceFeed"
name = "venue-{number}"
symbols = {symbols}
channels = ["trades"]
url = "{url}/stream"
rest_url = "{rest_url}"
"""


class Carried(NamedTuple):
    """One run: trades/s that came, latency in ms (median, p99), CPU of each feed in cores, MB at first and at last."""

    rate: float
    median_ms: float
    p99_ms: float
    cores: float
    first_mb: float
    last_mb: float


def venue(effort: Effort) -> bool:
    """Print what feeds of a busy venue take and how long a trade is under way; False if a trade is missing."""
    grid = Grid(
        f"A venue of {SYMBOLS} symbols, one trade a frame, {effort.size(20, 2)} s a run",
        ("trades/s", "feeds", "journaled/s", "median, ms", "p99, ms", "cores a feed", "MB of a feed", "MB at the end"),
    )
    good = True
    for rate, feeds in ((20_000, 1), (40_000, 1), (40_000, 2), (60_000, 2)):
        try:
            one = _run(effort.size(rate, 500) if effort.quick else rate, effort.size(20, 2), feeds)
        except RoleFailed as error:
            print(error, file=sys.stderr)
            good = False
            continue
        cells = (f"{one.rate:,.0f}", f"{one.median_ms:.1f}", f"{one.p99_ms:.1f}", f"{one.cores:.2f}")
        grid.add(f"{rate:,}", feeds, *cells, f"{one.first_mb:.0f}", f"{one.last_mb:.0f}")
    print(grid)
    print(f"\n{HIDDEN}")
    return good


def _run(rate: float, seconds: float, feeds: int) -> Carried:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        file = Path(folder) / "sent.npy"
        command = [sys.executable, "-m", "benchmarks.capture.busy_venue", *map(str, (rate, seconds, SYMBOLS, file))]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            names = symbols_of(SYMBOLS)
            parts = [json.dumps(names[number::feeds]) for number in range(feeds)]
            toml = "".join(FEED.format(number=n, symbols=part, **told) for n, part in enumerate(parts))
            with running_plant(Path(folder) / "plant", "tickerplant", toml=toml) as plant:
                for number in range(feeds):
                    plant.start(f"feedhandler venue-{number}")
                return _measured(plant, server, file, rate, seconds, feeds)
        finally:
            server.kill()
            server.wait()


def _measured(
    plant: BenchPlant, server: "subprocess.Popen[str]", file: Path, rate: float, seconds: float, feeds: int
) -> Carried:
    assert server.stdin is not None
    assert server.stdout is not None
    processes = [psutil.Process(plant.processes[f"feedhandler venue-{n}"].pid) for n in range(feeds)]
    total, seen = int(rate * seconds), 0
    found: list[Batch] = []
    with subscriber_of(plant.settings, ("trades",)) as stream:
        server.stdout.readline()  # ready
        before, first_mb = (
            [sum(p.cpu_times()[:2]) for p in processes],
            max(p.memory_info().rss for p in processes) / 1e6,
        )
        began = time.monotonic()
        server.stdin.write("go\n")
        server.stdin.flush()
        while seen < total and time.monotonic() < began + seconds + READY_S:
            batches = list(stream.poll(0.2))
            found += batches
            seen += sum(map(len, batches))
        took = time.monotonic() - began
        cores = max(sum(p.cpu_times()[:2]) - b for p, b in zip(processes, before, strict=True)) / took
        last_mb = max(p.memory_info().rss for p in processes) / 1e6
    server.stdout.readline()
    if seen != total:
        raise RoleFailed(f"of {total:,} trades {seen:,} came")
    median, p99 = _ages_ms(np.load(file), found)
    return Carried(total / took, median, p99, cores, first_mb, last_mb)


def _ages_ms(sent: np.ndarray, batches: list[Batch]) -> tuple[float, float]:
    """Return median and p99 of the time from a trade's sending to the tickerplant's stamp; raises RoleFailed."""
    index = {name: place for place, name in enumerate(symbols_of(SYMBOLS))}
    rows = [columns_of_batch(batch) for batch in batches]
    places = np.concatenate([np.array([index[name] for name in r["sym"].names])[r["sym"].codes] for r in rows])
    numbers = np.concatenate([np.array([int(name) for name in r["trade_id"].tolist()]) for r in rows])
    which = (numbers - 1) * SYMBOLS + places
    if len(np.unique(which)) != len(which):
        raise RoleFailed("a trade came twice")
    for place in range(SYMBOLS):
        if (np.diff(which[places == place]) < 0).any():
            raise RoleFailed(f"the trades of symbol {place} came out of order")
    ages = (np.concatenate([r["received"] for r in rows]) - sent[which])[len(which) // 10 :] / 1e6
    return float(np.median(ages)), float(np.percentile(ages, 99))
