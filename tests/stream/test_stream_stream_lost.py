"""What a stream does where the journal has holes: it says what is lost, once, and goes on."""

import random

import pytest
from plain_rows import SCHEMA, bar, batch_of, trade
from streams import StreamOfRuns

from plant.checksum import crc32
from plant.stream import stream as module
from plant.stream.stream import Gap, Stream
from plant.wire.decoding import Merge, Raw, raw
from plant.wire.envelope import HEADER_BYTES, stamp
from plant.wire.record import encode
from plant.wire.runs import runs


@pytest.fixture(autouse=True, params=[Stream, StreamOfRuns])
def _taken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take records one by one, and in runs."""
    monkeypatch.setitem(globals(), "Stream", request.param)


def record(seq: int, table: str, table_seq: int) -> bytes:
    """Return a journaled record of one row."""
    row = trade(seq) if table == "trades" else bar(seq)
    made = encode(SCHEMA[table], batch_of(table, [row]).columns, 1, seq)
    stamp(made, 0, seq, table_seq, 5)
    return bytes(made)


JOURNAL = [
    record(seq, table, table_seq)
    for seq, table, table_seq in [
        (1, "trades", 1),
        (2, "bars", 1),
        (3, "trades", 2),
        (4, "trades", 3),
        (5, "bars", 2),
        (6, "trades", 4),
    ]
]
POSITION = {"trades": 4, "bars": 2}


def without(*seqs: int) -> bytes:
    return b"".join(r for seq, r in enumerate(JOURNAL, 1) if seq not in seqs)


def lost(stream: Stream) -> list[tuple[str, int, int]]:
    return [(g.table, g.first, g.last) for g in stream.gaps if g.state == "lost"]


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ((), []),
        ((1,), [("trades", 1, 1)]),
        ((3, 4), [("trades", 2, 3)]),
        ((2, 3), [("trades", 2, 2), ("bars", 1, 1)]),
        ((6,), [("trades", 4, 4)]),
        ((5, 6), [("bars", 2, 2), ("trades", 4, 4)]),
    ],
)
def test_what_the_journal_skips_is_lost_and_the_stream_turns_live(
    gone: tuple[int, ...], expected: list[tuple[str, int, int]]
) -> None:
    stream = Stream(SCHEMA, ["trades", "bars"], 0)
    found = [b.seq for b in stream.replayed(without(*gone), 6, POSITION)]
    if stream.catching_up:
        assert stream.wants() == max(found) + 1
        found += [b.seq for b in stream.replayed(b"", 6, POSITION)]
    assert found == [s for s in range(1, 7) if s not in gone]
    assert sorted(lost(stream)) == sorted(expected)
    assert not stream.catching_up
    stream.beat(POSITION, 6, 1)
    assert not stream.catching_up, "the beat asks for what does not exist"
    assert [b.seq for b in stream.live(record(7, "trades", 5))] == [7]


def test_a_hole_in_other_tables_is_no_loss() -> None:
    stream = Stream(SCHEMA, ["trades"], 0)
    stream.replayed(without(2, 5), 6, POSITION)
    assert stream.gaps == []


def test_a_gap_that_the_journal_cannot_heal_is_lost_and_not_healed() -> None:
    stream = Stream(SCHEMA, ["trades", "bars"], 0)
    stream.replayed(b"".join(JOURNAL[:3]), 3, {"trades": 2, "bars": 1})
    stream.live(JOURNAL[5])
    assert [(g.table, g.first, g.last, g.state) for g in stream.gaps] == [("trades", 3, 3, "opened")]
    assert [b.seq for b in stream.replayed(b"".join(JOURNAL[4:]), 6, POSITION)] == [5, 6]
    assert [(g.table, g.first, g.last, g.state) for g in stream.gaps][1:] == [("trades", 3, 3, "lost")]
    assert not stream.catching_up


def test_a_hole_right_behind_a_given_position_is_told_by_its_seqs() -> None:
    stream = Stream(SCHEMA, ["trades", "bars"], 2)
    found = stream.replayed(b"".join(JOURNAL[4:]), 6, POSITION)
    assert [b.seq for b in found] == [5, 6]
    assert lost(stream) == [("", 3, 4)]


def test_what_was_removed_before_a_stream_began_is_not_lost() -> None:
    stream = Stream(SCHEMA, ["trades", "bars"], 0)
    found = stream.replayed(b"".join(JOURNAL[2:]), 6, POSITION, first_seq=3)
    assert [b.seq for b in found] == [3, 4, 5, 6]
    assert stream.gaps == []
    late = Stream(SCHEMA, ["trades", "bars"], 1)
    late.replayed(b"".join(JOURNAL[2:]), 6, POSITION, first_seq=3)
    assert lost(late) == [("", 2, 2)]


def test_a_damaged_answer_is_asked_for_again_with_checks_and_then_passed() -> None:
    stream = Stream(SCHEMA, ["trades", "bars"], 0)
    damaged = bytearray(without())
    damaged[damaged.index(JOURNAL[2]) + 80] ^= 1
    assert [b.seq for b in stream.replayed(bytes(damaged), 6, POSITION)] == [1, 2]
    assert (stream.checking, stream.wants()) == (True, 3)
    assert [b.seq for b in stream.replayed(b"".join(JOURNAL[3:]), 6, POSITION)] == [4, 5, 6]
    assert (stream.checking, stream.catching_up) == (False, False)
    assert lost(stream) == [("trades", 2, 2)]


def test_an_answer_that_stays_damaged_does_not_hold_a_stream_for_ever() -> None:
    stream = Stream(SCHEMA, ["trades", "bars"], 0)
    damaged = bytearray(JOURNAL[2])
    damaged[80] ^= 1
    stream.replayed(b"".join(JOURNAL[:2]), 6, POSITION)
    asked = []
    while stream.wants() == 3:
        asked.append(stream.checking)
        stream.replayed(bytes(damaged), 6, POSITION)
    assert asked == [False, True]
    assert stream.wants() == 4
    assert lost(stream) == [("", 3, 3)]


def test_any_holes_in_any_chunks_end_live_with_every_loss_told_once() -> None:
    generator = random.Random(7)
    for _ in range(300):
        gone = set(generator.sample(range(1, 7), generator.randint(0, 6)))
        stream = Stream(SCHEMA, ["trades", "bars"], 0)
        found: list[int] = []
        for _ in range(20):
            wanted = stream.wants()
            if wanted is None:
                break
            there = [s for s in range(wanted, 7) if s not in gone][: generator.randint(1, 4)]
            found += [b.seq for b in stream.replayed(b"".join(JOURNAL[s - 1] for s in there), 6, POSITION)]
        assert stream.wants() is None, gone
        assert found == [s for s in range(1, 7) if s not in gone]
        told = {(t, n) for t, first, last in lost(stream) for n in range(first, last + 1)}
        numbers = [("trades", 1), ("bars", 1), ("trades", 2), ("trades", 3), ("bars", 2), ("trades", 4)]
        assert told == {numbers[s - 1] for s in gone}
        assert sum(last - first + 1 for _, first, last in lost(stream)) == len(gone)


def test_a_gap_names_its_states() -> None:
    assert all(state in (Gap.__doc__ or "") for state in ("opened", "healed", "lost"))


def test_a_batch_that_cannot_be_decoded_is_lost_and_its_neighbours_are_not() -> None:
    foreign = encode(SCHEMA["trades"], batch_of("trades", [trade(4), trade(4)]).columns, 1, 4)
    foreign[HEADER_BYTES] = 0xC0  # msgpack's nil
    foreign[60:64] = crc32(memoryview(foreign)[HEADER_BYTES:]).to_bytes(4, "little")
    stamp(foreign, 0, 4, 3, 5)
    records = [*JOURNAL[:3], bytes(foreign), *JOURNAL[4:]]
    stream = module.Stream(SCHEMA, ["trades", "bars"], 0, raw, runs)
    found: list[Raw] = []
    while (seq := stream.wants()) is not None:
        found += stream.replayed(b"".join(records[seq - 1 :]), 6, POSITION)
    assert [b.seq for b in Merge(unreadable=stream.unreadable).batches(found)] == [1, 2, 3, 5, 6]
    (gap,) = stream.gaps
    assert (gap.table, gap.first, gap.last, gap.state) == ("trades", 3, 3, "lost")
    columns = len(SCHEMA["trades"].columns)
    told = f"trades: expected an array of {columns} columns, found 0xc0"
    assert gap.detail == f"seq 4 of the journal cannot be read: {told}"
