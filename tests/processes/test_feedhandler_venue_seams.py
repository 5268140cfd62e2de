"""Each trade once and in order, against a plain model: whatever comes twice, swapped, late, or only from the past."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhandler.venue import seams as module
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.events import BarRow, CorrectionRow, QuoteRow, Row, Skipped, TradeRow
from feedhandler.venue.seam import SKEW_NS, GivenUp, key_of
from feedhandler.venue.seams import Seams

S = 10**9


def trade(number: int, sym: str = "A", numbered: bool = True) -> TradeRow:
    return TradeRow(number * S, sym, 1.5, 2.0, f"id{number}", venue_seq=number if numbered else 0)


def numbers(rows: list[Row]) -> list[int]:
    return [row.time // S for row in rows if isinstance(row, TradeRow)]


class Venue:
    """Makes trades, sends what chance says, and has all of them in its past."""

    def __init__(self, seed: int, numbered: bool) -> None:
        self.chance = random.Random(seed)
        self.numbered = numbered
        self.made = 0
        self.seams = Seams(numbered, fetches=True)
        self.now = 0.0
        self.got: list[int] = []
        self.holes: list[Hole] = []

    def trades(self, count: int, connected: bool = True) -> None:
        rows = [trade(n, numbered=self.numbered) for n in range(self.made + 1, self.made + count + 1)]
        self.made += count
        if not connected:
            return
        if self.numbered:
            rows.sort(key=lambda row: row.venue_seq + self.chance.choice((0, 0, 0, 1.5)))  # some swapped
        rows = [row for row in rows for _ in range(self.chance.choice((1, 1, 2)))]
        while rows:
            some, rows = rows[:3], rows[3:]
            self.note(self.seams.take(some, self.now))

    def cut(self) -> None:
        self.note(self.seams.take([], self.now))
        self.seams.interrupted(["A"], self.now)
        self.trades(self.chance.randrange(4), connected=False)
        self.seams.resumed(["A"], (self.made + 1) * S, self.now)

    def heal(self, whole: bool) -> None:
        self.now += 1.0
        self.holes += self.seams.due(self.now)
        while self.holes:
            hole = self.holes.pop(0)
            first, last = (hole.first, hole.last) if hole.first else (hole.start // S, -(-hole.end // S) - 1)
            rows = [trade(n, numbered=self.numbered) for n in range(max(first, 1), min(last, self.made) + 1)]
            half = len(rows) // 2
            self.note(self.seams.fetched(hole, rows[:half], self.now))
            if not whole:
                self.holes.insert(0, hole)
                return
            self.note(self.seams.fetched(hole, rows[half:], self.now))
            self.note(self.seams.ended(hole, self.now))

    def note(self, rows: list[Row]) -> None:
        self.got += numbers(rows)


@pytest.mark.parametrize("numbered", [True, False])
@given(steps=st.lists(st.sampled_from("tttchp"), max_size=40), seed=st.integers(0, 10**6))
def test_every_trade_goes_on_once_and_in_order(numbered: bool, steps: list[str], seed: int) -> None:
    venue = Venue(seed, numbered)
    venue.note(venue.seams.take([trade(1, numbered=numbered)], 0.0))
    venue.made = 1
    for step in steps:
        match step:
            case "t":
                venue.trades(venue.chance.randrange(5))
            case "c":
                venue.cut()
            case "h":
                venue.heal(whole=True)
            case "p":
                venue.heal(whole=False)
        assert venue.got == list(range(1, len(venue.got) + 1))
    venue.trades(1)
    for _ in range(2 + len(steps)):  # one hole after the other
        venue.heal(whole=True)
    assert venue.got == list(range(1, venue.made + 1))
    assert venue.seams.waiting == 0
    states = [note.state for note in venue.seams.notes]
    assert "lost" not in states
    assert states.count("opened") == states.count("healed")


def test_a_hole_that_nobody_fills_is_lost_after_its_time_and_what_is_behind_it_goes_on() -> None:
    seams = Seams(numbered=True, fetches=True)
    assert numbers(seams.take([trade(1), trade(4), trade(6)], 0.0)) == [1]
    assert seams.due(0.4) == []
    assert seams.due(0.5) == [Hole("trades", "A", "", S, 4 * S, 2, 3)]
    assert seams.due(0.6) == []
    assert seams.impatient(29.9) == []
    assert numbers(seams.impatient(30.0)) == [4]
    assert numbers(seams.impatient(60.0)) == [6]
    assert [(note.state, note.first, note.last) for note in seams.notes] == [
        ("opened", 2, 3), ("lost", 2, 3), ("opened", 5, 5), ("lost", 5, 5),
    ]  # fmt: skip


def test_patience_rests_while_the_venue_wants_no_requests_but_not_for_ever() -> None:
    seams = Seams(numbered=True, fetches=True)
    seams.take([trade(1), trade(4)], 0.0)
    now = 0.0
    while now < 80.0:  # a 429 that wants a minute, and another
        now += 1.0
        assert seams.impatient(now, resting=True) == []
    assert seams.impatient(now + 29.0) == []
    assert numbers(seams.impatient(now + 31.0)) == [4]
    assert seams.given_up == [GivenUp(Hole("trades", "A", "", S, 4 * S, 2, 3), (), 4)]
    seams.take([trade(7)], 200.0)
    now = 200.0
    while not (on := seams.impatient(now, resting=True)):
        now += 5.0
    assert numbers(on) == [7]
    assert now == 200.0 + module.PATIENCE_S + module.MOST_RESTED_S


def test_a_hole_by_time_that_is_given_up_says_what_came_meanwhile() -> None:
    seams = Seams(numbered=False, fetches=True)
    seams.take([trade(1, numbered=False)], 0.0)
    seams.interrupted(["A"], 1.0)
    seams.resumed(["A"], 9 * S, 1.0)
    without_id = TradeRow(10 * S, "A", 1.0, 3.0)
    seams.take([trade(8, numbered=False), without_id], 2.0)
    assert seams.impatient(40.0) == [trade(8, numbered=False), without_id]
    [(hole, known, before)] = seams.given_up
    assert (hole, before) == (Hole("trades", "A", "", S, 9 * S + SKEW_NS), 0)
    assert set(known) == {
        key_of(row, False) for row in (trade(1, numbered=False), trade(8, numbered=False), without_id)
    }


def test_what_the_past_has_not_is_lost_at_once() -> None:
    seams = Seams(numbered=True, fetches=True)
    seams.take([trade(1), trade(5)], 0.0)
    [hole] = seams.due(1.0)
    assert numbers(seams.fetched(hole, [trade(2), trade(4)], 1.0)) == [2]
    assert numbers(seams.ended(hole, 1.0)) == [4, 5]
    lost = seams.notes[-1]
    assert (lost.state, lost.first, lost.last, lost.detail) == ("lost", 3, 3, "A: the venue's past has not all of it")


def test_a_venue_that_numbers_anew_is_told_and_not_taken_for_repeats() -> None:
    seams = Seams(numbered=True, fetches=False)
    seams.take([trade(100)], 0.0)
    anew = [trade(100)._replace(time=(101 + n) * S, venue_seq=1 + n) for n in range(3)]
    assert len(seams.take([trade(99), trade(100), *anew], 1.0)) == 3
    assert seams.repeats == 2
    assert seams.notes[0].detail == "A: the venue numbers anew, from 1 after 100"


def test_too_many_rows_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    seams = Seams(numbered=True, fetches=True)
    seams.take([trade(1), *(trade(n) for n in range(3, 15))], 0.0)
    assert numbers(seams.impatient(0.1)) == list(range(3, 15))
    assert seams.notes[-1].detail == "A: too many rows wait"


def test_a_number_that_is_no_trade_is_not_missing() -> None:
    seams = Seams(numbered=True, fetches=True)
    given = [Skipped(n * S, "A", n) if n in (1, 3, 6) else trade(n) for n in range(1, 9)]
    swapped = [given[k] for k in (0, 1, 3, 2, 4, 6, 7)]  # 6 never comes
    assert numbers(seams.take(swapped, 0.0)) == [2, 4, 5]
    assert [note.detail for note in seams.notes] == [
        "A: 1 trades are missing",
        "A: all came",
        "A: 1 trades are missing",
    ]
    assert numbers(seams.take([given[5], given[5]], 1.0)) == [7, 8]
    assert (seams.notes[-1].state, seams.waiting, seams.repeats) == ("healed", 0, 1)


def test_where_trades_have_no_numbers_none_is_skipped() -> None:
    seams = Seams(numbered=False, fetches=True)
    assert numbers(seams.take([trade(1), Skipped(2 * S, "A", 2), trade(3)], 0.0)) == [1, 3]


def test_an_id_of_another_day_is_another_trade() -> None:
    """Ids of many venues begin anew each day, and a quiet symbol has traded little since."""
    seams = Seams(numbered=False, fetches=False)
    first = TradeRow(1_796_050_800 * S, "A", 1.5, 2.0, "1")  # 15:00 UTC
    again, next_day = first._replace(time=first.time + S), first._replace(time=first.time + 18 * 3_600 * S)
    assert seams.take([first, again, next_day, next_day], 0.0) == [first, next_day]
    assert seams.repeats == 2


def test_two_trades_without_an_id_are_two() -> None:
    seams = Seams(numbered=False, fetches=False)
    same = TradeRow(S, "A", 1.0, 1.0)
    assert len(seams.take([same, same], 0.0)) == 2


def test_revisions_and_quotes_that_come_too_late_are_dropped() -> None:
    seams = Seams(numbered=False, fetches=False)

    def bar(time: int, order: int) -> BarRow:
        return BarRow(time, "A", "1m", 1.0, 1.0, 1.0, 1.0, float(order), order=order)

    def quote(order: int, sym: str = "A") -> QuoteRow:
        return QuoteRow(order, sym, 1.0, 2.0, 1.0, 1.0, order)

    rows: list[Any] = [
        bar(0, 5),
        bar(0, 4),
        bar(60, 6),
        bar(0, 7),
        bar(0, 0),
        quote(3),
        quote(2),
        quote(1, "B"),
        quote(4),
    ]
    on = seams.take([*rows, CorrectionRow(1, "A", "id", "cancel")], 0.0)
    assert [row for row in rows if row not in on] == [rows[1], rows[6]]
    assert len(on) == len(rows) - 1
    assert seams.late == 2


def test_quotes_of_a_cut_are_told_as_lost_and_those_before_an_acknowledgement_are_of_no_cut() -> None:
    seams = Seams(numbered=False, fetches=True, trades=False)

    def quote(time: int) -> QuoteRow:
        return QuoteRow(time, "A", 1.0, 2.0, 1.0, 1.0)

    seams.begun(["A"], 4)
    seams.take([quote(5)], 0.0)
    seams.resumed(["A"], 6, 0.1)
    assert seams.notes == []
    for now in (1.0, 2.0):  # the second connection has none
        seams.interrupted(["A"], now)
    seams.take([quote(9)], 3.0)
    seams.resumed(["A"], 10, 3.1)
    assert [(note.table, note.state, note.first, note.last) for note in seams.notes] == [("quotes", "lost", 5, 10)]
    assert seams.due(4.0) == []


def test_bars_that_were_missed_are_asked_for_from_the_newest_on() -> None:
    seams = Seams(numbered=False, fetches=True)
    seams.take([BarRow(60 * S, "A", "1m", 1, 1, 1, 1, 1), BarRow(120 * S, "A", "1m", 1, 1, 1, 1, 1)], 0.0)
    seams.interrupted(["A"], 1.0)
    seams.resumed(["A"], 500 * S, 2.0)
    assert seams.due(2.0) == [Hole("bars", "A", "1m", 120 * S, 500 * S)]
    assert len(seams.fetched(Hole("bars", "A", "1m"), [BarRow(180 * S, "A", "1m", 1, 1, 1, 1, 1)], 3.0)) == 1
    assert seams.ended(Hole("bars", "A", "1m"), 3.0) == []


@pytest.mark.parametrize("named", [True, False])
def test_what_was_missed_by_a_clock_that_is_ahead_of_ours_is_within_the_hole(named: bool) -> None:
    """By an id it is known if it comes by the socket, too; what has none would be there twice."""
    seams = Seams(numbered=False, fetches=True)
    first, second = (
        TradeRow(time, "A", 1.0, 1.0, f"id{time}" if named else "") for time in (1_000 * S, 1_010 * S + S // 2)
    )
    seams.take([first], 0.0)
    seams.interrupted(["A"], 1.0)
    seams.resumed(["A"], 1_010 * S, 10.0)
    [hole] = seams.due(11.0)
    assert (hole.start <= second.time < hole.end) == named
