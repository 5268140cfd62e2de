"""Closed segments: their index, their compression, the removal of old ones; readers see the same records."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from journals import SCHEMA, Writer, closed, everything, flip, harm

from plant.errors import JournalError, WireError
from plant.journal import compressed, segment
from plant.journal.index import index_path
from plant.journal.journal import Journal, confirmed_in
from plant.journal.segment import Segment
from plant.wire.record import records
from tickerplant import upkeep as upkeep_module
from tickerplant.upkeep import READING_S, Upkeep

DAY_NS = 86_400 * 10**9


@pytest.fixture
def writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writer]:
    monkeypatch.setattr(segment, "BLOCK_BYTES", 1500)
    made = closed(tmp_path / "journal", segments=4)
    yield made
    made.journal.close()


def upkeep(journal: Journal, **settings: Any) -> Upkeep:
    settings.setdefault("report", lambda line: None)
    return Upkeep(journal, **settings)


def no_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a closed segment is gone through record by record."""

    def refuse(self: Segment) -> None:
        raise AssertionError(f"{self.path.name} was walked")

    monkeypatch.setattr(Segment, "walk", refuse)
    monkeypatch.setattr(compressed.CompressedSegment, "_rebuild", refuse)


@pytest.mark.parametrize("compress", [False, True])
def test_nothing_goes_through_a_closed_segment_after_a_restart(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, compress: bool
) -> None:
    upkeep(writer.journal, compress=compress).round()
    assert len(list(writer.folder.glob("*.index"))) == 3
    writer.reopen()
    no_walks(monkeypatch)
    assert everything(writer.journal) == writer.records
    assert everything(writer.journal, 0) == writer.records


@pytest.mark.parametrize("change", ["missing", "cut", "flipped", "of another size", "foreign"])
def test_an_index_that_is_missing_or_wrong_is_made_again(writer: Writer, change: str) -> None:
    upkeep(writer.journal, compress=False).round()
    first = writer.journal.segments[0]
    index = index_path(first.path)
    good = index.read_bytes()
    writer.journal.close()
    if change == "foreign":
        shutil.copy(index_path(writer.journal.segments[1].path), index)
    elif change == "of another size":
        with first.path.open("ab") as file:
            file.write(b"tail")
    else:
        harm(index, change)
    writer.open()
    assert everything(writer.journal) == writer.records
    assert len(writer.journal.segments.damage) == (change == "of another size")
    upkeep(writer.journal, compress=False).round()
    assert (index.read_bytes() == good) == (change != "of another size")


def test_an_index_says_when_each_block_was_received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "BLOCK_BYTES", 600)
    writer = Writer(tmp_path, segment_bytes=6000)
    while len(writer.journal.segments) < 2:
        writer.received += 10
        writer.append(3)
    upkeep(writer.journal).round()
    blocks = writer.journal.segments[0].load()
    assert len(blocks) > 3
    assert [b.received for b in blocks] == [5 + 10 * b.first_seq for b in blocks]
    assert [b.start for b in blocks[1:]] == [b.end for b in blocks[:-1]]
    writer.journal.close()


def test_a_compressed_segment_is_smaller_and_unpacks_to_the_same_bytes(writer: Writer) -> None:
    plain = {s.path.name: s.path.read_bytes() for s in writer.journal.segments}
    lines: list[str] = []
    upkeep(writer.journal, report=lines.append).round()
    names = sorted(p.name for p in writer.folder.glob("*.journal*") if not p.name.endswith(".index"))
    assert names == [*(f"{n}.zst" for n in sorted(plain)[:-1]), sorted(plain)[-1]]
    assert len(lines) == 3
    assert lines[0].startswith("compressed 00000000000000000001.journal from ")
    for name in names[:-1]:
        file = writer.folder / name
        assert file.stat().st_size < len(plain[name.removesuffix(".zst")])
        if shutil.which("zstd"):
            unpacked = subprocess.run(["zstd", "-dc", str(file)], capture_output=True, check=True).stdout
            assert unpacked == plain[name.removesuffix(".zst")]
    assert everything(writer.journal) == writer.records
    writer.append(2)
    assert everything(writer.reopen(), 0) == writer.records
    assert writer.journal.segments.damage == []


