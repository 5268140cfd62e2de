"""What older runs took: which runs are older, and what their fills say of an event, in lots of who asks."""

from typing import Any

from trading.events import Trade
from trading.instruments import Instrument
from trading.live.director import Wanted
from trading.turns.takings import Takings, age_of, older_than


def wanted(run: str, seq: int, sym: str = "s") -> Wanted:
    return Wanted(run, {"sym": sym, "seq": seq, "seq_row": 0})


def fill(side: str, qty: float, seq: int = 5, place: int = 1) -> dict[str, Any]:
    return {"side": side, "qty": qty, "cause_seq": seq, "cause_row": place}


def trade(seq: int = 5, seq_row: int = 0) -> Trade:
    return Trade("A", 1, 1, seq, seq_row, 100.0, 9.0)


def test_the_run_that_began_first_is_the_older_and_orders_by_hand_are_the_youngest() -> None:
    one, other, later, hand = wanted("b", 3), wanted("c", 3), wanted("a", 4), wanted("manual-paper", 2, "manual")
    assert sorted([hand, later, other, one], key=age_of) == [one, other, later, hand]
    begun = {each.run: each for each in (one, other, later, hand)}
    gone = {"sym": "s", "mode": "paper", "first_seq": 1}
    runs = {"gone": gone, "test": {**gone, "mode": "backtest"}, "manual-old": {**gone, "sym": "manual"}}
    assert older_than(later, begun, runs) == {"b", "c", "gone"}
    assert older_than(hand, begun, runs) == {"a", "b", "c", "gone"}
    assert older_than(one, begun, {}) == set()


def test_fills_count_at_the_row_that_filled_them_by_side_and_in_lots_that_cover_them() -> None:
    takings = Takings()
    for row in (fill("buy", 0.5), fill("buy", 0.2), fill("sell", 3.0), fill("buy", 7.0, place=2), fill("buy", 9.0, 6)):
        takings.add(row)
    assert takings.of(trade(), Instrument("A", lot=0.1)) == (7, 30)
    assert takings.of(trade(), Instrument("A", lot=1.0)) == (2, 3), "each of the two is at most one lot"
    assert takings.of(trade(5, 1), Instrument("A")) == (7, 0)
    assert takings.of(trade(5, 2), Instrument("A")) == takings.of(trade(4), Instrument("A")) == (0, 0)


def test_a_fill_that_does_not_tell_its_row_counts_for_nobody() -> None:
    takings = Takings()
    takings.add(fill("buy", 5.0, place=0))
    assert len(takings) == 0


def test_what_was_passed_is_let_go_and_the_rest_stays() -> None:
    takings = Takings()
    for seq in range(5000):
        takings.add(fill("buy", 1.0, seq))
    takings.passed((2000, 0))
    assert len(takings) == 2999
    for seq in range(2001, 5000):
        takings.passed((seq, 0))
        if seq < 4999:
            assert takings.of(trade(seq + 1), Instrument("A")) == (1, 0)
    takings.passed((4999, 0))
    assert len(takings) < 3000
