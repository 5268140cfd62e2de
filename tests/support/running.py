"""A plant of real processes in a folder of its own, for tests: started, killed, looked into, stopped."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
from chance import SOAK
from forked import MODULES, shared

from plant.client.connect import connect, publisher, subscriber_of
from plant.client.connection import Connection
from plant.rows.batch import Batch
from plant.runtime.settings import Settings, load
from plant.stream.publisher import Publisher
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester

READY_S = 120.0 if SOAK else 30.0


class RunningPlant:
    """A plant.toml on free ports in `folder`, and the processes started from it; `toml` adds text to the file.

    `hdb`, `rdb` and `api` are lines of their sections, `keys` those of [tickerplant]. What it does is
    waited for `wait_s`.
    """

    wait_s = 15.0
    forked = True
    """Whether its processes are forked from one that has imported the plant; else each is started by itself."""

    def __init__(
        self,
        folder: Path,
        toml: str = "",
        timer_s: float = 0.5,
        hdb: str = "",
        rdb: str = "",
        processor: str = "intervals = []",
        api: str = "",
        **keys: Any,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        ports = free_ports(9)
        self.config = folder / "plant.toml"
        tickerplant = "".join(f"{k} = {v!r}\n".replace("'", '"') for k, v in keys.items())
        self.config.write_text(
            f"[tickerplant]\ningest_port = {ports[0]}\npublish_port = {ports[1]}\n"
            f"journal_port = {ports[2]}\n{tickerplant}"
            f"[rdb]\nport = {ports[3]}\n{rdb}\n[processor]\nport = {ports[4]}\ntimer_s = {timer_s}\n{processor}\n"
            f"[dashboard]\nport = {ports[5]}\n[hdb]\nport = {ports[6]}\n{hdb}\n"
            f"[trading]\nport = {ports[7]}\n[api]\nport = {ports[8]}\n{api}\n[plant]\nheartbeat_s = 0.2\n{toml}"
        )
        self.settings: Settings = load(self.config)
        self.processes: dict[str, Any] = {}
        self._open: list[Any] = []

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the plant's processes."""
        return {**os.environ, "PLANT_CONFIG": str(self.config), "PYTHONUNBUFFERED": "1"}

    def start(self, *names: str) -> None:
        """Start processes ("tickerplant", "feedhandler simulated", ...) and wait for their ready lines."""
        for name in names:
            self.processes[name] = self.spawn(name)
        for name in names:
            self.wait_ready(name)

    def spawn(self, name: str) -> Any:
        """Return a new process called `name`, not ready yet."""
        module, *arguments = name.split()
        file = self.folder / f"{name.split()[-1]}.log"
        file.touch()
        if self.forked and f"{module}.__main__" in MODULES:
            return shared().start(f"{module}.__main__", arguments, self.environment, file)
        with file.open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *name.split()], env=self.environment, stdout=log, stderr=log, text=True
            )

    def wait_ready(self, name: str) -> None:
        """Wait for the process's ready line."""
        deadline = time.monotonic() + READY_S
        pid = self.processes[name].pid
        while f"pid={pid}" not in self.log(name):
            code = self.processes[name].poll()
            assert code is None, f"{name} ended with {code}: {self.log(name)[-2000:]}"
            assert time.monotonic() < deadline, f"{name} is not ready: {self.log(name)[-2000:]}"
            time.sleep(0.02)

    def log(self, name: str) -> str:
        """Return what a process has printed so far."""
        return (self.folder / f"{name.split()[-1]}.log").read_text()

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal, and wait for the end if it is SIGKILL."""
        self.processes[name].send_signal(number)
        if number == signal.SIGKILL:
            self.processes[name].wait()

    def restart(self, name: str) -> None:
        """SIGKILL a process and start it again."""
        self.kill(name)
        self.start(name)

    def ask(self, who: str = "rdb", **options: Any) -> Connection:
        """Return a connection to a process; it does not warn of a symbol that is still to come."""
        address = self.settings.address(getattr(self.settings, who).port)
        connection = Connection(who, address, **{"warn_unknown": False, **options})
        self._open.append(connection)
        return connection

    def whole(self, **options: Any) -> Connection:
        """Return a connection to history and today as one; it does not warn of a symbol that is still to come."""
        connection = connect(config=str(self.config), **{"warn_unknown": False, **options})
        self._open.append(connection)
        return connection

    def publisher(self, name: str, timeout_s: float = 10.0) -> Publisher:
        """Return a connected publisher."""
        made = publisher(name, config=str(self.config), timeout_s=timeout_s)
        self._open.append(made)
        return made

    def subscriber(self, *tables: str, since: Any = "start") -> Subscriber:
        """Return a subscriber to some tables (none: all)."""
        made = subscriber_of(self.settings, tables or None, None, since)
        self._open.append(made)
        return made

    def position(self) -> dict[str, Any]:
        """Return the tickerplant's word on where it stands; raises Unavailable."""
        ports = self.settings.tickerplant
        requester = Requester(self.settings.address(ports.journal_port), "tickerplant", 2.0)
        try:
            return dict(msgpack.unpackb(requester.ask(ask="status")[0]))
        finally:
            requester.close()

    def journal(self, *tables: str) -> list[Batch]:
        """Return every batch of some tables, as a fresh subscriber reads them."""
        with subscriber_of(self.settings, tables or None, None, "start") as subscriber:
            return until_live(subscriber, self.wait_s)

    def stop(self) -> list[int]:
        """Stop everything; return the pids of processes that had to be killed."""
        for thing in self._open:
            thing.close(0) if isinstance(thing, Publisher) else thing.close()
        last = [p for name, p in self.processes.items() if name == "tickerplant"]
        first = [p for p in self.processes.values() if p not in last]
        return _stopped(first) + _stopped(last)  # the others hand over what they hold


def until_live(subscriber: Subscriber, deadline_s: float = RunningPlant.wait_s) -> list[Batch]:
    """Return what a subscriber gets until it has read the journal to its end; `deadline_s`: without a row."""
    found: list[Batch] = []
    end = time.monotonic() + deadline_s
    while not subscriber.caught_up:
        if came := subscriber.poll(0.05):
            found += came
            end = time.monotonic() + deadline_s
        assert time.monotonic() < end, f"the journal does not end: the stream wants {subscriber.stream.wants()}"
    return found


@contextlib.contextmanager
def all_stopped() -> Iterator[list[RunningPlant]]:
    """Give a list for plants; stop them at the end. Raises AssertionError if one leaves a process behind."""
    plants: list[RunningPlant] = []
    try:
        yield plants
    finally:
        leaked = [pid for plant in plants for pid in plant.stop()]
    assert not leaked, f"processes did not stop within their time: {leaked}"


def _stopped(processes: list[Any]) -> list[int]:
    for process in processes:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    leaked = []
    for process in processes:
        try:
            process.wait(timeout=20)  # one that asks another that is gone waits 10 s for it
        except subprocess.TimeoutExpired:
            leaked.append(process.pid)
            process.kill()
            process.wait()
    return leaked


def free_ports(count: int) -> list[int]:
    """Return ports nobody listens on now, and that the system gives to no outgoing connection (Linux: from 32768 on).

    A killed process's clients would else take its port now and then, trying to reach it. Tests that run beside these
    (pytest -n) are given other ports: one that was given and is not listened on yet cannot be told from a free one.
    """
    ports: set[int] = set()  # a set: two processes of a plant must not be given the same one
    chance = random.SystemRandom()
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while len(ports) < count:
        port = chance.randrange(15_000 + worker, 32_000, workers)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports.add(port)
    return list(ports)
