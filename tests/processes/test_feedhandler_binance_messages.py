"""Binance's frames and answers, parsed: one by hand for each trap, recorded ones against a plain reading of them."""

import gzip
import json
import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import RECORDINGS

from feedhandler.binance.messages import (
    Answer,
    parse_aggregated,
    parse_frame,
    parse_instruments,
    parse_klines,
    parse_time,
    parse_trades,
    subscription_message,
)
from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import Alive, BarRow, Ended, Malformed, QuoteRow, Skipped, TradeRow

MS = 10**6
NOW = 1_672_515_790_000 * MS

TRADE = {"e": "trade", "E": 1672515782136, "s": "BNBBTC", "t": 12345, "p": "0.001", "q": "100", "T": 1672515782130}
TRADE |= {"m": True, "M": True}
K = {
    "t": 1672515780000, "T": 1672515839999, "s": "BNBBTC", "i": "1m", "f": 100, "L": 200, "o": "0.0010",
    "c": "0.0020", "h": "0.0025", "l": "0.0015", "v": "1000", "n": 100, "x": False, "q": "1.7500", "V": "500",
    "Q": "0.500", "B": "123456",
}  # fmt: skip
KLINE = {"e": "kline", "E": 1672515782136, "s": "BNBBTC", "k": K}
TICKER = {"u": 400900217, "s": "BNBUSDT", "b": "25.35190000", "B": "31.21000000", "a": "25.36520000", "A": "40.66"}


def read(message: Any) -> Any:
    return parse_frame(json.dumps(message), NOW)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_trade_has_its_own_time_and_number_wrapped_or_not(wrapped: bool) -> None:
    message = {"stream": "bnbbtc@trade", "data": TRADE} if wrapped else TRADE
    assert read(message) == TradeRow(1672515782130 * MS, "BNBBTC", 0.001, 100.0, "12345", venue_seq=12345)


def test_an_aggregated_trade_has_its_own_number() -> None:
    message = TRADE | {"e": "aggTrade", "a": 77, "f": 100, "l": 105}
    assert read(message) == TradeRow(1672515782130 * MS, "BNBBTC", 0.001, 100.0, "77", venue_seq=77)


def test_what_the_insurance_fund_took_over_is_no_trade_of_the_market() -> None:
    assert read(TRADE | {"X": "MARKET"}) == read(TRADE)
    skipped = Skipped(1672515782130 * MS, "BNBBTC", 12345)
    assert read(TRADE | {"X": "INSURANCE_FUND"}) == skipped
    assert read(TRADE | {"X": "NA", "p": "0", "q": "0"}) == skipped


def test_a_kline_is_a_revision_until_it_is_closed() -> None:
    forming, closed = read(KLINE), read(KLINE | {"E": 1672515840000, "k": K | {"x": True}})
    numbers = (0.001, 0.0025, 0.0015, 0.002, 1000.0, 0.00175, 100.0)
    assert forming == BarRow(1672515780000 * MS, "BNBBTC", "1m", *numbers, 1672515782136 * MS, False)
    assert (closed.time, closed.closed) == (forming.time, True)
    assert closed.order > forming.order


def test_a_kline_without_trades_has_no_mean_price() -> None:
    empty = K | {"v": "0.0", "q": "0.0", "n": 0, "f": -1, "L": -1}
    assert math.isnan(read(KLINE | {"k": empty}).vwap)


def test_a_kline_whose_volume_counts_contracts_has_no_mean_price() -> None:
    for sym, known in (("BTCUSD_PERP", False), ("BTCUSD_211231", False), ("BTCUSDT_211231", True), ("BTCUSDT", True)):
        assert math.isnan(read(KLINE | {"s": sym}).vwap) is not known


def test_a_kline_of_another_time_zone_is_none_of_ours() -> None:
    assert read({"stream": "bnbbtc@kline_1d@+08:00", "data": KLINE | {"k": K | {"i": "1d"}}}) == Alive()


def test_a_quote_without_a_time_has_that_of_its_receipt() -> None:
    assert read(TICKER) == QuoteRow(NOW, "BNBUSDT", 25.3519, 25.3652, 31.21, 40.66, 400900217)


def test_a_quote_of_the_futures_has_the_time_of_the_matching_engine() -> None:
    assert read(TICKER | {"e": "bookTicker", "T": 1626992760235, "E": 1626992760240}).time == 1626992760235 * MS


