"""What of a replay the plant has: by series, each row as often as it has it."""

from feedhandler.databento.since import Since
from feedhandler.past.catching_up import Held
from feedhandler.venue.events import BarRow, QuoteRow, TradeRow
from feedhandler.venue.seam import key_of

S = 10**9


def trade(time_s: int, price: float, sym: str = "A") -> TradeRow:
    return TradeRow(time_s * S, sym, price, 1.0, exchange="2", venue_seq=7)


def test_rows_behind_the_newest_and_those_beyond_what_is_known_are_new() -> None:
    since = Since({("trades", "A", ""): Held(10 * S, 5 * S, (key_of(trade(6, 1.5), False),) * 2)}, 100 * S)
    assert since.newest("trades") == 10 * S
    assert since.newest("bars") == 0
    asked = [trade(4, 1.5), trade(6, 1.5), trade(6, 1.5), trade(6, 1.5), trade(6, 1.6), trade(11, 1.5)]
    assert [since.is_new(row) for row in asked] == [False, False, False, True, True, True]


def test_a_symbol_that_the_plant_has_nothing_of_begins_with_the_run() -> None:
    since = Since({("trades", "A", ""): Held(10 * S, 5 * S)}, 100 * S)
    assert [since.is_new(trade(at, 1.0, "B")) for at in (50, 100)] == [False, True]
    assert since.is_new(QuoteRow(S, "A", 1.0, 2.0, 1.0, 1.0))


def test_a_bar_is_new_unless_the_plant_has_it_with_the_same_values() -> None:
    bars = [
        BarRow(60 * n * S, "A", "1m", 1.0, 2.0, 0.5, close, 9.0)
        for n, close in ((0, 1.0), (1, 1.5), (1, 1.6), (2, 1.0))
    ]
    since = Since({("bars", "A", "1m"): Held(60 * S, 60 * S, ((60 * S, 1.0, 2.0, 0.5, 1.5, 9.0),))}, 900 * S)
    assert [since.is_new(bar) for bar in bars] == [False, False, True, True]
