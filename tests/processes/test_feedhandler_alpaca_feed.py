"""Alpaca's feed against a local server of its protocol: keys, limits, cuts, corrections, what was missed."""

import random
import time
from collections.abc import Iterator
from typing import Any

import chance
import pytest
from alpaca_server import KEY, SECRET, AlpacaServer, written
from polled_feed import polled

from feedhandler.alpaca.feed import AlpacaFeed
from feedhandler.alpaca.history import AlpacaHistory
from feedhandler.alpaca.settings import AlpacaFeedSettings
from feedhandler.venue.dialogue import Hole
from feedhandler.venue.healing import Healing
from feedhandler.venue.token_bucket import TokenBucket

SYMBOLS = ("AAPL", "VOO")


@pytest.fixture
def server() -> Iterator[AlpacaServer]:
    with AlpacaServer() as made:
        yield made


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_KEY", KEY)
    monkeypatch.setenv("ALPACA_API_SECRET", SECRET)


def keys(server: AlpacaServer, **more: Any) -> dict[str, Any]:
    more.setdefault("channels", ("trades",))
    return {"url": server.url, "rest_url": server.rest_url, "symbols": SYMBOLS, **more}


def test_without_keys_the_variables_and_the_page_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPACA_API_SECRET")
    with pytest.raises(ValueError, match=r"no ALPACA_API_SECRET; docs/feeds.md#alpaca"):
        AlpacaFeed(AlpacaFeedSettings())


def test_trades_and_bars_become_rows(server: AlpacaServer) -> None:
    with polled(AlpacaFeed, **keys(server, channels=("trades", "bars", "updatedBars"), name="mine")) as plant:
        plant.until_status("connected")
        assert server.clients[0].path == "/v2/iex"
        server.trade("AAPL", 126.55, 1_614_009_104_208_000_001)
        server.bar("VOO", 1_614_021_300, 101.0)
        server.bar("VOO", 1_614_021_300, 102.0, updated=True)
        (trade,) = plant.until_rows("trades", 1)
        bars = plant.until_rows("bars", 2)
    assert (trade["time"], trade["price"], trade["source"]) == (1_614_009_104_208_000_001, 126.55, "mine")
    assert [(bar["time"], bar["close"], bar["trades"]) for bar in bars] == [
        (1_614_021_300 * 10**9, 101.0, 7.0),
        (1_614_021_300 * 10**9, 102.0, 7.0),
    ]


