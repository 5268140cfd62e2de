"""The benchmark of the service runs to its end."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TITLES = {"bars": "GET bars of 500", "orders": "POST order on paper", "streams": "5 clients follow"}


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("section", TITLES)
def test_the_service_is_measured_beside_a_bare_route(section: str) -> None:
    command = [sys.executable, "-m", "benchmarks.service", "--quick", section]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"\n{TITLES[section]}" in done.stdout
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith(("tickplant ", "bare "))}
    assert {"tickplant", "bare"} <= lines.keys()