def test_microseconds_are_told_by_their_size() -> None:
    assert read(TRADE | {"T": 1672515782130123}).time == 1672515782130123000


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ({"result": None, "id": 1}, Answer("1")),
        ({"result": None, "id": "a1"}, Answer("a1")),
        ({"result": ["btcusdt@trade"], "id": 3}, Answer("3")),
        (
            {"code": 2, "msg": "Invalid request: too many parameters", "id": 1},
            Answer("1", "Invalid request: too many parameters (code 2)"),
        ),
        ({"error": {"code": 3, "msg": "Invalid JSON"}, "id": None}, Answer("", "Invalid JSON (code 3)")),
        ({"e": "serverShutdown", "E": 1770123456789}, Ended("the venue shuts this server down")),
        (
            {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": 1}},
            Ended("the venue shuts this server down"),
        ),
        ({"e": "depthUpdate", "E": 1, "s": "X", "U": 1, "u": 2, "b": [], "a": []}, Alive()),
        ({"lastUpdateId": 1, "bids": [], "asks": []}, Alive()),
        ([{"e": "24hrMiniTicker"}], Alive()),
        (TRADE | {"e": "blockTrade"}, Alive()),
    ],
)
def test_what_is_no_row_is_told_apart(message: Any, meaning: object) -> None:
    assert read(message) == meaning


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (TRADE | {"p": "abc"}, "trade.p: expected a number, found 'abc'"),
        (TRADE | {"p": "1_0"}, "trade.p: expected a number, found '1_0'"),
        (TRADE | {"p": "Infinity"}, "trade.p: expected a number, found 'Infinity'"),
        (TRADE | {"q": True}, "trade.q: expected a number, found True"),
        (TRADE | {"t": -1}, "trade.t: expected a whole number, found -1"),
        (TRADE | {"T": 0}, "trade.T: expected milliseconds or microseconds since 1970, found 0"),
        (TRADE | {"T": 10**17}, "trade.T: expected milliseconds or microseconds since 1970, found 100000000000000000"),
        (TRADE | {"s": " "}, "trade.s: expected a text, found ' '"),
        ({name: value for name, value in TRADE.items() if name != "q"}, "trade.q: expected a number, found None"),
        (KLINE | {"k": K | {"i": "7m"}}, "kline.i: expected one of 1s, 1m"),
        (KLINE | {"k": []}, "kline.k: expected an object, found []"),
        (TRADE | {"e": "tradeX"}, "expected a trade, aggTrade, kline or bookTicker, found an event 'tradeX'"),
        (TRADE | {"e": ["x"]}, "expected a trade, aggTrade, kline or bookTicker, found an event ['x']"),
        ({"hello": 1}, "expected an event or an answer, found"),
        (7, "expected a JSON object, found '7'"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(message: Any, reason: str) -> None:
    found = read(message)
    assert isinstance(found, Malformed)
    assert found.reason.startswith(reason), found.reason


@pytest.mark.parametrize("frame", [b"", b"{", b"\xff", b'{"e":NaN}', b"[" * 100_000, b"1" * 5_000])
def test_what_is_no_json_is_malformed(frame: bytes) -> None:
    assert isinstance(parse_frame(frame, NOW), Malformed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("esptTqkuabAB"), inner, max_size=6),
    max_leaves=8,
)


@given(st.sampled_from([TRADE, KLINE, TICKER, TRADE | {"e": "aggTrade"}]), st.dictionaries(st.text(max_size=2), JSON))
def test_no_frame_raises(frame: dict[str, Any], changed: dict[str, Any]) -> None:
    read(frame | changed)
    parse_frame(json.dumps({"stream": "x@y", "data": changed}), NOW)


def test_a_subscription_names_streams_and_its_number() -> None:
    message = subscription_message("SUBSCRIBE", ["btcusdt@trade", "btcusdt@kline_1m"], 7)
    assert json.loads(message) == {"method": "SUBSCRIBE", "params": ["btcusdt@trade", "btcusdt@kline_1m"], "id": 7}


def test_klines_of_the_past_are_those_that_were_over() -> None:
    row = [1499040000000, "0.5", "0.8", "0.4", "0.6", "200", 1499040059999, "110", 3, "0", "0", "0"]
    later = [1499040060000, "0.5", "0.8", "0.4", "0.6", "200", 1499040119999, "110", 3, "0", "0", "0"]
    bars, last = parse_klines(json.dumps([row, later]).encode(), "BTCUSDT", "1m", 1499040119000 * MS)
    assert bars == [BarRow(1499040000000 * MS, "BTCUSDT", "1m", 0.5, 0.8, 0.4, 0.6, 200.0, 0.55, 3.0)]
    assert last == 1499040119999 * MS
    with pytest.raises(Unreadable, match=r"expected a list of rows, found '{\"code\": -1121"):
        parse_klines(b'{"code": -1121, "msg": "Invalid symbol."}', "X", "1m", NOW)
    with pytest.raises(Unreadable, match="expected a kline of 12 values"):
        parse_klines(b"[[1]]", "X", "1m", NOW)


