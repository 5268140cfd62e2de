"""When a connection is opened again: pauses that grow, chance, settling, silence, an end for a wrong key."""

import doctest
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.transport import connection_state
from plant.transport.connection_state import ConnectionState, Pauses


def test_the_example_holds() -> None:
    assert doctest.testmod(connection_state).failed == 0


def test_pauses_double_to_the_longest_and_are_short_again_once_it_was_good() -> None:
    state = ConnectionState(Pauses())
    assert [state.lost("no", float(n)) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    state.opened(100.0)
    assert (state.name, state.trouble, state.retry_in_s(100.0)) == ("connecting", "", 0)
    state.subscribed(101.0)
    assert state.name == "subscribed"
    assert state.lost("reset", 102.0) == 1
    assert (state.name, state.trouble, state.losses) == ("reconnecting", "reset", 9)


@given(chance=st.floats(0, 1, exclude_max=True), failures=st.integers(0, 30))
def test_chance_takes_away_no_more_than_its_part(chance: float, failures: int) -> None:
    state = ConnectionState(Pauses(jitter=0.5), chance=lambda: chance)
    for _ in range(failures):
        state.lost("no", 0.0)
    whole = min(60.0, 2.0**failures)
    assert whole / 2 <= state.lost("no", 0.0) <= whole


def test_a_connection_that_does_not_last_does_not_shorten_the_pause() -> None:
    state = ConnectionState(Pauses(settled_s=10.0))
    for pause in (1, 2, 4):
        state.opened(0.0)
        state.subscribed(1.0)
        assert state.lost("cut", 10.9) == pause
    state.opened(0.0)
    state.subscribed(1.0)
    assert state.lost("cut", 11.0) == 1


def test_one_that_ended_as_it_had_to_is_opened_at_once_but_not_again_and_again() -> None:
    state = ConnectionState(Pauses(settled_s=10.0))
    state.opened(0.0)
    state.subscribed(0.0)
    assert state.ended("24 hours", 20.0) == 0
    state.opened(20.0)
    state.subscribed(20.0)
    assert state.ended("shutdown", 21.0) == 2


def test_the_venues_own_pause_counts_if_it_is_longer() -> None:
    state = ConnectionState(Pauses())
    assert state.told_to_wait("too many", 90.0, 0.0) == 90
    for _ in range(6):
        state.lost("no", 0.0)
    assert state.told_to_wait("too many", 5.0, 0.0) == 60


def test_a_refused_key_is_given_up_or_tried_rarely() -> None:
    state = ConnectionState(Pauses(refused_s=None))
    assert state.refused("bad key", 0.0) == math.inf
    assert (state.name, state.retry_in_s(1e9)) == ("given up", math.inf)
    assert ConnectionState(Pauses()).refused("bad key", 0.0) == 60


@pytest.mark.parametrize("expected", [True, False])
def test_silence_is_staleness_then_another_connection_only_while_data_is_expected(expected: bool) -> None:
    state = ConnectionState(Pauses(stale_s=30.0))
    assert not state.silent(1e6, expected)  # not subscribed
    state.opened(0.0)
    state.subscribed(0.0)
    assert not state.silent(29.0, expected)
    assert not state.silent(31.0, expected)
    assert state.name == ("stale" if expected else "subscribed")
    assert state.silent(60.0, expected) is expected
    state.data(61.0)
    assert state.name == "subscribed"
    assert not state.silent(62.0, expected)


def test_when_the_market_opens_its_silence_begins_to_count() -> None:
    state = ConnectionState(Pauses(stale_s=30.0))
    state.opened(0.0)
    state.subscribed(0.0)
    assert not state.silent(1_000.0, expected=False)
    assert not state.silent(1_020.0, expected=True)
    assert state.name == "subscribed"
