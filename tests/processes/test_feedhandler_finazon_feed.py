"""Finazon's live bars against a local server that speaks its protocol: drops, refusals, and the key."""

import logging
import re
from typing import Any

import numpy as np
import pytest
import websocket
from finazon_plant import KEY, NOON, StartFeed, bar, subscribed
from finazon_server import FinazonServer

from feedhandler.feed import NS_PER_SECOND
from feedhandler.finazon.feed import FinazonFeed
from feedhandler.finazon.settings import FinazonFeedSettings

KEY_FORMS = (KEY, "s3cr3t%2Fkey%2Bof%3Dmine", "s3cr3t/key%2Bof%3Dmine", "s3cr3t")


def test_feed_subscribes_once_for_all_symbols_and_says_that_it_is_connected(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed(frequency="1s", dataset="sip_pro")
    assert made.feed.status() == "connecting"
    subscribed(finazon, made)
    assert finazon.events == [
        {"event": "subscribe", "dataset": "sip_pro", "tickers": ["AAPL", "TSLA"], "channel": "bars", "frequency": "1s",
         "aggregation": "1m", "request_id": 1}
    ]  # fmt: skip
    assert made.feed.status() == "connected, 2 symbols"
    assert not made.feed.finished
    assert not made.feed.replayable


def test_frames_of_one_minute_are_revisions_and_a_new_minute_is_a_new_row(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.send(bar("AAPL", NOON, 220.0, 10), bar("AAPL", NOON, 220.1, 25), bar("AAPL", NOON, 219.9, 40))
    finazon.send(bar("AAPL", NOON + 60, 220.5, 3))

    rows = made.until_rows(4)
    assert [row["time"] for row in rows] == [NOON * NS_PER_SECOND] * 3 + [(NOON + 60) * NS_PER_SECOND]
    assert [(row["close"], row["volume"]) for row in rows] == [(220.0, 10), (220.1, 25), (219.9, 40), (220.5, 3)]
    assert {(row["sym"], row["interval"], row["source"]) for row in rows} == {("AAPL", "1m", "finazon")}


def test_batch_has_the_columns_and_types_of_bars(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.send(bar("TSLA", NOON))
    batches: list[Any] = []
    made.poll_until(lambda: batches or batches.extend(made.feed.poll(made.now_ns, 0.01)), "a batch")
    [(table, columns)] = batches
    assert table == "bars"
    assert list(columns) == ["time", "sym", "interval", "open", "high", "low", "close", "volume", "source"]
    assert columns["time"].dtype == np.int64
    assert all(columns[name].dtype == np.float64 for name in ("open", "high", "low", "close", "volume"))


def test_heartbeat_goes_out_when_due_and_its_answer_keeps_the_connection(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed(heartbeat_s=30)
    subscribed(finazon, made)
    for beat in range(1, 4):
        made.clock.now_s += 30.5
        made.poll_until(lambda beat=beat: finazon.events[1:] == [{"event": "heartbeat"}] * beat, f"heartbeat {beat}")
        made.clock.now_s += 1
        made.poll_until(lambda: made.feed._connection._answer_by is None, "answer")
    assert made.feed.status() == "connected, 2 symbols"
    assert len(finazon.subscriptions()) == 1


def test_ping_without_answer_ends_the_connection_and_a_new_one_is_made(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed(heartbeat_s=30)
    subscribed(finazon, made)
    finazon.send(bar("AAPL", NOON))
    made.until_rows(1)
    finazon.silent = True
    made.clock.now_s += 31
    made.poll_until(lambda: len(finazon.events) == 2, "heartbeat")
    made.clock.now_s += 11
    assert "no answer to a ping in 10 s" in made.until_status("reconnecting")
    made.clock.now_s += 1
    subscribed(finazon, made, 2)


def test_drop_without_close_frame_reconnects_and_subscribes_again(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.send(bar("AAPL", NOON))
    made.until_rows(1)
    finazon.drop()
    made.until_status("reconnecting in 1 s: ")
    made.clock.now_s += 1
    subscribed(finazon, made, 2)
    assert finazon.subscriptions() == [["AAPL", "TSLA"]] * 2
    finazon.send(bar("AAPL", NOON, 221))
    assert made.until_rows(2)[1]["close"] == 221
    assert made.feed.status() == "connected, 2 symbols"


def test_close_frame_of_the_venue_is_reported_with_its_reason(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.close(1012, "maintenance")
    assert made.until_status("reconnecting") == "reconnecting in 1 s: closed by the venue: 1012 maintenance"


def test_pauses_grow_to_sixty_seconds_and_shrink_after_a_success(
    finazon: FinazonServer, start_feed: StartFeed, dead_port: int
) -> None:
    made = start_feed(url=f"ws://127.0.0.1:{dead_port}/v1")
    pauses = []
    for _ in range(9):
        made.poll_until(lambda: made.feed._connection.retry_in_s > 0, "a failed attempt")
        pauses.append(made.feed._connection.retry_in_s)
        assert "refused" in made.feed.status()
        made.clock.now_s += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]

    made.feed._connection._url = finazon.url
    subscribed(finazon, made)
    finazon.send(bar("AAPL", NOON))
    made.until_rows(1)
    finazon.drop()
    made.until_status("reconnecting in 1 s")


def test_redirected_connection_is_not_followed_because_the_key_would_go_with_it(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    finazon.moved_to = f"{finazon.url}?apikey={KEY_FORMS[1]}"
    made = start_feed()
    assert made.until_status("reconnecting") == "reconnecting in 1 s: WebSocketException: Redirect limit exhausted"
    assert finazon.refused == [302]


def test_a_refused_key_is_given_up_with_what_to_do_and_not_tried_again(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed(api_key="wrong-key")
    assert made.until_status("given up") == (
        "given up: the key was refused, check it and its plan (HTTP 401 at connect); "
        "set another key in the environment and start the feed again"
    )
    for _ in range(20):  # a venue locks an account whose key is tried again and again
        made.clock.now_s += 3_600
        made.feed.poll(made.now_ns, 0)
    assert finazon.refused == [401]


def test_a_key_that_is_refused_in_a_frame_is_given_up_too(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.send({"status": "error", "message": f"API key {KEY} has expired"})
    assert "given up: the key was refused" in made.until_status("given up")
    assert "API key *** has expired" in made.feed.status()
    made.clock.now_s += 3_600
    made.feed.poll(made.now_ns, 0)
    assert finazon.refused == []
    assert len(finazon.subscriptions()) == 1


def test_unsupported_ticker_is_named_and_the_others_go_on(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed(symbols=["AAPL", "XYZ", "TSLA"])
    assert made.until_status("XYZ") == "connected, 2 symbols; not supported: XYZ"
    finazon.send(bar("TSLA", NOON))
    made.until_rows(1)
    assert finazon.subscriptions() == [["AAPL", "XYZ", "TSLA"]]
    finazon.drop()
    made.until_status("reconnecting")
    made.clock.now_s += 1
    subscribed(finazon, made, 2)
    assert finazon.subscriptions()[1] == ["AAPL", "TSLA"]


def test_already_subscribed_changes_nothing(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.send({"status": "error", "message": "You are already subscribed to AAPL"}, bar("AAPL", NOON))
    made.until_rows(1)
    assert made.feed.status() == "connected, 2 symbols"
    assert len(finazon.subscriptions()) == 1


def test_other_error_is_shown_and_the_connection_kept(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.send({"status": "error", "message": "slow down"})
    assert made.until_status("slow down") == "connected, 2 symbols; the venue says: slow down"


def test_garbage_and_zero_prices_are_counted_and_the_bars_between_kept(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed()
    subscribed(finazon, made)
    finazon.send(
        "garbage", bar("AAPL", NOON), b"\xff\xff", {"ch": "bars"}, bar("AAPL", NOON, close=0), bar("TSLA", NOON)
    )
    rows = made.until_rows(2)
    assert [row["sym"] for row in rows] == ["AAPL", "TSLA"]
    malformed = "3 malformed (first: expected a JSON object, found 'garbage')"
    assert made.feed.status() == f"connected, 2 symbols; {malformed}; 1 bars with price 0 dropped"


def test_fourth_connection_is_refused_and_tried_again_like_any_other_failure(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    for number in range(1, 4):
        subscribed(finazon, start_feed(), number)
    fourth = start_feed()
    assert fourth.until_status("reconnecting") == "reconnecting in 1 s: HTTP 429 at connect"


def test_key_is_in_no_log_status_repr_or_attribute(
    finazon: FinazonServer, start_feed: StartFeed, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    websocket.enableTrace(True, handler=logging.NullHandler())
    try:
        seen: list[str] = []
        finazon.answers = lambda asked: (500, f"bad key {KEY}") if len(finazon.requests) < 3 else None
        made = start_feed(symbols=["AAPL"], backfill=True)
        subscribed(finazon, made)
        echo = f"the request {KEY} failed, {KEY_FORMS[1]} too"
        finazon.send("x" * 105 + KEY, echo, {"status": "error", "message": echo}, bar("AAPL", NOON))
        made.until_rows(1)
        seen += [made.feed.status(), repr(made.feed), _deep_repr(made.feed)]
        finazon.close(1008, f"apikey {KEY}")
        made.until_status("given up")
        seen += [made.feed.status(), _deep_repr(made.feed)]
        made.feed.close()
        finazon.key = "another"
        made = start_feed(symbols=["AAPL"], backfill=True)
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


def test_key_may_be_a_secret_with_get_secret_value(finazon: FinazonServer, start_feed: StartFeed) -> None:
    class Hidden:
        def get_secret_value(self) -> str:
            return KEY

    subscribed(finazon, start_feed(api_key=Hidden()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": ""}, "the key that was given is empty; docs/feeds.md#finazon says where one comes from"),
        ({"symbols": []}, "symbols\n  Value error, expected a list of non-empty symbols"),
        ({"symbols": "AAPL"}, "symbols\n  Input should be a valid tuple"),
        ({"frequency": "5s"}, "frequency\n  Input should be '1s', '10s' or '1m'"),
        ({"heartbeat_s": 0}, "heartbeat_s\n  Input should be greater than 0"),
        ({"url": "http://host/v1"}, "url\n  Value error, expected wss://host/... or ws://host/..."),
        ({"rest_url": "https://host:port/"}, "rest_url\n  Value error, expected https://host/... or http://host/..."),
    ],
)
def test_unusable_argument_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    key = options.pop("api_key", KEY)
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        FinazonFeed(FinazonFeedSettings(**{"symbols": ["AAPL"], **options}), api_key=key)
    assert message in str(caught.value)
    assert KEY not in str(caught.value)
