"""Alpaca's frames and answers, parsed: one by hand for each trap of them."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedhandler.alpaca.messages import (
    Corrected,
    Current,
    authentication,
    parse_frame,
    parse_page,
    subscription_message,
)
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import (
    Alive,
    BarRow,
    Complaint,
    CorrectionRow,
    Ended,
    KeyRefused,
    Malformed,
    QuoteRow,
    Ready,
    TradeRow,
    Wait,
)

AT = 1_614_009_104_208_000_000  # 2021-02-22T15:51:44.208Z
TRADE = {"T": "t", "S": "AAPL", "i": 96921, "x": "D", "p": 126.55, "s": 1, "t": "2021-02-22T15:51:44.208Z"}
TRADE |= {"c": ["@", "I"], "z": "C"}
BAR = {"T": "b", "S": "SPY", "o": 388.985, "h": 389.13, "l": 388.975, "c": 389.12, "v": 49378, "n": 461}
BAR |= {"vw": 389.062639, "t": "2021-02-22T19:15:00Z"}


def read(*messages: Any) -> Any:
    found = parse_frame(json.dumps(messages))
    return found[0] if len(messages) == 1 else found


def test_a_trade() -> None:
    assert read(TRADE) == TradeRow(AT, "AAPL", 126.55, 1.0, "96921", "@ I", "C", "D")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2021-02-22T15:51:44Z", 1_614_009_104_000_000_000),
        ("2021-02-22T15:51:44.335689322Z", 1_614_009_104_335_689_322),
        ("2021-02-22T15:51:44.3Z", 1_614_009_104_300_000_000),
        ("2024-02-29T00:00:00.000000001+00:00", 1_709_164_800_000_000_001),
    ],
)
def test_times_are_exact_to_the_nanosecond(text: str, ns: int) -> None:
    assert read(TRADE | {"t": text}).time == ns


@pytest.mark.parametrize("text", ["2021-02-30T00:00:00Z", "2021-02-22 15:51:44", "2021-02-22T15:51:44-05:00", 5, None])
def test_what_is_no_time_is_refused(text: Any) -> None:
    assert read(TRADE | {"t": text}).reason.startswith("trade.t: expected a time such as 2026-11-20T14:30:00.123Z")


def test_digits_of_the_sips_become_numbers_that_mean_the_same() -> None:
    assert read(TRADE | {"c": ["@", "4", "W"]}).conditions == "@ 10 W"
    assert read(TRADE | {"c": [" ", "I"]}).conditions == "I"


def test_a_bar_an_updated_one_and_that_of_the_day() -> None:
    bar = BarRow(1_614_021_300_000_000_000, "SPY", "1m", 388.985, 389.13, 388.975, 389.12, 49378.0, 389.062639, 461.0)
    assert read(BAR) == bar
    assert read(BAR | {"T": "u"}) == bar
    assert read(BAR | {"T": "d"}) == bar._replace(interval="1d")
    without = {name: value for name, value in BAR.items() if name not in ("n", "vw")}
    assert math.isnan(read(without).vwap)


def test_a_quote_and_a_side_that_nobody_offers() -> None:
    quote = {"T": "q", "S": "AMD", "bx": "U", "bp": 87.66, "bs": 1, "ax": "Q", "ap": 87.68, "as": 4, "c": ["R"]}
    quote |= {"t": "2021-02-22T15:51:44.208Z", "z": "C"}
    assert read(quote) == QuoteRow(AT, "AMD", 87.66, 87.68, 1.0, 4.0)
    assert math.isnan(read(quote | {"bp": 0, "bs": 0}).bid)


def test_corrections_and_cancels() -> None:
    message = {"T": "c", "S": "EEM", "x": "M", "oi": 52983525033527, "op": 39.1582, "os": 440000, "oc": [" ", "7"]}
    message |= {"ci": 52983525034326, "cp": 39.1809, "cs": 440000, "cc": [" ", "7"], "z": "B", "t": TRADE["t"]}
    row = CorrectionRow(AT, "EEM", "52983525033527", "correct", 0, 39.1809, 440000.0, "53")
    assert read(message) == Corrected(row, "M", "52983525034326")
    cancel = {"T": "x", "S": "GOOGL", "i": 465, "x": "D", "p": 1465.5, "s": 5, "a": "C", "z": "C", "t": TRADE["t"]}
    found = read(cancel)
    assert (found.row.time, found.row.sym, found.row.trade_id, found.row.action) == (AT, "GOOGL", "465", "cancel")
    assert (found.exchange, found.new_id) == ("D", "")


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ({"T": "success", "msg": "connected"}, Alive()),
        ({"T": "success", "msg": "authenticated"}, Ready()),
        (
            {"T": "subscription", "trades": ["AAPL"], "quotes": [], "bars": ["AAPL", "VOO"], "statuses": ["*"]},
            Current((("trades", "AAPL"), ("bars", "AAPL"), ("bars", "VOO"))),
        ),
        ({"T": "error", "code": 402, "msg": "auth failed"}, KeyRefused("auth failed (code 402)")),
        ({"T": "error", "code": 409, "msg": "insufficient"}, KeyRefused("insufficient (code 409)")),
        (
            {"T": "error", "code": 406, "msg": "connection limit exceeded"},
            Wait(90.0, "too many connections of this account: connection limit exceeded (code 406)"),
        ),
        ({"T": "error", "code": 401, "msg": "not authenticated"}, Ended("not authenticated (code 401)")),
        ({"T": "error", "code": 405, "msg": "symbol limit"}, Complaint("symbol limit (code 405)")),
        ({"T": "error", "code": [1]}, Complaint("no message given (code [1])")),
        ({"T": "s", "S": "AAPL", "sc": "H"}, Alive()),
        ({"T": "n", "headline": "x"}, Alive()),
    ],
)
def test_what_is_no_row_is_told_apart(message: Any, meaning: object) -> None:
    assert read(message) == meaning


def test_a_frame_may_hold_what_belongs_to_several() -> None:
    assert [type(event) for event in read(TRADE, BAR, {"T": "?"}, TRADE)] == [TradeRow, BarRow, Malformed, TradeRow]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (TRADE | {"p": "x"}, "trade.p: expected a number, found 'x'"),
        (TRADE | {"i": None}, "trade.i: expected a trade's id, found None"),
        (TRADE | {"S": 3}, "t.S: expected a text, found 3"),
        (TRADE | {"c": [1]}, "trade.c: expected a list of letters, found [1]"),
        ({"T": "subscription", "trades": "AAPL"}, "subscription.trades: expected a list of symbols, found 'AAPL'"),
        ({"T": {}}, "expected a T of t, q, b, u"),
        (5, "expected a T of t, q, b, u"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(message: Any, reason: str) -> None:
    found = read(message)
    assert isinstance(found, Malformed)
    assert found.reason.startswith(reason), found.reason


VALUE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)


@given(st.sampled_from("tqbudcxsl"), st.data())
def test_no_frame_raises(kind: str, data: st.DataObject) -> None:
    keys = st.sampled_from([*"Sixpstczohlvn", "vw", "bp", "bs", "oi", "ci", "cp", "cs", "cc"])
    parse_frame(json.dumps([data.draw(st.dictionaries(keys, VALUE | st.lists(VALUE, max_size=2))) | {"T": kind}]))
    parse_frame(data.draw(st.binary(max_size=20)))


def test_messages_of_ours() -> None:
    assert json.loads(authentication(("k", "s"))) == {"action": "auth", "key": "k", "secret": "s"}
    message = subscription_message("subscribe", {"trades": ["AAPL"], "bars": ["AAPL", "VOO"]})
    assert json.loads(message) == {"action": "subscribe", "trades": ["AAPL"], "bars": ["AAPL", "VOO"]}


def test_pages_of_the_past() -> None:
    row = {name: value for name, value in TRADE.items() if name not in ("T", "S")}
    body = {"trades": [row, row | {"u": "canceled"}, row | {"u": "corrected"}], "next_page_token": "x"}
    rows, token = parse_page(json.dumps(body).encode(), "trades", "AAPL", "")
    assert rows == [read(TRADE)] * 2
    assert token == "x"
    assert parse_page(b'{"bars":null,"symbol":"A","next_page_token":null}', "bars", "A", "1m") == ([], "")
    with pytest.raises(Unreadable, match="expected a row, found 1"):
        parse_page(b'{"bars":[1]}', "bars", "A", "1m")
    with pytest.raises(Unreadable, match=r"expected \{\"bars\""):
        parse_page(b"[]", "bars", "A", "1m")
