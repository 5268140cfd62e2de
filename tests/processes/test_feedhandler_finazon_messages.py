"""Finazon's messages, parsed: bars, acknowledgements, refusals, history, and what is none of these."""

import json
from typing import Any

import pytest
from finazon_plant import bar, past

from feedhandler.finazon.messages import (
    MAX_TICKERS_PER_EVENT,
    Acknowledged,
    Alive,
    Bar,
    Malformed,
    Refused,
    Subscribed,
    ZeroPrice,
    parse_frame,
    parse_time_series,
    subscribe_messages,
)


def test_bar_frame_gives_its_numbers_and_an_interval_without_blanks() -> None:
    frame = (
        '{"d":"us_stocks_essential","p":"finazon","ch":"bars","f":"1s","aggr":" 1m","s":"AAPL","t":1699540020,'
        '"o":220.06,"h":220.13,"l":219.92,"c":219.96,"v":4572}'
    )
    assert parse_frame(frame) == Bar(1_699_540_020, "AAPL", "1m", 220.06, 220.13, 219.92, 219.96, 4572.0)


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        (
            {
                "status": "success",
                "code": "SUCCESS_SUBSCRIPTION",
                "data": {"event": "subscribe", "tickers": ["A", "B"]},
            },
            Subscribed(("A", "B")),
        ),
        (
            {"status": "success", "data": [{"event": "subscribe", "tickers": ["A"]}, {"tickers": ["B", 3]}]},
            Subscribed(("A", "B")),
        ),
        ({"status": "success", "event": "subscribe"}, Subscribed(())),
        (
            {"status": "success", "code": "SUCCESS_UNSUBSCRIPTION", "data": {"event": "unsubscribe"}},
            Acknowledged("SUCCESS_UNSUBSCRIPTION"),
        ),
        ({"event": "heartbeat", "status": "success"}, Alive()),
        ({"event": "heartbeat"}, Alive()),
        (
            {"status": "error", "message": "You are Already Subscribed"},
            Refused("already_subscribed", "You are Already Subscribed"),
        ),
        (
            {"status": "error", "message": "ticker XYZ you have specified is forbidden"},
            Refused("unsupported_ticker", "ticker XYZ you have specified is forbidden", "XYZ"),
        ),
        (
            {"status": "error", "message": 'Ticker "BTC/USDT" is unknown'},
            Refused("unsupported_ticker", 'Ticker "BTC/USDT" is unknown', "BTC/USDT"),
        ),
        (
            {"status": "error", "message": "Invalid API key for tickers AAPL"},
            Refused("key", "Invalid API key for tickers AAPL"),
        ),
        ({"status": "error", "code": "UNAUTHORIZED"}, Refused("key", "UNAUTHORIZED")),
        ({"status": "error", "message": "slow down"}, Refused("other", "slow down")),
        ({"status": "error"}, Refused("other", "no message given")),
        (bar("AAPL", 60, close=0), ZeroPrice("AAPL")),
    ],
)
def test_frame_is_told_apart(frame: dict[str, Any], event: object) -> None:
    assert parse_frame(json.dumps(frame)) == event


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a JSON object, found ''"),
        ("{", "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ("null", "expected a JSON object"),
        (b"\xff\xfe{}", "expected a JSON object"),
        ("[" * 100_000, "expected a JSON object"),
        ("{}", "expected a bar, an answer"),
        ('{"status": 7}', "expected a bar, an answer"),
        (json.dumps(bar("", 60)), "bar.s: expected a ticker, found ''"),
        (json.dumps({**bar("A", 60), "aggr": None}), "bar.aggr: expected an interval such as '1m', found None (A)"),
        (json.dumps({**bar("A", 60), "t": "60"}), "bar.t: expected Unix seconds, found '60' (A)"),
        (json.dumps({**bar("A", 60), "t": True}), "bar.t: expected Unix seconds, found True"),
        (json.dumps(bar("A", 10**12)), "bar.t: expected Unix seconds, found 1000000000000"),
        (json.dumps({**bar("A", 60), "h": "220"}), "bar.h: expected a number, found '220' (A at 60)"),
        (json.dumps({**bar("A", 60), "v": 10**400}), "bar.v: expected a number, found 1000"),
        (json.dumps({**bar("A", 60), "c": float("nan")}), "bar.c: expected a number, found nan"),
        (json.dumps({"s": "A", "t": 60, "aggr": "1m"}), "bar.o: expected a number, found None"),
    ],
)
def test_malformed_frame_gives_its_reason_and_never_raises(text: str | bytes, reason: str) -> None:
    event = parse_frame(text)
    assert isinstance(event, Malformed)
    assert reason in event.reason
    assert len(event.reason) < 300


def test_page_of_history_gives_one_event_per_row() -> None:
    body = json.dumps({"data": [past(60), past(120, close=0), 7, {"t": 180}]})
    events = parse_time_series(body, "AAPL")
    assert events[:2] == [Bar(60, "AAPL", "1m", 200.1, 201.0, 200.0, 200.5, 1000.0), ZeroPrice("AAPL")]
    assert [type(event) for event in events[2:]] == [Malformed, Malformed]
    assert parse_time_series('{"status":"error","message":"no such dataset"}', "AAPL") == [
        Refused("other", "no such dataset")
    ]
    assert [type(event) for event in parse_time_series("<html>", "AAPL")] == [Malformed]


def test_many_tickers_go_into_few_events() -> None:
    tickers = [f"T{k}" for k in range(2 * MAX_TICKERS_PER_EVENT + 1)]
    events = [json.loads(message) for message in subscribe_messages("sip_pro", tickers, "1s")]
    assert [event["request_id"] for event in events] == [1, 2, 3]
    assert [ticker for event in events for ticker in event["tickers"]] == tickers
    assert all(len(message) < 100_000 for message in subscribe_messages("sip_pro", tickers, "1s"))
