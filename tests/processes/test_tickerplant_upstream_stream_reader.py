"""What a relay takes of a stream's messages: every record once, in order, of a known table; else why not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from random_rows import columns_from, trades

from plant.errors import JournalDiverged, JournalError
from plant.rows.schema import Column, Schema, Table
from plant.rows.tables import schema_of
from plant.runtime.sections import UpstreamSettings
from plant.stream.mirrored import Before, Declared, packed_tables
from plant.stream.stream import Mark
from plant.wire.envelope import stamp
from plant.wire.record import encode
from tickerplant.upstream import stream_reader
from tickerplant.upstream.jetstream import Came
from tickerplant.upstream.stream_reader import HELD_BYTES, StreamReader

SCHEMA = schema_of()
TRADES = SCHEMA["trades"]
OLD = Table("news", (Column("time", "time"), Column("sym", "symbol")))
NEW = Table("news", (Column("time", "time"), Column("sym", "symbol"), Column("headline", "text")))


class NoThread:
    """Stands where the thread would be; the test hands over the messages."""

    connected = True

    def __init__(self, _upstream: Any, _mark: Mark, hand: Callable[[Came], bool], ended: Any) -> None:
        self.hand, self.ended = hand, ended

    def close(self) -> None:
        """Nothing runs."""


@pytest.fixture
def reader_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., StreamReader]]:
    monkeypatch.setattr(stream_reader, "StreamThread", NoThread)
    made: list[StreamReader] = []

    def make(seq: int = 0, schema: Schema = SCHEMA) -> StreamReader:
        made.append(StreamReader(schema, UpstreamSettings(stream=("nats://127.0.0.1:4222",)), Mark(seq, seq, 1)))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def record(seq: int) -> bytes:
    made = encode(TRADES, columns_from(TRADES, trades(seq, 1)), 1, seq)
    stamp(made, 0, seq, seq, 1000 + seq)
    return bytes(made)


def tables(reader: Any, js_seq: int, *every: Table, in_force: Any = None, before: int = 0) -> None:
    declared = every or tuple(SCHEMA.values())
    ids = tuple(t.schema_id for t in (in_force or declared))
    told = Declared(declared, ids, Before(before, {}, {}), 0, 0)
    reader._thread.hand(Came(js_seq, packed_tables(told), False, False))


def seqs(reader: Any, js_seq: int, *records: bytes, trimmed: bool = False) -> list[int]:
    reader._thread.hand(Came(js_seq, b"".join(records), True, trimmed))
    found = reader.poll(0)
    assert [table.name for table, *_ in found] == ["trades"] * len(found)
    assert b"".join(each for *_, each in found) == b"".join(records)
    return [header.seq for _, header, _ in found]


def test_records_are_handed_on_with_their_bytes(reader_of: Callable[..., StreamReader]) -> None:
    reader = reader_of()
    tables(reader, 1)
    assert seqs(reader, 2, record(1), record(2)) == [1, 2]
    assert seqs(reader, 3, record(3)) == [3]
    assert reader.poll(0) == []


def test_a_hole_of_the_journal_is_one_here_too(reader_of: Callable[..., StreamReader]) -> None:
    reader = reader_of(2)
    tables(reader, 1)
    assert seqs(reader, 2, record(5)) == [5]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ((record(3), record(3)), "seq 3 comes behind 3"),
        ((record(2),), "seq 2 comes behind 2"),
        ((record(3), record(4)[:-1] + b"?"), "message 2 of the stream is damaged: .*`plant mirror verify`"),
    ],
    ids=["twice", "back", "damaged"],
)
def test_what_no_mirror_writes_is_refused(
    reader_of: Callable[..., StreamReader], records: tuple[bytes, ...], said: str
) -> None:
    reader = reader_of(2)
    tables(reader, 1)
    with pytest.raises(JournalError, match=said):
        seqs(reader, 2, *records)


def test_a_record_of_a_table_that_nobody_declared_is_refused(reader_of: Callable[..., StreamReader]) -> None:
    reader = reader_of()
    tables(reader, 1, OLD)
    with pytest.raises(JournalError, match="seq 1 is of a table that the stream does not declare"):
        seqs(reader, 2, record(1))


def test_a_new_plant_begins_only_with_the_first_record(reader_of: Callable[..., StreamReader]) -> None:
    reader = reader_of()
    tables(reader, 1, before=4)
    assert seqs(reader, 2, record(5)) == [5]
    other = reader_of()
    tables(other, 1, before=4)
    with pytest.raises(JournalError, match="begins with seq 9 by now, what came behind 4 was removed"):
        seqs(other, 2, record(9), trimmed=True)


def test_what_the_first_plant_declares_otherwise_is_named_by_the_newest_word(
    reader_of: Callable[..., StreamReader],
) -> None:
    ours = Schema([*SCHEMA.values(), NEW])
    reader = reader_of(schema=ours)
    tables(reader, 9, OLD, NEW, *SCHEMA.values(), in_force=(NEW, *SCHEMA.values()))
    tables(reader, 1, OLD, *SCHEMA.values())  # read on the way there
    assert reader.poll(0) == []
    assert not reader.redeclared
    tables(reader, 12, OLD, *SCHEMA.values(), in_force=(OLD, *SCHEMA.values()))
    reader.poll(0)
    assert reader.redeclared == "news"


def test_no_more_is_held_than_there_is_room_for_and_a_long_message_finds_room_alone(
    reader_of: Callable[..., StreamReader],
) -> None:
    reader: Any = reader_of()
    tables(reader, 1)
    long = Came(2, b"x" * (HELD_BYTES + 1), True, False)
    assert not reader._thread.hand(long)
    reader.poll(0)
    assert reader._thread.hand(long)
    assert not reader._thread.hand(Came(3, record(1), True, False))


def test_why_the_thread_ended_is_raised_where_it_is_polled(reader_of: Callable[..., StreamReader]) -> None:
    reader: Any = reader_of()
    reader._thread.ended(JournalDiverged("another plant's"))
    assert reader.sockets[0].poll(1000)
    with pytest.raises(JournalDiverged, match="another plant's"):
        reader.poll(0)
