"""Faults the plant must survive: kills, stops, cuts, full and damaged disks, under load (tests/faults.py judges).

TICKPLANT_SEED sets the seed of what is random; every test prints its own. `make soak` runs the long ones.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cutting_proxy import CuttingProxy
from faults import FaultyPlant
from forked import Forker
from small_disk import SmallDisk

SEED = int(os.environ.get("TICKPLANT_SEED", "20261120"))
SHORT_KILLS = 15
LONG_KILLS = 300
"""A minute of kills every 200 ms."""
STOPPED_RDB_BYTES = 96 * 2**20
"""The tickerplant may grow by so much while a subscriber is stopped, however many rows pass."""

Start = Callable[..., FaultyPlant]
Proxies = Callable[[int], CuttingProxy]
VICTIMS: dict[str, tuple[tuple[str, ...], int]] = {
    "the publisher": (("feed one,two,three",), 1),
    "the tickerplant": (("tickerplant",), 1),
    "the rdb": (("rdb",), 1),
    "the processor": (("processor",), 1),
    "two of them at once": (("feed one,two,three", "tickerplant", "rdb", "processor"), 2),
}


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    """Return what forks the processes of these tests."""
    made = Forker()
    yield made
    made.close()


@pytest.fixture
def start(tmp_path: Path, forker: Forker) -> Iterator[Start]:
    """Return a function that starts a plant; at the end all is stopped, and none may leave a process behind."""
    plants: list[FaultyPlant] = []

    def start(*processes: str, folder: Path | None = None, **options: Any) -> FaultyPlant:
        plant = FaultyPlant((folder or tmp_path) / f"plant{len(plants)}", forker, SEED, **options)
        plants.append(plant)
        plant.start(*(processes or ("tickerplant", "rdb", "processor")))
        return plant

    yield start
    leaked = [pid for plant in plants for pid in plant.stop()]
    assert not leaked, f"processes did not stop within their time: {leaked}"


@pytest.fixture
def proxies() -> Iterator[Proxies]:
    """Return a function that puts a proxy before a port."""
    made: list[CuttingProxy] = []

    def before(port: int) -> CuttingProxy:
        made.append(CuttingProxy(port, SEED))
        return made[-1]

    yield before
    for proxy in made:
        proxy.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Return a disk of 32 MiB, or skip where none can be mounted."""
    try:
        disk = SmallDisk(tmp_path / "disk", 32)
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(str(error))
    yield disk
    disk.unmount()


@pytest.mark.parametrize("who", VICTIMS)
def test_killed_again_and_again_it_keeps_every_row_once(start: Start, who: str) -> None:
    _storm(start, who, SHORT_KILLS, 10_000)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("who", VICTIMS)
def test_killed_for_a_minute_it_keeps_every_row_once(start: Start, who: str) -> None:
    _storm(start, who, LONG_KILLS, 10_000)


