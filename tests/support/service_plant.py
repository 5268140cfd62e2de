"""A plant with the service in front of it, for tests: few rows, keys, and an HTTP client.

@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant") as plant:
        yield plant

def test_...(service):
    assert service.get("/api/v1/trades", sym="AAPL").json()["rows"]
"""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import small_market
from argon2 import PasswordHasher
from running import RunningPlant

from api.access.keys import make_key

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""Hashes of test keys: a right answer after a millisecond. Those of `plant key create` take longer."""


class ServicePlant(RunningPlant):
    """A plant whose service listens at `url`; `keys` has a key of each role."""

    def __init__(self, folder: Path, **options: Any) -> None:
        options.setdefault("api", "read_per_s = 10000\ntrade_per_s = 10000\n")
        super().__init__(folder, **options)
        self.url = self.settings.api.url
        self.keys: dict[str, str] = {}
        self.more: dict[str, str] = {}
        self.client = httpx.Client(base_url=self.url, timeout=30.0, trust_env=False)
        self._open.append(self.client)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the plant's processes; `more` is of those that are started from then on."""
        return {**super().environment, **self.more}

    def get(self, path: str, role: str = "", **parameters: Any) -> httpx.Response:
        """Return the answer to a GET; `role` "" goes without a key. A list is given several times."""
        return self.client.get(path, params=parameters, headers=self.headers(role))

    def send(
        self, method: str, path: str, body: Any = None, role: str = "", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """Return the answer to a change, its body JSON."""
        told = {**self.headers(role), **(headers or {})}
        if body is None and method == "DELETE":
            return self.client.request(method, path, headers=told)
        return self.client.request(method, path, json={} if body is None else body, headers=told)

    def headers(self, role: str) -> dict[str, str]:
        """Return the headers of a caller with a key of a role."""
        return {"Authorization": f"Bearer {self.keys[role]}"} if role else {}

    def make_keys(self) -> None:
        """Publish a key of each role, and wait until the service knows them."""
        with self.publisher("test-keys") as feed:
            for role in ("read", "trade", "admin"):
                made = make_key(QUICK)
                row = {"time": time.time_ns(), "sym": made.id, "version": 1, "action": "create", "role": role}
                feed.publish("api_keys", {**row, "hash": made.hash, "name": f"{role} of a test"}, strict=True)
                self.keys[role] = made.key
            feed.flush()
        for role in self.keys:
            self.until(lambda: self.get("/api/v1/trades", role, sym="AAPL").status_code == 200, f"key {role}")  # noqa: B023

    def until(self, condition: Any, what: str = "", deadline_s: float = 15.0) -> Any:
        """Return the first true value of a condition; fails after the deadline."""
        end = time.monotonic() + deadline_s
        while not (found := condition()):
            assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}; {self.log('api')[-2000:]}"
            time.sleep(0.02)
        return found


@contextlib.contextmanager
def started(folder: Path, *processes: str, rows: bool = True, **options: Any) -> Iterator[ServicePlant]:
    """Give a running plant with the service, and with the rows of small_market; stop it at the end.

    `processes` run besides tickerplant, rdb and api: "hdb", "processor", "trading".
    """
    plant = ServicePlant(folder, **options)
    try:
        plant.start("tickerplant", "rdb", *processes, "api")
        if rows:
            with plant.publisher("example") as feed:
                for table, some in small_market.rows().items():
                    feed.publish(table, some)
                seq = feed.flush()
            plant.until(lambda: plant.ask().status()["seq"] >= seq, "rows in the rdb")
        plant.make_keys()
        yield plant
    finally:
        leaked = plant.stop()
    assert not leaked, f"processes did not stop within their time: {leaked}"