def test_wrong_keys_are_given_up_and_not_shown(server: AlpacaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPACA_API_SECRET", "wr0ng")
    with polled(AlpacaFeed, **keys(server)) as plant:
        shown = plant.until_status("given up")
        assert "auth failed (code 402)" in shown
        assert "wr0ng" not in shown
        plant.clock.ahead_s += 10_000
        for _ in range(5):
            plant.poll()
    assert server.connects == 1


def test_a_connection_that_the_venue_still_counts_is_waited_for(server: AlpacaServer) -> None:
    server.sessions = 1
    with polled(AlpacaFeed, **keys(server)) as plant:
        while "too many connections" not in plant.feed.status():
            plant.feed.poll(time.time_ns(), 0.01)
        assert plant.feed._lines[0].link.retry_in_s > 85
        server.sessions = 0
        plant.until_status("connected")


def test_more_than_the_plan_has_is_told_and_the_connection_goes_on(server: AlpacaServer) -> None:
    server.most_pairs = 1
    with polled(AlpacaFeed, **keys(server)) as plant:
        plant.until_status("symbol limit exceeded (code 405)")
        plant.until_status("not acknowledged: AAPL, VOO")
    assert server.connects == 1


def test_a_list_of_symbols_that_changes_costs_no_connection(server: AlpacaServer) -> None:
    with polled(AlpacaFeed, **keys(server)) as plant:
        plant.until_status("connected")
        plant.feed.resubscribe(plant.feed.settings.model_copy(update={"symbols": ("VOO", "SPY")}))
        plant.until(lambda: server.names() == {"trades.VOO", "trades.SPY"}, "the new list")
    assert server.connects == 1


def test_long_lists_are_several_messages(server: AlpacaServer) -> None:
    symbols = tuple(f"S{k}" for k in range(1_200))
    with polled(AlpacaFeed, **keys(server, symbols=symbols)) as plant:
        plant.until_status("connected")
        assert server.names() == {f"trades.{sym}" for sym in symbols}
    assert len([said for said in server.said if said["action"] == "subscribe"]) == 3


def test_all_symbols_at_once(server: AlpacaServer) -> None:
    with polled(AlpacaFeed, **keys(server, symbols=("*",))) as plant:
        plant.until_status("connected")
        server.trade("IBM")
        assert plant.until_rows("trades", 1)[0]["sym"] == "IBM"


def test_a_correction_has_the_time_of_its_trade_and_the_id_it_had_first(server: AlpacaServer) -> None:
    at = 1_614_009_104_208_000_000
    correction = {"T": "c", "S": "AAPL", "x": "D", "oi": 1, "op": 126.55, "os": 10, "oc": ["@"], "ci": 77, "cp": 126.5}
    correction |= {"cs": 20, "cc": ["@"], "z": "C", "t": written(at + 9 * 10**9)}
    cancel = {
        "T": "x",
        "S": "AAPL",
        "x": "D",
        "i": 77,
        "p": 126.5,
        "s": 20,
        "a": "C",
        "z": "C",
        "t": written(at + 10**10),
    }
    stranger = cancel | {"x": "V", "i": 1}  # the same number on another exchange
    with polled(AlpacaFeed, **keys(server)) as plant:
        plant.until_status("connected")
        server.trade("AAPL", 126.55, at)
        server.tell([correction], [stranger])
        plant.until_rows("trade_corrections", 2)
        server.drop()
        plant.until_rows("gaps", 4)
        server.tell([cancel])  # the connection that saw the trade is gone
        rows = plant.until_rows("trade_corrections", 3)
    assert [(row["time"] - at, row["trade_id"], row["action"]) for row in rows] == [
        (0, "1", "correct"),
        (10**10, "1", "cancel"),
        (0, "1", "cancel"),
    ]
    assert (rows[0]["price"], rows[0]["size"]) == (126.5, 20.0)


@chance.times("cuts", 1000, 3600)
def test_every_trade_is_there_once_and_in_order_whatever_is_cut(cuts: int) -> None:
    print(f"seed {chance.SEED}")
    dice = random.Random(chance.SEED)
    with AlpacaServer(chance.SEED, limited=0.1) as server:
        server.page = 7
        with polled(AlpacaFeed, **keys(server)) as plant:
            plant.until_status("connected")
            for sym in SYMBOLS:
                server.trade(sym)
            plant.until_rows("trades", 2)
            for _ in range(cuts):
                for _ in range(dice.randrange(1, 30)):
                    server.trade(dice.choice(SYMBOLS))
                    if dice.random() < 0.3:
                        plant.poll()
                fault = dice.randrange(4)
                if fault == 0:
                    server.drop()
                elif fault == 1:
                    server.close(1001, "going away")
                elif fault == 2:
                    server.tell([{"T": "error", "code": 407, "msg": "slow client"}])
                else:
                    server.cut_in_mid_message([{"T": "t", "S": "AAPL", "p": 1.5, "s": 100} for _ in range(5)])
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
        found = [(int(row["trade_id"]), row["price"]) for row in plant.rows["trades"] if row["sym"] == sym]
        assert found == [(row["i"], row["p"]) for row in server.trades[sym]]


def test_bars_that_were_missed_are_fetched(server: AlpacaServer) -> None:
    now_s = time.time_ns() // 10**9 // 60 * 60
    with polled(AlpacaFeed, **keys(server, channels=("bars",))) as plant:
        plant.until_status("connected")
        server.bar("AAPL", now_s - 240, 101.0)
        plant.until_rows("bars", 1)
        server.drop()
        for k in (4, 3, 1):
            server.bar("AAPL", now_s - k * 60, 110.0 + k)
        plant.until_rows("bars", 4)
        newest = {row["time"]: row["close"] for row in plant.rows["bars"]}
    assert newest == {(now_s - k * 60) * 10**9: 110.0 + k for k in (4, 3, 1)}


@pytest.mark.parametrize(
    ("channels", "intervals"),
    [(("dailyBars",), ["1d"]), (("updatedBars", "bars"), ["1m"]), (("trades", "bars", "dailyBars"), ["", "1m", "1d"])],
)
def test_what_came_since_is_asked_for_of_the_bars_that_the_channels_have(
    channels: tuple[str, ...], intervals: list[str]
) -> None:
    with polled(AlpacaFeed, symbols=("AAPL",), channels=channels) as plant:
        series = plant.feed.asks_for()
    assert [interval for _, _, interval in series] == intervals
    request = AlpacaHistory(AlpacaFeedSettings(), ("k", "s")).request(Hole("bars", "AAPL", intervals[-1], 1, 2))
    assert request is not None
    assert request.query["timeframe"] == {"1d": "1Day", "1m": "1Min"}[intervals[-1]]


@pytest.mark.parametrize(
    ("url", "feed"),
    [("wss://x/v2/iex", "iex"), ("wss://x/v2/sip", "sip"), ("wss://x/v2/delayed_sip", "sip"), ("wss://x", "iex")],
)
def test_the_past_is_that_of_the_same_feed(url: str, feed: str) -> None:
    history = AlpacaHistory(AlpacaFeedSettings(url=url), ("k", "s"))
    request = history.request(Hole("bars", "BRK.B", "1m", start=1_614_021_300 * 10**9, end=1_614_021_360 * 10**9))
    assert request is not None
    assert (request.path, request.query["feed"]) == ("/v2/stocks/BRK.B/bars", feed)
    assert (request.query["start"], request.query["end"]) == (
        "2021-02-22T19:15:00.000000000Z",
        "2021-02-22T19:15:59.999999999Z",
    )


def test_what_is_late_on_the_socket_is_asked_of_the_past_only_when_the_plan_has_it() -> None:
    """Asked before, the venue answers 403, as for a wrong key: the past would be given up for good."""
    healing = Healing(
        AlpacaHistory(AlpacaFeedSettings(url="wss://x/v2/delayed_sip"), ("k", "s")), TokenBucket(9.0, 9.0)
    )
    healing.add([Hole("trades", "A", start=1, end=2)], 0.0)
    assert healing.request(15 * 60.0)[0] is None
    assert healing.request(15 * 60.0 + 6)[0] is not None


def test_the_test_feed_has_no_past() -> None:
    history = AlpacaHistory(AlpacaFeedSettings(url="wss://stream.data.alpaca.markets/v2/test"), ("k", "s"))
    assert history.request(Hole("trades", "FAKEPACA", start=1, end=2)) is None


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"channels": ("news",)}, "expected some of trades, quotes, bars, updatedBars, dailyBars, found 'news'"),
        ({"interval": "5m"}, "interval: expected 1m, which the venue sends, found '5m'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match="validation error") as error:
        AlpacaFeedSettings(**given)
    assert reason in str(error.value)
