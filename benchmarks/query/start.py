"""How long does a user wait for a connection, and for `plant status`? Each in a process of its own, beside pandas."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.capture.tickplant import BenchPlant, running_plant
from benchmarks.effort import Effort
from benchmarks.machine import Grid, number, ratio
from plant.command.running import EXIT_NO_SUPERVISORD

CODE = {
    "pass": "",
    "import pandas": "",
    "import pyarrow": "",
    "import rdb; rdb.connect()": "0.3 s",
    'import rdb; rdb.connect().last("trades")': "",
    "import plant; plant.connect()": "",
}
"""What is run, and the goal."""

STATUS = "plant status"

HIDDEN = """\
Each time is that of a whole process, Python's own start (`pass`) and end included. The files it reads are in the
system's cache, and compiled. The plant has no rows, no supervisord and no dashboard."""


def start(effort: Effort) -> bool:
    """Print how long each start takes; False if one failed."""
    commands = {code: (sys.executable, "-c", code) for code in CODE}
    commands[STATUS] = (sys.executable, "-c", "from plant.command.app import main; main()", "status")
    goals = {**CODE, STATUS: "0.3 s"}
    found: dict[str, list[float]] = {name: [] for name in commands}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_plant(Path(folder) / "plant", "tickerplant", "rdb", "hdb", "processor") as plant,
    ):
        for command in commands.values():
            _seconds(plant, command)
        for _ in range(1 if effort.quick else 4 * effort.repeats):
            for name, command in commands.items():  # in turn: whatever else runs meets all of them
                found[name].append(_seconds(plant, command))
    grid = Grid("Starts: seconds of a whole process", ("process", "n", "best", "median", "p99", "vs pandas", "goal"))
    pandas = float(np.median(found["import pandas"]))
    for name, times in found.items():
        median, tail = np.percentile(times, [50, 99]).tolist()
        grid.add(name, len(times), *map(number, (min(times), median, tail)), ratio(median, pandas), goals[name])
    print(grid)
    print(f"\n{HIDDEN}", flush=True)
    return True


def _seconds(plant: BenchPlant, command: Sequence[str]) -> float:
    """Return how long a process took; raises CalledProcessError if it failed."""
    begun = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **plant.environment}, capture_output=True, check=False)
    if done.returncode != (EXIT_NO_SUPERVISORD if command[-1] == "status" else 0):
        done.check_returncode()
    return time.perf_counter() - begun
