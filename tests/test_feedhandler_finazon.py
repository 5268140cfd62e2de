"""Finazon's protocol against a local server that speaks it: bars, drops, refusals, history, and the key."""

import json
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import websocket
from finazon_server import FinazonServer

from feedhandler.feed import NS_PER_MINUTE, NS_PER_SECOND
from feedhandler.finazon import FinazonFeed
from feedhandler.finazon_messages import (
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

KEY = "s3cr3t/key+of=mine"
KEY_FORMS = (KEY, "s3cr3t%2Fkey%2Bof%3Dmine", "s3cr3t/key%2Bof%3Dmine", "s3cr3t")
NOON = 1_795_176_000  # 2026-11-20 12:00 UTC, which is 07:00 in New York; Unix seconds
MIDNIGHT = NOON - 7 * 3_600


class Clock:
    """Monotonic seconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Plant:
    """Polls a feed as the process around it does, and keeps what it published."""

    def __init__(self, feed: FinazonFeed, clock: Clock) -> None:
        self.feed, self.clock = feed, clock
        self.now_ns = NOON * NS_PER_SECOND
        self.rows: list[dict[str, Any]] = []

    def poll_until(self, condition: Callable[[], object], what: str) -> None:
        """Poll until `condition` holds; fail after 10 s, showing the state."""
        deadline = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < deadline, f"{what}: {self.feed.status()}; rows {self.rows[-3:]}"
            for table, columns in self.feed.poll(self.now_ns, 0.01):
                assert table == "bars"
                self.rows += [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def until_rows(self, count: int) -> list[dict[str, Any]]:
        self.poll_until(lambda: len(self.rows) >= count, f"{count} rows")
        return self.rows

    def until_status(self, text: str) -> str:
        self.poll_until(lambda: text in self.feed.status(), f"status with {text!r}")
        return self.feed.status()


Plants = Callable[..., Plant]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FinazonServer]:
    with FinazonServer(KEY) as running:
        yield running


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port on which nothing listens, and which nobody else can take meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def plant(server: FinazonServer) -> Iterator[Plants]:
    made: list[FinazonFeed] = []

    def make(**options: Any) -> Plant:
        clock = Clock()
        defaults = {
            "symbols": ["AAPL", "TSLA"],
            "api_key": KEY,
            "url": server.url,
            "rest_url": server.rest_url,
            "backfill": False,
        }
        feed = FinazonFeed(**{**defaults, "clock": clock, **options})
        made.append(feed)
        feed.start(0)
        return Plant(feed, clock)

    yield make
    for feed in made:
        feed.close()


def bar(sym: str, time_s: int, close: float = 219.96, volume: float = 4572) -> dict[str, Any]:
    frame = {"d": "us_stocks_essential", "p": "finazon", "ch": "bars", "f": "1s", "aggr": " 1m", "s": sym, "t": time_s}
    return frame | {"o": 220.06, "h": 220.13, "l": 219.92, "c": close, "v": volume}


def past(time_s: int, close: float = 200.5) -> dict[str, Any]:
    return {"t": time_s, "o": 200.1, "h": 201, "l": 200, "c": close, "v": 1000}


def subscribed(server: FinazonServer, made: Plant, count: int = 1) -> None:
    made.poll_until(lambda: len(server.subscriptions()) >= count and made.feed.status().startswith("connected"), "ack")


# Messages ----------------------------------------------------------------------------------------------------------


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


# Connection --------------------------------------------------------------------------------------------------------


def test_feed_subscribes_once_for_all_symbols_and_says_that_it_is_connected(
    server: FinazonServer, plant: Plants
) -> None:
    made = plant(frequency="1s", dataset="sip_pro")
    assert made.feed.status() == "connecting"
    subscribed(server, made)
    assert server.events == [
        {"event": "subscribe", "dataset": "sip_pro", "tickers": ["AAPL", "TSLA"], "channel": "bars", "frequency": "1s",
         "aggregation": "1m", "request_id": 1}
    ]  # fmt: skip
    assert made.feed.status() == "connected, 2 symbols"
    assert not made.feed.finished
    assert not made.feed.replayable


def test_frames_of_one_minute_are_revisions_and_a_new_minute_is_a_new_row(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.send(bar("AAPL", NOON, 220.0, 10), bar("AAPL", NOON, 220.1, 25), bar("AAPL", NOON, 219.9, 40))
    server.send(bar("AAPL", NOON + 60, 220.5, 3))

    rows = made.until_rows(4)
    assert [row["time"] for row in rows] == [NOON * NS_PER_SECOND] * 3 + [(NOON + 60) * NS_PER_SECOND]
    assert [(row["close"], row["volume"]) for row in rows] == [(220.0, 10), (220.1, 25), (219.9, 40), (220.5, 3)]
    assert {(row["sym"], row["interval"], row["source"]) for row in rows} == {("AAPL", "1m", "finazon")}


def test_batch_has_the_columns_and_types_of_bars(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.send(bar("TSLA", NOON))
    batches: list[Any] = []
    made.poll_until(lambda: batches or batches.extend(made.feed.poll(made.now_ns, 0.01)), "a batch")
    [(table, columns)] = batches
    assert table == "bars"
    assert list(columns) == ["time", "sym", "interval", "open", "high", "low", "close", "volume", "source"]
    assert columns["time"].dtype == np.int64
    assert all(columns[name].dtype == np.float64 for name in ("open", "high", "low", "close", "volume"))


def test_heartbeat_goes_out_when_due_and_its_answer_keeps_the_connection(server: FinazonServer, plant: Plants) -> None:
    made = plant(heartbeat_s=30)
    subscribed(server, made)
    for beat in range(1, 4):
        made.clock.now_s += 30.5
        made.poll_until(lambda beat=beat: server.events[1:] == [{"event": "heartbeat"}] * beat, f"heartbeat {beat}")
        made.clock.now_s += 1
        made.poll_until(lambda: made.feed._connection._answer_by is None, "answer")
    assert made.feed.status() == "connected, 2 symbols"
    assert len(server.subscriptions()) == 1


def test_ping_without_answer_ends_the_connection_and_a_new_one_is_made(server: FinazonServer, plant: Plants) -> None:
    made = plant(heartbeat_s=30)
    subscribed(server, made)
    server.send(bar("AAPL", NOON))
    made.until_rows(1)
    server.silent = True
    made.clock.now_s += 31
    made.poll_until(lambda: len(server.events) == 2, "heartbeat")
    made.clock.now_s += 11
    assert "no answer to a ping in 10 s" in made.until_status("reconnecting")
    made.clock.now_s += 1
    subscribed(server, made, 2)


def test_drop_without_close_frame_reconnects_and_subscribes_again(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.send(bar("AAPL", NOON))
    made.until_rows(1)
    server.drop()
    made.until_status("reconnecting in 1 s: ")
    made.clock.now_s += 1
    subscribed(server, made, 2)
    assert server.subscriptions() == [["AAPL", "TSLA"]] * 2
    server.send(bar("AAPL", NOON, 221))
    assert made.until_rows(2)[1]["close"] == 221
    assert made.feed.status() == "connected, 2 symbols"


def test_close_frame_of_the_venue_is_reported_with_its_reason(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.close(1012, "maintenance")
    assert made.until_status("reconnecting") == "reconnecting in 1 s: closed by the venue: 1012 maintenance"


def test_pauses_grow_to_sixty_seconds_and_shrink_after_a_success(
    server: FinazonServer, plant: Plants, dead_port: int
) -> None:
    made = plant(url=f"ws://127.0.0.1:{dead_port}/v1")
    pauses = []
    for _ in range(9):
        made.poll_until(lambda: made.feed._connection.retry_in_s > 0, "a failed attempt")
        pauses.append(made.feed._connection.retry_in_s)
        assert "refused" in made.feed.status()
        made.clock.now_s += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]

    made.feed._connection._url = server.url
    subscribed(server, made)
    server.send(bar("AAPL", NOON))
    made.until_rows(1)
    server.drop()
    made.until_status("reconnecting in 1 s")


def test_redirected_connection_is_not_followed_because_the_key_would_go_with_it(
    server: FinazonServer, plant: Plants
) -> None:
    server.moved_to = f"{server.url}?apikey={KEY_FORMS[1]}"
    made = plant()
    assert made.until_status("reconnecting") == "reconnecting in 1 s: WebSocketException: Redirect limit exhausted"
    assert server.refused == [302]


def test_waiting_for_a_reconnect_makes_no_attempt_before_its_time(server: FinazonServer, plant: Plants) -> None:
    made = plant(api_key="wrong")
    made.until_status("reconnecting")
    for _ in range(20):
        made.feed.poll(made.now_ns, 0)
    assert server.refused == [401]


def test_bad_key_is_tried_again_only_after_sixty_seconds(server: FinazonServer, plant: Plants) -> None:
    made = plant(api_key="wrong-key")
    status = made.until_status("reconnecting")
    assert status == "reconnecting in 60 s: the key was refused, check it and its plan (HTTP 401 at connect)"
    made.clock.now_s += 59
    made.feed.poll(made.now_ns, 0)
    assert server.refused == [401]
    made.clock.now_s += 1
    made.poll_until(lambda: server.refused == [401, 401], "second attempt")
    assert "reconnecting in 60 s" in made.feed.status()


def test_key_refused_in_a_frame_ends_the_connection_for_sixty_seconds(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.send({"status": "error", "message": f"API key {KEY} has expired"})
    assert "reconnecting in 60 s: the key was refused" in made.until_status("reconnecting")
    assert "API key *** has expired" in made.feed.status()


def test_unsupported_ticker_is_named_and_the_others_go_on(server: FinazonServer, plant: Plants) -> None:
    made = plant(symbols=["AAPL", "XYZ", "TSLA"])
    assert made.until_status("XYZ") == "connected, 2 symbols; not supported: XYZ"
    server.send(bar("TSLA", NOON))
    made.until_rows(1)
    assert server.subscriptions() == [["AAPL", "XYZ", "TSLA"]]
    server.drop()
    made.until_status("reconnecting")
    made.clock.now_s += 1
    subscribed(server, made, 2)
    assert server.subscriptions()[1] == ["AAPL", "TSLA"]


def test_already_subscribed_changes_nothing(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.send({"status": "error", "message": "You are already subscribed to AAPL"}, bar("AAPL", NOON))
    made.until_rows(1)
    assert made.feed.status() == "connected, 2 symbols"
    assert len(server.subscriptions()) == 1


def test_other_error_is_shown_and_the_connection_kept(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.send({"status": "error", "message": "slow down"})
    assert made.until_status("slow down") == "connected, 2 symbols; the venue says: slow down"


def test_garbage_and_zero_prices_are_counted_and_the_bars_between_kept(server: FinazonServer, plant: Plants) -> None:
    made = plant()
    subscribed(server, made)
    server.send(
        "garbage", bar("AAPL", NOON), b"\xff\xff", {"ch": "bars"}, bar("AAPL", NOON, close=0), bar("TSLA", NOON)
    )
    rows = made.until_rows(2)
    assert [row["sym"] for row in rows] == ["AAPL", "TSLA"]
    malformed = "3 malformed (first: expected a JSON object, found 'garbage')"
    assert made.feed.status() == f"connected, 2 symbols; {malformed}; 1 bars with price 0 dropped"


def test_fourth_connection_is_refused_and_tried_again_like_any_other_failure(
    server: FinazonServer, plant: Plants
) -> None:
    for number in range(1, 4):
        subscribed(server, plant(), number)
    fourth = plant()
    assert fourth.until_status("reconnecting") == "reconnecting in 1 s: HTTP 429 at connect"


# History -----------------------------------------------------------------------------------------------------------


def test_session_of_today_is_fetched_at_the_start_page_by_page_until_a_short_page(
    server: FinazonServer, plant: Plants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedhandler.finazon_history.PAGE_SIZE", 100)
    server.history["AAPL"] = [past(MIDNIGHT + 60 * k, 200 + k / 100) for k in range(-5, 425)]
    made = plant(symbols=["AAPL"], backfill=True)
    made.poll_until(lambda: len(server.requests) >= 5 and made.feed.status() == "connected, 1 symbols", "history")

    # 420 closed minutes since midnight: four full pages and a short one; the running minute is left to the socket.
    assert [row["time"] // NS_PER_SECOND for row in made.rows] == [MIDNIGHT + 60 * k for k in range(420)]
    assert [row["close"] for row in made.rows[:2]] == [200.0, 200.01]
    assert [request["page"] for request in server.requests] == ["0", "1", "2", "3", "4"]
    first = server.requests[0]
    assert (first["ticker"], first["interval"], first["order"], first["page_size"]) == ("AAPL", "1m", "asc", "100")
    assert (int(first["start_at"]), int(first["end_at"])) == (MIDNIGHT, NOON - 1)
    assert set(server.authorizations) == {f"apikey {KEY}"}


@pytest.mark.parametrize("refuse", [True, False])
def test_pages_counted_from_one_are_found_and_no_row_comes_twice(
    server: FinazonServer, plant: Plants, monkeypatch: pytest.MonkeyPatch, refuse: bool
) -> None:
    monkeypatch.setattr("feedhandler.finazon_history.PAGE_SIZE", 100)
    server.history["AAPL"] = server.history["TSLA"] = [past(MIDNIGHT + 60 * k) for k in range(200)]
    server.first_page = 1
    if not refuse:  # page 0 answers as page 1 does
        rows = server.history["AAPL"]
        server.answers = lambda asked: (200, json.dumps({"data": rows[:100]})) if asked["page"] == "0" else None
    made = plant(backfill=True)
    made.poll_until(lambda: len(server.requests) >= 6 and made.feed.status() == "connected, 2 symbols", "history")
    for sym in ("AAPL", "TSLA"):
        times = [row["time"] // NS_PER_SECOND for row in made.rows if row["sym"] == sym]
        assert times == [MIDNIGHT + 60 * k for k in range(200)]


def test_hole_after_a_reconnect_is_filled_from_the_last_bar_on(server: FinazonServer, plant: Plants) -> None:
    made = plant(symbols=["AAPL"], backfill=True)
    subscribed(server, made)
    server.send(bar("AAPL", NOON, 220.0))
    made.until_rows(1)
    server.drop()
    made.until_status("reconnecting")

    server.history["AAPL"] = [past(NOON + 60 * k, 210 + k) for k in range(-3, 10)]
    made.now_ns += 5 * NS_PER_MINUTE + 30 * NS_PER_SECOND
    made.clock.now_s += 1
    made.poll_until(lambda: len(made.rows) >= 6, "history")
    made.until_status("connected, 1 symbols")
    # The bar that was forming at the drop is sent once more, whole; the running one is left to the socket.
    assert [(row["time"] // NS_PER_SECOND, row["close"]) for row in made.rows[1:]] == [
        (NOON + 60 * k, 210.0 + k) for k in range(5)
    ]


def test_minute_of_connecting_is_fetched_when_the_first_bar_is_a_later_one(
    server: FinazonServer, plant: Plants
) -> None:
    made = plant(symbols=["AAPL"], backfill=True)
    subscribed(server, made)
    made.until_status("connected, 1 symbols")
    made.poll_until(lambda: len(server.requests) == 2, "history of the session, which is empty")
    server.history["AAPL"] = [past(NOON)]
    server.send(bar("AAPL", NOON + 60))
    rows = made.until_rows(2)
    assert [row["time"] // NS_PER_SECOND for row in rows] == [NOON + 60, NOON]


@pytest.mark.parametrize(
    ("status", "body", "note"),
    [
        (401, "no", "no history: the key was refused (HTTP 401)"),
        (200, '{"status":"error","message":"invalid api key"}', "no history: the key was refused (invalid api key)"),
        (405, "no", "is missing: HTTP 405"),
        (429, "slow", "history waits 60 s: too many requests (HTTP 429)"),
        (500, "oops", "is tried again in 10 s: HTTP 500"),
        (200, "<html>", "1 malformed (first: expected {\"data\": [...]}, found '<html>')"),
    ],
)
def test_failed_history_is_a_line_of_status_and_the_live_bars_go_on(
    server: FinazonServer, plant: Plants, status: int, body: str, note: str
) -> None:
    server.answers = lambda _: (status, body)
    made = plant(symbols=["AAPL"], backfill=True)
    assert note in made.until_status(note)
    server.send(bar("AAPL", NOON))
    made.until_rows(1)
    assert made.feed.status().startswith("connected, 1 symbols")


def test_history_that_failed_is_tried_again_and_given_up_after_three_times(
    server: FinazonServer, plant: Plants
) -> None:
    server.answers = lambda _: (503, "later")
    made = plant(symbols=["AAPL"], backfill=True)
    for tries in (1, 2, 3):
        made.poll_until(lambda tries=tries: len(server.requests) == tries, f"request {tries}")
        made.clock.now_s += 10
    assert f"history of AAPL from {MIDNIGHT} to {NOON} (Unix seconds) is missing: HTTP 503" in made.until_status(
        "missing"
    )


def test_rate_limit_keeps_the_gap_until_it_is_filled(server: FinazonServer, plant: Plants) -> None:
    server.history["AAPL"] = [past(MIDNIGHT)]
    server.answers = lambda _: (429, "slow") if len(server.requests) < 6 else None
    made = plant(symbols=["AAPL"], backfill=True)
    for tries in range(1, 7):
        made.poll_until(lambda tries=tries: len(server.requests) == tries, f"request {tries}")
        made.clock.now_s += 60
    assert [row["time"] for row in made.until_rows(1)] == [MIDNIGHT * NS_PER_SECOND]


def test_redirected_history_is_not_followed_because_the_key_would_go_with_it(
    server: FinazonServer, plant: Plants
) -> None:
    server.answers = lambda _: (302, f"{server.rest_url}/time_series?ticker=elsewhere")
    made = plant(symbols=["AAPL"], backfill=True)
    made.until_status("is missing: HTTP 302")
    assert [request["ticker"] for request in server.requests] == ["AAPL"]


def test_rows_of_history_outside_the_gap_are_left_out(server: FinazonServer, plant: Plants) -> None:
    # Above all the minute that still forms: the page would undo what came through the socket since.
    page = json.dumps({"data": [past(time_s) for time_s in (MIDNIGHT - 60, MIDNIGHT, NOON - 60, NOON)]})
    server.answers = lambda _: (200, page)
    made = plant(symbols=["AAPL"], backfill=True)
    rows = made.until_rows(2)
    assert [row["time"] // NS_PER_SECOND for row in rows] == [MIDNIGHT, NOON - 60]


def test_unreachable_history_is_a_line_of_status(server: FinazonServer, plant: Plants, dead_port: int) -> None:
    made = plant(symbols=["AAPL"], backfill=True, rest_url=f"http://127.0.0.1:{dead_port}/latest")
    assert "URLError" in made.until_status("is tried again in 10 s")


# The key -----------------------------------------------------------------------------------------------------------


def test_key_is_in_no_log_status_repr_or_attribute(
    server: FinazonServer, plant: Plants, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    websocket.enableTrace(True, handler=logging.NullHandler())
    try:
        seen: list[str] = []
        server.answers = lambda asked: (500, f"bad key {KEY}") if len(server.requests) < 3 else None
        made = plant(symbols=["AAPL"], backfill=True)
        subscribed(server, made)
        echo = f"the request {KEY} failed, {KEY_FORMS[1]} too"
        server.send("x" * 105 + KEY, echo, {"status": "error", "message": echo}, bar("AAPL", NOON))
        made.until_rows(1)
        seen += [made.feed.status(), repr(made.feed), _deep_repr(made.feed)]
        server.close(1008, f"apikey {KEY}")
        made.until_status("reconnecting")
        seen += [made.feed.status(), _deep_repr(made.feed)]
        server.key = "another"
        made.clock.now_s += 60
        made.until_status("HTTP 401")
        seen += [made.feed.status(), _deep_repr(made.feed)]
        made.feed.close()
    finally:
        websocket.enableTrace(False)
    seen += [record.getMessage() for record in caplog.records if re.match(r"websocket$|feedhandler", record.name)]
    assert any("GET /v1?apikey=***" in text for text in seen), "the trace of the library should be among the logs"
    assert not [text for text in seen for form in KEY_FORMS if form in text]


def _deep_repr(thing: object) -> str:
    """repr of an object's attributes and of those of the feed's own parts."""
    shown = repr(vars(thing))
    return shown + "".join(
        _deep_repr(part) for part in vars(thing).values() if type(part).__name__ in ("Connection", "Backfill")
    )


def test_key_may_be_a_secret_with_get_secret_value(server: FinazonServer, plant: Plants) -> None:
    class Hidden:
        def get_secret_value(self) -> str:
            return KEY

    subscribed(server, plant(api_key=Hidden()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": ""}, "api_key: expected a key of finazon.io, found nothing"),
        ({"symbols": []}, "symbols: expected a list of non-empty symbols"),
        ({"symbols": "AAPL"}, "symbols: expected a list of non-empty symbols, found 'AAPL'"),
        ({"frequency": "5s"}, "frequency: expected one of 1s, 10s, 1m, found '5s'"),
        ({"heartbeat_s": 0}, "heartbeat_s: expected seconds above 0"),
        ({"url": "http://host/v1"}, "url: expected wss://host/... or ws://host/..., found 'http://host/v1'"),
        ({"rest_url": "https://host:port/"}, "rest_url: expected https://host/... or http://host/..."),
    ],
)
def test_unusable_argument_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        FinazonFeed(**{"symbols": ["AAPL"], "api_key": KEY, **options})
    assert message in str(caught.value)
    assert KEY not in str(caught.value)
