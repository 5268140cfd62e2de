"""What Hypothesis holds of every property: no clock fails one, whatever settings of its own a test names."""

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parents[1]
OWN = [
    (file, node)
    for file in sorted(TESTS.rglob("*.py"))
    for node in ast.walk(ast.parse(file.read_text()))
    if isinstance(node, ast.Call) and any(word.arg == "suppress_health_check" for word in node.keywords)
]


def test_the_profile_measures_no_time() -> None:
    assert settings().deadline is None
    assert {*settings().suppress_health_check} == {HealthCheck.too_slow}


@pytest.mark.parametrize(("file", "call"), OWN, ids=lambda found: getattr(found, "name", getattr(found, "lineno", "")))
def test_settings_that_name_health_checks_of_their_own_measure_none_either(file: Path, call: ast.Call) -> None:
    words = {word.arg: ast.unparse(word.value) for word in call.keywords}
    assert "HealthCheck.too_slow" in words["suppress_health_check"] or "list(HealthCheck)" in words.values(), file
    assert words.get("deadline", "None") == "None", file
