"""What is said on a connection to Binance: names of streams, numbers of requests, and which trades count."""

import json
from typing import Any

from feedhandler.binance.dialogue import BinanceDialogue
from feedhandler.binance.settings import BinanceFeedSettings
from feedhandler.venue.events import Complaint, Skipped, Subscribed, Topic, TradeRow, Unsubscribed

TRADE: dict[str, Any] = {"e": "trade", "s": "BTCUSDT", "t": 7, "p": "1.5", "q": "2", "T": 1672515782136}
TOPICS = [Topic(channel, "BTCUSDT") for channel in ("trades", "quotes", "bars")]


def dialogue(**keys: Any) -> BinanceDialogue:
    return BinanceDialogue(BinanceFeedSettings(**keys))


def said(made: BinanceDialogue, message: Any) -> list[Any]:
    return made.parse(json.dumps(message).encode(), 1)


def test_an_answer_is_about_the_topics_of_its_request() -> None:
    made = dialogue(interval="5m")
    (subscribe,), (unsubscribe,) = made.subscribe(TOPICS, TOPICS), made.unsubscribe(TOPICS[:1], TOPICS[1:])
    assert json.loads(subscribe)["params"] == ["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@kline_5m"]
    assert json.loads(unsubscribe) == {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2}
    assert said(made, {"result": None, "id": 2}) == [Unsubscribed((TOPICS[0],))]
    assert said(made, {"result": None, "id": 1}) == [Subscribed(tuple(TOPICS))]
    assert said(made, {"code": 2, "msg": "no", "id": 9}) == [Complaint("a request: no (code 2)")]


def test_long_lists_are_few_messages() -> None:
    topics = [Topic("trades", f"S{k}") for k in range(1_024)]
    messages = [json.loads(message) for message in dialogue().subscribe(topics, topics)]
    assert [len(message["params"]) for message in messages] == [300, 300, 300, 124]
    assert [message["id"] for message in messages] == [1, 2, 3, 4]


def test_the_path_of_the_address() -> None:
    assert dialogue().address([]) == "wss://stream.binance.com:9443/stream"
    assert dialogue(url="ws://127.0.0.1:9/").address([]) == "ws://127.0.0.1:9/stream"
    assert dialogue(url="ws://x/ws").address([]) == "ws://x/ws"
    assert dialogue(url="wss://x?timeUnit=MICROSECOND").address([]) == "wss://x/stream?timeUnit=MICROSECOND"


def test_of_trades_and_the_same_trades_aggregated_one_kind_counts() -> None:
    aggregated = TRADE | {"e": "aggTrade", "a": 3}
    made = dialogue()
    found = [event for message in (aggregated, TRADE, aggregated | {"a": 4}) for event in said(made, message)]
    assert [(type(event), event.venue_seq) for event in found] == [(TradeRow, 3), (TradeRow, 4)]
    other = [event for message in (TRADE | {"s": "X"}, aggregated | {"s": "X"}) for event in said(made, message)]
    assert [event.venue_seq for event in other] == [7]


def test_numbers_of_what_the_market_did_not_trade_are_those_of_trades_alone() -> None:
    of_the_fund = TRADE | {"X": "INSURANCE_FUND", "t": 8}
    assert said(dialogue(), of_the_fund) == [Skipped(1672515782136 * 10**6, "BTCUSDT", 8)]
    made = dialogue()
    said(made, TRADE | {"e": "aggTrade", "a": 3})
    assert said(made, of_the_fund) == []
