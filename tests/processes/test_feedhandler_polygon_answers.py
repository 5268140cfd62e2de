"""Pages of Massive's REST: what stands, what does not, and the venue's own answers."""

import json
from typing import Any

import pytest
from recordings import RECORDINGS

from feedhandler.polygon.answers import bar_of, parse_page, quote_of, trade_of
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import BarRow, TradeRow

TRADE = {
    "conditions": [12, 37], "exchange": 11, "id": "183276", "participant_timestamp": 1651181822461636600,
    "price": 156.43, "sequence_number": 7179341, "sip_timestamp": 1651181822461979400, "size": 10, "tape": 3,
}  # fmt: skip


def page(*rows: Any, **more: Any) -> bytes:
    return json.dumps({"results": rows, "status": "OK", "request_id": "1", **more}).encode()


def test_a_trade_of_the_past_is_that_of_the_socket_to_the_nanosecond() -> None:
    trades, following = parse_page(page(TRADE), trade_of("AAPL", True))
    assert trades == [TradeRow(1651181822461979400, "AAPL", 156.43, 10.0, "183276", "12,37", "C", "11", 7179341)]
    assert following == ""


@pytest.mark.parametrize(
    ("correction", "stands"), [(0, True), (1, True), (7, False), (8, False), (10, False), (12, False)]
)
def test_a_trade_that_was_withdrawn_is_left_out(correction: int, stands: bool) -> None:
    assert bool(parse_page(page(TRADE | {"correction": correction}), trade_of("AAPL", True))[0]) is stands


def test_coins_have_sides_and_no_conditions_nor_a_sip() -> None:
    row = {"conditions": [2], "exchange": 1, "id": "9", "participant_timestamp": 1625097600103000000, "price": 35060}
    (trade,), _ = parse_page(page(row | {"size": 1.0434526}), trade_of("BTC-USD", False))
    assert trade == TradeRow(1625097600103000000, "BTC-USD", 35060.0, 1.0434526, "9", exchange="1")


def test_a_bar_of_the_past() -> None:
    row = {"t": 1610144640000, "o": 1, "h": 3, "l": 0.5, "c": 2, "v": 10.5, "vw": 1.75, "n": 4}
    bars, _ = parse_page(page(row), bar_of("AAPL", "5m"))
    assert bars == [BarRow(1610144640000 * 10**6, "AAPL", "5m", 1.0, 3.0, 0.5, 2.0, 10.5, 1.75, 4.0)]


def test_the_next_page_is_asked_for_where_plant_toml_says() -> None:
    _, following = parse_page(
        page(next_url="https://elsewhere.example/v3/trades/AAPL?cursor=Y%3D"), trade_of("A", True)
    )
    assert following == "/v3/trades/AAPL?cursor=Y%3D"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "expected JSON, found '<html>'"),
        (b"[]", "expected {\"results\": [...]}, found '[]'"),
        (b'{"status":"ERROR","error":"Unknown API Key"}', "expected results, found Unknown API Key"),
        (page(TRADE | {"price": None}), "trades.price: expected a number, found None"),
        (page(7), "expected a row, found 7"),
    ],
)
def test_an_answer_that_is_none_is_unreadable(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        parse_page(body, trade_of("AAPL", True))
    assert str(error.value) == reason


def test_the_venues_own_answers_are_read_as_they_stand() -> None:
    folder = RECORDINGS / "raw_ws/polygon_massive"
    if not folder.is_dir():
        pytest.skip(f"no answers at {folder}")
    for name, read in (("trades", trade_of("AAPL", True)), ("quotes", quote_of("AAPL"))):
        body = (folder / f"rest_{name}_AAPL.json").read_bytes()
        rows, _ = parse_page(body, read)  # type: ignore[arg-type]
        plain = json.loads(body)["results"]
        assert len(rows) == len(plain) == {"trades": 2, "quotes": 10}[name]
        for row, given in zip(rows, plain, strict=True):
            numbers = ("price", "size") if name == "trades" else ("bid_price", "ask_price", "bid_size", "ask_size")
            assert row[2 : 2 + len(numbers)] == tuple(given[number] for number in numbers)
            assert row.time == given["sip_timestamp"]