def test_every_seq_is_found_in_compressed_segments_and_in_pieces_of_the_size_asked_for(writer: Writer) -> None:
    upkeep(writer.journal).round()
    for seq, record in writer.records:
        for most in (0, 2000, 10**6):
            chunk = writer.journal.segments.read(seq, most)
            assert chunk.startswith(record)
            assert len(chunk) <= max(most, segment.BLOCK_BYTES)


def test_a_compression_cut_by_a_crash_leaves_the_plain_segment_in_use(writer: Writer) -> None:
    first = writer.journal.segments[0].path
    whole = first.read_bytes()
    upkeep(writer.journal).round()
    done = writer.journal.segments[0].path
    half = done.with_name(f"{done.name}.new")
    writer.journal.close()
    half.write_bytes(done.read_bytes()[:500])
    done.unlink()
    first.write_bytes(whole)
    assert everything(writer.open()) == writer.records
    assert not half.exists()


def test_a_crash_before_the_plain_segment_was_removed_leaves_one_of_the_two(writer: Writer) -> None:
    first = writer.journal.segments[0].path
    whole = first.read_bytes()
    upkeep(writer.journal).round()
    writer.journal.close()
    first.write_bytes(whole)
    assert everything(writer.open()) == writer.records
    assert not first.exists()


def test_compression_that_finds_the_disk_full_leaves_everything_as_it_was(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, os.strerror(28))

    work = upkeep(writer.journal)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            work.round()
    assert list(writer.folder.glob("*.new")) == []
    assert list(writer.folder.glob("*.zst")) == []
    assert everything(writer.journal) == writer.records
    work.round()
    assert len(list(writer.folder.glob("*.zst"))) == 3
    assert everything(writer.journal) == writer.records


def test_a_damaged_segment_is_not_compressed(writer: Writer) -> None:
    second = writer.journal.segments[1]
    seq = second.first_seq + 1
    flip(second.path, writer.records[seq - 1][1])
    lines: list[str] = []
    upkeep(writer.journal, report=lines.append).round()
    upkeep(writer.reopen(), report=lines.append).round()
    assert sorted(p.name for p in writer.folder.glob("*.journal")) == [second.path.name, writer.last_file.name]
    assert everything(writer.journal) == [r for r in writer.records if r[0] != seq]
    assert [d.segment for d in writer.journal.segments.damage] == [second.path.name]


@pytest.mark.parametrize("restart", [False, True])
def test_a_bit_that_flips_after_the_index_was_made_loses_its_record_alone(writer: Writer, restart: bool) -> None:
    upkeep(writer.journal, compress=False).round()
    seq = writer.journal.segments[1].first_seq + 2
    flip(writer.journal.segments[1].path, writer.records[seq - 1][1])
    if restart:
        writer.reopen()
    for _ in range(2):
        assert everything(writer.journal) == [r for r in writer.records if r[0] != seq]
    (damage,) = writer.journal.segments.damage
    assert damage.end - damage.start == len(writer.records[seq - 1][1])


