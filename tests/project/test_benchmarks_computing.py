"""The benchmarks of the processor run to their end."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "sections", ["close calculate memory", pytest.param("talib live restart", marks=pytest.mark.soak)]
)
@pytest.mark.timeout(300)
def test_candles_and_indicators_are_measured(sections: str) -> None:
    command = [sys.executable, "-m", "benchmarks.computing", "--quick", *sections.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    titles = {"close": "One bar for each", "calculate": "The ten default columns over", "memory": "Memory of"}
    titles |= {"talib": "All ", "live": "Candles live", "restart": "Restart of the processor"}
    for section in sections.split():
        assert f"\n{titles[section]}" in done.stdout
