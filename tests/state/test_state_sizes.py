"""Sizes by risk: never more than was meant to be risked, and not a lot less."""

import doctest
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from plant.errors import QueryError
from plant.state import sizes
from plant.state.sizes import size_of

CENTS = st.integers(1, 1_000_000).map(lambda n: n / 100)


def test_its_example_holds() -> None:
    assert doctest.testmod(sizes).failed == 0


@given(CENTS, CENTS, CENTS, st.sampled_from([1.0, 0.001, 0.1, 100.0]), st.sampled_from([1.0, 50.0]))
def test_a_size_is_the_most_whole_lots_that_lose_no_more_than_the_risk(
    risk: float, entry: float, stop: float, lot: float, multiplier: float
) -> None:
    assume(entry != stop)
    side = "buy" if stop < entry else "sell"
    exact, step = Fraction(repr(risk)), Fraction(repr(lot))
    each = abs(Fraction(repr(entry)) - Fraction(repr(stop))) * Fraction(multiplier)
    if each * step > exact:
        with pytest.raises(QueryError, match="is less than one lot"):
            size_of(side, risk, entry, stop, lot, multiplier)
        return
    lots = round(Fraction(size_of(side, risk, entry, stop, lot, multiplier).qty) / step)
    assert lots * step * each <= exact < (lots + 1) * step * each


@pytest.mark.parametrize(
    ("side", "risk", "entry", "stop", "sentence"),
    [
        ("buy", 100.0, 10.0, 11.0, "a stop of a buy lies below 10, found 11"),
        ("sell", 100.0, 10.0, 9.0, "a stop of a sell lies above 10, found 9"),
        ("buy", 100.0, 10.0, 10.0, "a stop of a buy lies below 10, found 10"),
        ("buy", 0.0, 10.0, 9.0, "risk must be more than 0, found 0"),
        ("buy", float("nan"), 10.0, 9.0, "risk must be more than 0, found nan"),
        ("buy", 0.5, 10.0, 9.0, "0.50 at risk is less than one lot of 1, which loses 1.00"),
    ],
)
def test_what_has_no_size_is_refused(side: str, risk: float, entry: float, stop: float, sentence: str) -> None:
    with pytest.raises(QueryError, match=sentence):
        size_of(side, risk, entry, stop)
