"""Fixtures of the fault tests: plants whose processes are forked and may be killed at will, and a small disk."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chance import SEED
from faults import FaultyPlant
from forked import Forker, shared
from nats_cluster import NatsCluster, cluster
from running import all_stopped
from small_disk import SmallDisk, mounted


@pytest.fixture(scope="session")
def forker() -> Forker:
    """Return what forks the processes of these tests."""
    return shared()


@pytest.fixture
def start(tmp_path: Path, forker: Forker) -> Iterator[Callable[..., FaultyPlant]]:
    """Return a function that starts a plant; at the end all is stopped, and none may leave a process behind."""
    print(f"TICKPLANT_SEED={SEED}")
    with all_stopped() as plants:

        def start(*processes: str, folder: Path | None = None, **options: Any) -> FaultyPlant:
            plant = FaultyPlant((folder or tmp_path) / f"plant{len(plants)}", forker, SEED, **options)
            plants.append(plant)
            plant.start(*(processes or ("tickerplant", "rdb", "processor")))
            return plant

        yield start


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Return three servers of NATS; a test that kills one starts it again."""
    with cluster(tmp_path_factory.mktemp("nats")) as running:
        yield running


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Return a disk with room for few files."""
    with mounted(tmp_path / "disk", files=200) as disk:
        yield disk
