"""Every section of the benchmark of questions runs to its end, and all systems give the same answers."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "benchmarks" / "bench_query.py"

SECTIONS = {
    "questions": "5-minute bars of all symbols",
    "client": "one symbol, its last 100 rows",
    "size": "vs the shorter",
    "ingest": "publish to visible, ms",
}
"""What the section's table names."""


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("section", SECTIONS)
def test_section_of_the_questions_runs(section: str) -> None:
    command = [sys.executable, str(BENCH), section, "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert SECTIONS[section] in done.stdout


def test_an_answer_that_differs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH.parent))
    import bench_query
    from query_market import Market
    from query_systems import QUESTIONS, SYSTEMS

    market = Market(2000, 20)
    systems = {name: make(market) for name, make in SYSTEMS.items()}
    for method, (_, _, column) in QUESTIONS.items():
        answers = {name: system.as_arrow(getattr(system, method)()) for name, system in systems.items()}
        assert bench_query._differing(answers, column) == ""
        assert answers["tickplant"].num_rows or method == "dear"
    answers["tickplant"] = answers["tickplant"].slice(1)
    assert answers["pandas"].num_rows == 0 or "answers differ" in bench_query._differing(answers, "price")
