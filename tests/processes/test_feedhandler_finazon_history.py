"""Finazon's history: the session so far, holes after a reconnect, pages, limits and failures."""

import json

import pytest
from finazon_plant import KEY, MIDNIGHT, NOON, StartFeed, bar, past, subscribed
from finazon_server import FinazonServer

from feedhandler.feed import NS_PER_MINUTE, NS_PER_SECOND
from feedhandler.past.catching_up import Held


def test_session_of_today_is_fetched_at_the_start_page_by_page_until_a_short_page(
    finazon: FinazonServer, start_feed: StartFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedhandler.finazon.history.PAGE_SIZE", 100)
    finazon.history["AAPL"] = [past(MIDNIGHT + 60 * k, 200 + k / 100) for k in range(-5, 425)]
    made = start_feed(symbols=["AAPL"], backfill=True)
    made.poll_until(lambda: len(finazon.requests) >= 5 and made.feed.status() == "connected, 1 symbols", "history")

    # 420 closed minutes since midnight: four full pages and a short one; the running minute is left to the socket.
    assert [row["time"] // NS_PER_SECOND for row in made.rows] == [MIDNIGHT + 60 * k for k in range(420)]
    assert [row["close"] for row in made.rows[:2]] == [200.0, 200.01]
    assert [request["page"] for request in finazon.requests] == ["0", "1", "2", "3", "4"]
    first = finazon.requests[0]
    assert (first["ticker"], first["interval"], first["order"], first["page_size"]) == ("AAPL", "1m", "asc", "100")
    assert (int(first["start_at"]), int(first["end_at"])) == (MIDNIGHT, NOON - 1)
    assert set(finazon.authorizations) == {f"apikey {KEY}"}


@pytest.mark.parametrize("refuse", [True, False])
def test_pages_counted_from_one_are_found_and_no_row_comes_twice(
    finazon: FinazonServer, start_feed: StartFeed, monkeypatch: pytest.MonkeyPatch, refuse: bool
) -> None:
    monkeypatch.setattr("feedhandler.finazon.history.PAGE_SIZE", 100)
    finazon.history["AAPL"] = finazon.history["TSLA"] = [past(MIDNIGHT + 60 * k) for k in range(200)]
    finazon.first_page = 1
    if not refuse:  # page 0 answers as page 1 does
        rows = finazon.history["AAPL"]
        finazon.answers = lambda asked: (200, json.dumps({"data": rows[:100]})) if asked["page"] == "0" else None
    made = start_feed(backfill=True)
    made.poll_until(lambda: len(finazon.requests) >= 6 and made.feed.status() == "connected, 2 symbols", "history")
    for sym in ("AAPL", "TSLA"):
        times = [row["time"] // NS_PER_SECOND for row in made.rows if row["sym"] == sym]
        assert times == [MIDNIGHT + 60 * k for k in range(200)]


def test_hole_after_a_reconnect_is_filled_from_the_last_bar_on(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed(symbols=["AAPL"], backfill=True)
    subscribed(finazon, made)
    finazon.send(bar("AAPL", NOON, 220.0))
    made.until_rows(1)
    finazon.drop()
    made.until_status("reconnecting")

    finazon.history["AAPL"] = [past(NOON + 60 * k, 210 + k) for k in range(-3, 10)]
    made.now_ns += 5 * NS_PER_MINUTE + 30 * NS_PER_SECOND
    made.clock.now_s += 1
    made.poll_until(lambda: len(made.rows) >= 6, "history")
    made.until_status("connected, 1 symbols")
    # The bar that was forming at the drop is sent once more, whole; the running one is left to the socket.
    assert [(row["time"] // NS_PER_SECOND, row["close"]) for row in made.rows[1:]] == [
        (NOON + 60 * k, 210.0 + k) for k in range(5)
    ]


def test_minute_of_connecting_is_fetched_when_the_first_bar_is_a_later_one(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    made = start_feed(symbols=["AAPL"], backfill=True)
    subscribed(finazon, made)
    made.until_status("connected, 1 symbols")
    made.poll_until(lambda: len(finazon.requests) == 2, "history of the session, which is empty")
    finazon.history["AAPL"] = [past(NOON)]
    finazon.send(bar("AAPL", NOON + 60))
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
    finazon: FinazonServer, start_feed: StartFeed, status: int, body: str, note: str
) -> None:
    finazon.answers = lambda _: (status, body)
    made = start_feed(symbols=["AAPL"], backfill=True)
    assert note in made.until_status(note)
    finazon.send(bar("AAPL", NOON))
    made.until_rows(1)
    assert made.feed.status().startswith("connected, 1 symbols")


def test_history_that_failed_is_tried_again_and_given_up_after_three_times(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    finazon.answers = lambda _: (503, "later")
    made = start_feed(symbols=["AAPL"], backfill=True)
    for tries in (1, 2, 3):
        made.poll_until(lambda tries=tries: len(finazon.requests) == tries, f"request {tries}")
        made.clock.now_s += 10
    assert f"history of AAPL from {MIDNIGHT} to {NOON} (Unix seconds) is missing: HTTP 503" in made.until_status(
        "missing"
    )
    made.poll_until(lambda: made.gaps, "a row of gaps")
    [gap] = made.gaps
    assert (gap["sym"], gap["table_name"], gap["state"]) == ("feed-finazon", "bars", "lost")
    assert (gap["first"], gap["last"]) == (MIDNIGHT * NS_PER_SECOND, NOON * NS_PER_SECOND)
    assert gap["detail"] == "AAPL 1m: HTTP 503"


def test_bars_of_the_past_with_price_0_are_counted(finazon: FinazonServer, start_feed: StartFeed) -> None:
    finazon.history["AAPL"] = [past(MIDNIGHT), past(MIDNIGHT + 60, close=0.0)]
    made = start_feed(symbols=["AAPL"], backfill=True)
    made.until_status("1 bars with price 0 dropped")
    assert [row["time"] for row in made.until_rows(1)] == [MIDNIGHT * NS_PER_SECOND]


def test_a_body_that_is_no_page_is_no_history_without_bars(finazon: FinazonServer, start_feed: StartFeed) -> None:
    """As that of a maintenance, sent with 200."""
    finazon.history["AAPL"] = [past(MIDNIGHT)]
    finazon.answers = lambda _: (200, "<html>") if len(finazon.requests) < 2 else None
    made = start_feed(symbols=["AAPL"], backfill=True)
    made.until_status("is tried again in 10 s")
    made.clock.now_s += 10
    assert [row["time"] for row in made.until_rows(1)] == [MIDNIGHT * NS_PER_SECOND]
    assert made.gaps == []


def test_a_refused_key_loses_all_that_was_asked_for_and_says_so(finazon: FinazonServer, start_feed: StartFeed) -> None:
    finazon.answers = lambda _: (403, "forbidden")
    made = start_feed(symbols=["AAPL", "TSLA"], backfill=True)
    made.until_status("no history: the key was refused")
    made.poll_until(lambda: len(made.gaps) == 2, "rows of gaps")
    assert [row["detail"] for row in made.gaps] == ["AAPL 1m: HTTP 403", "TSLA 1m: HTTP 403"]


@pytest.mark.parametrize("early", [True, False], ids=["before the first connection", "later"])
def test_bars_since_the_plants_newest_are_fetched_also_of_the_day_before(
    finazon: FinazonServer, start_feed: StartFeed, early: bool
) -> None:
    finazon.history["AAPL"] = [past(MIDNIGHT - 7_200 + 60 * k) for k in range(5)] + [past(MIDNIGHT + 60)]
    made = start_feed(symbols=["AAPL", "TSLA"], backfill=True, name="fz")
    assert made.feed.asks_for() == [("bars", "AAPL", "1m"), ("bars", "TSLA", "1m")]
    held = {
        ("bars", "AAPL", "1m"): Held((MIDNIGHT - 7_200 + 120) * NS_PER_SECOND),
        ("bars", "TSLA", "1m"): Held((MIDNIGHT - 90_000) * NS_PER_SECOND),
    }
    if early:
        made.feed.had(held)
        made.until_rows(4)
    else:
        made.until_rows(1)
        made.feed.had(held)
        made.until_rows(4)
    assert {(row["time"] // NS_PER_SECOND - MIDNIGHT, row["source"]) for row in made.rows} == {
        (-7_080, "fz"), (-7_020, "fz"), (-6_960, "fz"), (60, "fz"),
    }  # fmt: skip
    made.poll_until(lambda: made.gaps, "what is too old")
    [gap] = made.gaps
    assert (gap["sym"], gap["first"]) == ("feed-fz", (MIDNIGHT - 90_000) * NS_PER_SECOND)
    assert gap["last"] == (MIDNIGHT - 86_400) * NS_PER_SECOND
    assert gap["detail"] == "TSLA 1m: older than what is fetched at the start"


def test_without_backfill_the_bars_of_a_cut_are_told_as_lost(finazon: FinazonServer, start_feed: StartFeed) -> None:
    made = start_feed(symbols=["AAPL"])
    made.poll_until(lambda: finazon.subscriptions(), "the subscription")
    finazon.send(bar("AAPL", NOON))
    made.until_rows(1)
    finazon.drop()
    made.until_status("reconnecting")
    made.clock.now_s += 1
    made.now_ns += 300 * NS_PER_SECOND
    made.poll_until(lambda: made.gaps, "what was lost")
    [gap] = made.gaps
    assert (gap["first"], gap["last"]) == (NOON * NS_PER_SECOND, (NOON + 300) * NS_PER_SECOND)
    assert (gap["state"], gap["detail"]) == ("lost", "AAPL 1m: backfill is false")


def test_rate_limit_keeps_the_gap_until_it_is_filled(finazon: FinazonServer, start_feed: StartFeed) -> None:
    finazon.history["AAPL"] = [past(MIDNIGHT)]
    finazon.answers = lambda _: (429, "slow") if len(finazon.requests) < 6 else None
    made = start_feed(symbols=["AAPL"], backfill=True)
    for tries in range(1, 7):
        made.poll_until(lambda tries=tries: len(finazon.requests) == tries, f"request {tries}")
        made.clock.now_s += 60
    assert [row["time"] for row in made.until_rows(1)] == [MIDNIGHT * NS_PER_SECOND]


def test_redirected_history_is_not_followed_because_the_key_would_go_with_it(
    finazon: FinazonServer, start_feed: StartFeed
) -> None:
    finazon.answers = lambda _: (302, f"{finazon.rest_url}/time_series?ticker=elsewhere")
    made = start_feed(symbols=["AAPL"], backfill=True)
    made.until_status("is missing: HTTP 302")
    assert [request["ticker"] for request in finazon.requests] == ["AAPL"]


def test_rows_of_history_outside_the_gap_are_left_out(finazon: FinazonServer, start_feed: StartFeed) -> None:
    # Above all the minute that still forms: the page would undo what came through the socket since.
    page = json.dumps({"data": [past(time_s) for time_s in (MIDNIGHT - 60, MIDNIGHT, NOON - 60, NOON)]})
    finazon.answers = lambda _: (200, page)
    made = start_feed(symbols=["AAPL"], backfill=True)
    rows = made.until_rows(2)
    assert [row["time"] // NS_PER_SECOND for row in rows] == [MIDNIGHT, NOON - 60]


def test_unreachable_history_is_a_line_of_status(finazon: FinazonServer, start_feed: StartFeed, dead_port: int) -> None:
    made = start_feed(symbols=["AAPL"], backfill=True, rest_url=f"http://127.0.0.1:{dead_port}/latest")
    assert "URLError" in made.until_status("is tried again in 10 s")
