"""A stream that goes on from a saved mark: the rest of the journal, each once, or a refusal if it is not the same."""

import random

import pytest
from plain_rows import SCHEMA, batch_of, trade
from streams import StreamOfRuns

from plant.errors import JournalDiverged
from plant.stream.stream import Mark, Stream
from plant.wire.envelope import header_at, stamp
from plant.wire.record import encode

TABLES = ("trades", "quotes", "bars")


@pytest.fixture(autouse=True, params=[Stream, StreamOfRuns])
def _taken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take records one by one, and in runs."""
    monkeypatch.setitem(globals(), "Stream", request.param)


class Journal:
    """Records by seq; `mistaken` ones carry other rows under the same numbers."""

    def __init__(self, tables: list[str], mistaken: int = 0) -> None:
        self.records: list[bytes] = []
        self.tables: dict[str, int] = {}
        for seq, table in enumerate(tables, 1):
            self.tables[table] = self.tables.get(table, 0) + 1
            row = (
                {c.name: 1.0 for c in SCHEMA[table].columns}
                | trade(seq)
                | {"interval": "1m", "signal": "x", "side": "up", "detail": "", "state": ""}
            )
            row = {c.name: row[c.name] for c in SCHEMA[table].columns}
            if mistaken and seq >= mistaken:
                row["time"] += 1
            made = encode(SCHEMA[table], batch_of(table, [row]).columns, 1, seq)
            stamp(made, 0, seq, self.tables[table], 5)
            self.records.append(bytes(made))

    def feed(self, stream: Stream, most: int = 10**6, first_seq: int = 1) -> list[int]:
        """Answer a stream until it is live; return the seqs it handed on."""
        found: list[int] = []
        while (seq := stream.wants()) is not None:
            chunk = b"".join(self.records[max(seq, first_seq) - 1 :][:most])
            batches = stream.replayed(chunk, len(self.records), self.tables, first_seq=first_seq)
            found += [b.seq for b in batches]
        return found


TEN = ["trades", "quotes", "trades", "bars", "quotes", "trades", "signals", "signals", "trades", "bars"]


@pytest.mark.parametrize("tables", [TABLES, ("trades",), ("bars",), tuple(SCHEMA)])
@pytest.mark.parametrize("at", range(11))
def test_a_stream_from_a_mark_is_handed_exactly_what_the_first_was_not(at: int, tables: tuple[str, ...]) -> None:
    chance = random.Random(at)
    first = Stream(SCHEMA, tables, 0)
    before = Journal(TEN[:at]).feed(first, chance.randint(1, 4))
    saved = Mark(*tuple(first.mark))
    second = Stream(SCHEMA, tables, saved)
    rest = Journal(TEN).feed(second, chance.randint(1, 4))
    assert before + rest == [seq for seq, table in enumerate(TEN, 1) if table in tables]
    assert second.gaps == []
    assert second.mark.complete == 10


def test_a_mark_is_kept_by_a_stream_that_learned_nothing_new() -> None:
    first = Stream(SCHEMA, TABLES, 0)
    Journal(TEN[:6]).feed(first)
    assert Stream(SCHEMA, TABLES, first.mark).mark == first.mark
    again = Stream(SCHEMA, TABLES, first.mark)
    Journal(TEN[:6]).feed(again)
    assert again.mark == first.mark == (6, 6, header_at(Journal(TEN).records[5], 0).header_crc)


def test_a_stream_from_a_mark_is_in_doubt_until_the_journal_was_compared() -> None:
    first = Stream(SCHEMA, TABLES, 0)
    assert not first.in_doubt, "it knows nothing that could be missing"
    Journal(TEN[:6]).feed(first)
    second = Stream(SCHEMA, TABLES, first.mark)
    second.beat(Journal(TEN).tables, 10, 1)
    assert second.in_doubt, "a beat tells numbers, not which records have them"
    Journal(TEN).feed(second)
    assert not second.in_doubt
    second.beat(Journal(TEN).tables, 10, 2)
    assert second.in_doubt, "another tickerplant"


@pytest.mark.parametrize("length", [6, 7, 10])
def test_a_journal_with_another_record_in_its_place_is_refused(length: int) -> None:
    """The tail was lost and its numbers were given again: only the bytes tell, for the plant is as far, or further."""
    first = Stream(SCHEMA, TABLES, 0)
    Journal(TEN[:6]).feed(first)
    for mistaken in (6, 3):
        second = Stream(SCHEMA, TABLES, first.mark)
        for _ in range(2):
            with pytest.raises(JournalDiverged, match="no longer what was published as 6"):
                Journal(TEN[:length], mistaken).feed(second)


def test_a_journal_that_ends_before_the_mark_is_refused() -> None:
    first = Stream(SCHEMA, TABLES, 0)
    Journal(TEN[:6]).feed(first)
    with pytest.raises(JournalDiverged, match="the journal ends at 5, but 6 was published before"):
        Journal(TEN[:5]).feed(Stream(SCHEMA, TABLES, first.mark))


def test_a_restart_before_the_first_answer_does_not_make_the_mark_forgotten() -> None:
    first = Stream(SCHEMA, TABLES, 0)
    Journal(TEN[:6]).feed(first)
    second = Stream(SCHEMA, TABLES, first.mark)
    other = Journal(TEN, mistaken=6)
    second.beat(other.tables, 10, 1)
    second.beat(other.tables, 10, 2)
    with pytest.raises(JournalDiverged):
        other.feed(second)


@pytest.mark.parametrize("most", [1, 2, 10])
@pytest.mark.parametrize("beaten", [5, 6, 8])
@pytest.mark.parametrize("lost", [5, 6, 7, 8, 9])
def test_a_record_of_a_new_tickerplant_that_follows_on_from_a_lost_one_is_noticed(
    lost: int, beaten: int, most: int
) -> None:
    """Records 1 to 8 were published; the journal lost those from `lost` on, and gave their numbers, and 9, anew."""
    stream, old = Stream(SCHEMA, tuple(SCHEMA), 0), Journal(TEN[:8])
    Journal(TEN[:4]).feed(stream)
    stream.beat({}, 4, 1)
    for seq in range(5, 9):
        assert len(stream.live(old.records[seq - 1])) == 1
        if seq == beaten:
            stream.beat({}, seq, 1)
    new = Journal(TEN, lost)
    assert len(stream.live(new.records[8])) == 1  # before its first beat
    stream.beat(new.tables, 10, 2)
    if lost == 9:
        assert new.feed(stream, most) == [10]
        assert stream.mark[:2] == (10, 10)
    else:
        with pytest.raises(JournalDiverged, match="no longer what was published as"):
            new.feed(stream, most)


def test_a_mark_whose_record_was_removed_goes_on_where_the_journal_begins_and_says_what_is_lost() -> None:
    first = Stream(SCHEMA, TABLES, 0)
    Journal(TEN[:4]).feed(first)
    second = Stream(SCHEMA, TABLES, first.mark)
    assert Journal(TEN).feed(second, first_seq=5) == [5, 6, 9, 10]
    assert second.gaps == []
    third = Stream(SCHEMA, TABLES, first.mark)
    assert Journal(TEN).feed(third, first_seq=7) == [9, 10]
    assert [(g.table, g.first, g.last, g.state) for g in third.gaps] == [("", 5, 6, "lost")]


def test_the_mark_of_a_stream_that_heals_begins_where_something_is_missing() -> None:
    first = Stream(SCHEMA, ("trades", "quotes"), 0)
    Journal(TEN[:1]).feed(first)
    journal = Journal(TEN)
    assert [b.seq for b in first.live(journal.records[2])] == [3]
    assert first.live(journal.records[4]) == []
    assert first.mark[:2] == (1, 3)
    second = Stream(SCHEMA, ("trades", "quotes"), first.mark)
    assert journal.feed(second) == [2, 3, 5, 6, 9]


def test_rows_under_numbers_that_only_a_beat_of_the_earlier_tickerplant_told_of_are_handed_on() -> None:
    """Its seqs 4 to 6 were of other tables, and got lost; a new one gives them to ours, too."""
    stream = Stream(SCHEMA, ("trades",), 0)
    old = Journal(["trades", "quotes", "trades"])
    assert old.feed(stream) == [1, 3]
    stream.beat({"trades": 2, "quotes": 1}, 3, 1)
    stream.beat({"trades": 2, "quotes": 1, "bars": 3}, 6, 1)
    assert stream.complete == 6
    new = Journal(["trades", "quotes", "trades", "trades", "bars", "trades", "bars"])
    stream.beat(new.tables, 7, 2)
    assert new.feed(stream) == [4, 6]
    assert stream.gaps == []


def test_what_waited_of_the_earlier_tickerplant_is_not_taken_for_records_of_the_new_one() -> None:
    stream = Stream(SCHEMA, ("trades",), 0)
    old, new = Journal(["trades"] * 4), Journal(["trades"] * 4, mistaken=3)
    Journal(["trades"] * 2).feed(stream)
    stream.beat({"trades": 2}, 2, 1)
    stream.catch_up()
    assert stream.live(old.records[2]) + stream.live(old.records[3]) == [], "they wait for the journal"
    stream.beat({"trades": 2}, 2, 2)
    short = Journal(["trades"] * 2)
    assert short.feed(stream) == []
    found = [batch for record in new.records[2:] for batch in stream.live(record)]
    assert [header_at(record, 0).seq for record in new.records[2:]] == [b.seq for b in found] == [3, 4]
    assert [b.columns["time"][0] for b in found] == [trade(seq)["time"] + 1 for seq in (3, 4)]
