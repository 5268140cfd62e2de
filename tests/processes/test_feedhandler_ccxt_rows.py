"""What CCXT gives, as rows."""

import math

from feedhandler.ccxt.rows import bars_of, instrument_of, quote_of, trades_of
from feedhandler.venue.events import Malformed, QuoteRow, TradeRow

MS = 10**6


def test_trades() -> None:
    trade = {
        "id": "12345",
        "timestamp": 1672515782136,
        "symbol": "BTC/USDT",
        "price": 0.001,
        "amount": 100.0,
        "side": "buy",
    }
    expected = TradeRow(1672515782136 * MS, "BTC/USDT", 0.001, 100.0, "12345")
    assert trades_of([trade, trade | {"id": None}], "BTC/USDT") == [expected, expected._replace(trade_id="")]


def test_what_lacks_a_number_or_a_time_is_told() -> None:
    good = {"id": "1", "timestamp": 1672515782136, "price": 1.0, "amount": 2.0}
    for wrong in (good | {"price": None}, good | {"timestamp": None}, good | {"amount": "x"}, {}, None):
        (found,) = trades_of([wrong], "X")  # type: ignore[list-item]
        assert isinstance(found, Malformed)
    for row in ([1, 2], [1672515780000, 1, 1, 1, 1, None], None):
        (bar,) = bars_of([row], "X", "1m")  # type: ignore[list-item]
        assert isinstance(bar, Malformed)


def test_a_market_is_an_instrument_if_its_steps_are_understood() -> None:
    market = {"symbol": "BTC/USDT", "quote": "USDT", "precision": {"price": 0.01, "amount": 1e-5}, "contractSize": None}
    market["limits"] = {"cost": {"min": 5.0}}
    row = instrument_of(market, 4)
    assert row is not None
    assert (row.table, row.columns["sym"], row.columns["currency"]) == ("instruments", "BTC/USDT", "USDT")
    numbers = [row.columns[name] for name in ("tick", "lot", "multiplier", "min_notional")]
    assert numbers == [0.01, 1e-5, 1.0, 5.0]
    places = instrument_of(market | {"precision": {"price": 2, "amount": 5}}, 2)
    assert places is not None
    assert (places.columns["tick"], places.columns["lot"]) == (0.01, 1e-5)
    for wrong in ({"price": None, "amount": 1}, {}, None):
        assert instrument_of(market | {"precision": wrong}, 4) is None
    assert instrument_of(market, 3) is None


def test_a_ticker_without_a_time_has_that_of_its_receipt() -> None:
    ticker = {"timestamp": None, "bid": 1.0, "ask": 2.0, "bidVolume": 3.0, "askVolume": None}
    (quote,) = quote_of(ticker, "X", 77)
    assert quote[:5] == (77, "X", 1.0, 2.0, 3.0)
    assert isinstance(quote, QuoteRow)
    assert math.isnan(quote.ask_size)
    assert quote_of(ticker | {"timestamp": 5}, "X", 77)[0][0] == 5 * MS
    assert quote_of({"last": 3.0}, "X", 77) == []
