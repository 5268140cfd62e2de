"""Holes that nobody waits for: asked for again and again, each row once, whatever came beside."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhandler.past import later as module
from feedhandler.past.later import FIRST_PAUSE_S, MOST_TRIES, Later
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import BarRow, Row, TradeRow
from feedhandler.venue.healing import Fetched
from feedhandler.venue.seam import GivenUp, key_by, key_of

S = 10**9
NUMBERS = Hole("trades", "A", "", S, 9 * S, 3, 6)
TIMES = Hole("trades", "A", "", 2 * S, 8 * S)


def trade(number: int, trade_id: bool = True) -> TradeRow:
    return TradeRow(number * S, "A", 1.5, 2.0, f"id{number}" if trade_id else "", venue_seq=number)


def numbers(rows: list[Row]) -> list[int]:
    return [row.venue_seq for row in rows if isinstance(row, TradeRow)]


def states(later: Later) -> list[tuple[str, str]]:
    return [(note.state, note.detail) for note in later.notes]


def test_what_was_given_up_is_asked_for_again_with_growing_pauses_and_told_when_it_came() -> None:
    later = Later(numbered=True)
    later.give_up([GivenUp(NUMBERS)], 100.0)
    assert later.status(100.0) == "1 holes are fetched late, the next in 60 s"
    now, pauses = 100.0, []
    for _ in range(3):
        while not later.due(now):
            now += 1.0
        pauses.append(now)
        rows = later.take(Fetched(NUMBERS, [trade(3)], done=True, lost="HTTP 503", again=True), now)
        assert numbers(rows) == ([3] if len(pauses) == 1 else [])
    assert [b - a for a, b in zip([100.0, *pauses], pauses, strict=False)] == [60.0, 120.0, 240.0]
    now += 480.0
    assert later.due(now) == [NUMBERS]
    assert later.due(now) == []
    assert numbers(later.take(Fetched(NUMBERS, [trade(3), trade(4)]), now)) == [4]
    assert numbers(later.take(Fetched(NUMBERS, [trade(5), trade(6)], done=True), now)) == [5, 6]
    assert states(later) == [("healed", "A: fetched later, 4 rows")]
    assert (NUMBERS not in later, len(later), later.status(now)) == (True, 0, "")


@pytest.mark.parametrize("again", [False, True])
def test_what_is_not_to_be_had_is_lost_in_the_end(again: bool) -> None:
    later = Later(numbered=True)
    later.give_up([GivenUp(NUMBERS)], 0.0)
    now = tries = 0.0
    while len(later):
        now += FIRST_PAUSE_S
        if later.due(now):
            tries += 1
            later.take(Fetched(NUMBERS, [], done=True, lost="no", again=again), now)
    assert tries == (MOST_TRIES if again else 1)
    assert states(later) == [("lost", "A: no; plant backfill may have it later")]


def test_a_past_that_has_not_all_numbers_yet_is_asked_again() -> None:
    later = Later(numbered=True)
    later.give_up([GivenUp(NUMBERS)], 0.0)
    assert later.due(60.0)
    later.take(Fetched(NUMBERS, [trade(3), trade(5)], done=True), 60.0)
    assert later.notes == []
    assert not later.due(179.0)
    assert later.due(200.0)
    assert numbers(later.take(Fetched(NUMBERS, [trade(n) for n in (3, 4, 5, 6)], done=True), 200.0)) == [4, 6]
    assert states(later) == [("healed", "A: fetched later, 4 rows")]


@given(seed=st.integers(0, 10**6), with_ids=st.booleans())
def test_every_trade_by_time_goes_on_once_whatever_comes_beside_and_breaks_off(seed: int, with_ids: bool) -> None:
    """Of one moment several trades may be the same in all that is known of them: as many go on as there are."""
    chance = random.Random(seed)
    there = [trade(chance.randrange(2, 8), with_ids) for _ in range(chance.randrange(12))]
    there = list(dict.fromkeys(there)) if with_ids else there
    known = [row for row in there if chance.random() < 0.3]  # the plant has them
    late = [row for row in there if row not in known and chance.random() < 0.3] if with_ids else []
    later = Later(numbered=False)
    keys = [key_of(row, False) for row in known]
    later.catch_up(TIMES, keys, 0, 0.0)
    later.seen(late)  # and these came by the socket
    got, now = [*known, *late], 0.0
    for _ in range(chance.randrange(3)):
        assert later.due(now) == [TIMES]
        got += later.take(Fetched(TIMES, there[: chance.randrange(len(there) + 1)]), now)  # type: ignore[arg-type]
        later.take(Fetched(TIMES, [], done=True, lost="HTTP 500", again=True), now)
        now += 3_600.0
    later.due(now)
    half = chance.randrange(len(there) + 1)
    got += later.take(Fetched(TIMES, [*there[:half]]), now)  # type: ignore[arg-type]
    got += later.take(Fetched(TIMES, [*there[half:]], done=True), now)  # type: ignore[arg-type]
    assert sorted(got) == sorted(there)
    assert len(later) == 0


def test_of_a_start_only_what_is_missing_is_told() -> None:
    later = Later(numbered=False)
    later.catch_up(TIMES, [key_by("id3", 3 * S, "", 1.5, 2.0)], 0, 0.0)
    assert later.due(0.0) == [TIMES]
    assert later.take(Fetched(TIMES, [trade(3)], done=True), 1.0) == []
    assert later.notes == []
    later.catch_up(TIMES, [], 0, 5.0)
    later.due(5.0)
    later.take(Fetched(TIMES, [trade(3)], done=True), 6.0)
    assert states(later) == [
        ("opened", "A: since the newest row in the plant"),
        ("healed", "A: fetched later, 1 rows"),
    ]


def test_a_bar_that_the_plant_has_as_it_is_does_not_come_again() -> None:
    hole = Hole("bars", "A", "1m", 0, 600 * S)
    bars = [BarRow(n * 60 * S, "A", "1m", 1.0, 2.0, 0.5, 1.5, n) for n in range(3)]
    later = Later(numbered=True)
    later.catch_up(hole, [(0, 1.0, 2.0, 0.5, 1.5, 0.0), (60 * S, 1.0, 2.0, 0.5, 1.5, 0.5)], 0, 0.0)
    assert later.due(0.0)
    assert later.take(Fetched(hole, [*bars], done=True), 0.0) == bars[1:]


def test_trades_from_the_first_of_this_run_on_are_not_missing() -> None:
    later = Later(numbered=True)
    later.catch_up(TIMES, [3], 6, 0.0)
    later.due(0.0)
    assert numbers(later.take(Fetched(TIMES, [trade(n) for n in range(2, 8)], done=True), 0.0)) == [2, 4, 5]


def test_too_many_holes_cost_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HOLES", 2)
    later = Later(numbered=True)
    later.give_up([GivenUp(NUMBERS._replace(sym=sym)) for sym in "ABC"], 0.0)
    assert len(later) == 2
    assert later.notes[0].detail == "A: more than 2 holes; plant backfill may have it"


@pytest.mark.parametrize("with_ids", [False, True])
def test_a_trade_in_two_holes_goes_on_once(with_ids: bool) -> None:
    """A start that was killed left a hole, and nothing came since: the next one's begins where that did."""
    left, since = TIMES, Hole("trades", "A", "", TIMES.start, 12 * S)
    later = Later(numbered=False)
    later.left(left, (), 0.0)
    later.catch_up(since, (), 0, 0.0)
    twice = [trade(3, with_ids)] if with_ids else [trade(3, False), trade(3, False)]
    first = later.take(Fetched(left, twice, done=True), 0.0)
    assert later.take(Fetched(since, [*twice, trade(9)], done=True), 0.0) == [trade(9)]
    assert first == twice


def test_a_trade_in_two_holes_by_number_goes_on_once_and_counts_in_both() -> None:
    later = Later(numbered=True)
    left, since = NUMBERS, Hole("trades", "A", "", S, 12 * S, 5, 7)
    later.left(left, (), 0.0)
    later.catch_up(since, (), 8, 0.0)
    assert numbers(later.take(Fetched(left, [trade(n) for n in (3, 4, 5, 6)], done=True), 0.0)) == [3, 4, 5, 6]
    assert numbers(later.take(Fetched(since, [trade(n) for n in (5, 6, 7)], done=True), 0.0)) == [7]
    assert len(later) == 0
