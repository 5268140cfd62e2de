"""Binance's feed against a local server of its protocol: cuts, repeats, what is swapped, limits, what was missed."""

import json
import random
import time
from collections.abc import Iterator
from typing import Any

import chance
import pytest
from binance_server import MS, SYMBOLS, BinanceServer
from polled_feed import polled

from feedhandler.binance.feed import BinanceFeed

MINUTE_MS = 60_000


@pytest.fixture
def server() -> Iterator[BinanceServer]:
    with BinanceServer() as made:
        yield made


def keys(server: BinanceServer, **more: Any) -> dict[str, Any]:
    return {"url": server.url, "rest_url": server.rest_url, "symbols": SYMBOLS[:2], "channels": ("trades",), **more}


def ids_of(rows: list[dict[str, Any]], sym: str) -> list[int]:
    return [int(row["trade_id"]) for row in rows if row["sym"] == sym]


def test_trades_quotes_and_bars_become_rows(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server, channels=("trade", "bookTicker", "kline"), name="mine")) as plant:
        plant.until_status("connected")
        assert server.names() == {f"{sym.lower()}@{kind}" for sym in SYMBOLS[:2] for kind in STREAMS}
        server.trade("BTCUSDT", "63000.10", "0.001", 1_672_515_782_136)
        server.kline("BTCUSDT", 1_672_515_780_000, "63000.1", True, 2)
        ticker = {"u": 7, "s": "BTCUSDT", "b": "63000.00000000", "B": "1.5", "a": "63000.20000000", "A": "2"}
        server.publish("btcusdt@bookTicker", ticker)
        before = time.time_ns()
        (trade,) = plant.until_rows("trades", 1)
        (bar,) = plant.until_rows("bars", 1)
        (quote,) = plant.until_rows("quotes", 1)
    assert (trade["time"], trade["sym"], trade["price"], trade["size"]) == (
        1_672_515_782_136 * MS,
        "BTCUSDT",
        63000.1,
        0.001,
    )
    assert (trade["trade_id"], trade["venue_seq"], trade["source"], trade["conditions"]) == ("1000", 1000, "mine", "")
    assert (bar["time"], bar["interval"], bar["close"], bar["vwap"]) == (1_672_515_780_000 * MS, "1m", 63000.1, 100.0)
    assert (quote["bid"], quote["ask"], quote["bid_size"], quote["ask_size"]) == (63000.0, 63000.2, 1.5, 2.0)
    assert abs(quote["time"] - before) < 60 * 10**9


STREAMS = ("trade", "bookTicker", "kline_1m")


