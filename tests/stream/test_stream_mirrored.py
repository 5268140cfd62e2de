"""What is said of tables in a stream: written and read back, joined with what was known before."""

import random

import msgpack
import pytest
from chance import SEED

from plant.errors import WireError
from plant.rows.schema import Column, Table
from plant.rows.tables import schema_of
from plant.stream.mirrored import (
    MOST_BYTES,
    PLAIN,
    PLAIN_BYTES,
    Before,
    Declared,
    last_record,
    packed_records,
    packed_tables,
    unpacked_records,
    unpacked_tables,
)
from plant.wire.numbering import Numbered

SCHEMA = schema_of()
OLD = Table("news", (Column("time", "time"), Column("sym", "symbol")))
NEW = Table("news", (Column("time", "time"), Column("sym", "symbol"), Column("headline", "text")))


def declared(*tables: Table, in_force: tuple[Table, ...]) -> Declared:
    ids = tuple(t.schema_id for t in in_force)
    return Declared(tables, ids, Before(7, {"news": 3}, {2**63: 5}), 9, 2**32 - 1)


def test_what_is_declared_is_read_as_it_was_written() -> None:
    told = declared(OLD, NEW, *SCHEMA.values(), in_force=(NEW, *SCHEMA.values()))
    assert unpacked_tables(packed_tables(told)) == told


def test_who_numbered_the_rows_before_the_stream_is_told_and_a_message_of_an_older_version_is_read() -> None:
    told = declared(NEW, in_force=(NEW,))
    known = told._replace(before=told.before._replace(sessions={2**63: Numbered(8, ((0, 2), (7, 4)))}))
    body = packed_tables(known)
    assert unpacked_tables(body) == known
    fields = msgpack.unpackb(body, strict_map_key=False)
    del fields["sessions"]
    assert len(fields["before"]) == 3, "as an older version reads it"
    assert unpacked_tables(msgpack.packb(fields)) == told


def test_what_was_declared_before_stays_known_and_comes_first() -> None:
    before = declared(OLD, in_force=(OLD,))
    now = before.joined([NEW], [NEW.schema_id])
    assert now.every == (OLD, NEW)
    assert now.in_force == (NEW.schema_id,)
    assert not now.same_tables(before)
    assert now.same_tables(now.joined([NEW], [NEW.schema_id]))
    assert not now.same_tables(None)


@pytest.mark.parametrize("body", [b"", b"\x80", b"\x93\x01\x02\x03", b"rows of somebody"])
def test_what_does_not_declare_tables_is_told_as_such(body: bytes) -> None:
    with pytest.raises(WireError, match="expected how tables are declared"):
        unpacked_tables(body)


def test_a_message_without_a_record_has_no_last_one() -> None:
    with pytest.raises(WireError, match="found an empty message"):
        last_record(b"")


def test_records_are_read_as_they_were_written_and_many_are_compressed() -> None:
    for data in (b"few", b"row" * PLAIN_BYTES, random.Random(SEED).randbytes(2 * PLAIN_BYTES)):
        body, headers = packed_records(data)
        assert unpacked_records(body, headers) == data
        assert len(body) <= len(data)
        assert (PLAIN in headers) == (len(body) < len(data))
    assert unpacked_records(b"as a mirror of before wrote it", None) == b"as a mirror of before wrote it"


@pytest.mark.parametrize("told", ["", "many", "-1", "0", "12287", "12289", str(MOST_BYTES + 1), "9" * 5000, "²"])
def test_a_body_that_is_not_what_its_header_says_is_damaged(told: str) -> None:
    body, headers = packed_records(b"row" * PLAIN_BYTES)
    assert headers == {PLAIN: "12288"}
    with pytest.raises(WireError, match="expected a zstd frame of"):
        unpacked_records(body, {PLAIN: told})
    for other in (b"", b"TPLT", body[:-1]):
        with pytest.raises(WireError, match="expected a zstd frame of"):
            unpacked_records(other, headers)
