"""Tradier's frames and answers, parsed: one by hand for each trap of them."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhandler.tradier.messages import parse_bars, parse_frame, parse_session, subscription_message
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import (
    Alive,
    BarRow,
    Complaint,
    CorrectionRow,
    Ended,
    Malformed,
    NotKnown,
    QuoteRow,
    Topic,
    TradeRow,
    Wait,
)

MS = 10**6
SALE = {"type": "timesale", "symbol": "SPY", "exch": "Q", "bid": "282.08", "ask": "282.09", "last": "282.09"}
SALE |= {"size": "100", "date": "1557758874355", "seq": 352795, "flag": "", "cancel": False, "correction": False}
SALE |= {"session": "normal"}
TRADE = {"type": "trade", "symbol": "SPY", "exch": "J", "price": "281.85", "size": "100", "cvol": "27978993"}
TRADE |= {"date": "1557757190000", "last": "281.85"}


def read(*messages: Any) -> Any:
    found = parse_frame("".join(json.dumps(message) + "\n" for message in messages))
    return found[0] if len(found) == 1 else found


def test_a_print_is_counted_once() -> None:
    sale = TradeRow(1557758874355 * MS, "SPY", 282.09, 100.0, "352795", "", "", "Q", 352795)
    assert read(TRADE, SALE, TRADE | {"type": "tradex"}) == [Alive(), sale, Alive()]


def test_letters_of_the_tape_stand_side_by_side() -> None:
    assert read(SALE | {"flag": "@ TI"}).conditions == "@ T I"
    assert read(SALE | {"flag": "4"}).conditions == "10"


def test_older_frames_have_no_number() -> None:
    old = {
        name: value for name, value in SALE.items() if name not in ("seq", "flag", "cancel", "correction", "session")
    }
    assert read(old) == TradeRow(1557758874355 * MS, "SPY", 282.09, 100.0, "", "", "", "Q", 0)


def test_a_print_is_cancelled_or_corrected_by_its_number() -> None:
    cancelled = read(SALE | {"cancel": True})
    assert isinstance(cancelled, CorrectionRow)
    assert cancelled[:5] == (1557758874355 * MS, "SPY", "352795", "cancel", 352795)
    assert read(SALE | {"correction": "true", "last": "282.05", "size": "90"}) == CorrectionRow(
        1557758874355 * MS, "SPY", "352795", "correct", 352795, 282.05, 90.0
    )
    nameless = read({name: value for name, value in SALE.items() if name != "seq"} | {"cancel": True})
    assert nameless.reason.startswith("timesale.seq: expected the number of the print that is taken back")


def test_a_quote_has_the_later_of_its_two_times() -> None:
    quote = {"type": "quote", "symbol": "SPY", "bid": 281.84, "bidsz": 60, "bidexch": "M", "biddate": "1557757189000"}
    quote |= {"ask": 281.85, "asksz": 6, "askexch": "Z", "askdate": "1557757190000"}
    assert read(quote) == QuoteRow(1557757190000 * MS, "SPY", 281.84, 281.85, 60.0, 6.0)
    assert read(quote | {"askdate": None}).time == 1557757189000 * MS
    assert math.isnan(read(quote | {"ask": 0}).ask)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("too many sessions", [Wait(60.0, "too many sessions")]),
        ("session expired", [Ended("session expired")]),
        ("slow down", [Complaint("slow down")]),
        (
            "1234 is not a valid symbol",
            [NotKnown(Topic(channel, "1234"), "1234 is not a valid symbol") for channel in ("trades", "quotes")],
        ),
    ],
)
def test_errors_are_told_apart(text: str, meaning: list[object]) -> None:
    assert parse_frame(json.dumps({"error": text})) == meaning


def test_what_is_no_row_is_a_sign_of_life() -> None:
    assert read({"type": "summary", "symbol": "SPY", "open": "282.42"}) == Alive()
    assert read({"event": "heartbeat", "status": "active"}) == Alive()


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (SALE | {"last": "NaN"}, "timesale.last: expected a number, found 'NaN'"),
        (SALE | {"date": "soon"}, "timesale.date: expected a whole number, found 'soon'"),
        (SALE | {"cancel": "perhaps"}, "timesale.cancel: expected true or false, found 'perhaps'"),
        ({"type": "quote", "symbol": "SPY", "bid": 1}, "quote.biddate: expected when"),
        ({"type": "bar"}, "expected a type of timesale, quote, trade, tradex or summary"),
        ([1], "expected an object with a type, found [1]"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(message: Any, reason: str) -> None:
    found = read(message)
    assert isinstance(found, Malformed)
    assert found.reason.startswith(reason), found.reason


VALUE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)


@given(st.sampled_from(["timesale", "quote", "trade"]), st.data())
def test_no_frame_raises(kind: str, data: st.DataObject) -> None:
    keys = st.sampled_from([*SALE, "bidsz", "biddate", "askdate", "error", "event"])
    message = data.draw(st.dictionaries(keys, VALUE | st.lists(VALUE, max_size=2))) | {"type": kind}
    parse_frame(json.dumps(message).encode())
    parse_frame(data.draw(st.binary(max_size=20)))


def test_the_list_is_always_the_whole_one() -> None:
    assert json.loads(subscription_message("s", ["SPY"], ["trades", "quotes"])) == {
        "symbols": ["SPY"],
        "sessionid": "s",
        "filter": ["timesale", "quote"],
        "linebreak": True,
        "validOnly": True,
        "advancedDetails": False,
    }


def test_a_session() -> None:
    assert parse_session(b'{"stream":{"url":"https://x","sessionid":"c8-1"}}') == "c8-1"
    for body in (b"<stream/>", b"[]", b'{"stream":null}', b'{"stream":{}}'):
        with pytest.raises(Unreadable):
            parse_session(body)


def test_bars_of_the_past_in_all_the_forms_that_they_come_in() -> None:
    row = {"time": "2025-07-01T09:30:00", "timestamp": 1751376600, "price": 207.26, "open": 206.72, "high": 208.38}
    row |= {"low": 206.14, "close": 207.53, "volume": 9876387, "vwap": 207.325}
    bar = BarRow(1751376600 * 10**9, "AAPL", "5m", 206.72, 208.38, 206.14, 207.53, 9876387.0, 207.325)
    for data, count in (([row, row], 2), (row, 1), ([], 0), (None, 0)):
        bars = parse_bars(json.dumps({"series": {"data": data}}).encode(), "AAPL", "5m")
        assert [found[:9] for found in bars] == [bar[:9]] * count
    assert parse_bars(b'{"series":null}', "AAPL", "5m") == []
    for body in (b"{}", b"<series/>", b'{"series":{"data":[1]}}', b'{"series":{"data":[{"timestamp":1}]}}'):
        with pytest.raises(Unreadable):
            parse_bars(body, "AAPL", "5m")
