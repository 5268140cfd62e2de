"""All sections of the benchmark of trading run to their end, and both systems make the same trades."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(310)
@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ("backtest sweep", ("backtesting.py", "a sweep of SMA crosses")),
        pytest.param("deciding", ("From a bar's row to its order's row",), marks=pytest.mark.soak),
    ],
)
def test_it_runs(sections: str, told: tuple[str, ...]) -> None:
    command = (sys.executable, "-m", "benchmarks.backtests", *sections.split(), "--quick", "--repeats", "1")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(sentence in done.stdout for sentence in told), done.stdout
