"""Massive's feed against a local server of its protocol: keys, limits of connections, cuts, what was missed."""

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import chance
import pytest
from polled_feed import fetched, polled
from polygon_server import KEY, MS, PolygonServer

from feedhandler.polygon.feed import PolygonFeed
from feedhandler.polygon.history import PolygonHistory
from feedhandler.polygon.settings import PolygonFeedSettings
from feedhandler.venue.dialogue import Hole

MINUTE_MS = 60_000
SYMBOLS = ("AAPL", "MSFT")


@pytest.fixture
def server() -> Iterator[PolygonServer]:
    with PolygonServer() as made:
        yield made


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASSIVE_API_KEY", KEY)


def keys(server: PolygonServer, **more: Any) -> dict[str, Any]:
    more.setdefault("channels", ("trades",))
    return {"url": server.url, "rest_url": server.rest_url, "symbols": SYMBOLS, **more}


def test_without_a_key_the_variable_and_the_page_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MASSIVE_API_KEY")
    with pytest.raises(ValueError, match=r"no MASSIVE_API_KEY; docs/feeds.md#polygon"):
        PolygonFeed(PolygonFeedSettings())


def test_trades_and_bars_become_rows(server: PolygonServer) -> None:
    with polled(PolygonFeed, **keys(server, channels=("T", "bars"), name="mine")) as plant:
        plant.until_status("connected")
        assert server.names() == {f"{code}.{sym}" for code in ("T", "AM") for sym in SYMBOLS}
        assert server.clients[0].path == "/stocks"
        server.trade("AAPL", 114.125, 1_536_036_818_784_123_456)
        server.bar("MSFT", 1_610_144_640_000, 101.0)
        server.bar("MSFT", 1_610_144_640_000, 102.0)
        (trade,) = plant.until_rows("trades", 1)
        bars = plant.until_rows("bars", 2)
    assert (trade["time"], trade["price"], trade["source"]) == (1_536_036_818_784 * MS, 114.125, "mine")
    assert [(bar["time"], bar["close"], bar["vwap"]) for bar in bars] == [
        (1_610_144_640_000 * MS, 101.0, 101.5),
        (1_610_144_640_000 * MS, 102.0, 101.5),
    ]


