"""Which symbol has which calendar."""

import pytest

from plant.calendars.assignment import Calendars
from plant.errors import SettingsError


def test_a_name_goes_before_a_pattern_and_both_before_the_feed() -> None:
    calendars = Calendars({"XNYS": ("A*", "SPY"), "XLON": ("AZN",)}, {"paris": "XPAR"})
    asked = [("AAPL", "paris"), ("AZN", ""), ("SPY", ""), ("MC", "paris"), ("MC", "built:paris"), ("MC", "")]
    assert [calendars.code(*each) for each in asked] == ["XNYS", "XLON", "XNYS", "XPAR", "", ""]


def test_wrong_ones_are_refused_with_their_place() -> None:
    with pytest.raises(SettingsError, match=r"\[bars\] calendars: A is given to XNYS and to XLON; choose one"):
        Calendars({"XNYS": ("A",), "XLON": ("A",)}, {})
    with pytest.raises(SettingsError, match=r"\[\[feeds\]\] calendar: exchange_calendars knows no 'NOPE'"):
        Calendars({}, {"feed": "NOPE"}).check()
    Calendars({"24/7": ("BTC*",)}, {"feed": ""}).check()


def test_sessions_are_made_once() -> None:
    calendars = Calendars({"XNYS": ("A",)}, {})
    assert calendars.sessions("XNYS") is calendars.sessions("XNYS")
    assert calendars.sessions("").continuous
