"""Versions of objects: each event is given out once, and what a user deletes is left alone."""

from plant.detectors.annotation import CREATE, DELETE, UPDATE, Annotation, Change
from plant.detectors.ledger import Ledger

LEVEL = Annotation("prev_day_high/A/2026-11-20", "level", "prev_day_high", "1d", 5, price=10.0)
TESTED = LEVEL._replace(state="tested")
BROKEN = LEVEL._replace(state="broken")


def change(action: str, one: Annotation = LEVEL, time: int = 7) -> Change:
    return Change(time, action, one, "why")


def settled() -> Ledger:
    ledger = Ledger()
    ledger.settle([], {})
    return ledger


def given(ledger: Ledger) -> list[tuple[int, str, str]]:
    return [(version, found.action, found.annotation.state) for version, (_, found) in ledger.taken()]


def back(ledger: Ledger, version: int, action: str, one: Annotation = LEVEL) -> None:
    ledger.take("A", 7, version, action, one)


def test_versions_count_up_and_each_is_given_out_once() -> None:
    ledger = settled()
    ledger.add("A", [change(CREATE), change(UPDATE, TESTED)])
    assert given(ledger) == [(1, CREATE, "active"), (2, UPDATE, "tested")]
    assert given(ledger) == []
    ledger.add("A", [change(UPDATE, BROKEN)])
    assert given(ledger) == [(3, UPDATE, "broken")]


def test_what_the_journal_has_is_not_given_out_again() -> None:
    ledger = Ledger()
    ledger.add("A", [change(CREATE), change(UPDATE, TESTED)])
    back(ledger, 1, CREATE)
    ledger.settle([("A", 7, TESTED)], {})
    assert given(ledger) == [(2, UPDATE, "tested")]


def test_what_a_user_deletes_is_left_from_then_on() -> None:
    ledger = settled()
    ledger.add("A", [change(CREATE)])
    assert given(ledger) == [(1, CREATE, "active")]
    back(ledger, 1, CREATE)
    back(ledger, 2, DELETE)
    ledger.add("A", [change(UPDATE, TESTED)])
    assert given(ledger) == []


def test_a_row_of_ours_that_lost_to_a_user_s_counts_for_nothing_and_one_behind_it_is_taken_back() -> None:
    ledger = settled()
    ledger.add("A", [change(CREATE), change(UPDATE, TESTED), change(UPDATE, BROKEN)])
    assert len(given(ledger)) == 3
    back(ledger, 1, CREATE)
    back(ledger, 2, DELETE)  # the user's came first
    back(ledger, 2, UPDATE, TESTED)
    assert given(ledger) == []
    back(ledger, 3, UPDATE, BROKEN)  # one more than the delete: the object would be there again
    assert given(ledger) == [(4, DELETE, "broken")]
    back(ledger, 4, DELETE, BROKEN)
    ledger.add("A", [change(UPDATE, LEVEL)])
    assert given(ledger) == []


def test_a_delete_of_its_own_is_none_of_a_user_s() -> None:
    ledger = settled()
    ledger.add("A", [change(CREATE), change(DELETE)])
    assert [action for _, action, _ in given(ledger)] == [CREATE, DELETE]
    back(ledger, 1, CREATE)
    back(ledger, 2, DELETE)
    ledger.add("A", [change(UPDATE, TESTED)])
    assert given(ledger) == [(3, CREATE, "tested")]


def test_at_first_what_is_otherwise_is_updated_and_what_is_too_old_to_be_trusted_is_left() -> None:
    old = LEVEL._replace(id="old", start_at=1)
    new = LEVEL._replace(id="new", start_at=6)
    ledger = Ledger()
    ledger.add("A", [change(CREATE, old, time=2), change(CREATE, new, time=7)])
    ledger.add("A", [change(CREATE, TESTED, time=7)])
    back(ledger, 4, UPDATE, BROKEN)
    ledger.settle([("A", 9, one) for one in (old, new, TESTED)], {"A": 3})
    found = [(version, found.annotation.id, found.time) for version, (_, found) in ledger.taken()]
    assert found == [(1, "new", 7), (5, LEVEL.id, 9)]


def test_the_state_goes_on_elsewhere() -> None:
    ledger = settled()
    ledger.add("A", [change(CREATE)])
    other = Ledger()
    other.restore(ledger.saved())
    other.settle([], {})
    assert given(other) == [(1, CREATE, "active")]