def test_a_wrong_key_is_given_up_and_not_shown(server: PolygonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASSIVE_API_KEY", "wr0ng")
    with polled(PolygonFeed, **keys(server)) as plant:
        shown = plant.until_status("given up")
        assert "authentication failed" in shown
        assert "wr0ng" not in shown
        plant.clock.ahead_s += 10_000
        for _ in range(5):
            plant.poll()
    assert server.connects == 1


def test_one_connection_too_many_waits_a_minute(server: PolygonServer) -> None:
    server.most_connections = 0
    with polled(PolygonFeed, **keys(server)) as plant:
        while "Maximum number" not in plant.feed.status():
            plant.feed.poll(time.time_ns(), 0.01)
        assert plant.feed._lines[0].link.retry_in_s > 55
        server.most_connections = 1
        plant.until_status("connected")


def test_a_topic_that_is_not_acknowledged_is_told(server: PolygonServer) -> None:
    with polled(PolygonFeed, **keys(server, url=f"{server.url}/crypto")) as plant:  # XT is no code of this server
        plant.until_status("not acknowledged: AAPL, MSFT")


@chance.times("cuts", 1000, 3600)
def test_every_trade_is_there_once_and_in_order_whatever_is_cut(cuts: int) -> None:
    print(f"seed {chance.SEED}")
    dice = random.Random(chance.SEED)
    with PolygonServer(chance.SEED, limited=0.1) as server:
        server.page = 7
        with polled(PolygonFeed, **keys(server)) as plant:
            plant.until_status("connected")
            for sym in SYMBOLS:
                server.trade(sym)
            plant.until_rows("trades", 2)
            for _ in range(cuts):
                for _ in range(dice.randrange(1, 30)):
                    server.trade(dice.choice(SYMBOLS))
                    if dice.random() < 0.3:
                        plant.poll()
                fault = dice.randrange(3)
                if fault == 0:
                    server.drop()
                elif fault == 1:
                    server.close(1008, "policy")
                else:
                    server.cut_in_mid_message([{"ev": "T", "sym": "AAPL", "p": 1.5, "s": 100} for _ in range(5)])
                for _ in range(dice.randrange(0, 20)):
                    server.trade(dice.choice(SYMBOLS))
                plant.until(lambda: plant.feed.status().startswith("connected") and server.names(), "connected again")
                if dice.random() < 0.7:
                    plant.settle()
            count = sum(map(len, server.trades.values()))
            plant.until(lambda: len(plant.rows["trades"]) >= count, f"{count} trades")
            for _ in range(20):
                plant.poll()
            lost = [row["detail"] for row in plant.rows["gaps"] if row["state"] == "lost"]
    assert not lost
    for sym in SYMBOLS:
        found = [
            (int(row["trade_id"]), row["venue_seq"], row["price"]) for row in plant.rows["trades"] if row["sym"] == sym
        ]
        assert found == [(int(row["id"]), row["sequence_number"], row["price"]) for row in server.trades[sym]]


def test_bars_that_were_missed_are_fetched(server: PolygonServer) -> None:
    now_ms = time.time_ns() // MS // MINUTE_MS * MINUTE_MS
    with polled(PolygonFeed, **keys(server, channels=("bars",))) as plant:
        plant.until_status("connected")
        server.bar("AAPL", now_ms - 4 * MINUTE_MS, 101.0)
        plant.until_rows("bars", 1)
        server.drop()
        for k in (4, 3, 1):  # nothing was traded two minutes ago
            server.bar("AAPL", now_ms - k * MINUTE_MS, 110.0 + k)
        plant.until_rows("bars", 4)
        newest = {row["time"]: row["close"] for row in plant.rows["bars"]}
    assert newest == {(now_ms - k * MINUTE_MS) * MS: 110.0 + k for k in (4, 3, 1)}


@pytest.mark.parametrize(
    ("url", "sym", "table", "path"),
    [
        ("wss://socket.massive.com/stocks", "BRK.A", "trades", "/v3/trades/BRK.A"),
        ("wss://socket.massive.com/crypto", "BTC-USD", "trades", "/v3/trades/X:BTC-USD"),
        ("wss://socket.massive.com/crypto", "BTC-USD", "bars", "/v2/aggs/ticker/X:BTCUSD/range/5/minute/1/59"),
        ("wss://socket.massive.com/forex", "EUR/USD", "bars", "/v2/aggs/ticker/C:EURUSD/range/5/minute/1/59"),
        ("wss://socket.massive.com/indices", "I:SPX", "bars", "/v2/aggs/ticker/I:SPX/range/5/minute/1/59"),
    ],
)
def test_the_past_calls_symbols_by_its_own_names(url: str, sym: str, table: str, path: str) -> None:
    history = PolygonHistory(PolygonFeedSettings(url=url, channels=("bars",)), ("k",))
    request = history.request(Hole(table, sym, "5m", start=1, end=60 * MS))
    assert request is not None
    assert (request.path, request.headers) == (path, {"Authorization": "Bearer k"})


@pytest.mark.parametrize(
    ("cluster", "sym", "table"),
    [
        ("futures", "ESZ6", "bars"),
        ("futures", "ESZ6", "trades"),
        ("forex", "EUR/USD", "trades"),
        ("indices", "I:SPX", "quotes"),
    ],
)
def test_what_the_past_has_not_is_not_asked_for(cluster: str, sym: str, table: str) -> None:
    """An answer without rows would tell a hole as healed."""
    history = PolygonHistory(PolygonFeedSettings(url=f"wss://socket.massive.com/{cluster}", channels=("bars",)), ("k",))
    assert history.request(Hole(table, sym, "1m" if table == "bars" else "", start=1, end=60 * MS)) is None


def test_pages_of_the_past_are_followed() -> None:
    server = PolygonServer()
    server.page = 3
    for k in range(20):
        server.trade("AAPL", time_ns=10**18 + k)
    history = PolygonHistory(PolygonFeedSettings(), (KEY,))

    def answer(request: Any) -> bytes:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return json.dumps(server.answer("GET", request.path, request.query, headers)[1]).encode()

    rows = fetched(history, Hole("trades", "AAPL", start=10**18 + 2, end=10**18 + 15), answer)
    assert [row.time - 10**18 for row in rows] == [*range(2, 15)]


def test_the_venues_own_names_of_channels_are_taken() -> None:
    settings = PolygonFeedSettings(channels=("T", "A"))
    assert settings.codes == {"trades": "T", "bars": "A"}
    assert PolygonFeedSettings(channels=("AM",)).interval == "1m"
    crypto = PolygonFeedSettings(url="wss://socket.massive.com/crypto", channels=("XT", "XQ", "XA"))
    assert crypto.codes == {"trades": "XT", "quotes": "XQ", "bars": "XA"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"channels": ("news",)}, "expected some of trades, quotes, bars, found 'news'"),
        ({"interval": "5m"}, "interval: expected 1s or 1m, which the venue sends, found '5m'"),
        ({"url": "wss://socket.massive.com/forex", "channels": ("trades",)}, "channels: forex has no trades"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match="validation error") as error:
        PolygonFeedSettings(**given)
    assert reason in str(error.value)
