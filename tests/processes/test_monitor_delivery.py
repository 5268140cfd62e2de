"""The way of an alert to its service: announced, tried, tried again; one that hangs holds up no other service."""

import pytest

from monitor.delivery import Delivery
from monitor.services import Outcome
from monitor.told import AGAIN, Alert

S = 10**9
T0 = 1_763_649_000 * S
TAKEN, REFUSED = Outcome(True), Outcome(False, "no route")


def alert(number: int, service: str = "a", sym: str = "AAPL", within_s: int = 0, urgent: bool = False) -> Alert:
    return Alert(T0 + number, sym, "cross", service, 0, f"cross {number} | why", T0, within_s * S, urgent)


def states(changes: list) -> list[tuple[int, str, int]]:
    return [(c.alert.time - T0, c.state, c.attempt) for c in changes]


def test_an_alert_is_announced_before_it_is_tried_and_tried_once_that_is_written() -> None:
    delivery = Delivery()
    delivery.add(alert(1), T0)
    assert delivery.begin(T0, written=True) == []
    assert states(delivery.announce(T0)) == [(1, "sending", 1)]
    assert delivery.announced
    assert delivery.begin(T0, written=False) == []
    assert delivery.begin(T0, written=True) == [(alert(1), 1)]
    assert states([delivery.ended(alert(1), 1, TAKEN, T0)]) == [(1, "sent", 1)]
    assert (delivery.waiting, delivery.announce(T0)) == ({}, [])


def test_an_urgent_one_does_not_wait_for_its_row() -> None:
    delivery = Delivery()
    delivery.add(alert(1, urgent=True), T0)
    delivery.announce(T0)
    assert delivery.begin(T0, written=False) == [(alert(1, urgent=True), 1)]


def test_failures_are_tried_again_with_growing_pauses_and_then_given_up() -> None:
    delivery = Delivery(pauses_s=(1, 5))
    delivery.add(alert(1), T0)
    now, whys = T0, []
    for attempt, pause in ((1, 1), (2, 5), (3, 0)):
        assert states(delivery.announce(now)) == [(1, "sending", attempt)]
        delivery.begin(now, True)
        change = delivery.ended(alert(1), attempt, REFUSED, now)
        whys.append(change.row["detail"])
        assert change.final == (attempt == 3)
        assert delivery.announce(now + pause * S - 1) == []
        now += pause * S
    assert [AGAIN in why for why in whys] == [True, True, False]
    assert whys[2].endswith("no route; given up")
    assert delivery.waiting == {}


def test_what_hangs_becomes_unknown_and_holds_up_nothing() -> None:
    delivery = Delivery(deadline_s=10)
    for each in (alert(1), alert(2, sym="TSLA"), alert(3, service="b")):
        delivery.add(each, T0)
    assert states(delivery.announce(T0)) == [(1, "sending", 1), (3, "sending", 1)]
    delivery.begin(T0, True)
    delivery.ended(alert(3, service="b"), 1, TAKEN, T0)
    assert (delivery.overdue(T0 + 10 * S), delivery.announce(T0 + 10 * S)) == ([], [])
    assert states(delivery.overdue(T0 + 10 * S + 1)) == [(1, "unknown", 1)]
    assert states(delivery.announce(T0 + 11 * S)) == [(2, "sending", 1)]
    assert states([delivery.ended(alert(1), 1, TAKEN, T0)]) == [(1, "sent", 1)]  # late, but now it is known


def test_an_end_waits_for_its_beginning_and_others_pass_it() -> None:
    delivery = Delivery(pauses_s=(100,))
    for each in (alert(1), alert(2), alert(3, sym="TSLA")):
        delivery.add(each, T0)
    delivery.announce(T0)
    delivery.begin(T0, True)
    delivery.ended(alert(1), 1, REFUSED, T0)
    assert states(delivery.announce(T0)) == [(3, "sending", 1)]


@pytest.mark.parametrize("announced", [False, True])
def test_what_waits_too_long_is_given_up(announced: bool) -> None:
    delivery = Delivery()
    old = alert(1, within_s=60)
    delivery.add(old, T0)
    if announced:
        delivery.announce(T0)
    assert states(delivery.announce(T0 + 61 * S)) == [(1, "failed", int(announced))]
    assert delivery.waiting == {}
