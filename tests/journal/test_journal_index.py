"""The index of a segment, closed or still open: what it spares, and that nothing is believed that is not so."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from journals import Writer, closed, copy_of, everything, flip, harm

from plant.journal import journal, segment
from plant.journal.index import Index, State, index_path, read_index, write_index
from plant.journal.segment import NotIndexed, Segment
from tickerplant.upkeep import Upkeep


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    """Return a writer of one open segment, whose index covers all but its last records."""
    monkeypatch.setattr(segment, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(journal, "INDEX_EVERY", 6000)
    made = Writer(tmp_path / "journal")
    while made.journal.beginning is None:
        made.append(3, 1, source=len(made.records) % 3)
    upkeep(made)
    assert index_path(made.last_file).exists()
    made.append(2, source=7)
    made.append(1, source=1)
    yield made
    made.journal.close()


def upkeep(writer: Writer) -> None:
    Upkeep(writer.journal, compress=False, report=lambda line: None).round()


def walked(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> int:
    """Open the journal anew; return how many records were gone through for that."""
    records = 0
    real = segment.records_in

    def counted(*arguments: Any) -> Iterator[Any]:
        nonlocal records
        for found in real(*arguments):
            records += 1
            yield found

    with monkeypatch.context() as patch:
        patch.setattr(segment, "records_in", counted)
        writer.reopen()
    return records


def test_opening_goes_only_through_what_came_after_the_index(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = copy_of(writer.journal.position)
    for _ in range(2):
        assert walked(writer, monkeypatch) == 2
        assert writer.journal.position == before
        assert everything(writer.journal) == everything(writer.journal, 0) == writer.records
    writer.append(4)
    assert everything(writer.reopen()) == writer.records


def test_the_index_of_the_open_segment_is_written_again_as_it_grows(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    for _ in range(200):
        writer.append(3)
        upkeep(writer)
        found = read_index(writer.last_file, writer.journal.segments[-1].header_crc)
        assert found is not None
        sizes.append(found.size)
    assert len(set(sizes)) > 2
    assert writer.last_file.stat().st_size - sizes[-1] < 7000
    assert walked(writer, monkeypatch) < 40


@pytest.mark.parametrize("where", [0, 5, -3])
def test_a_bit_flipped_in_what_was_indexed_is_found_at_the_opening_as_without_an_index(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, where: int
) -> None:
    seq, record = writer.records[where]
    flip(writer.last_file, record)
    assert walked(writer, monkeypatch) == len(writer.records) - 1
    assert len(writer.journal.segments.damage) == 1
    assert everything(writer.journal) == [r for r in writer.records if r[0] != seq]


def test_a_file_that_lost_what_was_indexed_is_gone_through(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = writer.last_file
    os.truncate(path, path.read_bytes().index(writer.records[5][1]) + 10)
    walked(writer, monkeypatch)
    assert everything(writer.journal) == writer.records[:5]
    assert not index_path(path).exists()


@pytest.mark.parametrize("change", ["missing", "cut", "flipped", "of another segment"])
def test_an_index_of_the_open_segment_that_is_wrong_is_not_believed(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    index, last = index_path(writer.last_file), writer.journal.segments[-1]
    if change == "of another segment":
        found = read_index(writer.last_file, last.header_crc)
        assert found is not None
        write_index(writer.last_file, last.header_crc ^ 1, found._replace(state=State(10**6, {}, {})))
    else:
        harm(index, change)
    before = copy_of(writer.journal.position)
    assert walked(writer, monkeypatch) == len(writer.records)
    assert writer.journal.position == before


def test_blocks_that_do_not_join_are_no_beginning(writer: Writer) -> None:
    last = writer.journal.segments[-1]
    found = last.beginning()
    assert found is not None
    for blocks in (found.blocks[1:], found.blocks[:-1], [*found.blocks[:1], *found.blocks[2:]], []):
        write_index(last.path, last.header_crc, found._replace(blocks=blocks))
        assert last.beginning() is None


def test_an_open_segment_with_damage_is_not_indexed(writer: Writer) -> None:
    index_path(writer.last_file).unlink()
    flip(writer.last_file, writer.records[3][1])
    everything(writer.reopen())
    for _ in range(200):
        writer.append(3)
        upkeep(writer)
    assert not index_path(writer.last_file).exists()


def test_a_bit_that_flips_while_the_segment_is_open_is_not_hidden_by_its_index(writer: Writer) -> None:
    """The checksums of blocks are made of what is read back: each record is verified before."""
    lines: list[str] = []
    while writer.journal.beginning is None:
        writer.append(3)
    seq, record = writer.records[-8]
    flip(writer.last_file, record)
    Upkeep(writer.journal, report=lines.append).round()
    assert "is damaged while it is written" in lines[0]
    assert everything(writer.reopen()) == [r for r in writer.records if r[0] != seq]


def test_a_segment_closed_by_a_crash_is_gone_through_only_behind_its_index(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.journal.segment_bytes = 1
    writer.append(1)
    assert len(writer.journal.segments) == 2
    writer.reopen()
    assert len(list(writer.journal.segments[0].walk())) == 3
    assert everything(writer.journal) == writer.records


def test_a_closed_segment_without_an_index_is_not_gone_through_by_one_who_must_not(tmp_path: Path) -> None:
    made = closed(tmp_path)
    made.reopen()
    with pytest.raises(NotIndexed):
        made.journal.segments.read(1, walk=False)
    assert made.journal.segments.unindexed is made.journal.segments[0]
    upkeep(made)
    assert made.journal.segments.unindexed is None
    assert made.journal.segments.read(1, walk=False) == made.journal.segments.read(1)
    made.journal.close()


def test_a_segment_that_cannot_be_gone_through_is_left_to_its_reader_who_meets_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Segment) -> None:
        raise OSError(5, "Input/output error")

    made = closed(tmp_path)
    made.reopen()
    with pytest.raises(NotIndexed):
        made.journal.segments.read(1, walk=False)
    with monkeypatch.context() as patch:
        patch.setattr(Segment, "walk", fails)
        with pytest.raises(OSError, match="Input/output"):
            upkeep(made)
        with pytest.raises(OSError, match="Input/output"):
            made.journal.segments.read(1, walk=False)
    assert made.journal.segments.read(1, walk=False)
    made.journal.close()


def test_an_index_reads_as_it_was_written(tmp_path: Path) -> None:
    blocks = [segment.Block(1, 100, 200, -5, 2**32 - 1, 7, 8)]
    index = Index(200, blocks, [], State(9, {"trades": 4}, {2**64 - 1: 3, 0: 2**63}))
    write_index(tmp_path / "a.journal", 77, index)
    assert read_index(tmp_path / "a.journal", 77) == index
    assert read_index(tmp_path / "a.journal", 78) is None
    assert read_index(tmp_path / "b.journal", 77) is None


def test_the_index_of_the_open_segment_says_who_numbered_rows_and_one_that_does_not_is_not_believed(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.session = 7
    for _ in range(80):
        writer.append(3)
    upkeep(writer)
    writer.session = 8
    writer.append(2)
    before = copy_of(writer.journal.position)
    assert [session for session, _ in before.told(1)] == [0, 7, 8]
    assert walked(writer, monkeypatch) < 40
    assert writer.journal.position == before
    last = writer.journal.segments[-1]
    found = read_index(last.path, last.header_crc)
    assert found is not None
    assert found.state is not None
    write_index(
        last.path, last.header_crc, found._replace(state=found.state._replace(sessions=None))
    )  # an older version
    assert walked(writer, monkeypatch) == len(writer.records)
    assert writer.journal.position == before
