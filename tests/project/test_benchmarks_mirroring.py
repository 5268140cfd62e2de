"""The benchmark of the mirror runs to its end."""

import subprocess
import sys
from pathlib import Path

import pytest
from nats_cluster import binary

ROOT = Path(__file__).parents[2]

SECTIONS = {
    "latency": "with the mirror",
    "throughput": 'with ack = "mirrored"',
    "follower": "the first tickerplant to a subscriber of the follower",
    "catching-up": "follower, a stream that is there",
}


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("section", SECTIONS)
def test_section_measures_the_mirror(section: str) -> None:
    binary()
    command = (sys.executable, "-m", "benchmarks.mirroring", section, "--quick")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert SECTIONS[section] in done.stdout
