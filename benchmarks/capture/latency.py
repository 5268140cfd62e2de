"""How old is a row when a query can see it? One-row messages at a steady pace, far below what any system can carry."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.capture.bare_zmq import BareZmq
from benchmarks.capture.jetstream import Nats
from benchmarks.capture.redis_streams import Redis
from benchmarks.capture.roles import READY_S, RoleFailed, System, measure, run
from benchmarks.capture.stamping_rdb import STAMPING_RDB, VISIBLE
from benchmarks.capture.tickplant import Tickplant, running_plant
from benchmarks.capture.work import Work
from benchmarks.effort import Effort
from benchmarks.machine import Grid, Spread, ratio

HIDDEN = """\
The plant's rows are seen by a whole rdb process, which follows heartbeats too and can be queried; the others' by a loop
that does nothing else. In a paced run Redis gets each XADD by itself, and NATS one message. The first tenth of each run
is warm-up and left out. The CPUs rest between rows, so that waking processes up is part of every number."""


def latency(effort: Effort) -> bool:
    """Print the age of rows when they become visible; False if a system failed."""
    work = Work("bars", effort.size(10_000, 500), 1, rate=1000.0)
    grid = Grid(
        f"Latency: {work.messages:,} one-row messages at {work.rate:,.0f}/s, from publish() until visible in memory, "
        "microseconds",
        ("system", "runs", "median (min..max)", "p99 (min..max)", "vs ours", "p99 vs ours"),
    )
    ours = Tickplant("100 ms")
    systems: list[System] = [BareZmq(), Redis(), Nats("push")]
    found: dict[str, list[np.ndarray]] = {name: [] for name in (ours.name, *(s.name for s in systems))}
    failed: dict[str, str] = {s.name: why for s in systems if (why := s.missing())}
    missing = set(failed)
    for _ in effort.times(3):
        found[ours.name].append(_in_rdb(work, ours))
        for system in systems:
            if system.name not in failed:
                try:
                    found[system.name].append(run(system, work).latencies_ns)
                except RoleFailed as error:
                    failed[system.name] = "failed"
                    print(error, file=sys.stderr)
    warm = work.messages // 10
    reference: tuple[float, float] | None = None
    for name, runs in found.items():
        label = f"{name}, in a real rdb" if name == ours.name else name
        if name in failed:
            grid.add(label, 0, failed[name])
            continue
        medians = Spread.of(float(np.median(r[warm:])) / 1e3 for r in runs)
        tails = Spread.of(float(np.percentile(r[warm:], 99)) / 1e3 for r in runs)
        reference = reference or (medians.median, tails.median)
        against = (ratio(medians.median, reference[0]), ratio(tails.median, reference[1]))
        grid.add(label, len(runs), str(medians), str(tails), *against)
    print(grid)
    print(f"\n{HIDDEN}")
    return set(failed) == missing


def _in_rdb(work: Work, ours: Tickplant) -> np.ndarray:
    """Return the ages of rows in an rdb process, int64 ns."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        with running_plant(Path(folder) / "plant", "tickerplant", STAMPING_RDB, sync=ours.sync) as plant:
            measure(ours, str(plant.config), work, subscribers=0)
            rdb = plant.ask("rdb")
            deadline = time.monotonic() + READY_S
            while rdb.count("bars") < work.total:
                if time.monotonic() > deadline:
                    raise RoleFailed(f"the rdb has {rdb.count('bars'):,} of {work.total:,} rows")
                time.sleep(0.05)
        published, visible = np.load(plant.settings.plant.data / VISIBLE)
    return np.asarray(visible - published)
