"""Which late fills the newest row of a position has, and which the next run of the strategy takes over."""

from fractions import Fraction

from plant.state.newest import Row
from trading.accounts.late_fills import LateFills, fill_of
from trading.accounts.opening import Opening
from trading.events import Command, Side
from trading.instruments import MONEY, Instrument


def fill(seq: int, sym: str = "A") -> Row:
    return {"sym": sym, "seq": seq, "strategy": "s", "run": "first"}


def position(seq: int, run: str, sym: str = "A", strategy: str = "s") -> tuple[str, Row]:
    return "positions", {"sym": sym, "seq": seq, "run": run, "strategy": strategy}


def late(*rows: tuple[str, Row], ends: dict[str, int]) -> LateFills:
    found = LateFills("s", "manual-a")
    found.remember(Opening(rows, late=(fill(20), fill(30), fill(31, "B")), ends=ends))
    return found


def seqs(found: LateFills, sym: str = "A") -> list[int]:
    return [row["seq"] for row in found.untaken(sym)]


def test_what_a_run_that_ended_had_heard_of_is_in_its_position_though_that_is_of_before_or_after() -> None:
    for seq in (15, 40):
        assert seqs(late(position(seq, "second"), ends={"second": 20})) == [30]
        assert seqs(late(position(seq, "second"), ends={"second": 35})) == []
        assert seqs(late(position(seq, "second"), ends={"second": 19})) == [20, 30]


def test_the_standing_runs_position_has_what_came_before_it() -> None:
    assert seqs(late(position(25, "manual-a"), ends={})) == [30]
    assert seqs(late(position(35, "manual-a"), ends={})) == []


def test_another_symbol_or_strategy_tells_nothing_and_without_a_position_all_are_taken() -> None:
    found = late(position(35, "manual-a", "B"), position(36, "other", strategy="else"), ends={"other": 99})
    assert (seqs(found), seqs(found, "B")) == ([20, 30], [])


def test_what_comes_before_the_run_takes_over_counts_likewise() -> None:
    found = late(position(10, "second"), ends={})
    found.fill(fill(50))
    found.position(position(49, "second")[1])
    found.ended({"run": "second", "last_seq": 45})
    assert seqs(found) == [50]


def test_a_row_is_a_fill_in_lots_and_ticks_to_the_last_part_at_the_place_it_is_booked() -> None:
    told = {"fill_id": "f", "order_id": "o", "side": "sell", "qty": 0.3, "price": 100.005, "liquidity": "maker"}
    row = {"sym": "A", "market_time": None, "commission": 0.25, **told}
    found = fill_of(row, Instrument("A", lot=0.1), Command("A", 1, 2, 3, 4, "adopt", {}))
    assert (found.known_at, found.seq, found.seq_row, found.market_time) == (2, 3, 4, 0)
    assert (found.side, found.qty, found.price, found.commission) == (Side.SELL, 3, Fraction(20_001, 2), MONEY // 4)
