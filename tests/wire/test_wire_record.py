"""The encoding of a batch: what goes in comes out, and whatever is not whole or not ours is noticed."""

import hashlib
import struct
import zlib

import msgpack
import numpy as np
import pytest
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from random_rows import EVERY_KIND, bits, columns_from, plain_rows, trades

from plant.errors import WireError
from plant.rows.schema import FIXED_DTYPES, UNKNOWN_TIME, Table
from plant.rows.tables import TABLES, schema_of
from plant.wire.envelope import HEADER_BYTES, MAGIC, MORE, Header, header_at, number, stamp
from plant.wire.payload import decode_payload, encode_payload
from plant.wire.record import decode, encode, records, source_id_of

law = settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)
SCHEMA = schema_of()
TRADES = SCHEMA["trades"]


def a_record(count: int = 3, source_seq: int = 30) -> bytearray:
    return encode(TRADES, columns_from(TRADES, trades(1, count)), 7, source_seq)


def everything_of(buffer: bytes | bytearray) -> list[Header]:
    """Read a buffer as a receiver does: envelopes, then columns."""
    found = []
    for header, start in records(buffer):
        table = {**SCHEMA.by_id, EVERY_KIND.schema_id: EVERY_KIND}.get(header.schema_id)
        if table is None:
            raise WireError("no such table")
        decode(table, header, memoryview(buffer)[start : start + header.length])
        found.append(header)
    return found


def resealed(record: bytearray) -> bytearray:
    """Return the record with both checksums made right again, as a hostile sender would."""
    payload = bytes(record[HEADER_BYTES:])
    struct.pack_into("<II", record, 56, len(payload), zlib.crc32(payload))
    struct.pack_into("<I", record, 68, zlib.crc32(record[:68]))
    return record


@law
@given(plain_rows())
def test_columns_of_every_kind_come_back_bit_for_bit(rows: dict[str, list[object]]) -> None:
    columns = columns_from(EVERY_KIND, rows)
    record = encode(EVERY_KIND, columns, 1, 2)
    ((header, start),) = records(record)
    batch = decode(EVERY_KIND, header, memoryview(record)[start:])
    assert bits(batch.columns) == bits(columns)
    assert list(batch.columns) == list(EVERY_KIND.names)
    for column in EVERY_KIND.columns:
        if column.fixed:
            assert batch.columns[column.name].dtype == np.dtype(FIXED_DTYPES[column.kind])
    assert header.rows == len(batch) == len(rows["time"])


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_every_table_of_the_plant_comes_back_at_any_length(table: Table, count: int) -> None:
    plain = {
        c.name: [
            i * 1.5 - 7 if c.kind == "float" else i * 10**15 - 3 if c.fixed else f"{c.name}-{i % 37}é"
            for i in range(count)
        ]
        for c in table.columns
    }
    columns = columns_from(table, plain)
    record = encode(table, columns, 1, count)
    ((header, start),) = records(record)
    decoded = decode(table, header, record[start:])
    assert {name: column.tolist() for name, column in decoded.columns.items()} == plain
    assert (decoded.table, decoded.key) == (table.name, table.key)


def test_envelope_is_what_the_table_in_the_docstring_says_byte_by_byte() -> None:
    record = encode(TRADES, columns_from(TRADES, trades(1, 3)), 0x1122334455667788, 0x99AA, MORE)
    stamp(record, 0, 0xA1, 0xB2, -5)
    payload = bytes(record[72:])
    expected = b"".join(
        (
            b"TPLT",
            b"\x01",
            b"\x01",
            b"\0\0",
            TRADES.schema_id.to_bytes(4, "little"),
            (3).to_bytes(4, "little"),
            (0xA1).to_bytes(8, "little"),
            (0xB2).to_bytes(8, "little"),
            (-5).to_bytes(8, "little", signed=True),
            (0x1122334455667788).to_bytes(8, "little"),
            (0x99AA).to_bytes(8, "little"),
            len(payload).to_bytes(4, "little"),
            zlib.crc32(payload).to_bytes(4, "little"),
            b"\0\0\0\0",
        )
    )
    assert len(expected) == 68
    assert bytes(record[:72]) == expected + zlib.crc32(expected).to_bytes(4, "little")


