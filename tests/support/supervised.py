"""A plant as its user runs it, under supervisord in a folder of its own: `plant up`, `plant status`, `plant down`."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from running import free_ports

from plant.runtime.settings import load
from plant.runtime.supervision import supervision_of


class Supervised:
    """A plant.toml on free ports in `folder`, with `feeds` at its end, and the command `plant` there."""

    def __init__(self, folder: Path, feeds: str) -> None:
        ports = iter(free_ports(9))
        self.folder = folder
        self.config = folder / "plant.toml"
        self.sections = (
            f"[tickerplant]\ningest_port = {next(ports)}\npublish_port = {next(ports)}\njournal_port = {next(ports)}\n"
            f"[rdb]\nport = {next(ports)}\n[processor]\nport = {next(ports)}\ntimer_s = 1.0\n"
            f"[dashboard]\nport = {next(ports)}\n[hdb]\nport = {next(ports)}\n[trading]\nport = {next(ports)}\n"
            f"[api]\nport = {next(ports)}\n"
        )
        self.config.write_text(self.sections + feeds)

    def plant(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command `plant`."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PLANT_")}
        command = [sys.executable, "-c", "from plant.command.app import main; main()", *arguments]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120,
                              check=False)  # fmt: skip

    def healths(self) -> dict[str, dict[str, Any]]:
        """Return process -> what `plant status` says of it."""
        return {h["process"]: h for h in json.loads(self.plant("status", "--json").stdout)}

    def states(self) -> dict[str, str]:
        """Return process -> state."""
        return {name: health["state"] for name, health in self.healths().items()}


@contextlib.contextmanager
def plant_up(plant: Supervised, code: int = 0) -> Iterator[Supervised]:
    """Have a plant up, `plant up -d` ending with `code`; afterwards it is down, and no process of it is left."""
    up = plant.plant("up", "-d")
    if up.returncode != code:
        plant.plant("down")
        raise AssertionError(f"plant up: expected {code}, found {up.returncode}\n{up.stdout}{up.stderr}")
    family = psutil.Process(supervision_of(load(plant.config), str(plant.config)).call("supervisor.getPID"))
    members = [family, *family.children(recursive=True)]
    try:
        yield plant
    finally:
        members += family.children(recursive=True)
        down = plant.plant("down")
        _, alive = psutil.wait_procs(members, timeout=5)
    assert (down.returncode, alive) == (0, []), down.stderr
