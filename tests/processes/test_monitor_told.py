"""Rows of `alerts`, read back: what was told, and what was left without a result."""

from monitor.told import AGAIN, FAILED, SENDING, SENT, UNKNOWN, Alert, Told

T0 = 1_763_649_000 * 10**9


def alert(number: int, detail: str = "rdb is down | why", service: str = "a") -> Alert:
    return Alert(T0 + number, "rdb", "process_down", service, 0, detail)


def test_what_has_no_result_is_found_oldest_first() -> None:
    told = Told()
    for row in (
        alert(4, "hdb is down | why").row(SENDING, 1),
        alert(1).row(SENDING, 1),
        alert(1).row(SENT, 1),
        alert(2, service="b").row(SENDING, 1),
        alert(2, service="b").row(FAILED, 1, f"attempt 1: no route; {AGAIN} in 2 s"),
        alert(3, service="c").row(FAILED, 5, "attempt 5: no route; given up"),
        alert(5, service="d").row(UNKNOWN, 1, "the monitor ended"),
    ):
        told.take(row)
    found = [(r.alert.service, r.state, r.attempt, r.alert.detail) for r in told.unresolved()]
    assert found == [("b", FAILED, 1, "rdb is down | why"), ("a", SENDING, 1, "hdb is down | why")]


def test_the_newest_alert_of_a_thing_counts_and_its_end_ends_it() -> None:
    told = Told()
    told.take(alert(1).row(SENT, 1))
    assert [r.alert.time for r in told.standing("a")] == [T0 + 1]
    told.take(alert(3, "over: rdb is down | back").row(SENDING, 1))
    told.take(alert(2).row(FAILED, 5, "no route; given up"))
    assert list(told.standing("a")) == []
    assert [r.alert.time for r in told.unresolved()] == [T0 + 3]
    assert told.newest == T0 + 3


def test_rows_of_this_process_that_come_back_change_nothing() -> None:
    told = Told()
    told.decided(alert(1))
    told.became(alert(1), SENT)
    told.take(alert(1).row(SENDING, 1))
    assert list(told.unresolved()) == []
