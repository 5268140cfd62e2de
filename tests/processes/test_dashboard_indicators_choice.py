import doctest
import re
from pathlib import Path

import pytest

from dashboard.indicators import choice as choices
from dashboard.indicators.choice import Choice, address_of, choice_of, declared_choices, picked
from plant.errors import SettingsError
from plant.indicators.catalogue import CATALOGUE
from plant.indicators.declarations import DEFAULTS, declared

DECLARED = declared_choices(declared([{"name": "fast", "kind": "ema", "period": 9}]))


def test_a_declared_one_is_named_and_one_of_the_catalogue_says_what_is_not_its_default() -> None:
    assert choice_of("fast", DECLARED).label == "fast"
    assert choice_of("fast", DECLARED).title == "fast · EMA 9"
    assert choice_of("rsi_14", DECLARED).label == "RSI 14"
    assert choice_of("ut_bot(key=2.0, period=10)", DECLARED).text == "ut_bot(key=2)"
    assert choice_of("ut_bot(key=2)", DECLARED).label == "UT Bot 2 10"
    assert choice_of("ut_bot(heikin_ashi=true)", DECLARED).label == "UT Bot 1 10 heikin ashi"
    assert choice_of("macd()", DECLARED).label == "MACD"
    assert choice_of("macd()", DECLARED).title == "MACD 12 26 9"
    assert choice_of("RSI(timeperiod=7)", DECLARED).label == "RSI 7"


def test_every_kind_of_the_catalogue_comes_back_from_its_text() -> None:
    for name, kind in CATALOGUE.items():
        choice = picked(name, {key: "close" for key, column in kind.inputs if key and not column})
        assert choice == choice_of(choice.text, DECLARED)
        assert choice.label
        assert choice.columns[0].startswith("picked_")


def test_parameters_and_inputs_come_back_from_the_text_as_they_were() -> None:
    choice = picked("bollinger", {"period": 33, "deviations": 2.5, "input": "hlc3"})
    again = choice_of(choice.text, {})
    assert again.declaration.parameters == {"period": 33, "deviations": 2.5}
    assert again.declaration.inputs == ("hlc3",)
    assert choice_of("ut_bot(heikin_ashi=true)", {}).declaration.parameters["heikin_ashi"] is True


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rsi_41", "did you mean 'rsi_14'"),
        ("bolinger(period=3)", "did you mean 'bollinger'"),
        ("rsi(period=0)", "from 1 to 5,000"),
        ("rsi(period=x)", "a whole number"),
        ("rsi(length=3)", "unknown key 'length'"),
        ("rsi(period=3", "no indicator"),
        ("", "no indicator"),
        ("rsi(period=1e400)", "a whole number"),
        ("__import__('os')", "no indicator"),
    ],
)
def test_what_an_address_may_hold_and_is_no_indicator_is_refused_with_a_sentence(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told.replace("(", r"\(")):
        choice_of(text, DECLARED)


def test_two_choices_of_a_kind_have_columns_of_their_own() -> None:
    one, other = picked("ema", {"period": 9}), picked("ema", {"period": 10})
    assert set(one.columns).isdisjoint(other.columns)
    assert one == picked("ema", {"period": 9, "input": "close"})


def test_the_address_says_nothing_as_long_as_the_usual_is_shown() -> None:
    usual = list(declared_choices(DEFAULTS))
    assert address_of(usual, usual) is None
    assert address_of([*usual, "rsi(period=7)"], usual) == "sma_20;ema_20;ema_50;rsi_14;macd;bb;rsi(period=7)"
    assert address_of([], usual) == ""


def test_one_of_the_users_own_has_its_name_and_a_pane_of_its_own() -> None:
    (own,) = declared_choices(declared([{"name": "mine", "kind": "my.module:Mine", "length": 5}], False)).values()
    assert (own.label, own.kind) == ("mine", None)
    assert isinstance(own, Choice)


def test_the_names_that_the_documentation_has_are_indicators() -> None:
    page = (Path(__file__).parents[2] / "docs/dashboard.md").read_text()
    texts = re.findall(r"`(\w+\([\w=,]*\))`", page)
    assert len(texts) > 2
    for text in texts:
        assert choice_of(text, DECLARED).text == text


def test_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(choices).attempted > 0
    assert doctest.testmod(choices).failed == 0
