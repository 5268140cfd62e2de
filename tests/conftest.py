"""Fixtures: whole plants of real processes on free ports in temporary folders, and waiting for a condition."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import small_market
from finazon_plant import KEY, StartFeed, feeds_of
from finazon_server import FinazonServer
from hypothesis import HealthCheck, settings
from recordings import RECORDINGS
from running import RunningPlant, all_stopped

WAITS = (
    "tests/endtoend/",
    "tests/processes/test_dashboard_",
    "tests/project/test_benchmarks_",
    "tests/project/test_docs_",
)
"""Where files of tests begin that start many processes: they take long and mostly wait."""


settings.register_profile("plant", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("plant")
"""Of properties no time is measured: how long a value takes to be made on a busy machine says nothing of the plant."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that wait among those that compute, early, so that all workers are busy to the end (loadfile)."""
    files = list(dict.fromkeys(item.nodeid.partition("::")[0] for item in items))
    places: dict[str, float] = {}
    for waits, until in ((True, 0.7), (False, 1.0)):
        some = [file for file in files if file.startswith(WAITS) == waits]
        places |= {file: until * i / len(some) for i, file in enumerate(some)}
    items.sort(key=lambda item: places[item.nodeid.partition("::")[0]])  # those of a file stay as they are


def wait_for(condition: Callable[[], Any], deadline_s: float = 15.0, what: Callable[[], Any] | str = "") -> Any:
    """Return the first true value of `condition`; fail, showing `what`, after `deadline_s`."""
    end = time.monotonic() + deadline_s
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            pytest.fail(f"not within {deadline_s:g} s: {what() if callable(what) else what}")
        time.sleep(0.02)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait for a condition with a deadline."""
    return wait_for


@pytest.fixture
def start_plant(tmp_path: Path) -> Iterator[Callable[..., RunningPlant]]:
    """Return a function that starts a plant; all are stopped at the end, and none may leave a process behind."""
    with all_stopped() as plants:

        def start(*processes: str, name: str = "plant", **toml: Any) -> RunningPlant:
            plant = RunningPlant(tmp_path / name, **toml)
            plants.append(plant)
            plant.start(*(processes or ("tickerplant", "rdb", "processor")))
            return plant

        yield start


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Return the folder of real recorded market data, or skip."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recorded market data at {RECORDINGS}")
    return RECORDINGS


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    """Return a running plant with the rows of small_market; nobody may change its trades, quotes and bars."""
    plant = small_market.start(tmp_path_factory.mktemp("market") / "plant")
    yield plant
    leaked = plant.stop()
    assert not leaked, f"processes did not stop within their time: {leaked}"


@pytest.fixture
def finazon(monkeypatch: pytest.MonkeyPatch) -> Iterator[FinazonServer]:
    """Return a running local server that speaks Finazon's protocol."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FinazonServer(KEY) as running:
        yield running


@pytest.fixture
def start_feed(finazon: FinazonServer) -> Iterator[StartFeed]:
    """Return a function that starts a feed of the local Finazon; all are closed at the end."""
    with feeds_of(finazon) as start:
        yield start


@pytest.fixture
def dead_port() -> Iterator[int]:
    """Return a port on which nothing listens, and which nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