def test_payload_is_fixed_columns_then_symbols_then_texts_each_in_declared_order() -> None:
    rows = {
        "time": [1, 2],
        "sym": ["B", "A"],
        "note": ["é", ""],
        "price": [1.5, -2.0],
        "venue": ["X", "X"],
        "count": [3, -4],
        "remark": ["ab", "c"],
        "settles": [9, UNKNOWN_TIME],
    }
    assert msgpack.unpackb(encode_payload(EVERY_KIND, columns_from(EVERY_KIND, rows))) == [
        struct.pack("<2q", 1, 2),
        struct.pack("<2d", 1.5, -2.0),
        struct.pack("<2q", 3, -4),
        struct.pack("<2q", 9, -(2**63)),
        [["B", "A"], struct.pack("<2i", 0, 1)],
        [["X"], struct.pack("<2i", 0, 0)],
        [struct.pack("<2i", 2, 0), "é".encode()],
        [struct.pack("<2i", 2, 1), b"abc"],
    ]


def test_schema_id_and_source_id_are_what_the_docs_say() -> None:
    declaration = (
        b"trades(time:time,sym:symbol,price:float,size:float,source:symbol,trade_id:text,"
        b"conditions:text,tape:symbol,exchange:symbol,venue_seq:int)"
    )
    assert TRADES.schema_id == zlib.crc32(declaration)
    digest = hashlib.blake2b("Börse".encode(), digest_size=8).digest()
    assert source_id_of("Börse") == int.from_bytes(digest, "little")


def test_any_single_flipped_bit_is_noticed() -> None:
    record = a_record()
    assert everything_of(record)
    for byte in range(len(record)):
        for bit in range(8):
            damaged = bytearray(record)
            damaged[byte] ^= 1 << bit
            with pytest.raises(WireError):
                list(records(damaged))


def test_a_record_cut_at_any_byte_is_noticed_and_those_before_it_are_read() -> None:
    first, second = a_record(2), a_record(1)
    for cut in range(1, len(second)):
        found: list[int] = []
        whole = "an envelope of 72 bytes" if cut < 72 else f"a payload of {len(second) - 72} bytes"
        with pytest.raises(WireError, match=f"byte {len(first)}: expected {whole}, found"):
            found.extend(header.rows for header, _ in records(first + second[:cut]))
        assert found == [2]


@law
@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_wire_error(noise: bytes) -> None:
    for buffer in (noise, MAGIC + noise, bytes(a_record()) + noise):
        try:
            everything_of(buffer)
        except WireError:
            continue
        assert not noise or buffer is noise


@law
@given(st.data())
def test_random_payloads_with_right_checksums_raise_nothing_but_wire_error(data: st.DataObject) -> None:
    """A hostile publisher can seal anything; what it sealed must still be refused as a WireError or be usable."""
    payload = encode_payload(EVERY_KIND, columns_from(EVERY_KIND, data.draw(plain_rows(max_rows=3))))
    mangled = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 4))):
        mangled[data.draw(st.integers(0, len(mangled) - 1))] = data.draw(st.integers(0, 255))
    try:
        columns = decode_payload(EVERY_KIND, bytes(mangled), data.draw(st.integers(0, 4)))
    except WireError:
        return
    assert all(len(column.tolist()) == len(columns["time"]) for column in columns.values())


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3) | st.binary(max_size=16),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=12,
)


@law
@given(st.lists(NESTED, min_size=6, max_size=8) | NESTED, st.integers(0, 2))
def test_msgpack_of_any_other_shape_is_refused(value: object, rows: int) -> None:
    try:
        columns = decode_payload(EVERY_KIND, msgpack.packb(value), rows)
    except WireError:
        return
    assert all(len(column.tolist()) == rows for column in columns.values())


@pytest.mark.parametrize(
    ("place", "item", "complaint"),
    [
        (0, b"1234567", r"everything.time: expected 1 x 8 bytes, found 7"),
        (0, 5, r"everything.time: expected a buffer of numbers, found msgpack.s 0x05"),
        (4, [["A"], struct.pack("<i", 1)], r"everything.sym: codes from 1 to 1, but 1 strings"),
        (4, [["A"], struct.pack("<i", -1)], r"everything.sym: codes from -1 to -1, but 1 strings"),
        (4, [[b"A"], struct.pack("<i", 0)], r"everything.sym: expected a list of strings"),
        (4, [["A", "", ""], struct.pack("<i", 2)], r"everything.sym: expected distinct strings"),
        (4, [["A"]], r"everything.sym: expected two items"),
        (6, [struct.pack("<i", 2), b"abc"], r"everything.note: the lengths add up to 2"),
        (6, [struct.pack("<i", -1), b""], r"everything.note: the lengths"),
        (6, [struct.pack("<i", 1), b"\xff"], r"everything.note: not UTF-8"),
        (6, [struct.pack("<i", 1), "a"], r"everything.note: the lengths"),
    ],
)
def test_a_payload_that_does_not_fit_its_table_is_refused_naming_the_column(
    place: int, item: object, complaint: str
) -> None:
    rows = {"time": [1], "sym": ["A"], "note": ["n"], "price": [1.0], "venue": ["V"], "count": [1], "remark": ["r"]}
    items = msgpack.unpackb(encode_payload(EVERY_KIND, columns_from(EVERY_KIND, rows)))
    items[place] = item
    with pytest.raises(WireError, match=complaint):
        decode_payload(EVERY_KIND, msgpack.packb(items), 1)