@chance.times("cuts", 1000, 3600)
def test_every_trade_is_there_once_and_in_order_whatever_is_cut(cuts: int) -> None:
    print(f"seed {chance.SEED}")
    dice = random.Random(chance.SEED)
    with BinanceServer(chance.SEED, faults=0.2, limited=0.1) as server:
        server.page = 7
        with polled(BinanceFeed, **keys(server)) as plant:
            plant.until_status("connected")
            for _ in range(cuts):
                for _ in range(dice.randrange(1, 30)):
                    server.trade(dice.choice(SYMBOLS[:2]))
                    if dice.random() < 0.3:
                        plant.poll()
                fault = dice.randrange(4)
                if fault == 0:
                    server.drop()
                elif fault == 1:
                    server.close(1001, "going away")
                elif fault == 2:
                    server.cut_in_mid_message({"stream": "btcusdt@trade", "data": server.trades["BTCUSDT"][-9:]})
                else:
                    server.tell({"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}})
                for _ in range(dice.randrange(0, 20)):
                    server.trade(dice.choice(SYMBOLS[:2]))
                plant.until(lambda: plant.feed.status().startswith("connected") and server.names(), "connected again")
                if dice.random() < 0.7:
                    plant.settle()
            for sym in SYMBOLS[:2]:  # one more of each, behind which nothing is missing
                server.trade(sym)
            server.settle()
            wanted = {sym: [trade["t"] for trade in server.trades[sym]] for sym in SYMBOLS[:2]}
            for sym in SYMBOLS[:2]:
                start = len(wanted[sym]) - len(ids_of(plant.rows["trades"], sym))
                plant.until(
                    lambda sym=sym: ids_of(plant.rows["trades"], sym)[-1:] == wanted[sym][-1:], f"{sym}, {start}"
                )
            found = {sym: ids_of(plant.rows["trades"], sym) for sym in SYMBOLS[:2]}
            prices = {(row["sym"], row["trade_id"]): row["price"] for row in plant.rows["trades"]}
            lost = [row["detail"] for row in plant.rows["gaps"] if row["state"] == "lost"]
    assert not lost
    for sym in SYMBOLS[:2]:
        assert found[sym] == wanted[sym]
        assert all(prices[sym, str(trade["t"])] == float(trade["p"]) for trade in server.trades[sym])


def test_what_the_insurance_fund_took_over_makes_no_row_and_no_hole(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server, backfill=False)) as plant:
        plant.until_status("connected")
        for kind in ("MARKET", "INSURANCE_FUND", "MARKET", "NA", "NA", "MARKET"):
            server.trade("BTCUSDT", X=kind)
        assert [row["venue_seq"] for row in plant.until_rows("trades", 3)] == [1_000, 1_002, 1_005]
        for _ in range(20):  # 2 s are 14 polls
            plant.poll()
    assert not plant.rows["gaps"]


def test_bars_that_were_missed_are_fetched(server: BinanceServer) -> None:
    now_ms = time.time_ns() // MS // MINUTE_MS * MINUTE_MS
    with polled(BinanceFeed, **keys(server, channels=("bars",))) as plant:
        plant.until_status("connected")
        server.kline("BTCUSDT", now_ms - 5 * MINUTE_MS, "101", False, 1)
        plant.until_rows("bars", 1)
        server.drop()
        for k in range(5, 0, -1):
            server.kline("BTCUSDT", now_ms - k * MINUTE_MS, f"{110 + k}", True, k)
        server.kline("BTCUSDT", now_ms, "99", False, 9)  # still forms, and is not asked for
        plant.until_rows("bars", 6)
        for _ in range(20):
            plant.poll()
        newest = {row["time"]: row["close"] for row in plant.rows["bars"]}
    assert newest == {(now_ms - k * MINUTE_MS) * MS: 110.0 + k for k in range(5, 0, -1)}
    assert {int(query["endTime"]) < now_ms + MINUTE_MS for query in server.asked("klines")} == {True}


@pytest.mark.parametrize("channel", ["bars", "quotes"])
def test_trades_that_are_not_subscribed_are_not_missing(server: BinanceServer, channel: str) -> None:
    with polled(BinanceFeed, **keys(server, channels=(channel,))) as plant:
        plant.until_status("connected")
        quote = {"u": 7, "s": "BTCUSDT", "b": "63000.0", "B": "1.5", "a": "63000.2", "A": "2"}
        server.publish("btcusdt@bookTicker", quote)
        server.kline("BTCUSDT", 1_672_515_780_000, "101", False, 1)
        plant.until_rows(channel, 1)
        server.drop()
        server.trade("BTCUSDT", time_ms=time.time_ns() // MS + 500)
        plant.until(lambda: server.connects == 2 and server.names(), "connected again")
        plant.until_status("connected")
        for _ in range(30):
            plant.poll()
    told = [(row["table_name"], row["state"], row["detail"]) for row in plant.rows["gaps"]]
    lost = ("quotes", "lost", "BTCUSDT: quotes are not fetched; plant backfill may have them")
    assert told == ([lost] if channel == "quotes" else [])
    assert not plant.rows["trades"]
    assert not server.asked("aggTrades")


def test_the_past_of_trades_that_needs_a_key_costs_no_other(server: BinanceServer) -> None:
    server.keyed = True
    now_ms = time.time_ns() // MS // MINUTE_MS * MINUTE_MS
    with polled(BinanceFeed, **keys(server, channels=("trades", "bars"))) as plant:
        plant.until_status("connected")
        server.trade("BTCUSDT")
        server.kline("BTCUSDT", now_ms - 5 * MINUTE_MS, "101", True, 1)
        plant.until_rows("bars", 1)
        server.drop()
        server.trade("BTCUSDT")
        plant.until(lambda: server.names(), "connected again")
        server.trade("BTCUSDT")
        plant.until(lambda: any(row["state"] == "lost" for row in plant.rows["gaps"]), "the trade is lost")
        server.drop()
        server.kline("BTCUSDT", now_ms - 2 * MINUTE_MS, "102", True, 2)
        plant.until(lambda: plant.rows["bars"][-1]["close"] == 102.0, "the bar of the second cut")


def test_older_revisions_of_a_bar_are_dropped(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server, channels=("bars",))) as plant:
        plant.until_status("connected")
        for at_ms, close, closed in ((20, "102", False), (10, "101", False), (30, "103", True), (30, "9", False)):
            server.kline("BTCUSDT", 1_672_515_780_000, close, closed, at_ms)
        plant.until_rows("bars", 2)
        for _ in range(5):
            plant.poll()
        assert [row["close"] for row in plant.rows["bars"]] == [102.0, 103.0]


def test_a_list_of_symbols_that_changes_costs_no_connection(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server)) as plant:
        plant.until_status("connected")
        plant.feed.resubscribe(plant.feed.settings.model_copy(update={"symbols": ("ETHUSDT", "BNBUSDT")}))
        plant.until(lambda: server.names() == {"ethusdt@trade", "bnbusdt@trade"}, "the new list")
        server.trade("BNBUSDT")
        assert plant.until_rows("trades", 1)[0]["sym"] == "BNBUSDT"
    assert server.connects == 1


