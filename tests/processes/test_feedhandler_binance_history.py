"""Which request has what of Binance's past, and what its pages come to, against the server that tests use."""

import json
from typing import Any

import pytest
from binance_server import MS, BinanceServer
from polled_feed import fetched

from feedhandler.binance.history import BinanceHistory
from feedhandler.binance.settings import BinanceFeedSettings
from feedhandler.venue.dialogue import Hole, Request, Unreadable

START = 1_672_515_780_000
MINUTE = 60_000


def answered(server: BinanceServer, request: Request) -> bytes:
    assert request.path.startswith("/api/v3/")
    status, body = server.answer("GET", request.path, request.query, {})
    assert status == 200, body
    return json.dumps(body).encode()


def filled(page: int) -> BinanceServer:
    """Trades every second and klines every minute; the answers have `page` rows at most."""
    server = BinanceServer()
    server.page = page
    for k in range(50):
        server.trade("BTCUSDT", time_ms=START + 1_000 * k)
    for k in range(10):
        server.kline("BTCUSDT", START + MINUTE * k, str(100 + k), True, 1)
    return server


def rows_of(server: BinanceServer, hole: Hole, **keys: Any) -> list[Any]:
    return fetched(BinanceHistory(BinanceFeedSettings(**keys)), hole, lambda request: answered(server, request))


@pytest.mark.parametrize("page", [1, 7, 1_000])
def test_trades_by_number_are_all_of_them(page: int) -> None:
    rows = rows_of(filled(page), Hole("trades", "BTCUSDT", first=1_003, last=1_020, start=1, end=2))
    assert [row.venue_seq for row in rows] == [*range(1_003, 1_021)]


@pytest.mark.parametrize("page", [1, 7, 1_000])
@pytest.mark.parametrize("channel", ["trades", "aggTrades"])
def test_trades_by_time_begin_with_the_first_of_them(page: int, channel: str) -> None:
    hole = Hole("trades", "BTCUSDT", start=(START + 9_500) * MS, end=(START + 20_000) * MS)
    rows = rows_of(filled(page), hole, channels=(channel,))
    assert [row.time // MS - START for row in rows] == [*range(10_000, 20_000, 1_000)]


def test_a_time_without_trades_has_none() -> None:
    assert rows_of(filled(7), Hole("trades", "BTCUSDT", start=(START + 10**9) * MS, end=(START + 2 * 10**9) * MS)) == []


@pytest.mark.parametrize("page", [1, 3, 1_000])
def test_bars_are_those_that_were_over(page: int) -> None:
    hole = Hole("bars", "BTCUSDT", "1m", start=(START + 1) * MS, end=(START + 5 * MINUTE + 30_000) * MS)
    rows = rows_of(filled(page), hole)
    assert [(row.time // MS - START, row.close) for row in rows] == [(MINUTE * k, 100.0 + k) for k in range(1, 5)]


def test_quotes_are_not_kept_by_the_venue() -> None:
    history = BinanceHistory(BinanceFeedSettings())
    assert history.request(Hole("quotes", "BTCUSDT", start=1, end=2)) is None


def test_an_answer_that_is_none_is_unreadable() -> None:
    history = BinanceHistory(BinanceFeedSettings())
    with pytest.raises(Unreadable, match="expected a list of rows"):
        history.page(Hole("trades", "BTCUSDT", first=1, last=2), b'{"code":-1003}')


def test_the_path_of_a_sister_venue_is_kept() -> None:
    history = BinanceHistory(BinanceFeedSettings(rest_url="https://fapi.binance.com/fapi/v1"))
    request = history.request(Hole("bars", "BTCUSDT", "5m", start=0, end=MS))
    assert request is not None
    assert request.path == "/klines"
    assert request.query == {"symbol": "BTCUSDT", "interval": "5m", "startTime": "0", "endTime": "0", "limit": "1000"}


@pytest.mark.parametrize(
    ("rest_url", "most_a_minute"),
    [
        ("https://api.binance.com", 6_000),
        ("https://data-api.binance.vision", 6_000),
        ("https://fapi.binance.com/fapi/v1", 2_400),
        ("https://dapi.binance.com/dapi/v1", 2_400),
        ("https://api.binance.us", 1_200),
    ],
)
def test_weights_stay_below_what_each_venue_allows(rest_url: str, most_a_minute: int) -> None:
    limit = BinanceHistory(BinanceFeedSettings(rest_url=rest_url)).limit
    assert limit.tokens + 60 * limit.per_s < most_a_minute
