"""Every section of the benchmark of questions runs to its end, and all systems give the same answers."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.query import __main__ as module
from benchmarks.query.market import Market
from benchmarks.query.systems import QUESTIONS, SYSTEMS

ROOT = Path(__file__).parents[2]
BENCH = (sys.executable, "-m", "benchmarks.query")

SECTIONS = {
    "questions": "5-minute bars of all symbols",
    "client": "one symbol, its last 100 rows",
    "small": "tickplant        4",
    "size": "vs the shorter",
    "ingest": "publish to visible, ms",
    "sql": "one value of one column",
    "start": "import rdb; rdb.connect()",
}
"""What the section's table names."""

LONG = ("client", "ingest", "start", "small", "size")
"""Sections that run in a soak: with all of them make test would not end in time."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "section", [pytest.param(name, marks=pytest.mark.soak if name in LONG else ()) for name in SECTIONS]
)
def test_section_of_the_questions_runs(section: str) -> None:
    command = [*BENCH, section, "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert SECTIONS[section] in done.stdout


def test_an_answer_that_differs_is_noticed() -> None:
    market = Market(2000, 20)
    systems = {name: make(market) for name, make in SYSTEMS.items()}
    for method, (_, _, column) in QUESTIONS.items():
        answers = {name: system.as_arrow(getattr(system, method)()) for name, system in systems.items()}
        assert module._differing(answers, column) == ""
        assert answers["tickplant"].num_rows or method == "dear"
    answers["tickplant"] = answers["tickplant"].slice(1)
    assert answers["pandas"].num_rows == 0 or "answers differ" in module._differing(answers, "price")