def test_a_bit_that_flips_in_a_compressed_block_loses_that_block_and_is_reported(writer: Writer) -> None:
    upkeep(writer.journal).round()
    first = writer.journal.segments[0]
    lost = first.load()[1]
    data = bytearray(first.path.read_bytes())
    data[lost.at + lost.length // 2] ^= 1
    first.path.write_bytes(data)
    writer.reopen()
    following = first.load()[2].first_seq
    for _ in range(2):
        kept = [r for r in writer.records if not lost.first_seq <= r[0] < following]
        assert everything(writer.journal) == kept
    assert [(d.start, d.end) for d in writer.journal.segments.damage] == [(lost.start, lost.end)]


def test_a_compressed_segment_without_index_and_with_a_damaged_head_is_read_round_it(writer: Writer) -> None:
    upkeep(writer.journal).round()
    first = writer.journal.segments[0]
    lost, following = first.load()[1:3]
    index_path(first.path).unlink()
    data = bytearray(first.path.read_bytes())
    data[lost.at - 8] ^= 1
    first.path.write_bytes(data)
    writer.reopen()
    assert everything(writer.journal) == [r for r in writer.records if not lost.first_seq <= r[0] < following.first_seq]
    assert [(d.start, d.end) for d in writer.journal.segments.damage] == [(lost.start, lost.end)]


def test_a_reader_of_a_damaged_open_segment_can_have_every_record_checked(writer: Writer) -> None:
    """The last block has no checksum yet: what is handed out is what was written, unless the reader doubts it."""
    writer.append(1, 1, 1)
    seq = len(writer.records) - 1
    flip(writer.last_file, writer.records[seq - 1][1])
    with pytest.raises(WireError):
        list(records(writer.journal.segments.read(seq)))
    chunk = writer.journal.segments.read(seq, check=True)
    assert [h.seq for h, _ in records(chunk)] == [seq + 1]
    assert len(writer.journal.segments.damage) == 1
    writer.append(2)
    assert everything(writer.journal) == [r for r in writer.records if r[0] != seq]


def test_a_missing_segment_is_passed_over_and_reported_once(writer: Writer) -> None:
    first, second, third = (s.first_seq for s in writer.journal.segments[:3])
    assert first == 1
    gone = writer.journal.segments[1].path
    writer.journal.close()
    gone.unlink()
    writer.open()
    for _ in range(2):
        assert everything(writer.journal) == [r for r in writer.records if not second <= r[0] < third]
    (damage,) = writer.journal.segments.damage
    assert f"seqs {second:,} to {third - 1:,} are in no segment" in str(damage)


def test_a_segment_deleted_under_a_running_plant_is_an_error_that_names_it(writer: Writer) -> None:
    gone = writer.journal.segments[1]
    gone.path.unlink()
    with pytest.raises(JournalError, match=rf"{gone.path}: the segment is gone; `plant journal verify` tells"):
        writer.journal.segments.read(gone.first_seq)


def test_a_segment_ends_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path)
    writer.append(1)
    writer.journal.close()
    journal = writer.journal = Journal(tmp_path, SCHEMA, segment_hours=1e-9)
    assert journal.segment_s < 1e-5
    writer.append(1)
    assert len(journal.segments) == 2
    assert not journal.roll_if_full(), "a segment without records goes on"
    assert everything(writer.reopen()) == writer.records
    writer.journal.close()


def test_a_clock_set_back_does_not_keep_a_segment_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path)
    writer.append(1)
    writer.journal.close()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 400 * DAY_NS)
    journal = writer.open()
    left_s = journal._ends_at - time.monotonic()
    assert 0 < left_s <= 24 * 3600
    journal.close()


def test_nothing_is_removed_without_a_limit_or_without_confirmation(writer: Writer) -> None:
    later = time.time_ns() + 1000 * DAY_NS
    for limits in ({}, {"keep_days": 1.0}, {"keep_gb": 1e-6}):
        upkeep(writer.journal, **limits).round(later)
    assert len(writer.journal.segments) == 4
    writer.journal.confirm(len(writer.records))
    upkeep(writer.journal).round(later)
    assert len(writer.journal.segments) == 4


@pytest.mark.parametrize("limits", [{"keep_days": 1.0}, {"keep_gb": 1e-6}])
def test_only_confirmed_closed_segments_are_removed_oldest_first(writer: Writer, limits: dict[str, float]) -> None:
    later = time.time_ns() + 2 * DAY_NS
    second, third = writer.journal.segments[1:3]
    writer.journal.confirm(third.first_seq - 2)
    work = upkeep(writer.journal, **limits)
    work.round(later)
    assert writer.journal.segments.first_seq == second.first_seq
    writer.journal.confirm(len(writer.records))
    work.round(later)
    assert len(writer.journal.segments) == 1
    assert writer.journal.segments.first_seq > third.first_seq
    kept = [r for r in writer.records if r[0] >= writer.journal.segments.first_seq]
    assert everything(writer.journal) == kept != []
    assert everything(writer.reopen()) == kept
    assert writer.journal.confirmed == len(writer.records)
    assert sorted(p.name for p in writer.folder.iterdir()) == sorted([writer.last_file.name, "confirmed", "lock"])
    assert writer.journal.segments.damage == []


