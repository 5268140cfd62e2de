"""Every section of the benchmark of history runs to its end; a close beside capture misses no row and opens no gap."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.capture.roles import RoleFailed
from benchmarks.history import beside
from benchmarks.history.__main__ import SECTIONS

ROOT = Path(__file__).parents[2]
BENCH = (sys.executable, "-m", "benchmarks.history")


def bench(section: str) -> str:
    """Return what a quick section prints; fail if it does."""
    command = [*BENCH, section, "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


LONG = ("client", "files")  # of the same servers as the others'


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "section",
    [pytest.param(name, marks=[pytest.mark.soak] * (name in LONG)) for name in sorted(SECTIONS.keys() - {"beside"})],
)
def test_section_of_history_measures_the_plant(section: str) -> None:
    assert "tickplant" in bench(section)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_close_beside_capture_is_measured() -> None:
    printed = bench("beside")
    title, headings, _, figures = printed[printed.index("Closing a day") :].splitlines()[:4]
    assert "20,000 trades" in title
    assert headings.split("  ")[-2:] == ["gaps", "rows missing"]
    assert figures.split()[-2:] == ["0", "0"]


def test_readers_that_stay_behind_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Behind:
        """A reader that has taken less than it should."""

        def status(self) -> dict[str, object]:
            return {"name": "hdb", "caught_up": True, "seq": 6}

    monkeypatch.setattr(beside, "READ_S", 0.1)
    beside._until_read((Behind(),), 6)
    with pytest.raises(RoleFailed, match=r"seq 7 was not read within 0.1 s: .*'hdb'"):
        beside._until_read((Behind(),), 7)