def test_more_streams_than_a_connection_has_are_shared_and_no_limit_is_touched(server: BinanceServer) -> None:
    symbols = tuple(f"S{k}USDT" for k in range(1_200))
    with polled(BinanceFeed, **keys(server, symbols=symbols)) as plant:
        plant.until(lambda: len(server.names()) == 1_200, "all streams")
        plant.until_status("2 connections")
        assert all(len(client.subscribed) <= 1_024 for client in server.clients)
    assert server.connects == 2
    assert server.too_fast == 0


def test_a_server_that_shuts_down_is_left_at_once(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server)) as plant:
        plant.until_status("connected")
        plant.clock.ahead_s += 11.0  # it was good for long enough
        server.tell({"e": "serverShutdown", "E": 1770123456789})
        deadline = time.monotonic() + 10
        while server.connects < 2:
            assert time.monotonic() < deadline, plant.feed.status()
            plant.feed.poll(time.time_ns(), 0.01)  # the clock is not moved: there is no pause


def test_an_error_is_shown_and_the_topic_is_told_as_missing(server: BinanceServer) -> None:
    server.error = {"code": 2, "msg": "Invalid request: too many parameters"}
    with polled(BinanceFeed, **keys(server)) as plant:
        plant.until_status("SUBSCRIBE: Invalid request: too many parameters (code 2)")
        shown = plant.until_status("not acknowledged: BTCUSDT, ETHUSDT")
        assert "connected; 2 symbols; SUBSCRIBE: Invalid request: too many parameters (code 2); not" in shown


def test_raw_streams_are_read_too(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server, url=f"{server.url}/ws")) as plant:
        plant.until_status("connected")
        server.trade("ETHUSDT")
        assert plant.until_rows("trades", 1)[0]["sym"] == "ETHUSDT"
        assert server.clients[0].path == "/ws"


def test_the_clock_and_the_instruments_of_the_venue_are_told(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server)) as plant:
        plant.until_status("the venue's clock is +")
        rows = plant.until_rows("instruments", 2)
    assert [(row["sym"], row["tick"], row["lot"]) for row in rows] == [("BTCUSDT", 0.01, 1e-5), ("ETHUSDT", 0.01, 1e-5)]


def test_frames_that_are_none_are_counted(server: BinanceServer) -> None:
    with polled(BinanceFeed, **keys(server)) as plant:
        plant.until_status("connected")
        server.tell("{", json.dumps({"e": "trade", "s": "X"}))
        assert "first: expected JSON, found '{'" in plant.until_status("2 malformed")
