"""The border between floats and whole ticks, lots and money."""

import math

import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.errors import SettingsError
from trading.instruments import Instrument, amount_of, money_of


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([1e-8, 1e-5, 0.01, 0.05, 0.25, 0.5, 1.0, 5.0]))
def test_ticks_and_prices_are_each_others_way_back(ticks: int, tick: float) -> None:
    instrument = Instrument("X", tick=tick)
    assert instrument.ticks(instrument.price(ticks)) == ticks
    assert instrument.ticks(ticks * tick) == ticks, "also of a price that was computed"


def test_prices_come_back_as_they_are_written() -> None:
    euro = Instrument("EURUSD", tick=1e-5)
    assert euro.price(109689) == 1.09689 != 109689 * 1e-5


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(1, 10**9), st.sampled_from([1.0, 0.1, 0.001, 1e-5, 1e-8]))
def test_lots_and_quantities_are_each_others_way_back(lots: int, lot: float) -> None:
    instrument = Instrument("X", lot=lot)
    assert instrument.lots(instrument.qty(lots)) == lots


def test_quantities_are_floored_to_the_lot() -> None:
    assert Instrument("X", lot=0.1).lots(0.3) == 3, "0.3 / 0.1 is less than 3 in floats"
    assert Instrument("X", lot=0.1).lots(0.39) == 3
    assert Instrument("X", lot=0.1).covering(0.3) == 3
    assert Instrument("X", lot=0.1).covering(0.31) == 4
    assert Instrument("X", lot=0.25).covering(0.75 + 1e-9) == 3


def test_commission_is_bps_and_a_unit_each_with_a_minimum_rounded_half_even() -> None:
    stock = Instrument("X", tick=0.01, taker_bps=10, maker_bps=5, fee_per_unit=0.005, min_fee=1.0)
    assert stock.commission(100, 10_000, "taker") == money_of(10.5)
    assert stock.commission(100, 10_000, "maker") == money_of(5.5)
    assert stock.commission(1, 100, "taker") == money_of(1)
    dust = Instrument("X", tick=1e-8, lot=1, taker_bps=5000)
    assert [dust.commission(lots, 1, "taker") for lots in (1, 3, 5)] == [0, 2, 2]


@given(st.floats(-1e9, 1e9))
def test_money_is_rounded_to_1e_8(amount: float) -> None:
    assert abs(amount_of(money_of(amount)) - amount) <= 1e-8 + abs(amount) * 1e-15


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, True, "0.01"])
def test_a_tick_that_is_none_is_refused(bad: object) -> None:
    with pytest.raises(SettingsError, match="tick must be a number, more than 0"):
        Instrument("X", tick=bad)


def test_a_price_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="finite price"):
        Instrument("X").ticks(math.nan)
