"""Small programs of users that once failed, each against a plant; they end with 0 when the answer is right."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from recordings import RECORDINGS
from running import RunningPlant, all_stopped

FIELD = RECORDINGS.parent / "field"
TICKETS = """
[[tables]]
name = "tickets"
columns = [["time", "time"], ["sym", "symbol"], ["order_id", "int"]]
"""
ROOT = Path(__file__).parents[2]
LONGEST_S = 240.0

pytestmark = pytest.mark.skipif(not FIELD.is_dir(), reason=f"no programs in {FIELD}")


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(tmp_path_factory.mktemp("field") / "plant", toml=TICKETS, timer_s=1.0)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


@pytest.mark.parametrize(
    "program",
    [
        *("f04_int_null", "f06_small_prices", "f08_signal_corrected", "f10_epoch_seconds", "f11_local_clock"),
        *("publish_epoch_ms", pytest.param("late_bar_signal", marks=pytest.mark.soak)),
    ],
)
@pytest.mark.timeout(300)
def test_the_program_finds_what_its_user_expects(program: str, plant: RunningPlant) -> None:
    paths = os.pathsep.join((str(ROOT), *sys.path))
    done = subprocess.run(
        [sys.executable, str(FIELD / f"{program}.py")],
        env={**plant.environment, "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=LONGEST_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
