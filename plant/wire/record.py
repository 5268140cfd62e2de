"""The one encoding of a batch, for wire, journal and replay (docs/wire.md).

A record is a 72-byte envelope and a payload. All numbers are little-endian:

    offset size field
     0     4    magic          b"TPLT"
     4     1    version        1
     5     1    flags          bit 0: the next record belongs to the same publish
     6     2    reserved       0
     8     4    schema_id      CRC-32 of the table's declaration (plant.rows.schema.Table.schema_id)
    12     4    rows
    16     8    seq            journal sequence number of this batch, from 1; 0 until the tickerplant gave it one
    24     8    table_seq      the same, counted per table
    32     8    received       when the tickerplant took it, ns since 1970 UTC (signed)
    40     8    source_id      which publisher sent it (source_id_of its name)
    48     8    source_seq     number of the publisher's last row in this batch, from 1
    56     4    length         bytes of payload
    60     4    payload_crc    CRC-32 of the payload
    64     4    reserved       0
    68     4    header_crc     CRC-32 of bytes 0 to 67

The payload is a msgpack array with one item per column: fixed-width columns first, then symbols, then
texts, each group in the order of the declaration. A fixed-width column is a bin of rows * 8 bytes; a
symbol column [distinct strings, bin of rows int32 codes]; a text column [bin of rows int32 lengths, bin
of UTF-8].
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack
import numpy as np

from plant.checksum import crc32
from plant.errors import WireError
from plant.rows.batch import Batch
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import FIXED_DTYPES, Column, Table

MAGIC = b"TPLT"
VERSION = 1
MORE = 1
HEADER_BYTES = 72
MAX_PAYLOAD = 64 * 2**20
"""A batch larger than this is refused; a publisher splits it."""

_HEADER = struct.Struct("<4sBBHIIQQqQQIIII")
_ENVELOPE_KINDS = ("S4", "u1", "u1", "<u2", "<u4", "<u4", "<u8", "<u8", "<i8", "<u8", "<u8", "<u4", "<u4", "<u4", "<u4")
_STAMP = struct.Struct("<QQq")
_U64 = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_frombuffer = np.frombuffer
_packb = msgpack.packb
_PAIR = b"\x92"
_INT32 = np.dtype("<i4")
_DTYPES = {kind: np.dtype(dtype) for kind, dtype in FIXED_DTYPES.items()}


class Header(NamedTuple):
    """The envelope's fields, as in the module's table."""

    magic: bytes
    version: int
    flags: int
    reserved: int
    schema_id: int
    rows: int
    seq: int
    table_seq: int
    received: int
    source_id: int
    source_seq: int
    length: int
    payload_crc: int
    reserved_2: int
    header_crc: int


ENVELOPE = np.dtype(list(zip(Header._fields, _ENVELOPE_KINDS, strict=True)))
"""A Header as numpy has it; the fields are the same."""


def source_id_of(name: str) -> int:
    """Return the uint64 that stands for a publisher's name: the first 8 bytes of its BLAKE2b, little-endian."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def encode(table: Table, columns: Columns, source_id: int, source_seq: int, flags: int = 0) -> bytearray:
    """Return the record of these columns, with seq, table_seq and received still 0 (`stamp` fills them in)."""
    record = bytearray().join((bytes(HEADER_BYTES), *_payload_parts(table, columns)))
    length = len(record) - HEADER_BYTES
    if length > MAX_PAYLOAD:
        raise WireError(f"{table.name}: a batch of {length:,} bytes, at most {MAX_PAYLOAD:,} go in one; split it")
    _HEADER.pack_into(
        record,
        0,
        MAGIC,
        VERSION,
        flags,
        0,
        table.schema_id,
        len(columns["time"]),
        0,
        0,
        0,
        source_id,
        source_seq,
        length,
        crc32(memoryview(record)[HEADER_BYTES:]),
        0,
        0,
    )
    _seal(record, 0)
    return record


def stamp(record: bytearray, at: int, seq: int, table_seq: int, received: int) -> None:
    """Write seq, table_seq and received into the envelope that starts at byte `at`, and renew its checksum."""
    _STAMP.pack_into(record, at + 16, seq, table_seq, received)
    _seal(record, at)


def number(record: bytearray, source_seq: int) -> None:
    """Write source_seq into the envelope at the start of `record`, and renew its checksum."""
    _U64.pack_into(record, 48, source_seq)
    _seal(record, 0)


def _seal(record: bytearray, at: int) -> None:
    _CRC.pack_into(record, at + 68, crc32(memoryview(record)[at : at + 68]))


