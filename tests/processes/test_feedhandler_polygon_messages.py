"""Massive's frames, parsed: one by hand for each trap, and the venue's own examples of every channel."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import RECORDINGS

from feedhandler.polygon.messages import Done, Greeted, authentication, parse_frame, subscription_messages
from feedhandler.venue.events import (
    Alive,
    BarRow,
    Complaint,
    Ended,
    KeyRefused,
    Malformed,
    QuoteRow,
    Ready,
    TradeRow,
    Wait,
)

MS = 10**6
TRADE = {"ev": "T", "sym": "MSFT", "x": 4, "i": "12345", "z": 3, "p": 114.125, "s": 100, "ds": "100.0", "c": [0, 12]}
TRADE |= {"t": 1536036818784, "q": 3681328}
BAR = {
    "ev": "AM", "sym": "GTE", "v": 4110, "av": 9470157, "op": 0.4372, "vw": 0.4488, "o": 0.4488, "c": 0.4486,
    "h": 0.4489, "l": 0.4486, "a": 0.4352, "z": 685, "s": 1610144640000, "e": 1610144700000,
}  # fmt: skip


def read(*messages: Any) -> Any:
    found = parse_frame(json.dumps(messages))
    return found[0] if len(messages) == 1 else found


def without(message: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name not in names}


def test_a_trade() -> None:
    expected = TradeRow(1536036818784 * MS, "MSFT", 114.125, 100.0, "12345", "0,12", "C", "4", 3681328)
    assert read(TRADE) == expected
    assert read(without(TRADE, "c", "ds", "z") | {"i": 12345}) == expected._replace(conditions="", tape="")


def test_fractions_of_a_share_are_not_lost() -> None:
    assert read(TRADE | {"s": 0, "ds": "0.25"}).size == 0.25
    assert read(BAR | {"dv": "4110.75"}).volume == 4110.75


def test_a_value_in_dollars_is_no_volume() -> None:
    assert read(BAR | {"dv": 462000}).volume == 4110.0
    assert read(BAR | {"dv": "462000"}).volume == 4110.0


def test_a_bar_has_its_own_mean_price_and_its_start() -> None:
    numbers = (0.4488, 0.4489, 0.4486, 0.4486, 4110.0, 0.4488)
    found = read(BAR)
    assert found[:9] == (1610144640000 * MS, "GTE", "1m", *numbers)
    assert math.isnan(found.trades)
    assert read(BAR | {"ev": "A"}).interval == "1s"
    assert read(BAR | {"n": 12}).trades == 12.0


def test_an_index_has_no_volume_and_a_stock_must_have_one() -> None:
    assert read(without(BAR, "v", "vw") | {"sym": "I:SPX"}).volume == 0.0
    assert read(without(BAR, "v")) == Malformed("AM.v: expected a number, found None")


def test_codes_of_options_and_sides_of_coins_are_no_conditions() -> None:
    assert read(TRADE | {"sym": "O:AMC210827C00037000", "c": [233]}).conditions == ""
    coin = {"ev": "XT", "pair": "BTC-USD", "p": 33021.9, "t": 1610462007425, "s": 0.01616617, "c": [2], "i": 14272084}
    coin |= {"x": 3, "r": 1610462007576}
    assert read(coin) == TradeRow(1610462007425 * MS, "BTC-USD", 33021.9, 0.01616617, "14272084", exchange="3")


def test_quotes_of_each_market_and_a_side_that_nobody_offers() -> None:
    quote = {"ev": "Q", "sym": "MSFT", "bx": 4, "bp": 114.125, "bs": 100, "ax": 7, "ap": 114.128, "as": 160, "c": 0}
    quote |= {"i": [604], "t": 1536036818784, "q": 50385480, "z": 3}
    expected = (1536036818784 * MS, "MSFT", 114.125, 114.128, 100.0, 160.0)
    first, *later = (read(quote | changed) for changed in ({}, {"q": 50385481}, {"t": 1536036818785, "q": 1}))
    assert first[:6] == expected
    assert first.order < later[0].order < later[1].order  # also of the next session, which begins anew with 1
    assert math.isnan(read(quote | {"ap": 0, "as": 0}).ask)
    currency = read({"ev": "C", "p": "USD/CNH", "x": "44", "a": 6.83366, "b": 6.83363, "t": 1536036818784})
    assert currency[:4] == (1536036818784 * MS, "USD/CNH", 6.83363, 6.83366)


def status(name: str, text: str = "") -> dict[str, Any]:
    return {"ev": "status", "status": name, "message": text}


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        (status("connected", "Connected Successfully"), Greeted()),
        (status("auth_success", "authenticated"), Ready()),
        (status("success", "subscribed to: T.AAPL"), Done("subscribe", ("T.AAPL",))),
        (status("success", "unsubscribed to: T.AAPL,AM.AAPL"), Done("unsubscribe", ("T.AAPL", "AM.AAPL"))),
        (status("success", "welcome"), Alive()),
        (status("auth_failed", "authentication failed"), KeyRefused("authentication failed")),
        (status("auth_failed", "Your plan doesn't include ..."), KeyRefused("Your plan doesn't include ...")),
        (status("auth_timeout", "No authentication"), Ended("No authentication")),
        (status("max_connections", "too many"), Wait(60.0, "too many")),
        (status("error", "not authorized"), Complaint("error: not authorized")),
        ({"ev": "LULD", "T": "MSFT"}, Alive()),
    ],
)
def test_what_is_no_row_is_told_apart(message: Any, meaning: object) -> None:
    assert read(message) == meaning


def test_a_frame_may_hold_what_belongs_to_several() -> None:
    kinds = [type(event) for event in read(status("success", "subscribed to: T.A"), TRADE, {"ev": "?"}, BAR, TRADE)]
    assert kinds == [Done, TradeRow, Malformed, BarRow, TradeRow]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (TRADE | {"p": "x"}, "T.p: expected a number, found 'x'"),
        (TRADE | {"t": 1e12}, "T.t: expected a whole number, found 1000000000000.0"),
        (TRADE | {"t": 10**15}, "T.t: expected a time in units of 1000000 ns"),
        (TRADE | {"c": [1.5]}, "T.c: expected a list of numbers, found [1.5]"),
        (TRADE | {"i": [1]}, "T.i: expected a text or a whole number, found [1]"),
        (TRADE | {"sym": ""}, "T.sym: expected a text, found ''"),
        ({"ev": "ZZ"}, "expected an ev of T, Q, A, AM"),
        ({"ev": ["T"]}, "expected an ev of T, Q, A, AM"),
        ("T", "expected an object with ev, found 'T'"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(message: Any, reason: str) -> None:
    found = read(message)
    assert isinstance(found, Malformed)
    assert found.reason.startswith(reason), found.reason


VALUE = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
ANY = VALUE | st.lists(VALUE, max_size=2)


@given(st.sampled_from(["T", "Q", "A", "AM", "XT", "XQ", "XA", "C", "CA", "status"]), st.data())
def test_no_frame_raises(ev: str, data: st.DataObject) -> None:
    keys = st.sampled_from(["sym", "pair", "x", "i", "z", "p", "s", "ds", "c", "t", "q", "v", "dv", "o", "h", "l", "b"])
    parse_frame(json.dumps([data.draw(st.dictionaries(keys, ANY)) | {"ev": ev}]))
    parse_frame(data.draw(st.binary(max_size=20)))


def test_messages_of_ours() -> None:
    assert json.loads(authentication("k")) == {"action": "auth", "params": "k"}
    assert [json.loads(text) for text in subscription_messages("subscribe", ["T.A", "AM.B"])] == [
        {"action": "subscribe", "params": "T.A,AM.B"}
    ]
    assert len(subscription_messages("subscribe", [f"T.S{k}" for k in range(2_500)])) == 3


def test_the_venues_own_examples_are_read_as_they_stand() -> None:
    file = RECORDINGS / "raw_ws/polygon_massive/ws_doc_examples.jsonl"
    if not file.is_file():
        pytest.skip(f"no examples at {file}")
    examples = [json.loads(line)["message"] for line in file.read_text().splitlines()]
    found = {"trades": 0, "quotes": 0, "bars": 0, "nothing": 0}
    for example, event in zip(examples, parse_frame(json.dumps(examples)), strict=True):
        sym = example.get("sym") or example.get("pair") or example.get("p")
        match example["ev"]:
            case "T" | "XT":
                assert isinstance(event, TradeRow)
                assert (event.time, event.sym) == (example["t"] * MS, sym)
                assert (event.price, event.size) == (example["p"], example["s"])
                found["trades"] += 1
            case "Q" | "XQ":
                assert isinstance(event, QuoteRow)
                assert event[2:6] == (example["bp"], example["ap"], example["bs"], example["as"])
                found["quotes"] += 1
            case "C":
                assert isinstance(event, QuoteRow)
                assert event[1:4] == (sym, example["b"], example["a"])
                found["quotes"] += 1
            case "A" | "AM" | "XA" | "XAS" | "CA" | "CAS":
                assert isinstance(event, BarRow)
                assert (event.time, event.sym) == (example["s"] * MS, sym)
                assert event[3:8] == (*(example[name] for name in "ohlc"), example.get("v", 0))
                found["bars"] += 1
            case _:
                assert event == Alive()
                found["nothing"] += 1
    assert found == {"trades": 3, "quotes": 4, "bars": 14, "nothing": 12}
