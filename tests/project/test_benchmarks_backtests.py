"""Both sections of the benchmark of trading run to their end, and both systems make the same trades."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_runs() -> None:
    command = (sys.executable, "-m", "benchmarks.backtests", "--quick", "--repeats", "1")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "backtesting.py" in done.stdout
    assert "a sweep on all CPUs" in done.stdout
