"""What may be computed over bars that come along with a request."""

import pytest

from api.answers.problems import Problem
from api.routes.indicators import declaration_over_bars
from plant.indicators.bars import Bar
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.scalar import Scalar


def test_an_input_that_no_bar_has_is_refused() -> None:
    with pytest.raises(Problem, match=r"no bar has a column 'hcl3'.*did you mean 'hlc3'") as problem:
        declaration_over_bars("ema", {"input": "hcl3"})
    assert problem.value.code == "invalid"


@pytest.mark.parametrize("name", ["ema", "vwap", "EMA", "VWAP", "MAVP", "MIN", "T3", "BBANDS", "CDL3INSIDE"])
def test_an_indicator_takes_in_a_bar_that_has_what_a_request_tells(name: str) -> None:
    needed = {key: "close" for key, usual in CATALOGUE[name].inputs if key and not usual}
    indicator = Scalar(declaration_over_bars(name, needed))
    indicator.update(Bar(0, 1.0, 2.0, 0.5, 1.5, 10.0))
