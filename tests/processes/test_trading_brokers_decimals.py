"""Numbers at the border to a broker are exact."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.errors import SettingsError
from trading.brokers.decimals import decimal_text, in_lots, in_money, in_ticks, number_of, price_text, qty_text
from trading.instruments import Instrument

STEPS = st.sampled_from([0.01, 1e-5, 1e-8, 0.25, 0.0005, 1.0, 5.0, Fraction(1, 8)])


@given(count=st.integers(-(10**15), 10**15), tick=STEPS, lot=STEPS)
def test_ticks_and_lots_survive_the_way_out_and_back(count: int, tick: float, lot: float) -> None:
    instrument = Instrument("A", tick=tick, lot=lot)
    price, qty = price_text(instrument, count), qty_text(instrument, count)
    assert in_ticks(instrument, price) == in_lots(instrument, qty) == count
    assert "e" not in (price + qty).lower()
    assert Fraction(price) == count * Fraction(str(tick))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9))
def test_a_decimal_is_written_as_it_is(number: Decimal) -> None:
    assert Decimal(decimal_text(Fraction(number))) == number


def test_a_tick_without_a_finite_decimal_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"instrument 'A': tick Fraction\(1, 3\) has no finite decimal"):
        price_text(Instrument("A", tick=Fraction(1, 3)), 1)


@pytest.mark.parametrize("bad", ["", "NaN", "Infinity", "x", None, True, 1.5, [1]])
def test_what_is_no_number_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        number_of(bad)


def test_what_lies_between_two_ticks_stays_exact() -> None:
    assert in_ticks(Instrument("A", tick=0.01), "31.605") == Fraction(6321, 2)
    assert in_money("0.123456785") == 12345678
    assert in_money(Decimal("1e3")) == 10**11