def _storm(start: Start, who: str, kills: int, rows_per_s: float) -> None:
    victims, at_once = VICTIMS[who]
    plant = start(segment_mb=1)
    plant.feed("one,two,three", rows_per_s)
    plant.feed("four", rows_per_s / 3)

    def pick(chance: random.Random) -> tuple[str, ...]:
        return tuple(chance.sample(victims, at_once))

    plant.storm(pick, kills // at_once)
    plant.verdict(f"killing {who}")


def test_an_rdb_stopped_while_rows_pass_has_them_all_and_costs_little_memory(start: Start) -> None:
    _stop_rdb(start, 3.0, 120_000)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_an_rdb_stopped_for_20_s_while_a_million_rows_pass_has_them_all(start: Start) -> None:
    _stop_rdb(start, 20.0, 1_000_000)


def _stop_rdb(start: Start, seconds: float, rows: int) -> None:
    plant = start()
    before = plant.memory("tickerplant")
    plant.kill("rdb", signal.SIGSTOP)
    plant.faults += 1
    end = time.monotonic() + seconds
    feed = plant.feed("one,two", rows / seconds, rows // 2)
    most = 0
    while plant.processes[feed].poll() is None or time.monotonic() < end:
        most = max(most, plant.memory("tickerplant") - before)
        time.sleep(0.05)
    plant.kill("rdb", signal.SIGCONT)
    plant.wait_feeds()
    plant.verdict(f"stopping the rdb for {seconds:g} s (the tickerplant grew by {most / 2**20:.1f} MiB)")
    assert most < STOPPED_RDB_BYTES


def test_connections_cut_at_random_lose_and_double_nothing(start: Start, proxies: Proxies) -> None:
    _cut(start, proxies, 25)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_connections_cut_for_a_minute_lose_and_double_nothing(start: Start, proxies: Proxies) -> None:
    _cut(start, proxies, 600)


def _cut(start: Start, proxies: Proxies, cuts: int) -> None:
    plant = start("tickerplant")
    ports = plant.settings.tickerplant
    between = {key: proxies(getattr(ports, key)) for key in ("ingest_port", "publish_port", "journal_port")}
    through = {f"PLANT_TICKERPLANT__{key.upper()}": str(proxy.port) for key, proxy in between.items()}
    for name in ("rdb", "processor"):
        plant.environments[name] = through
    plant.start("rdb", "processor")
    plant.feed("one,two,three", 10_000, **through)
    for _ in range(cuts):
        time.sleep(0.1 * plant.chance.uniform(0.2, 1.8))
        plant.faults += plant.chance.choice(list(between.values())).cut()
    plant.verdict("cutting connections")


def test_a_full_disk_stops_acknowledgements_until_there_is_room(start: Start, small_disk: SmallDisk) -> None:
    plant = start(segment_mb=1, toml=f"data = '{small_disk.folder / 'data'}'")
    plant.feed("one,two", 10_000)
    for _ in range(3):
        reached = plant.reach(500)
        small_disk.fill()
        plant.until(lambda: "No space left" in plant.state, lambda: f"state {plant.state!r}")
        held = plant.reached()
        time.sleep(0.3 * plant.chance.uniform(0.2, 1.8))
        assert plant.reached() == held > reached, "rows were acknowledged that have no room"
        small_disk.free()
        plant.until(lambda: plant.state == "ok", lambda: f"state {plant.state!r}")
        plant.faults += 1
    plant.verdict("filling the disk")


def test_a_tickerplant_killed_on_a_full_disk_goes_on_once_there_is_room(start: Start, small_disk: SmallDisk) -> None:
    plant = start(segment_mb=1, toml=f"data = '{small_disk.folder / 'data'}'")
    plant.feed("one,two", 10_000)
    for _ in range(3):
        plant.reach(500)
        small_disk.fill()
        plant.until(lambda: "No space left" in plant.state, lambda: f"state {plant.state!r}")
        plant.strike("tickerplant")
        plant.until_ready_or_ended("tickerplant")
        small_disk.free()
        plant.revive("tickerplant")
    plant.verdict("killing the tickerplant on a full disk")
    assert "Traceback" not in plant.log("tickerplant")


def test_a_disk_without_room_for_another_file_keeps_the_old_segment(start: Start, small_disk: SmallDisk) -> None:
    plant = start(segment_mb=1, toml=f"data = '{small_disk.folder / 'data'}'")
    plant.feed("one,two", 20_000)
    plant.reach(100)
    small_disk.fill_names()
    plant.until(lambda: "cannot begin a segment" in plant.state, lambda: f"state {plant.state!r}")
    plant.reach(20_000)
    small_disk.free()
    plant.until(lambda: plant.state == "ok", lambda: f"state {plant.state!r}")
    plant.faults += 1
    plant.verdict("no more files on the disk")


def test_a_read_only_disk_is_named_and_the_plant_goes_on_when_it_is_not(start: Start, small_disk: SmallDisk) -> None:
    plant = start(segment_mb=1, toml=f"data = '{small_disk.folder / 'data'}'")
    plant.feed("one,two", 10_000)
    plant.reach(500)
    plant.kill("tickerplant")
    small_disk.read_only(True)
    plant.processes["tickerplant"] = plant.spawn("tickerplant")
    plant.until_ready_or_ended("tickerplant")
    last = plant.log("tickerplant").splitlines()[-1]
    assert "JournalError" in last
    assert "Read-only" in last
    assert str(small_disk.folder) in last
    small_disk.read_only(False)
    plant.revive("tickerplant")
    plant.faults += 1
    plant.verdict("a read-only disk")
