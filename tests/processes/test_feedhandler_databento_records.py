"""DBN records, read: those that the venue's own library wrote, and what may stand in them."""

import struct
from fractions import Fraction
from typing import Any

import pytest

from feedhandler.databento.dialogue import DatabentoDialogue
from feedhandler.databento.records import UNDEF_PRICE, Mapping, kind_of, parse_record, time_of
from feedhandler.databento.settings import DatabentoFeedSettings
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import (
    Alive,
    BarRow,
    Complaint,
    KeyRefused,
    Malformed,
    QuoteRow,
    Standing,
    Topic,
    TradeRow,
    Wait,
)

AT = 1_767_225_600_000_000_001
NAMES = {7: "AAPL"}

WRITTEN_TRADE = bytes.fromhex(
    "0c000200070000000b000000000000007b0000000000000005000000544100000c000000000000000300000009000000"
)
WRITTEN_BAR = bytes.fromhex(
    "0e200200070000000b0000000000000001000000000000000200000000000000030000000000000004000000000000000500000000000000"
)
"""By databento_dbn 0.70.0: publisher 2, instrument 7, ts_event 11; price 123, size 5, ts_recv 12; OHLCV 1 to 5."""


def head(length: int, kind: int, publisher: int = 2, at: int = AT) -> bytes:
    return struct.pack("<BBHIQ", length // 4, kind, publisher, 7, at)


def trade(price: int, at: int = AT, received: int = AT + 5, sequence: int = 9) -> bytes:
    return head(48, 0, at=at) + struct.pack("<qIccBBQiI", price, 5, b"T", b"A", 0, 0, received, 3, sequence)


def quote(bid: int, ask: int, at: int = AT, kind: int = 1, publisher: int = 2) -> bytes:
    tick = struct.pack("<qIccBBQiI", 1, 5, b"A", b"B", 0, 0, AT + 5, 3, 9)
    return head(80, kind, publisher, at) + tick + struct.pack("<qqIIII", bid, ask, 10, 20, 1, 1)


def bar(publisher: int = 2, close: int = 4 * 10**9, kind: int = 33) -> bytes:
    return head(56, kind, publisher) + struct.pack("<qqqqQ", 10**9, 5 * 10**9, 10**8, close, 600)


def mapping(sym: str, instrument: int = 7) -> bytes:
    return struct.pack("<BBHIQB71sB71sQQ", 44, 22, 0, instrument, AT, 1, sym.encode(), 0, sym.encode(), 0, 0)


def system(code: int) -> bytes:
    return head(320, 23) + b"text".ljust(303, b"\0") + bytes([code])


def error(code: int) -> bytes:
    return head(320, 21) + b"bad".ljust(302, b"\0") + bytes([code, 1])


def test_records_of_the_venues_library() -> None:
    assert parse_record(WRITTEN_TRADE, NAMES) == TradeRow(11, "AAPL", 1.23e-7, 5.0, "", "", "", "2", 9)
    assert (kind_of(WRITTEN_TRADE), time_of(WRITTEN_TRADE), time_of(WRITTEN_BAR)) == (0, 12, 11)
    found: Any = parse_record(WRITTEN_BAR, NAMES)
    assert found.row == BarRow(11, "AAPL", "1s", 1e-9, 2e-9, 3e-9, 4e-9, 5.0)
    assert found.publisher == 2


@pytest.mark.parametrize("price", [1, 189_220_000_000, 2**53 + 1, 9_007_199_254_740_993_123, -36_980_000_000])
def test_a_price_is_the_float_nearest_to_it(price: int) -> None:

    found: Any = parse_record(trade(price), NAMES)
    assert found.price == float(Fraction(price, 10**9))


def test_what_is_undefined_is_not_a_number() -> None:
    with pytest.raises(Unreadable, match="expected a price of a trade, found that it has none"):
        parse_record(trade(UNDEF_PRICE), NAMES)
    [found] = parse_record(quote(UNDEF_PRICE, 2 * 10**9), NAMES)[:1]  # type: ignore[index]
    assert found.bid != found.bid
    assert (found.ask, found.bid_size, found.ask_size) == (2.0, 10.0, 20.0)
    late: Any = parse_record(trade(10**9, at=2**64 - 1), NAMES)
    assert late.time == AT + 5
    published: Any = parse_record(quote(10**9, 2 * 10**9, kind=195), NAMES)
    assert isinstance(published.row, QuoteRow)


def test_what_the_gateway_says() -> None:
    assert parse_record(mapping("AAPL"), {}) == Mapping(7, "AAPL")
    assert parse_record(system(0), {}) == Alive()
    assert parse_record(system(2), {}) == Complaint("text")
    assert parse_record(error(1), {}) == KeyRefused("bad")
    assert parse_record(error(3), {}) == Wait(60.0, "bad")
    assert parse_record(error(8), {}) == Complaint("bad")
    halt = head(40, 18) + struct.pack("<QHHHccc7x", AT, 8, 1, 0, b"N", b"N", b"~")
    assert parse_record(halt, NAMES) == Standing("AAPL", "halted")
    for action, said in ((7, Standing("AAPL", "")), (9, Standing("AAPL", "paused")), (3, Alive())):
        status = head(40, 18) + struct.pack("<QHHHccc7x", AT, action, 1, 0, b"N", b"N", b"~")
        assert parse_record(status, NAMES) == said


@pytest.mark.parametrize(
    "record", [b"", b"\0" * 16, trade(1)[:-1], trade(1)[:24], b"\x0c" + trade(1)[1:40], system(0)[:40]]
)
def test_what_is_no_record_is_refused(record: bytes) -> None:
    with pytest.raises(Unreadable, match="expected "):
        parse_record(record, NAMES)
    short = bytes([len(record) // 4]) + record[1:] if len(record) % 4 == 0 and len(record) >= 16 else b""
    if short:
        with pytest.raises(Unreadable, match="expected "):
            parse_record(short[:1] + b"\0" + short[2:], NAMES)


def dialogue(**keys: Any) -> DatabentoDialogue:
    return DatabentoDialogue(DatabentoFeedSettings(dataset="XNAS.ITCH", **keys))


def test_an_instrument_is_known_by_its_newest_name_only() -> None:
    made = dialogue()
    (unknown,) = made.parse(trade(10**9), 0)
    assert isinstance(unknown, Malformed)
    assert unknown.reason == "expected the name of instrument 7 before its first record, found none"
    found = [
        row
        for record in (mapping("AAPL"), trade(10**9), mapping("MSFT"), trade(10**9))
        for row in made.parse(record, 0)
    ]
    assert [row.sym for row in found] == ["AAPL", "MSFT"]  # type: ignore[union-attr]


def test_bars_of_two_publishers_are_not_made_one() -> None:
    made = dialogue(channels=("bars",))
    made.parse(mapping("AAPL"), 0)
    first, second, again = (made.parse(bar(publisher), 0)[0] for publisher in (2, 5, 2))
    assert isinstance(first, BarRow)
    assert isinstance(again, BarRow)
    assert isinstance(second, Malformed)
    assert second.reason.startswith("bars of AAPL come of publishers 2 and 5, and cannot be made one")


def test_quotes_of_two_publishers_are_not_made_one_nor_those_of_another_after_a_cut() -> None:
    made, next_one = dialogue(channels=("quotes",)), dialogue(channels=("quotes",))
    for each in (made, next_one):
        each.parse(mapping("AAPL"), 0)
    first, second = (made.parse(quote(10**9, 2 * 10**9, publisher=publisher), 0)[0] for publisher in (2, 5))
    next_one.follow(made)
    third = next_one.parse(quote(10**9, 2 * 10**9, publisher=5), 0)[0]
    assert isinstance(first, QuoteRow)
    for other in (second, third):
        assert isinstance(other, Malformed)
        assert other.reason == (
            "quotes of AAPL come of publishers 2 and 5, and cannot be made one: those of 2 are taken"
        )


def test_what_is_wanted_no_more_is_left_out() -> None:
    made, topic = dialogue(), Topic("trades", "AAPL")
    assert made.subscribe([topic], [topic]) == ['{"schema": "trades", "symbols": ["AAPL"]}', '{"start": true}']
    made.parse(mapping("AAPL"), 0)
    assert made.unsubscribe([topic], []) == []
    assert made.parse(trade(1), 0) == []
    assert made.subscribe([topic], [topic]) == ['{"schema": "trades", "symbols": ["AAPL"]}']
    assert len(made.parse(trade(1), 0)) == 1


def test_the_venues_own_names_of_schemas_are_taken() -> None:
    settings = DatabentoFeedSettings(dataset="X", channels=("trades", "mbp-1", "ohlcv-1s", "status"))
    assert (settings.channels, settings.interval) == (("trades", "quotes", "bars", "statuses"), "1s")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({}, "dataset\n  Field required"),
        ({"dataset": "X", "channels": ("mbo",)}, "expected some of trades, quotes, bars, statuses, found 'mbo'"),
        ({"dataset": "X", "interval": "1d"}, "interval: expected one of 1s, 1m, 1h, found '1d'"),
        ({"dataset": "X", "url": "localhost"}, "url: expected host:port, found 'localhost'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(keys: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match="validation error") as refusal:
        DatabentoFeedSettings(**keys)
    assert reason in str(refusal.value)
