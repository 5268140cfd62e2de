"""Whose heartbeats count in a plant that follows another: they come with its journal, under the same names."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import RunningPlant, all_stopped

from plant.control.health import _health, _heartbeats
from plant.runtime.settings import Settings, load
from plant.runtime.supervision import Supervision

OURS, THEIRS = 4_000_001, 4_000_002


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    """A plant with heartbeats of two processes called `mirror`, the newest one of another plant."""
    with all_stopped() as plants:
        plants.append(made := RunningPlant(tmp_path_factory.mktemp("beats") / "plant"))
        made.start("tickerplant", "rdb")
        feed = made.publisher("mirror@far")
        for pid, state in ((OURS, "ours"), (THEIRS, "theirs")):
            row = {"pid": pid, "seq_seen": 1, "rows": 2, "rate": 0.0, "memory": 3, "state": state}
            feed.publish("heartbeats", {"time": time.time_ns(), "sym": "mirror", **row})
        feed.flush()
        deadline = time.monotonic() + 20
        while made.ask().count("heartbeats", "mirror") != 2:
            assert time.monotonic() < deadline
        yield made


def following(plant: RunningPlant, folder: Path, ingest: str) -> Settings:
    config = folder / "plant.toml"
    upstream = '[upstream]\npublish = "tcp://127.0.0.1:1"\njournal = "tcp://127.0.0.1:2"\n' + ingest
    config.write_text(plant.config.read_text() + upstream)
    return load(config)


def test_a_plant_that_follows_counts_only_the_heartbeats_of_its_own_processes(
    plant: RunningPlant, tmp_path: Path
) -> None:
    settings = following(plant, tmp_path, "")
    assert _heartbeats(settings, {"mirror": OURS, "rdb": 0})["mirror"]["state"] == "ours"
    assert _heartbeats(settings, {"mirror": OURS + 9}) == {}
    assert _heartbeats(settings, {}) == {}
    assert _heartbeats(plant.settings, {"mirror": OURS})["mirror"]["state"] == "theirs", "its journal is its own"


@pytest.mark.parametrize(
    ("ingest", "detail"),
    [("", "tells nothing of itself: this plant follows another, and has no [upstream] ingest"),
     ('ingest = "tcp://127.0.0.1:3"\n', "")],
)  # fmt: skip
def test_one_that_tells_nothing_of_itself_there_is_told_so(
    plant: RunningPlant, tmp_path: Path, ingest: str, detail: str
) -> None:
    settings = following(plant, tmp_path, ingest)
    supervised = {"pid": OURS, "stop": 0, "statename": "RUNNING", "now": 100, "start": 1}
    health = _health("mirror", settings, supervised, None, Supervision(tmp_path, tmp_path, tmp_path))
    assert (health.state, health.detail) == ("up", detail)