def header_at(buffer: Any, at: int) -> Header:
    """Return the envelope at byte `at`; raises WireError if it is cut short, foreign or damaged."""
    if len(buffer) - at < HEADER_BYTES:
        raise WireError(f"byte {at}: expected an envelope of {HEADER_BYTES} bytes, found {len(buffer) - at}")
    header = Header._make(_HEADER.unpack_from(buffer, at))
    if header.magic != MAGIC:
        raise WireError(f"byte {at}: expected the magic {MAGIC!r}, found {header.magic!r}")
    if header.header_crc != crc32(memoryview(buffer)[at : at + 68]):
        raise WireError(f"byte {at}: the envelope's checksum is wrong")
    if header.version != VERSION:
        raise WireError(f"byte {at}: expected wire version {VERSION}, found {header.version}; update the older side")
    if header.length > MAX_PAYLOAD:
        raise WireError(f"byte {at}: a payload of {header.length:,} bytes, at most {MAX_PAYLOAD:,} are allowed")
    return header


def records(buffer: Any, at: int = 0) -> Iterator[tuple[Header, int]]:
    """Yield each record's envelope and the byte at which its payload starts, checksums verified.

    Raises WireError at the first record that is cut short or damaged; those before it were good.
    """
    view = memoryview(buffer)
    end = len(view)
    unpack, new = _HEADER.unpack_from, tuple.__new__
    while at < end:
        start = at + HEADER_BYTES
        if start > end:
            raise _wrong(view, at)
        fields = unpack(view, at)  # the order of Header, so that this loop needs no look-up of names
        magic, version, length, payload_crc, header_crc = fields[0], fields[1], fields[11], fields[12], fields[14]
        stop = start + length
        if (
            magic != MAGIC
            or version != VERSION
            or length > MAX_PAYLOAD
            or header_crc != crc32(view[at : at + 68])
            or stop > end
            or payload_crc != crc32(view[start:stop])
        ):
            raise _wrong(view, at)
        yield new(Header, fields), start
        at = stop


def envelope(message: bytes, start: int) -> Header:
    """Return the envelope of the record whose payload starts at byte `start`, as it is."""
    return Header._make(_HEADER.unpack_from(message, start - HEADER_BYTES))


def envelopes(message: bytes, starts: np.ndarray) -> np.ndarray:
    """Return the envelopes of the records whose payloads start at these bytes, as they are, ENVELOPE[n]."""
    return cut(message, starts - HEADER_BYTES, HEADER_BYTES).view(ENVELOPE)


def cut(message: bytes, places: np.ndarray, size: int) -> np.ndarray:
    """Return the `size` bytes at each of these places of a message, void[n]; they must be within it."""
    everywhere = np.ndarray(len(message) - size + 1, f"V{size}", message, strides=(1,))
    return everywhere[places]


def _wrong(view: memoryview, at: int) -> WireError:
    """Return what is wrong with the record at byte `at`."""
    try:
        header = header_at(view, at)
    except WireError as error:
        return error
    found = len(view) - at - HEADER_BYTES
    if header.length > found:
        return WireError(f"byte {at}: expected a payload of {header.length} bytes, found {found}")
    return WireError(f"byte {at}: the payload's checksum is wrong")


def encode_payload(table: Table, columns: Columns) -> bytes:
    """Return the msgpack array of the module's docstring."""
    return b"".join(_payload_parts(table, columns))


def _payload_parts(table: Table, columns: Columns) -> list[Any]:
    """Return the payload in pieces, so that joining them is the only copy of the numbers."""
    parts: list[Any] = [_array_head(len(table.columns))]
    for column in table.wire_order:
        value = columns[column.name]
        if column.fixed:
            parts += _bin(value, _DTYPES[column.kind])
        elif column.kind == "symbol":
            parts += (_PAIR, _packb(value.names), *_bin(value.codes, _INT32))
        else:
            parts += (_PAIR, *_bin(np.diff(value.offsets), _INT32), _packb(bytes(value.data)))
    return parts


