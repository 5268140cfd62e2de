"""How fast does the plant capture, next to plain alternatives on the same machine?

    python -m benchmarks.capture [intake] [throughput] [subscribers] [trades] [latency] [replay] [restart] [memory]
                                 [again] [venue] [--quick] [--table bars] [--repeats 5] [--scale 1]

From the first publish to the moment at which a subscriber in another process has all rows in numpy columns (and to the
last acknowledgement), with everything on disk where the system has a disk. Each run has servers, files, publisher and
subscriber processes of its own, all ready before the clock starts; the runs of the systems take turns. What arrived is
compared with what was sent after each run.
"""

import sys
from collections.abc import Callable, Sequence

from benchmarks.capture.again import again
from benchmarks.capture.bare_zmq import BareZmq
from benchmarks.capture.intake import intake
from benchmarks.capture.jetstream import Nats
from benchmarks.capture.latency import latency
from benchmarks.capture.memory import memory
from benchmarks.capture.redis_streams import Redis
from benchmarks.capture.replay import replay
from benchmarks.capture.restart import restart
from benchmarks.capture.roles import RoleFailed, Run, System, run
from benchmarks.capture.tickplant import Tickplant
from benchmarks.capture.venue import venue
from benchmarks.capture.work import RECORDED, Work, recorded_rows
from benchmarks.effort import CommandLine, Effort
from benchmarks.machine import Grid, Spread, ratio

OURS = Tickplant("1000 ms")
"""Fsynced as often as Redis does with appendfsync everysec; the default is every 100 ms."""

NATS = (Nats("push"), Nats("pull"))

COLUMNS = (
    "system",
    "messages",
    "runs",
    "received msg/s  median (min..max)",
    "received rows/s",
    "vs ours",
    "acked msg/s  median (min..max)",
    "vs ours",
)

HIDDEN = """\
What these numbers hide:
- One machine and its loopback: no network, and all processes of a system share the CPUs named above with each other.
- Single rows reach Redis as pipelines of 100 and our publisher gathers them while records are under way: both are the
  same idea. A pipeline of redis-py is a round trip; ours and NATS's have many messages unacknowledged at once.
- "received" is measured at the slowest subscriber, "acked" at the publisher; bare sockets acknowledge nothing.
- All alternatives carry bytes: single rows as msgpack arrays that their subscriber turns into columns as many at a time
  as it received; batches in this project's own payload, decoded without checks, as our subscriber does. All end in the
  same kind of table in memory. Only the plant checks the rows (types, values, checksums), numbers them, and knows what
  it already has.
- Batches come as arrays with coded symbols. With --strings they are lists of str, and coding them is what most of the
  time goes to, for every system alike.
- Bare sockets are the ceiling for messages that go out as they came. The plant may pass it with small batches: behind a
  busy tickerplant they are joined to records of 1,000 rows and more, and so are decoded and appended together.
- The servers start empty and run for seconds: no old data, no rewrite of an append-only file, no other clients."""


def throughput(effort: Effort) -> bool:
    """Print how many messages and rows a second pass from one publisher to one subscriber."""
    systems: tuple[System, ...] = (OURS, Tickplant("100 ms"), Redis(), *NATS, BareZmq())
    _print_durability(systems)
    good = True
    for rows in (1, 100, 1000):
        title = f"Throughput: {effort.kind} in messages of {rows:,} row{'s' * (rows > 1)}, one subscriber"
        good &= _compare(title, [(s, _rows(s, rows, effort)) for s in systems], effort)
    print(f"\n{HIDDEN}")
    return good


def subscribers(effort: Effort) -> bool:
    """Print the same for three subscribers that each take everything."""
    systems: tuple[System, ...] = (OURS, Redis(), *NATS, BareZmq())
    title = f"Three subscribers: {effort.kind} in messages of 1,000 rows, until the last has all"
    return _compare(title, [(s, _rows(s, 1000, effort)) for s in systems], effort, subscribers=3)


def trades(effort: Effort) -> bool:
    """Print how fast recorded trades pass."""
    if not (count := recorded_rows()):
        print(f"\nTrades: skipped, there are no recorded trades in {RECORDED}")
        return True
    systems: tuple[System, ...] = (OURS, BareZmq())
    count = min(effort.size(count, 20_000), count)
    good = True
    for rows in (100, 1):
        title = f"Recorded trades (four symbols, two days): one message per {f'{rows} trades' if rows > 1 else 'trade'}"
        work = Work("recorded", count // rows, rows)
        good &= _compare(title, [(s, work) for s in systems], effort)
    return good


def _rows(system: System, rows: int, effort: Effort) -> Work:
    if rows == 1:
        return Work(effort.kind, effort.size(200_000 * system.speed, 2_000), 1)
    return Work(effort.kind, effort.size(4_000_000 / rows, 50), rows, coded=effort.coded)


def _compare(title: str, works: Sequence[tuple[System, Work]], effort: Effort, subscribers: int = 1) -> bool:
    """Measure the systems in turns and print a line for each, ratios against the first; False if one failed."""
    absent = {s.name: why for s, _ in works if (why := s.missing())}
    failed: dict[str, str] = {}
    found: dict[str, list[Run]] = {s.name: [] for s, _ in works}
    for turn in effort.times():
        for system, work in works:
            if system.name in absent or system.name in failed:
                continue
            print(f"{title}: run {turn + 1}, {system.name}", file=sys.stderr)
            try:
                found[system.name].append(run(system, work, subscribers))
            except RoleFailed as error:
                failed[system.name] = "failed"
                print(error, file=sys.stderr)
    grid = Grid(title, COLUMNS)
    received_by_us = acked_by_us = None
    for system, work in works:
        runs = found[system.name]
        if why := {**absent, **failed}.get(system.name):
            grid.add(system.name, "", len(runs), why)
            continue
        received = Spread.of(r.work.messages / r.received_s for r in runs)
        acked = Spread.of(r.work.messages / r.acked_s for r in runs)
        received_by_us = received_by_us or received.median
        acked_by_us = acked_by_us or acked.median
        against = (str(acked), ratio(acked.median, acked_by_us)) if system.acknowledges else ("-", "")
        grid.add(
            system.name,
            work.messages,
            len(runs),
            str(received),
            received.median * work.rows,
            ratio(received.median, received_by_us),
            *against,
        )
    print(grid, flush=True)
    return not failed


def _print_durability(systems: Sequence[System]) -> None:
    print("\nWhat each does for durability")
    for system in systems:
        print(f"  {system.name}: {system.durability}")


SECTIONS: dict[str, Callable[[Effort], bool]] = {
    "intake": intake,
    "throughput": throughput,
    "subscribers": subscribers,
    "trades": trades,
    "latency": latency,
    "replay": replay,
    "restart": restart,
    "memory": memory,
    "again": again,
    "venue": venue,
}


def main() -> None:
    """Run the sections named on the command line, all without one; exit with 1 if a system failed."""
    line = CommandLine("benchmarks.capture", str(__doc__), SECTIONS)
    line.add_argument("--table", choices=("bars", "trades"), default="bars", help="of throughput and subscribers")
    line.add_argument("--strings", action="store_true", help="batches hold symbols as lists of str, not as codes")
    arguments = line.begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale, arguments.table, not arguments.strings)
    results = [SECTIONS[name](effort) for name in arguments.sections]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
