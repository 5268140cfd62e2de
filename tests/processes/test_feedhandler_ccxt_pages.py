"""What followed on a row that is known, of exchanges that heed the time asked for, and of those that do not."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from feedhandler.ccxt.pages import SHORT, Following
from feedhandler.ccxt.rows import MS
from feedhandler.venue.events import BarRow, Malformed, Row, TradeRow

AT_MS = 1_672_515_780_000
Ask = Callable[[int], list[TradeRow]]


def trade(number: int, at_ms: int, named: bool = True) -> TradeRow:
    return TradeRow((AT_MS + at_ms) * MS, "BTC/USDT", 100.0, 1.0, str(number) if named else "")


def heeds(trades: list[TradeRow], page: int, exclusive: bool = False) -> Ask:
    return lambda since: [t for t in trades if t.time // MS >= since + exclusive][:page]


def gives_newest(trades: list[TradeRow], page: int) -> Ask:
    return lambda since: [t for t in trades[-page:] if t.time // MS >= since]


def followed(ask: Ask, following: Following) -> Following:
    for _ in range(1_000):
        if following.take(ask(following.since_ms)):
            return following
    raise AssertionError("it does not end")


@given(
    st.sampled_from([300, 4_000]).flatmap(
        lambda most: st.lists(st.integers(0, most), min_size=1, max_size=90).map(sorted)
    ),
    st.integers(SHORT, 50),
    st.booleans(),
    st.data(),
)
def test_all_that_followed_is_there_once_and_an_exchange_that_gives_its_newest_is_whole_only_if_they_reach(
    times: list[int], page: int, named: bool, data: st.DataObject
) -> None:
    """Pages are longer than the most trades of one time; without ids equal trades are counted.

    Where there are many, a page that begins a little before the known trade ends before it.
    """
    times = [at for n, at in enumerate(times) if times[:n].count(at) < 10]
    trades = [trade(n, at, named) for n, at in enumerate(times)]
    known = data.draw(st.sampled_from(trades))
    until = data.draw(st.sampled_from([t for t in trades if t.time >= known.time]))
    expected = [t for t in trades if known.time <= t.time <= until.time]
    begin_ms, until_ms = known.time // MS, until.time // MS
    for exclusive in (False, True):
        got = followed(heeds(trades, page, exclusive), Following(begin_ms, known.trade_id, until_ms, until.trade_id))
        assert got.missing == ""
        assert [t for t in got.rows if isinstance(t, TradeRow) and known.time <= t.time < until.time] == [
            t for t in expected if t.time < until.time
        ]
    got = followed(gives_newest(trades, page), Following(begin_ms, known.trade_id, until_ms, until.trade_id))
    whole = trades[-page:][0].time <= known.time
    assert (got.missing == "") == whole
    if whole:
        assert [t for t in got.rows if isinstance(t, TradeRow) and known.time <= t.time <= until.time] == expected


def test_a_past_that_is_not_there_yet_is_told_as_one_that_lags() -> None:
    trades = [trade(n, 700 * n) for n in range(10)]
    got = followed(heeds(trades[:8], 5), Following(AT_MS, "0", AT_MS + 6_300, "9"))
    assert (got.missing, got.lags) == ("the exchange's past ends 1,400 ms before", True)
    got = followed(heeds(trades[:9], 5), Following(AT_MS, "0", AT_MS + 6_300, "9"))
    assert got.lags  # its ids are those of the stream
    got = followed(heeds(trades[:9], 5), Following(AT_MS, "a0", AT_MS + 6_300, "a9"))
    assert (got.missing, got.lags) == ("the exchange's past ends 700 ms before", True)
    to_the_second = [trade(n, 1_000 * n) for n in range(10)]
    got = followed(heeds(to_the_second, 5), Following(AT_MS + 100, "a0", AT_MS + 9_300, "a9"))
    assert (got.missing, got.lags) == ("", False)
    assert followed(lambda since: [], Following(AT_MS, "0", AT_MS + 1, "1")).missing
    assert not followed(lambda since: [], Following(AT_MS)).missing


def test_more_trades_of_one_moment_than_a_page_has_are_told() -> None:
    trades = [trade(0, 0), *(trade(n, 2_000) for n in range(1, 9)), trade(9, 4_000)]
    got = followed(heeds(trades, 4), Following(AT_MS, "0", AT_MS + 4_000, "9"))
    assert got.missing == "the exchange's past ends 2,000 ms before"


def test_bars_that_are_there_only_once_they_are_whole_are_no_hole() -> None:
    bars: list[Row | Malformed] = [
        BarRow((AT_MS + 60_000 * n) * MS, "BTC/USDT", "1m", 1.0, 1.0, 1.0, 1.0, 1.0) for n in range(3)
    ]
    got = Following(AT_MS, "", AT_MS + 180_000)
    assert not got.take(bars)
    assert got.take(bars[2:])
    assert (got.missing, got.rows) == ("", bars)
