"""DBN records as pure functions: the bytes of one record in, what it says out. No client in sight.

https://databento.com/docs/standards-and-conventions/databento-binary-encoding, version 2 and later. Each record begins
with its length in words of four bytes, its type, the publisher, the instrument and a time. Prices are whole numbers of
1e-9, times nanoseconds.

Traps: a record names its instrument by a number alone; what that means today a mapping says that came before, and may
say otherwise tomorrow. The greatest int64 is no price, the greatest uint64 no time. Each publisher of a dataset has
bars, and a best bid and ask, of its own for a symbol, which cannot be made one; of their trades the plant makes bars.
"""

import struct
from typing import NamedTuple

from feedhandler.venue.dialogue import Unreadable
from feedhandler.venue.events import (
    NAN,
    Alive,
    BarRow,
    Complaint,
    Event,
    KeyRefused,
    QuoteRow,
    Standing,
    TradeRow,
    Wait,
)

UNDEF_PRICE = 2**63 - 1
UNDEF_TIME = 2**64 - 1
UNIT = 1_000_000_000

TRADE, MBP_1, STATUS, ERROR, MAPPING, SYSTEM, BBO_1S, BBO_1M = 0, 1, 18, 21, 22, 23, 195, 196
BARS = {32: "1s", 33: "1m", 34: "1h"}
"""The length of the bars of each type of record. Those of a day end at midnight UTC, which is no session's end."""

REPLAY_COMPLETED = 3
SKIPPED, AGED_OUT = 7, 8
"""Codes of errors: records were left out as we read too slowly; what is to be replayed is too old."""

_HEADER = struct.Struct("<BBHIQ")  # length, type, publisher, instrument, ts_event
_TICK = struct.Struct("<qIccBBQiI")  # price, size, action, side, flags, depth, ts_recv, ts_in_delta, sequence
_LEVEL = struct.Struct("<qqII")  # bid, ask, their sizes
_BAR = struct.Struct("<qqqqQ")  # open, high, low, close, volume
_STATUS = struct.Struct("<QHHHccc")  # ts_recv, action, reason, event, is_trading, is_quoting, is_short_sell_restricted
_MAPPING = struct.Struct("<B71sB71sQQ")  # kind and name asked for, kind and name found, from, until

_HALTS = {8: "halted", 9: "paused", 10: "suspended"}
_TRADES_AGAIN = {7, 11, 12, 13}  # trading, or the session is over; quoting alone does not end a halt
_CONNECTIONS_PAUSE_S = 60.0


class Mapping(NamedTuple):
    """Instrument number `instrument` is `sym` from now on."""

    instrument: int
    sym: str


class Published(NamedTuple):
    """A bar or a quote, and the publisher whose it is."""

    row: BarRow | QuoteRow
    publisher: int


def kind_of(record: bytes) -> int:
    """Return the type of a record. Raises Unreadable for what is none."""
    if len(record) < _HEADER.size or len(record) != record[0] * 4:
        raise Unreadable(f"expected a DBN record, found {len(record)} bytes {record[:24].hex()}")
    return record[1]


def time_of(record: bytes) -> int:
    """Return the time by which a record is replayed: when it was received, of bars their start. Raises Unreadable."""
    kind = kind_of(record)
    if kind in BARS:
        return int(_HEADER.unpack_from(record)[4])
    return int(struct.unpack_from("<Q", record, 16 if kind == STATUS else 32)[0]) if len(record) >= 40 else 0


def error_code(record: bytes) -> int:
    """Return the code of an error, 0 of any other record."""
    return record[318] if len(record) > 318 and record[1] == ERROR else 0


def parse_record(record: bytes, symbols: dict[int, str]) -> Event | Mapping | Published:
    """Read a record; `symbols` has the names of instruments so far. Raises Unreadable."""
    kind = kind_of(record)
    try:
        _, _, publisher, instrument, event_ns = _HEADER.unpack_from(record)
        if kind == MAPPING:
            _, asked, _, found, _, _ = _MAPPING.unpack_from(record, _HEADER.size)
            return Mapping(instrument, _text(found) or _text(asked))
        if kind == SYSTEM:
            return _system(_text(record[16:319]), record[319])
        if kind == ERROR:
            return _error(_text(record[16:318]), record[318])
        if kind not in BARS and kind not in (TRADE, MBP_1, STATUS, BBO_1S, BBO_1M):
            return Alive()
        sym = symbols.get(instrument, "")
        if not sym:
            raise Unreadable(f"expected the name of instrument {instrument} before its first record, found none")
        if kind in BARS:
            *prices, volume = _BAR.unpack_from(record, _HEADER.size)
            open_, high, low, close = (_price(price, "bar") for price in prices)
            bar = BarRow(_time(event_ns), sym, BARS[kind], open_, high, low, close, float(volume))
            return Published(bar, publisher)
        if kind == STATUS:
            action = _STATUS.unpack_from(record, _HEADER.size)[1]
            if action in _HALTS:
                return Standing(sym, _HALTS[action])
            return Standing(sym, "") if action in _TRADES_AGAIN else Alive()
        price, size, *_, received_ns, _, sequence = _TICK.unpack_from(record, _HEADER.size)
        time = _time(event_ns if event_ns != UNDEF_TIME else received_ns)
        if kind == TRADE:
            return TradeRow(time, sym, _price(price, "trade"), float(size), "", "", "", str(publisher), sequence)
        bid, ask, bid_size, ask_size = _LEVEL.unpack_from(record, 48)
        quote = QuoteRow(time, sym, _side(bid), _side(ask), float(bid_size), float(ask_size))
        return Published(quote, publisher)
    except (struct.error, IndexError):
        raise Unreadable(f"expected more bytes of a record of type {kind}, found {len(record)}") from None


def _system(text: str, code: int) -> Event:
    return Complaint(text) if code == 2 else Alive()  # 2: we read too slowly


def _error(text: str, code: int) -> Event:
    if code in (1, 2):
        return KeyRefused(text)
    return Wait(_CONNECTIONS_PAUSE_S, text) if code == 3 else Complaint(text)


def _price(found: int, what: str) -> float:
    if found == UNDEF_PRICE:
        raise Unreadable(f"expected a price of a {what}, found that it has none")
    return found / UNIT  # of two integers, which is the nearest float


def _side(found: int) -> float:
    return NAN if found == UNDEF_PRICE else found / UNIT


def _time(found: int) -> int:
    if not 0 < found < 2**63:
        raise Unreadable(f"expected a time in ns since 1970, found {found}")
    return int(found)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
