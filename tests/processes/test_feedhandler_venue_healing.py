"""Holes fetched from the past: pages, tries, pauses, an end for what is not to be had."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from made_up_venue import MadeUpSettings

from feedhandler.venue.dialogue import History, Hole, Page, Request, Unreadable
from feedhandler.venue.events import BarRow, Row, TradeRow
from feedhandler.venue.healing import MOST_TRIES, Fetched, Healing
from feedhandler.venue.rest import RATE_LIMIT_PAUSE_S, Answer, _answer_of
from feedhandler.venue.token_bucket import TokenBucket
from plant.transport.secret import Secret

S = 10**9
HOLE = Hole("trades", "A", "", 0, 100 * S, 3, 8)


def trade(number: int) -> TradeRow:
    return TradeRow(number * S, "A", 1.0, 1.0, venue_seq=number)


class Numbers(History):
    """Three trades a page, by number; b"?" cannot be read."""

    lag_s = 2.0

    def request(self, hole: Hole, cursor: Any = None) -> Request | None:
        return Request("/t", {"from": str(cursor or hole.first)}) if hole.table == "trades" else None

    def page(self, hole: Hole, body: bytes) -> Page:
        if body == b"?":
            raise Unreadable("expected a page, found ?")
        first = int(body)
        return Page([trade(n) for n in range(first, first + 3)], first + 3 if first + 3 <= hole.last else None)


@pytest.fixture
def healing() -> Healing:
    return Healing(Numbers(MadeUpSettings()), TokenBucket(100.0, 100.0))


def good(request: Request) -> Answer:
    return Answer("good", request.query["from"].encode())


def run(healing: Healing, answer: Callable[[Request], Answer], now: float = 10.0) -> list[Fetched]:
    """Ask until there is nothing to ask; the clock is moved over pauses."""
    found: list[Fetched] = []
    while len(healing):
        request, without = healing.request(now)
        found += without
        if request is None:
            now += 0.5
        elif (one := healing.take(answer(request), now)) is not None:
            found.append(one)
    return found


def numbers(rows: list[Row]) -> list[int]:
    return [row.venue_seq for row in rows if isinstance(row, TradeRow)]


def test_a_hole_comes_page_by_page_and_only_what_is_in_it(healing: Healing) -> None:
    healing.add([HOLE], 0.0)
    assert healing.request(1.9) == (None, [])  # the past has not got it yet
    found = run(healing, good)
    assert [numbers(one.rows) for one in found] == [[3, 4, 5], [6, 7, 8]]
    assert [(one.done, one.lost) for one in found] == [(False, ""), (True, "")]


def test_trouble_is_tried_again_with_growing_pauses_and_then_given_up(healing: Healing) -> None:
    asked: list[float] = []
    now = 10.0
    healing.add([HOLE], 0.0)
    last = None
    while last is None:
        request, _ = healing.request(now)
        if request is None:
            now += 0.5
            continue
        asked.append(now)
        last = healing.take(Answer("later", reason="HTTP 503") if len(asked) % 2 else Answer("good", b"?"), now)
    assert [b - a for a, b in pairwise(asked)] == [2.0, 4.0, 8.0]
    assert len(asked) == MOST_TRIES
    assert (last.done, last.lost) == (True, "expected a page, found ?")
    assert healing.note == "history of A is missing: expected a page, found ?"


def test_the_venues_pause_is_kept_and_no_try_is_counted(healing: Healing) -> None:
    healing.add([HOLE], 0.0)
    for at in (10.0, 40.0, 70.0, 100.0, 130.0):
        assert at == 10.0 or healing.request(at - 0.1)[0] is None
        assert healing.request(at)[0] is not None
        assert healing.take(Answer("wait", reason="HTTP 429", wait_s=30.0), at) is None
    assert healing.note == "history waits 30 s: too many requests (HTTP 429)"
    assert run(healing, good, 200.0)[-1].done


def test_a_refused_key_ends_all_and_a_refused_request_its_own_hole(healing: Healing) -> None:
    healing.add([HOLE, HOLE._replace(sym="B"), HOLE._replace(sym="C")], 0.0)
    answers = [Answer("no", reason="HTTP 400"), Answer("key", reason="HTTP 401")]
    found = run(healing, lambda request: answers.pop(0))
    assert [(one.hole.sym, one.lost) for one in found] == [
        ("A", "HTTP 400"),
        ("B", "no history: the key was refused (HTTP 401)"),
        ("C", "the key was refused"),
    ]


def test_what_has_no_past_and_what_is_no_hole_any_more_costs_no_request(healing: Healing) -> None:
    bars = Hole("bars", "A", "1m", 0, 600 * S)
    healing.add([HOLE, bars], 0.0)
    request, without = healing.request(10.0, lambda hole: hole is not HOLE)
    assert request is None
    assert without == [Fetched(bars, [], True, "the venue has no such past")]
    assert not len(healing)


def test_a_venue_that_goes_round_in_a_circle_is_left() -> None:
    class Circle(Numbers):
        def page(self, hole: Hole, body: bytes) -> Page:
            return Page([trade(3)], 3)

    healing = Healing(Circle(MadeUpSettings()), TokenBucket(100.0, 100.0))
    healing.add([HOLE], 0.0)
    found = run(healing, good)
    assert (numbers(found[-1].rows), found[-1].lost) == ([3], "after 2 pages the next would be the same")


def test_what_rows_wait_for_comes_between_two_pages_of_what_nobody_waits_for(healing: Healing) -> None:
    late = HOLE._replace(sym="L")
    healing.add([late], 0.0, hurried=False)
    request, _ = healing.request(10.0)
    assert request is not None
    healing.add([HOLE], 5.0)
    found = [healing.take(good(request), 10.0), *run(healing, good)]
    assert [(one.hole.sym, one.done) for one in found if one] == [("L", False), ("A", False), ("A", True), ("L", True)]


def test_while_the_urgent_is_tried_again_later_the_other_goes_on_and_what_is_lost_says_whether_it_may_be_had(
    healing: Healing,
) -> None:
    healing.add([HOLE], 0.0)
    healing.add([HOLE._replace(sym="L")], 0.0, hurried=False)
    request, _ = healing.request(10.0)
    assert request is not None
    assert healing.take(Answer("later", reason="HTTP 503"), 10.0) is None
    request, _ = healing.request(10.0)
    assert request is not None
    fetched = healing.take(good(request), 10.0)
    assert fetched is not None
    assert fetched.hole.sym == "L"
    found = run(healing, lambda request: Answer("later", reason="HTTP 503"), 12.0)
    assert [(one.hole.sym, one.lost, one.again) for one in found if one.done] == [
        ("A", "HTTP 503", True),
        ("L", "HTTP 503", True),
    ]


def test_only_bars_that_were_over_are_taken() -> None:
    class Bars(Numbers):
        def request(self, hole: Hole, cursor: Any = None) -> Request | None:
            return Request("/b", {"from": "0"})

        def page(self, hole: Hole, body: bytes) -> Page:
            return Page([BarRow(n * 60 * S, "A", "1m", 1, 1, 1, 1, 1) for n in range(5)])

    healing = Healing(Bars(MadeUpSettings()), TokenBucket(100.0, 100.0))
    healing.add([Hole("bars", "A", "1m", 60 * S, 190 * S)], 0.0)
    [found] = run(healing, good)
    assert [row.time // (60 * S) for row in found.rows if isinstance(row, BarRow)] == [1, 2]


def test_a_key_that_is_not_entitled_to_a_table_goes_on_with_the_others() -> None:
    class TwoTables(Numbers):
        def request(self, hole: Hole, cursor: Any = None) -> Request | None:
            return Request(f"/{hole.table}", {})

    healing = Healing(TwoTables(MadeUpSettings()), TokenBucket(100.0, 100.0))
    bars = Hole("bars", "A", "1m", 0, 100 * S)
    healing.add([HOLE, bars, HOLE._replace(sym="B")], 0.0)
    assert healing.request(10.0)[0] == Request("/trades", {})
    given_up = healing.take(_answer_of(403, b"not entitled", "", Secret("k3y")), 10.0)
    assert given_up is not None
    assert given_up.lost == "no history of trades: the key was refused (HTTP 403 not entitled)"
    assert healing.request(11.0) == (Request("/bars", {}), [])
    healing.take(_answer_of(401, b"", "", Secret("k3y")), 11.0)
    assert healing.refused
    request, [also] = healing.request(12.0)
    assert (request, also.hole.sym, also.lost) == (None, "B", "the key was refused")


def test_a_firewall_is_waited_for_where_there_is_no_key_that_could_be_refused(healing: Healing) -> None:
    """Binance answers 403 to who asked too often; to give its past up for good would leave every later hole."""
    answered = _answer_of(403, b"<html>WAF</html>", "", Secret(""))
    assert (answered.kind, answered.wait_s) == ("wait", RATE_LIMIT_PAUSE_S)
    assert _answer_of(403, b"", "", Secret("k3y")).kind == _answer_of(401, b"", "", Secret("")).kind == "key"
    healing.add([HOLE], 0.0)
    request, _ = healing.request(10.0)
    assert request is not None
    assert healing.take(answered, 10.0) is None
    assert not healing.refused
    assert healing.request(11.0) == (None, [])
    assert healing.request(10.0 + RATE_LIMIT_PAUSE_S)[0] == request
