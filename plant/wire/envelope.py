"""The envelope of a record: 72 bytes ahead of its payload (docs/wire.md). All numbers are little-endian:

    offset size field
     0     4    magic          b"TPLT"
     4     1    version        1
     5     1    flags          bit 0: the next record belongs to the same publish
     6     2    session_high   the upper bits of who numbered these rows (plant.wire.numbering)
     8     4    schema_id      CRC-32 of the table's declaration (plant.rows.schema.Table.schema_id)
    12     4    rows
    16     8    seq            journal sequence number of this batch, from 1; 0 until the tickerplant gave it one
    24     8    table_seq      the same, counted per table
    32     8    received       when the tickerplant took it, ns since 1970 UTC (signed)
    40     8    source_id      which publisher sent it (source_id_of its name)
    48     8    source_seq     number of the publisher's last row in this batch, from 1
    56     4    length         bytes of payload
    60     4    payload_crc    CRC-32 of the payload
    64     4    session_low    the lower 32 bits of it; both 0: it does not say
    68     4    header_crc     CRC-32 of bytes 0 to 67

What others need to know of these offsets is here, too.
"""

import struct
from typing import Any, NamedTuple

import numpy as np

from plant.checksum import crc32
from plant.errors import WireError

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

_HIGH, _LOW = struct.Struct("<H"), struct.Struct("<I")

_CRC = struct.Struct("<I")

SEQ = struct.Struct("<16xQ")
RECEIVED = struct.Struct("<32xq")
LENGTH = struct.Struct("<56xI")
"""One field of an envelope, for who needs no other: `unpack_from` its beginning."""

SEALED = struct.Struct("<68s4x")
"""What header_crc covers, and the checksum itself passed over."""


class Header(NamedTuple):
    """The envelope's fields, as in the module's table."""

    magic: bytes
    version: int
    flags: int
    session_high: int
    schema_id: int
    rows: int
    seq: int
    table_seq: int
    received: int
    source_id: int
    source_seq: int
    length: int
    payload_crc: int
    session_low: int
    header_crc: int

    @property
    def session(self) -> int:
        """Who numbered these rows, 0 if it does not say (plant.wire.numbering)."""
        return self.session_high << 32 | self.session_low


ENVELOPE = np.dtype(list(zip(Header._fields, _ENVELOPE_KINDS, strict=True)))
"""A Header as numpy has it; the fields are the same."""


def stamp(record: bytearray, at: int, seq: int, table_seq: int, received: int) -> None:
    """Write seq, table_seq and received into the envelope that starts at byte `at`, and renew its checksum."""
    _STAMP.pack_into(record, at + 16, seq, table_seq, received)
    _seal(record, at)


def number(record: bytearray, source_seq: int, session: int = 0) -> None:
    """Write source_seq, and whose number it is, into the envelope at the start of `record`; renew its checksum."""
    _U64.pack_into(record, 48, source_seq)
    _HIGH.pack_into(record, 6, session >> 32)
    _LOW.pack_into(record, 64, session & 0xFFFFFFFF)
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


def envelope(message: bytes, start: int) -> Header:
    """Return the envelope of the record whose payload starts at byte `start`, as it is."""
    return Header._make(_HEADER.unpack_from(message, start - HEADER_BYTES))


def envelopes(message: bytes, starts: np.ndarray) -> np.ndarray:
    """Return the envelopes of the records whose payloads start at these bytes, as they are, ENVELOPE[n]."""
    return bytes_at(message, starts - HEADER_BYTES, HEADER_BYTES).view(ENVELOPE)


def bytes_at(message: bytes, places: np.ndarray, size: int) -> np.ndarray:
    """Return the `size` bytes at each of these places of a message, void[n]; they must be within it."""
    everywhere = np.ndarray(len(message) - size + 1, f"V{size}", message, strides=(1,))
    return everywhere[places]