def test_text_values_cut_inside_a_character_are_refused() -> None:
    rows = {"time": [1, 2], "sym": ["A"] * 2, "note": ["é", ""], "price": [1.0] * 2, "venue": ["V"] * 2}
    rows |= {"count": [1, 2], "remark": ["", ""]}
    items = msgpack.unpackb(encode_payload(EVERY_KIND, columns_from(EVERY_KIND, rows)))
    items[6] = [struct.pack("<2i", 1, 1), "é".encode()]
    with pytest.raises(WireError, match="not UTF-8"):
        decode_payload(EVERY_KIND, msgpack.packb(items), 2)


def test_negative_lengths_that_add_up_are_refused() -> None:
    items = msgpack.unpackb(encode_payload(TRADES, columns_from(TRADES, trades(1, 2))))
    texts = [column.name for column in TRADES.columns if column.kind == "text"]
    items[-len(texts)] = [struct.pack("<2i", 3, -1), b"ab"]
    with pytest.raises(WireError, match=rf"trades.{texts[0]}: the lengths"):
        decode_payload(TRADES, msgpack.packb(items), 2)


def test_codes_out_of_range_anywhere_in_a_long_column_are_refused() -> None:
    columns = columns_from(TRADES, trades(1, 5))
    for code in (1, -1, 2**31 - 1, -(2**31)):
        columns["sym"].codes = np.array([0, 0, code, 0, 0], dtype=np.int32)
        with pytest.raises(WireError, match=r"trades\.sym"):
            decode_payload(TRADES, encode_payload(TRADES, columns), 5)


def test_stamp_and_number_renew_the_checksum_and_touch_nothing_else() -> None:
    before = a_record()
    record = bytearray(before)
    number(record, 77)
    assert header_at(record, 0).source_seq == 77
    stamp(record, 0, 5, 6, -7)
    ((header, start),) = records(record)
    assert (header.seq, header.table_seq, header.received, header.source_seq) == (5, 6, -7, 77)
    ((was, _),) = records(before)
    changed = {"seq", "table_seq", "received", "source_seq", "header_crc"}
    assert {k: v for k, v in header._asdict().items() if k not in changed} == {
        k: v for k, v in was._asdict().items() if k not in changed
    }
    assert record[start:] == before[start:]


def test_stamp_works_on_a_record_within_a_longer_buffer() -> None:
    first, second = a_record(1), a_record(2)
    buffer = first + second
    stamp(buffer, len(first), 9, 8, 7)
    headers = [h for h, _ in records(buffer)]
    assert [(h.seq, h.table_seq, h.received) for h in headers] == [(0, 0, 0), (9, 8, 7)]


def test_a_record_of_another_version_is_refused_saying_so() -> None:
    record = a_record()
    record[4] = 2
    with pytest.raises(WireError, match="expected wire version 1, found 2"):
        header_at(resealed(record), 0)


def test_foreign_bytes_are_refused_naming_the_place() -> None:
    with pytest.raises(WireError, match=r"byte 3: expected the magic b'TPLT', found b'GET '"):
        header_at(b"xxxGET / HTTP/1.1" + b" " * 100, 3)


def test_a_batch_too_large_for_one_record_is_refused_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    record = a_record(10)
    monkeypatch.setattr("plant.wire.envelope.MAX_PAYLOAD", 100)
    monkeypatch.setattr("plant.wire.record.MAX_PAYLOAD", 100)
    with pytest.raises(WireError, match="split it"):
        a_record(10)
    with pytest.raises(WireError, match="at most 100 are allowed"):
        header_at(record, 0)