def test_young_segments_and_those_within_the_size_stay(writer: Writer) -> None:
    writer.journal.confirm(len(writer.records))
    sizes = sum(s.path.stat().st_size for s in writer.journal.segments)
    upkeep(writer.journal, compress=False, keep_days=1.0, keep_gb=(sizes + 0.5) / 10**9).round()
    assert len(writer.journal.segments) == 4
    upkeep(writer.journal, compress=False, keep_gb=(sizes - 1) / 10**9).round()
    assert len(writer.journal.segments) == 3


def test_a_segment_that_is_read_just_now_stays_and_so_do_those_after_it(writer: Writer) -> None:
    writer.journal.confirm(len(writer.records))
    second = writer.journal.segments[1]
    writer.journal.segments.read(second.first_seq)
    work = upkeep(writer.journal, keep_gb=1e-6)
    work.round()
    assert writer.journal.segments.first_seq == second.first_seq
    writer.journal.segments[0].read_at -= READING_S
    work.round()
    assert len(writer.journal.segments) == 1


def test_confirmed_only_rises_and_never_beyond_the_journal(writer: Writer) -> None:
    writer.journal.confirm(5)
    writer.journal.confirm(3)
    assert writer.journal.confirmed == confirmed_in(writer.folder) == 5
    with pytest.raises(JournalError, match="confirmed: expected a seq up to"):
        writer.journal.confirm(len(writer.records) + 1)
    (writer.folder / "confirmed").write_text("nonsense")
    assert writer.reopen().confirmed == 0


def test_few_indexes_stay_in_memory(tmp_path: Path) -> None:
    writer = closed(tmp_path, segments=15, segment_bytes=1500)
    upkeep(writer.journal).round()
    assert everything(writer.journal) == writer.records
    assert sum(s.blocks is not None for s in writer.journal.segments[:-1]) == 8
    assert everything(writer.journal) == writer.records
    writer.journal.close()


def test_segments_are_compressed_and_removed_while_they_are_read_and_written(
    tmp_path: Path, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tickerplant.upkeep.ROUND_S", 0.001)
    writer = Writer(tmp_path, segment_bytes=4000)
    work = upkeep(writer.journal)
    work.start()
    try:
        for _ in range(150):
            writer.append(2, 1)
            assert everything(writer.journal) == writer.records
        eventually(lambda: len(list(tmp_path.glob("*.zst"))) == len(writer.journal.segments) - 1)
    finally:
        work.stop()
    assert len(writer.journal.segments) > 5
    assert everything(writer.reopen()) == writer.records
    writer.journal.close()


@pytest.mark.parametrize("held", ["frame", "sync_folder"])
def test_capture_goes_on_while_a_segment_is_compressed(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, eventually: Any, held: str
) -> None:
    """The compression stands still in its middle, or before its rename is synced, for as long as all this takes."""
    began, go_on = threading.Event(), threading.Event()
    real = getattr(upkeep_module, held)

    def hold(*arguments: Any) -> Any:
        began.set()
        assert go_on.wait(30)
        return real(*arguments)

    monkeypatch.setattr(upkeep_module, held, hold)
    monkeypatch.setattr(upkeep_module, "ROUND_S", 0.001)
    work = upkeep(writer.journal)
    work.start()
    try:
        assert began.wait(10)
        segments = len(writer.journal.segments)
        deadline = time.monotonic() + 10
        for _ in range(100):
            writer.append(3)
            writer.journal.sync()
        assert len(writer.journal.segments) > segments
        assert everything(writer.journal) == writer.records
        assert time.monotonic() < deadline
    finally:
        go_on.set()
        eventually(lambda: len(list(writer.folder.glob("*.zst"))) == len(writer.journal.segments) - 1)
        work.stop()
    assert everything(writer.journal) == writer.records


def test_the_work_on_a_block_lets_go_of_pythons_lock() -> None:
    """Were it held by zstd, this thread would stand still for most of the work; a busy machine may do that, too."""
    data = np.random.default_rng(1).integers(0, 50, 32 * 2**20, dtype=np.uint8).tobytes()
    shares = []
    for _ in range(5):
        work = threading.Thread(target=compressed.frame, args=(segment.Block(1, 0, len(data)), data))
        began = last = time.perf_counter()
        longest = 0.0
        work.start()
        while work.is_alive():
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
        shares.append(longest / (last - began))
        if shares[-1] < 0.25:
            return
    raise AssertionError(f"the longest pauses took these parts of the work: {shares}")
