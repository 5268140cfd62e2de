"""Whose turn it is: clients take turns, slow questions leave a worker free, a cancelled one is never begun."""

from plant.query.limits import Budget
from plant.serving.waiting import WAITING, Asked, Waiting


def asked(peer: str, number: int = 1, ask: str = "count") -> Asked:
    return Asked([peer.encode(), number.to_bytes(8, "little")], {"ask": ask}, Budget(60))


def waiting(*questions: Asked, workers: int = 4) -> Waiting:
    made = Waiting(workers)
    for one in questions:
        assert made.add(one)
    return made


def begun(state: Waiting) -> list[tuple[str, int]]:
    found = []
    while one := state.begin():
        found.append((one.peer.decode(), int.from_bytes(one.id, "little")))
        state.ended(one)
    return found


def test_clients_take_turns_and_each_ones_questions_keep_their_order() -> None:
    state = waiting(asked("a", 1), asked("a", 2), asked("a", 3), asked("b", 1), asked("c", 1), asked("b", 2))
    assert begun(state) == [("a", 1), ("b", 1), ("c", 1), ("a", 2), ("b", 2), ("a", 3)]
    assert len(state) == 0


def test_no_more_are_begun_than_there_are_workers() -> None:
    state = waiting(*(asked(f"{n}") for n in range(6)))
    under_way = [state.begin() for _ in range(4)]
    assert None not in under_way
    assert state.begin() is None
    assert under_way[0]
    state.ended(under_way[0])
    assert state.begin() is not None


def test_slow_questions_leave_a_worker_to_the_quick_ones() -> None:
    state = waiting(*(asked(f"{n}", ask="sql") for n in range(6)), asked("quick"))
    kinds = [one.fields["ask"] for _ in range(4) if (one := state.begin())]
    assert kinds == ["sql", "sql", "sql", "count"]


def test_a_quick_question_overtakes_slow_ones_of_its_own_client_that_cannot_begin() -> None:
    state = waiting(*(asked(f"{n}", ask="sql") for n in range(3)))
    for _ in range(3):
        assert state.begin()
    for one in (asked("a", 1, "sql"), asked("a", 2, "last")):
        state.add(one)
    found = state.begin()
    assert found
    assert found.fields["ask"] == "last"


def test_one_client_does_not_take_the_last_worker() -> None:
    state = waiting(*(asked("a", n) for n in range(6)))
    assert [state.begin() is None for _ in range(4)] == [False, False, False, True]
    state.add(asked("b"))
    found = state.begin()
    assert found
    assert found.peer == b"b"


def test_a_client_that_may_not_ask_is_passed_over() -> None:
    state = waiting(asked("deaf"), asked("b"))
    found = state.begin(lambda peer: peer != b"deaf")
    assert found
    assert found.peer == b"b"
    assert state.begin(lambda peer: peer != b"deaf") is None
    assert begun(state) == [("deaf", 1)]


def test_a_cancelled_question_that_waits_is_never_begun() -> None:
    state = waiting(asked("a", 1), asked("a", 2), asked("b", 1))
    (gone,) = state.cancel(b"a", (1).to_bytes(8, "little"))
    assert gone.budget.cancelled
    assert begun(state) == [("a", 2), ("b", 1)]


def test_a_cancelled_question_under_way_is_told_so() -> None:
    state = waiting(asked("a", 1), asked("b", 1))
    one, other = state.begin(), state.begin()
    assert one
    assert other
    assert state.cancel(b"a", one.id) == []
    assert (one.budget.cancelled, other.budget.cancelled) == (True, False)


def test_cancelling_what_is_not_there_changes_nothing() -> None:
    state = waiting(asked("a", 1))
    assert state.cancel(b"a", b"another") == state.cancel(b"nobody", b"1") == []
    assert begun(state) == [("a", 1)]


def test_all_questions_of_a_client_can_be_cancelled_at_once() -> None:
    state = waiting(asked("a", 1), asked("b", 1), asked("a", 2))
    assert [one.peer for one in state.cancel(b"a")] == [b"a", b"a"]
    assert begun(state) == [("b", 1)]


def test_too_many_questions_of_one_client_are_refused_and_other_clients_are_not() -> None:
    state = waiting(*(asked("a", n) for n in range(WAITING)))
    assert not state.add(asked("a", WAITING))
    assert state.add(asked("b"))
    assert len(state) == WAITING + 1


def test_while_rows_are_missing_only_what_is_not_about_rows_is_begun_and_what_is_overdue_is_given_up() -> None:
    late = Asked([b"a", b"late"], {"ask": "count"}, Budget(0))
    state = waiting(late, asked("a", 1), asked("b", 2, "status"))
    found = state.begin(rows=False)
    assert found
    assert found.peer == b"b"
    assert state.begin(rows=False) is None
    assert state.overdue() == [late]
    assert begun(state) == [("a", 1)]