def _array_head(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")


def _bin(array: np.ndarray, dtype: np.dtype[Any]) -> tuple[bytes, Any]:
    """Return msgpack's bin of an array: its opening and its bytes."""
    data = np.ascontiguousarray(array, dtype=dtype).data.cast("B") if len(array) else b""
    size = len(data)
    if size < 2**8:
        return bytes((0xC4, size)), data
    return (b"\xc5" + size.to_bytes(2, "big") if size < 2**16 else b"\xc6" + size.to_bytes(4, "big")), data


def decode_payload(table: Table, payload: Any, rows: int, checked: bool = True) -> Columns:
    """Return the columns of a payload; numbers are views of it. Raises WireError if it does not fit `table`.

    Without `checked` symbols and texts are taken as they are: right for what the plant has checked and published.
    """
    columns: Columns = dict.fromkeys(table.names)
    try:
        at = _array_start(table, payload)
        for column in table.fixed_columns:
            start, size = _bin_start(table, column, payload, at)
            at = start + size
            if size != rows * 8 or at > len(payload):
                found = min(size, len(payload) - start)
                raise WireError(f"{table.name}.{column.name}: expected {rows} x 8 bytes, found {found}")
            columns[column.name] = _frombuffer(payload, _DTYPES[column.kind], rows, start)
        items = msgpack.unpackb(table.rest_opening + payload[at:])
    except (ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
        raise WireError(f"{table.name}: the payload is cut short, or not msgpack: {error}") from None
    for column, item in zip(table.other_columns, items, strict=True):
        if type(item) is not list or len(item) != 2:
            where = f"{table.name}.{column.name}"
            raise WireError(f"{where}: expected two items for a {column.kind} column, found {type(item).__name__}")
        if column.kind == "text":
            columns[column.name] = _texts(item, rows, table, column)
        elif checked:
            columns[column.name] = _symbols(item, rows, table, column)
        else:
            columns[column.name] = Symbols(item[0], _buffer(item[1], _INT32, rows, table, column))
    return columns


def decode(table: Table, header: Header, payload: Any) -> Batch:
    """Return the batch of one record that the plant has checked and published. Raises WireError."""
    columns = decode_payload(table, payload, header.rows, checked=False)
    return Batch(table.name, columns, header.seq, header.table_seq, header.received, table.key)


def _array_start(table: Table, payload: Any) -> int:
    """Return where the items of a payload's array begin."""
    count, tag = len(table.columns), payload[0]
    found = tag & 0x0F if tag >> 4 == 0x9 else int.from_bytes(payload[1:3], "big") if tag == 0xDC else -1
    if found != count:
        raise WireError(
            f"{table.name}: expected an array of {count} columns, found {found if found >= 0 else hex(tag)}"
        )
    return 3 if tag == 0xDC else 1


def _bin_start(table: Table, column: Column, payload: Any, at: int) -> tuple[int, int]:
    """Return where the bytes of a msgpack bin begin, and how many they are."""
    tag = payload[at]
    if tag == 0xC4:
        return at + 2, payload[at + 1]
    if tag == 0xC5:
        return at + 3, int.from_bytes(payload[at + 1 : at + 3], "big")
    if tag == 0xC6:
        return at + 5, int.from_bytes(payload[at + 1 : at + 5], "big")
    raise WireError(f"{table.name}.{column.name}: expected a buffer of numbers, found msgpack's {tag:#04x}")


def _buffer(item: Any, dtype: np.dtype[Any], rows: int, table: Table, column: Column) -> np.ndarray:
    if type(item) is not bytes:
        raise WireError(f"{table.name}.{column.name}: expected a buffer of numbers, found {type(item).__name__}")
    if len(item) != rows * dtype.itemsize:
        raise WireError(f"{table.name}.{column.name}: expected {rows} x {dtype.itemsize} bytes, found {len(item)}")
    return _frombuffer(item, dtype)


def _symbols(item: list[Any], rows: int, table: Table, column: Column) -> Symbols:
    names, codes = item[0], _buffer(item[1], _INT32, rows, table, column)
    where = f"{table.name}.{column.name}"
    if type(names) is not list or (names and set(map(type, names)) != {str}):
        raise WireError(f"{where}: expected a list of strings, found {type(names).__name__}")
    if len(names) > 1 and len(set(names)) < len(names):  # Symbols compares codes, Arrow wants a dictionary
        raise WireError(f"{where}: expected distinct strings, found {len(names) - len(set(names))} twice")
    if rows and (codes.view("<u4").max() if rows > 1 else codes.item() & 0xFFFFFFFF) >= len(names):
        raise WireError(f"{where}: codes from {codes.min()} to {codes.max()}, but {len(names)} strings")
    return Symbols(names, codes)


def _texts(item: list[Any], rows: int, table: Table, column: Column) -> Texts:
    lengths, data = _buffer(item[0], _INT32, rows, table, column), item[1]
    where = f"{table.name}.{column.name}"
    offsets = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if not isinstance(data, bytes) or (rows and int(lengths.min()) < 0) or offsets[-1] != len(data):
        raise WireError(f"{where}: the lengths add up to {offsets[-1]}, which the text does not have")
    try:
        text = data.decode()
        if len(text) != len(data):  # not ASCII: every single value must be UTF-8
            Texts(offsets, data).tolist()
    except UnicodeDecodeError as error:
        raise WireError(f"{where}: not UTF-8: {error}") from None
    return Texts(offsets, data)
