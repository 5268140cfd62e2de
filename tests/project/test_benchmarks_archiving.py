"""The benchmark of the archive runs to its end."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_a_day_into_the_archive_is_measured() -> None:
    command = [sys.executable, "-m", "benchmarks.archiving", "--quick", "folder"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "\nA day of 20,000 trades" in done.stdout
