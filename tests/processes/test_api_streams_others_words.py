"""Our messages in the words of other systems."""

import json
from typing import Any

from api.streams.others.words import Candles, Prices, run_text


def bar(minute: int, close: float = 1.0, closed: bool = False) -> dict[str, Any]:
    prices = {"open": 1.0, "high": close + 1, "low": close - 1, "close": close, "volume": 5.0, "source": "x"}
    return {"time": f"2026-11-20T14:{minute:02d}:00Z", **prices, "closed": closed}


def said(texts: list[str]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts]


def test_candles_are_told_whole_at_first_and_with_each_new_one() -> None:
    candles = Candles("BTC/USDT", "1m", "mine", lambda: 7.0)
    assert json.loads(candles.connected())["type"] == "connection"
    (full,) = said(candles.told({"type": "snapshot", "sub": 1, "rows": [bar(30), bar(31)]}))
    assert (full["type"], full["updateType"], full["symbol"], full["timeframe"]) == ("ohlcv", "full", "BTC/USDT", "1m")
    assert [each["timestamp"] for each in full["data"]] == [1795185060000, 1795185000000]  # newest first
    assert full["timestamp"] == 7000
    (one,) = said(candles.told({"type": "update", "sub": 1, "rows": [bar(31, 2.0)]}))
    assert one["updateType"] == "incremental"
    assert one["data"] == {
        "timestamp": 1795185060000,
        "open": 1.0,
        "high": 3.0,
        "low": 1.0,
        "close": 2.0,
        "volume": 5.0,
    }
    (new,) = said(candles.told({"type": "update", "sub": 1, "rows": [bar(32)]}))
    assert new["updateType"] == "full"
    assert [each["close"] for each in new["data"]] == [1.0, 2.0, 1.0]
    assert candles.told({"type": "mark", "seq": 1}) == []


def test_runs_of_the_strategy_are_its_updates() -> None:
    candles = Candles("BTC/USDT", "1m", "mine")
    assert candles.told({"type": "snapshot", "sub": 2, "rows": []}) == []
    (told,) = said(candles.told({"type": "update", "sub": 2, "rows": [{"run": "r1", "state": "running"}]}))
    assert told == {"type": "strategy-update", "strategy": "mine", "data": {"run": "r1", "state": "running"}}


def test_prices_have_bar_quote_and_stop() -> None:
    prices = Prices("AAPL")
    assert prices.told({"type": "snapshot", "sub": 2, "rows": []}) == []
    quote = {"bid": 1.5, "ask": 1.75}
    assert prices.told({"type": "snapshot", "sub": 1, "rows": [quote]}) == []
    history = [bar(minute, 10.0, closed=True) for minute in range(30, 42)]
    (first,) = said(prices.told({"type": "snapshot", "sub": 2, "rows": [*history, bar(42, 9.0)]}))
    assert (first["price"], first["bid"], first["ask"], first["ut_position"]) == (9.0, 1.5, 1.75, "LONG")
    assert first["ut_stop"] == 8.0
    assert first["timestamp"] == 1795185720.0
    (forming,) = said(prices.told({"type": "update", "sub": 2, "rows": [bar(42, 5.0)]}))
    assert (forming["ut_action"], forming["ut_stop"]) == ("HOLD", 8.0)  # not before the bar is closed
    (closed,) = said(prices.told({"type": "update", "sub": 2, "rows": [bar(42, 5.0, closed=True)]}))
    assert (closed["ut_action"], closed["ut_position"]) == ("SELL", "SHORT")
    (again,) = said(prices.told({"type": "update", "sub": 2, "rows": [bar(42, 5.0, closed=True)]}))
    assert again["ut_action"] == "HOLD"
    (moved,) = said(prices.told({"type": "update", "sub": 1, "rows": [{"bid": 2.0, "ask": 2.5}]}))
    assert (moved["bid"], moved["price"]) == (2.0, 5.0)


def test_a_run_is_told_with_what_is_asked_for() -> None:
    row = {
        "run_id": "r1",
        "state": "running",
        "current_index": 5,
        "total": 10,
        "latest_bar": None,
        "summary": "",
        "x": 1,
    }
    assert said(run_text({"type": "update", "rows": [row]})) == [{k: v for k, v in row.items() if k != "x"}]
    assert run_text({"type": "mark"}) == []
