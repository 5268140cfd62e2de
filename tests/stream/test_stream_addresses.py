"""Which of several plants is spoken to, and when it is the next one's turn."""

import pytest

from plant.errors import SettingsError
from plant.stream.addresses import PAUSE_S, Addresses


def test_the_next_one_s_turn_is_after_a_silence_and_the_same_one_s_if_there_is_no_other() -> None:
    several = Addresses(["a", "b", "a"], 0.0)
    assert (several.all, several.several, several.present) == (("a", "b"), True, "a")
    several.heard(3.0)
    assert not several.due(8.0, 5.0)
    assert several.due(8.1, 5.0)
    assert several.go_on(8.1) == "b"
    assert not several.due(9.0, 5.0)
    assert several.go_on(20.0) == "a"
    alone = Addresses(["a"], 0.0)
    assert not alone.several
    assert alone.due(6.0, 5.0)
    assert alone.go_on(6.0) == "a"


def test_one_that_says_no_is_left_at_once_and_after_all_did_there_is_a_pause() -> None:
    three = Addresses("abc", 0.0)
    asked = []
    for _ in range(3):
        three.refused(1.0)
        three.refused(1.0)  # it says so in every beat
        if three.due(1.0, 5.0):
            asked.append(three.go_on(1.0))
    assert asked == ["b", "c"]
    assert three.present == "c"
    assert not three.due(1.0 + PAUSE_S - 0.01, 0.0)
    assert three.due(1.0 + PAUSE_S, 5.0)
    assert three.go_on(2.0) == "a"
    three.refused(2.0)
    assert three.due(2.0, 5.0), "another round"


def test_one_that_takes_what_comes_is_kept() -> None:
    both = Addresses("ab", 0.0)
    both.refused(1.0)
    both.go_on(1.0)
    both.welcomed()
    both.heard(1.0)
    assert not both.due(2.0, 5.0)
    both.refused(2.0)
    assert both.due(2.0, 5.0), "the earlier no does not count any more"


def test_none_at_all_is_an_error() -> None:
    with pytest.raises(SettingsError, match="expected the address of a plant"):
        Addresses([], 0.0)