def test_trades_of_the_past_are_those_of_the_stream() -> None:
    old = {"id": 12345, "price": "0.001", "qty": "100", "quoteQty": "0.1", "time": 1672515782130, "isBuyerMaker": True}
    assert parse_trades(json.dumps([old]).encode(), "BNBBTC") == ([read(TRADE)], 0)
    aggregated = {"a": 77, "p": "0.001", "q": "100", "f": 100, "l": 105, "T": 1672515782130, "m": True, "M": True}
    assert parse_aggregated(json.dumps([aggregated]).encode(), "BNBBTC") == [
        read(TRADE | {"e": "aggTrade", "a": 77, "f": 100, "l": 105})
    ]
    assert parse_trades(json.dumps([aggregated]).encode(), "BNBBTC") == ([], 100)


def test_the_clock_and_the_instruments_of_the_venue() -> None:
    assert parse_time(b'{"serverTime":1499827319559}') == 1499827319559 * MS
    listed: dict[str, Any] = {
        "symbol": "BTCUSDT",
        "quoteAsset": "USDT",
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
    }
    body = json.dumps({"symbols": [listed, listed | {"symbol": "ETHUSDT"}]}).encode()
    (row,) = parse_instruments(body, ["BTCUSDT", "NONE"])
    assert (row["sym"], row["currency"], row["tick"], row["lot"]) == ("BTCUSDT", "USDT", 0.01, 0.00001)
    assert (row["min_notional"], row["multiplier"], row["asset_class"], row["shortable"]) == (5.0, 1.0, "crypto", 0)
    filters = [*listed["filters"][:2], {"filterType": "MIN_NOTIONAL", "notional": "100"}]
    future = listed | {"contractType": "PERPETUAL", "filters": filters}
    (row,) = parse_instruments(json.dumps({"symbols": [future]}).encode(), ["BTCUSDT"])
    assert (row["min_notional"], row["asset_class"], row["shortable"]) == (100.0, "future", 1)
    inverse = json.dumps({"symbols": [future | {"contractSize": 100}]}).encode()
    assert parse_instruments(inverse, ["BTCUSDT"]) == []


# Recorded frames.


def recorded() -> list[tuple[int, str]]:
    file: Path = RECORDINGS / "raw_ws/cryptofeed/BINANCE.ws.1.0.gz"
    if not file.is_file():
        pytest.skip(f"no recording at {file}")
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    found = [re.fullmatch(r"(\d+)\.(\d+): (.*)", line) for line in lines]
    return [(int(m[1] + m[2].ljust(9, "0")), m[3]) for m in found if m]


def plainly(line: str, received_ns: int) -> tuple[Any, ...] | None:
    """Read a frame with nothing but the names of its fields, numbers exactly."""

    def field(name: str) -> str:
        (found,) = re.findall(rf'"{name}":"?([^",}}]+)', line)
        return str(found)

    if "@aggTrade" in line:
        return "trade", int(field("T")) * MS, field("s"), Decimal(field("p")), Decimal(field("q")), field("a")
    if "@bookTicker" in line:
        return ("quote", received_ns, field("s"), *(Decimal(field(name)) for name in "baBA"))
    if "@kline_1m" in line:
        inner = line[line.index('"k":') :]
        numbers = [Decimal(str(re.findall(rf'"{name}":"?([0-9.]+)', inner)[0])) for name in "ohlcvn"]
        return ("bar", int(re.findall(r'"t":(\d+)', inner)[0]) * MS, field("i"), *numbers)
    return None


def test_recorded_frames_are_read_as_they_stand() -> None:
    frames = recorded()
    found, plain = [], []
    for received_ns, line in frames:
        if (expected := plainly(line, received_ns)) is not None:
            plain.append(expected)
        match parse_frame(line, received_ns):
            case TradeRow() as row:
                found.append(
                    ("trade", row.time, row.sym, Decimal(str(row.price)), Decimal(str(row.size)), row.trade_id)
                )
            case QuoteRow() as row:
                found.append(("quote", row.time, row.sym, *(Decimal(str(n)) for n in row[2:6])))
            case BarRow() as row:
                found.append(("bar", row.time, row.interval, *(Decimal(str(n)) for n in (*row[3:8], row.trades))))
            case Malformed() as row:
                pytest.fail(str(row))
    assert len(frames) == 265
    assert found == plain
    assert [row[0] for row in found].count("quote") == 84
