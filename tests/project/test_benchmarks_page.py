"""The benchmark of the page runs to its end, in a browser."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_refreshes_of_the_page_are_measured() -> None:
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("no Chromium at /usr/bin/chromium: apt-get install chromium")
    command = [sys.executable, "-m", "benchmarks.page", "--quick", "--symbols", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (received,) = (line for line in done.stdout.splitlines() if line.startswith("bytes received"))
    assert received.split()[2] == "3"
