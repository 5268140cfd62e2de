"""A stream, step by step: joining, gaps, beats, restarts; test_tickerplant_sequencer_delivery.py has them at random."""

import pytest
from random_rows import columns_from, trades
from streams import StreamOfRuns

from plant.errors import JournalError
from plant.rows.batch import Batch
from plant.rows.tables import schema_of
from plant.stream import stream as module
from plant.stream.stream import Stream
from plant.wire.envelope import stamp
from plant.wire.record import encode

SCHEMA = schema_of()


@pytest.fixture(autouse=True, params=[Stream, StreamOfRuns])
def _taken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take records one by one, and in runs."""
    monkeypatch.setitem(globals(), "Stream", request.param)


class Journal:
    """The records the plant made, by seq; `publish` makes one and returns it as the publish socket carries it."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.tables: dict[str, int] = {}

    def publish(self, table: str = "trades") -> bytes:
        self.tables[table] = self.tables.get(table, 0) + 1
        plain = trades(len(self.records) + 1, 1) | {"interval": ["1m"]}
        rows = {c.name: [1.0] for c in SCHEMA[table].columns if c.kind == "float"} | plain
        record = encode(SCHEMA[table], columns_from(SCHEMA[table], rows), 1, 1)
        stamp(record, 0, len(self.records) + 1, self.tables[table], 5)
        self.records.append(bytes(record))
        return bytes(record)

    @property
    def seq(self) -> int:
        return len(self.records)

    def answer(self, stream: Stream, most: int = 10**6) -> list[int]:
        """Give the stream what it wants of the journal, at most some records; return the seqs it hands on."""
        seq = stream.wants()
        assert seq is not None
        chunk = b"".join(self.records[seq - 1 :][:most])
        return seqs(stream.replayed(chunk, self.seq, self.tables))

    def beat(self, stream: Stream, epoch: int = 1) -> None:
        stream.beat(dict(self.tables), self.seq, epoch)


def seqs(batches: list[Batch]) -> list[int]:
    return [batch.seq for batch in batches]


def live(journal: Journal, tables: tuple[str, ...] = ("trades", "quotes")) -> Stream:
    stream = Stream(SCHEMA, tables, 0)
    journal.answer(stream)
    assert stream.wants() is None
    journal.beat(stream)
    return stream


def gaps(stream: Stream) -> list[tuple[str, int, int, str]]:
    return [(g.table, g.first, g.last, g.state) for g in stream.gaps]


def test_a_message_whose_beginning_is_known_gives_the_rest() -> None:
    journal = Journal()
    stream = live(journal)
    message = journal.publish() + journal.publish()
    assert seqs(stream.live(message)) == [1, 2]
    message += journal.publish() + journal.publish()
    assert seqs(stream.live(message)) == [3, 4]
    assert stream.cursor == stream.mark.seq == 4
    assert gaps(stream) == []


def test_a_late_joiner_gets_the_journal_in_pieces_then_what_waited_then_what_comes() -> None:
    journal = Journal()
    for table in ("trades", "bars", "quotes", "trades"):
        journal.publish(table)
    stream = Stream(SCHEMA, ("trades", "quotes"), 0)
    assert journal.answer(stream, most=2) == [1]
    assert (stream.cursor, stream.complete, stream.wants()) == (2, 2, 3)
    assert stream.live(journal.publish()) == []
    known = journal.answer(stream, most=2)
    assert known == [3, 4]
    assert stream.live(journal.publish()) == []
    assert journal.answer(stream) == [5, 6]
    assert stream.wants() is None
    assert seqs(stream.live(journal.publish())) == [7]
    assert stream.gaps == []


def test_records_that_waited_come_behind_the_journal_and_known_ones_not_again() -> None:
    journal = Journal()
    stream = Stream(SCHEMA, ("trades",), 0)
    first = journal.publish()
    stream.live(first)
    position, tables = journal.seq, dict(journal.tables)
    stream.live(journal.publish())
    assert seqs(stream.replayed(first, position, tables)) == [1, 2]
    assert stream.live(first) == []
    assert stream.gaps == []


def test_one_that_wants_only_what_comes_now_gets_nothing_of_before() -> None:
    journal = Journal()
    journal.publish()
    stream = Stream(SCHEMA, ("trades",), None)
    assert stream.wants() > journal.seq  # type: ignore[operator]
    stream.live(journal.publish())
    assert journal.answer(stream) == []
    assert (stream.cursor, stream.wants()) == (2, None)
    assert seqs(stream.live(journal.publish())) == [3]


def test_one_that_knows_a_part_gets_the_rest() -> None:
    journal = Journal()
    for _ in range(4):
        journal.publish()
    stream = Stream(SCHEMA, ("trades",), 2)
    assert journal.answer(stream) == [3, 4]


def test_several_records_of_one_message_are_several_batches_and_other_tables_pass_unseen() -> None:
    journal = Journal()
    stream = live(journal)
    message = journal.publish() + journal.publish("bars") + journal.publish("quotes")
    found = stream.live(message)
    assert [(b.seq, b.table, b.table_seq, b.received) for b in found] == [(1, "trades", 1, 5), (3, "quotes", 1, 5)]
    assert found[0].columns["trade_id"].tolist() == ["1"]


