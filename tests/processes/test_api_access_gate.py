"""Bodies and problems are JSON, which knows neither NaN nor infinity."""

import json

import pytest

from api.access.gate import check_constants
from api.answers.problems import Problem, invalid


@pytest.mark.parametrize("body", [b'{"qty":NaN}', b'{"a":[1,{"b":-Infinity}]}', b'{"text":"NaN","x":Infinity}', b"NaN"])
def test_a_body_with_a_number_that_json_does_not_have_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem, match=r"not JSON: it has the number -?(NaN|Infinity)") as problem:
        check_constants(body)
    assert problem.value.code == "malformed"


@pytest.mark.parametrize("body", [b"", b'{"note":"NaN and Infinity"}', b'{"NaN":1}', b"{NaN", b'{"qty":1e999}'])
def test_any_other_body_is_left_to_who_reads_it(body: bytes) -> None:
    check_constants(body)


def test_a_problem_is_json_whatever_was_found() -> None:
    found = invalid("$.qty", "must be finite", found=float("nan"), expected=[1.0, float("-inf")])
    told = json.loads(bytes(found.answer("id").body), parse_constant=lambda name: pytest.fail(name))
    assert (told["found"], told["expected"]) == ("nan", [1.0, "-inf"])
