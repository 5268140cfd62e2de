"""A record: an envelope and a payload, the one encoding of a batch for wire, journal and replay (docs/wire.md)."""

import hashlib
from collections.abc import Iterator
from typing import Any

from plant.checksum import crc32
from plant.errors import WireError
from plant.rows.batch import Batch
from plant.rows.columns import Columns
from plant.rows.schema import Table
from plant.wire.envelope import (
    _HEADER,
    HEADER_BYTES,
    MAGIC,
    MAX_PAYLOAD,
    VERSION,
    Header,
    _seal,
    header_at,
)
from plant.wire.payload import _payload_parts, decode_payload


def source_id_of(name: str) -> int:
    """Return the uint64 that stands for a publisher's name: the first 8 bytes of its BLAKE2b, little-endian."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def encode(
    table: Table, columns: Columns, source_id: int, source_seq: int, flags: int = 0, session: int = 0
) -> bytearray:
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
        session >> 32,
        table.schema_id,
        len(columns["time"]),
        0,
        0,
        0,
        source_id,
        source_seq,
        length,
        crc32(memoryview(record)[HEADER_BYTES:]),
        session & 0xFFFFFFFF,
        0,
    )
    _seal(record, 0)
    return record


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


def decode(table: Table, header: Header, payload: Any) -> Batch:
    """Return the batch of one record that the plant has checked and published. Raises WireError."""
    columns = decode_payload(table, payload, header.rows, checked=False)
    return Batch(table.name, columns, header.seq, header.table_seq, header.received, table.key, times=table.times)