def test_a_batch_that_does_not_follow_on_is_read_from_the_journal_and_the_gap_told_of() -> None:
    journal = Journal()
    stream = live(journal)
    stream.live(journal.publish())
    journal.publish()
    journal.publish()
    assert stream.live(journal.publish()) == []
    assert stream.wants() == 1  # all since the last beat; what is known of it is passed over
    assert gaps(stream) == [("trades", 2, 3, "opened")]
    assert stream.live(journal.publish()) == []
    assert journal.answer(stream) == [2, 3, 4, 5]
    assert gaps(stream) == [("trades", 2, 3, "opened"), ("trades", 2, 3, "healed")]


def test_a_lost_batch_is_not_forgotten_because_another_table_went_on() -> None:
    journal = Journal()
    stream = live(journal)
    journal.publish("quotes")
    assert seqs(stream.live(journal.publish())) == [2]
    assert seqs(stream.live(journal.publish())) == [3]
    assert (stream.cursor, stream.complete) == (3, 0)
    journal.beat(stream)
    assert gaps(stream) == [("quotes", 1, 1, "opened")]
    assert stream.live(journal.publish()) == []
    assert journal.answer(stream, most=1) == [1]
    assert (stream.cursor, stream.complete) == (3, 1)
    assert journal.answer(stream) == [4]
    assert (stream.cursor, stream.complete) == (4, 4)


def test_a_beat_shows_a_tail_that_never_came_and_one_that_shows_nothing_new_is_no_gap() -> None:
    journal = Journal()
    stream = live(journal)
    stream.live(journal.publish())
    journal.beat(stream)
    assert stream.gaps == []
    assert stream.complete == 1
    journal.publish()
    journal.publish("bars")
    journal.beat(stream)
    assert gaps(stream) == [("trades", 2, 2, "opened")]
    assert journal.answer(stream) == [2]
    assert stream.plant_seq == 3
    journal.publish("bars")
    journal.beat(stream)
    assert stream.wants() is None
    assert stream.complete == 4


def test_a_damaged_message_is_read_from_the_journal_and_what_was_good_of_it_comes_once() -> None:
    journal = Journal()
    stream = live(journal)
    message = journal.publish() + journal.publish()
    assert seqs(stream.live(message[:-1] + b"!")) == [1]
    assert "a published batch was damaged: byte" in stream.gaps[0].detail
    assert journal.answer(stream) == [2]
    assert [g.state for g in stream.gaps] == ["opened", "healed"]


def test_a_restart_of_the_tickerplant_is_caught_up_with() -> None:
    journal = Journal()
    stream = live(journal)
    stream.live(journal.publish())
    journal.publish()
    journal.beat(stream, epoch=2)
    assert stream.wants() == 1
    assert journal.answer(stream) == [2]
    journal.beat(stream, epoch=2)
    assert stream.wants() is None
    assert stream.gaps == []


def test_the_first_beat_of_all_begins_no_catching_up() -> None:
    journal = Journal()
    stream = Stream(SCHEMA, ("trades",), 0)
    journal.answer(stream)
    journal.beat(stream, epoch=77)
    assert stream.wants() is None


def test_more_than_can_be_held_while_catching_up_comes_from_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_BYTES", 200)
    journal = Journal()
    stream = Stream(SCHEMA, ("trades",), 0)
    position, tables = journal.seq, dict(journal.tables)
    for _ in range(10):
        assert stream.live(journal.publish()) == []
    held = seqs(stream.replayed(b"", position, tables))
    assert 0 < len(held) < 10
    assert held == list(range(1, len(held) + 1))
    rest = seqs(stream.live(journal.publish()))
    assert rest == []
    assert journal.answer(stream) == list(range(len(held) + 1, 12))


def test_a_gap_among_those_that_waited_keeps_the_ones_behind_it_waiting() -> None:
    journal = Journal()
    stream = Stream(SCHEMA, ("trades",), 0)
    position, tables = journal.seq, dict(journal.tables)
    stream.live(journal.publish())
    journal.publish()
    stream.live(journal.publish())
    stream.live(journal.publish())
    assert seqs(stream.replayed(b"", position, tables)) == [1]
    assert stream.catching_up
    middle = journal.records[1] + journal.records[2]
    assert seqs(stream.replayed(middle, 3, {"trades": 3})) == [2, 3, 4]
    assert gaps(stream) == [("trades", 2, 2, "opened"), ("trades", 2, 2, "healed")]


def test_a_journal_that_ends_before_what_was_published_is_an_error() -> None:
    journal = Journal()
    stream = live(journal)
    for _ in range(3):
        stream.live(journal.publish())
    stream.beat({}, 1, 2)
    with pytest.raises(JournalError, match="the journal ends at 1, but 3 was published before: it lost its tail"):
        stream.replayed(b"", 1, {"trades": 1})


def test_records_the_journal_lost_in_its_middle_do_not_keep_a_stream_from_turning_live() -> None:
    journal = Journal()
    for _ in range(3):
        journal.publish()
    stream = Stream(SCHEMA, ("trades",), 0)
    assert seqs(stream.replayed(journal.records[0], 3, journal.tables)) == [1]
    assert stream.wants() == 2
    assert stream.replayed(b"", 3, journal.tables) == []
    assert stream.wants() is None
    assert seqs(stream.live(journal.publish())) == [4]
