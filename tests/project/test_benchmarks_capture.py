"""Every section of the benchmark of capture runs to its end and finds at each subscriber what was published."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.capture import jetstream, redis_streams
from benchmarks.capture.work import Sink, Work

ROOT = Path(__file__).parents[2]
BENCH = (sys.executable, "-m", "benchmarks.capture")

SECTIONS = {
    "intake": "one dict, time a datetime",
    "throughput": "tickplant (sync 1000 ms)",
    "subscribers": "tickplant (sync 1000 ms)",
    "trades": "trades",
    "latency": "tickplant (sync 100 ms), in a real rdb",
    "replay": "50 of 1,000 rows",
    "restart": "50 of 100 rows",
    "memory": "tickerplant, subscriber stopped",
    "again": "Trades of a source with unique_trade_ids",
    "venue": "A venue of 200 symbols",
}
"""What the section's table names when the plant was measured."""

LONG = tuple(SECTIONS.keys() - {"again"})
"""Sections that run in a soak: with all of them make test would not end in time."""


def bench(*arguments: str) -> str:
    """Return what a quick benchmark prints; fail if it does."""
    command = [*BENCH, *arguments, "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def line(printed: str, name: str) -> str:
    """Return the first line of a table that begins with `name`."""
    return next(each for each in printed.splitlines() if each.startswith(name))


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "section", [pytest.param(name, marks=pytest.mark.soak if name in LONG else ()) for name in SECTIONS]
)
def test_section_measures_the_plant(section: str) -> None:
    assert SECTIONS[section] in bench(section)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("server", "package", "name"), [("redis-server", "redis", "Redis Streams"), ("nats-server", "nats", "NATS")]
)
def test_alternative_is_measured_where_it_is_installed(server: str, package: str, name: str) -> None:
    if not (shutil.which(server) or shutil.which(server, path="/usr/sbin")) or not importlib.util.find_spec(package):
        pytest.skip(f"{server} or its client is not installed (make bench-servers)")
    printed = line(bench("subscribers"), name)
    assert printed.count("x") == 2, f"expected a ratio for received and one for acked, found: {printed}"


def test_alternative_that_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_streams, "server_path", lambda name: None)
    monkeypatch.setattr(jetstream, "server_path", lambda name: None)
    assert redis_streams.Redis().missing() == "redis-server is not installed"
    assert jetstream.Nats().missing() == "nats-server is not installed"


def test_unknown_section_is_refused_with_the_names_of_all() -> None:
    done = subprocess.run([*BENCH, "speed"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert all(name in done.stderr for name in SECTIONS)


@pytest.mark.parametrize("kind", ["bars", "trades"])
def test_sink_refuses_rows_that_were_not_published(kind: str) -> None:
    for rows in (1, 10):
        work = Work(kind, 20, rows)
        messages = [work.encoder()(item) for item in work.items()]
        good, swapped, short = Sink(work), Sink(work), Sink(work)
        good.take(messages)
        good.check()
        swapped.take([messages[1], messages[0], *messages[2:]])
        with pytest.raises(ValueError, match="other values arrived"):
            swapped.check()
        short.take(messages[1:])
        with pytest.raises(ValueError, match="expected"):
            short.check()
