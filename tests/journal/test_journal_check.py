"""plant journal verify and repair: what is damaged is found, named, and made whole as far as it can be."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import msgpack
import pytest
from journals import SCHEMA, Writer, closed, copy_of, everything, flip
from typer.testing import CliRunner

from plant.command.journal import app
from plant.errors import JournalError, JournalLocked
from plant.journal import check as journal_check
from plant.journal import segment
from plant.journal.check import Verification, check_journal
from plant.journal.index import PREFIX, index_path
from plant.journal.repair import repair
from plant.journal.segment import SEGMENT_MAGIC, header_in, packed_header
from tickerplant.upkeep import Upkeep


@pytest.fixture(autouse=True)
def small_blocks_and_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(journal_check, "BEING_WRITTEN_S", 0.0)


@pytest.fixture(params=["plain", "compressed"])
def writer(request: Any, tmp_path: Path) -> Writer:
    """Return a closed journal of four segments."""
    made = closed(tmp_path / "journal", segments=4)
    if request.param == "compressed":
        Upkeep(made.journal, report=lambda line: None).round()
    made.journal.close()
    return made


def shown(found: Verification) -> list[str]:
    return [str(m).split(" missing")[0] for m in found.missing]


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_a_whole_journal_is_counted(writer: Writer) -> None:
    found = check_journal(writer.folder)
    assert found.whole
    assert (found.segments, found.first_seq, found.last_seq) == (4, 1, len(writer.records))
    assert found.records == {"trades": len(writer.records)}
    assert found.rows == {"trades": 3 * len(writer.records)}
    assert found.notes == found.damage == found.missing == []


def test_verify_changes_nothing_and_runs_beside_a_live_journal(writer: Writer) -> None:
    journal = writer.open()
    before = {p.name: p.read_bytes() for p in writer.folder.iterdir()}
    assert check_journal(writer.folder).whole
    assert {p.name: p.read_bytes() for p in writer.folder.iterdir()} == before
    journal.close()


def test_verify_while_records_are_written_compressed_and_removed_finds_nothing_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_check, "BEING_WRITTEN_S", 5.0)
    writer = Writer(tmp_path, segment_bytes=4000)
    work = Upkeep(writer.journal, keep_gb=20_000 / 10**9, report=lambda line: None)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set() and len(writer.records) < 20_000:
            writer.append(2, 1)
            writer.journal.confirm(writer.journal.position.seq - 1)
            work.round()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        while len(writer.records) < 1000:
            found = check_journal(tmp_path)
            assert found.whole, (found.damage, shown(found))
    finally:
        stop.set()
        thread.join()
        writer.journal.close()
    assert found.first_seq > 1


def test_a_flipped_bit_is_found_with_the_seq_that_it_cost(writer: Writer) -> None:
    name = writer.journal.segments[1].path.name
    seq = writer.journal.segments[3].first_seq
    flip(writer.folder / writer.last_file.name, writer.records[seq - 1][1])
    found = check_journal(writer.folder)
    assert not found.whole
    assert len(found.damage) == 1
    assert shown(found) == [f"seq {seq}", f"trades: table_seq {seq}"]
    assert str(found.missing[0]).endswith(f"missing, before seq {seq + 1} in {writer.last_file.name}")
    assert found.rows["trades"] == 3 * (len(writer.records) - 1)
    assert name not in found.damage[0]


def test_a_missing_segment_is_named_by_its_seqs(writer: Writer) -> None:
    second, third = (s.first_seq for s in writer.journal.segments[1:3])
    writer.journal.segments[1].path.unlink()
    found = check_journal(writer.folder)
    assert found.damage == []
    assert shown(found) == [f"seq {second} to {third - 1}", f"trades: table_seq {second} to {third - 1}"]
    assert "plant journal" not in run("verify", "--journal", str(writer.folder)).output.split("NOT whole")[0]


def test_a_missing_beginning_is_missing_unless_it_was_confirmed(writer: Writer) -> None:
    second = writer.journal.segments[1].first_seq
    writer.journal.segments[0].path.unlink()
    assert shown(check_journal(writer.folder)) == [f"seq 1 to {second - 1}"]
    (writer.folder / "confirmed").write_text(str(second - 1))
    found = check_journal(writer.folder)
    assert found.whole
    assert found.notes == [f"begins at seq {second}: what came before was confirmed and removed"]


def test_what_is_removed_while_verify_reads_is_not_missing(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = writer.journal.segments[:3]
    real = journal_check.segment_at

    def removing(path: Path) -> Any:
        if path == second.path:  # the first one is read by now
            (writer.folder / "confirmed").write_text(str(third.first_seq - 1))
            first.path.unlink()
            second.path.unlink()
        return real(path)

    monkeypatch.setattr(journal_check, "segment_at", removing)
    found = check_journal(writer.folder)
    assert found.whole, shown(found)
    assert found.last_seq == len(writer.records)


def test_a_clock_set_back_is_a_note_and_seq_is_the_order(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for received in (50, 60, 20, 30):
        writer.received = received
        writer.append(1)
    found = check_journal(tmp_path)
    assert found.whole
    assert found.notes == ["received goes back 1 times, first at seq 3: the clock was set back; seq is the order"]
    assert everything(writer.reopen()) == writer.records
    writer.journal.close()


def test_the_command_tells_by_its_exit_code(writer: Writer) -> None:
    good = run("verify", "--journal", str(writer.folder))
    assert (good.exit_code, good.output.splitlines()[-1]) == (0, "whole")
    assert (
        f"4 segments, {check_journal(writer.folder).stored_bytes:,} bytes, seq 1 to {len(writer.records)}"
        in good.output
    )
    flip(writer.last_file, writer.records[-2][1])
    bad = run("verify", "--journal", str(writer.folder), "--json")
    assert bad.exit_code == 1
    fields = json.loads(bad.output)
    assert (fields["whole"], len(fields["damage"]), fields["missing"][0]["table"]) == (False, 1, "")


@pytest.mark.parametrize("command", [check_journal, lambda folder: repair(folder, SCHEMA)])
def test_a_folder_without_a_journal_is_an_error(tmp_path: Path, command: Any) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(JournalError, match=f"{folder}: no journal here"):
            command(folder)


def test_repair_of_a_whole_journal_does_nothing(writer: Writer) -> None:
    before = {p.name: p.read_bytes() for p in writer.folder.iterdir() if p.name != "lock"}
    assert repair(writer.folder, SCHEMA) == []
    last = index_path(writer.last_file).name
    after = {p.name: p.read_bytes() for p in writer.folder.iterdir() if p.name not in ("lock", last)}
    assert after == before
    assert "nothing to repair" in run("repair", "--journal", str(writer.folder)).output


def test_repair_is_refused_while_the_journal_is_written(writer: Writer) -> None:
    journal = writer.open()
    with pytest.raises(JournalLocked):
        repair(writer.folder, SCHEMA)
    journal.close()


def test_repair_cuts_a_torn_tail(writer: Writer) -> None:
    with writer.last_file.open("ab") as file:
        file.write(writer.records[-1][1][:-3])
    assert not check_journal(writer.folder).whole
    (line,) = repair(writer.folder, SCHEMA)
    assert "cut off and kept as" in line
    assert check_journal(writer.folder).whole
    assert everything(writer.open()) == writer.records
    writer.journal.close()


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_repair_copies_the_good_records_and_keeps_the_damaged_file(tmp_path: Path, place: str) -> None:
    writer = closed(tmp_path, segments=3)
    Upkeep(writer.journal, compress=False, report=lambda line: None).round()
    writer.journal.close()
    damaged = writer.journal.segments[["first", "middle", "last"].index(place)]
    seq = damaged.first_seq + 1
    flip(damaged.path, writer.records[seq - 1][1])
    bytes_before = damaged.path.read_bytes()
    done = run("repair", "--journal", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert f"lost: seq {seq} missing" in done.output
    assert f"lost: trades: table_seq {seq} missing" in done.output
    kept = damaged.path.with_name(f"{damaged.path.name}.damaged")
    assert kept.read_bytes() == bytes_before
    found = check_journal(tmp_path)
    assert found.damage == []
    assert shown(found) == [f"seq {seq}", f"trades: table_seq {seq}"]
    journal = writer.open()
    assert journal.segments.damage == []
    assert [r[0] for r in everything(journal)] == [r[0] for r in writer.records if r[0] != seq]
    writer.append(1)
    journal.close()
    assert repair(tmp_path, SCHEMA) == []


def test_repair_of_a_compressed_segment_leaves_a_plain_one_that_is_compressed_again(tmp_path: Path) -> None:
    writer = closed(tmp_path, segments=3)
    Upkeep(writer.journal, report=lambda line: None).round()
    writer.journal.close()
    first = writer.journal.segments[0]
    blocks = first.load()
    data = bytearray(first.path.read_bytes())
    data[blocks[1].at + 20] ^= 1
    first.path.write_bytes(data)
    done = repair(tmp_path, SCHEMA)
    assert any("the damaged file is kept as 00000000000000000001.journal.zst.damaged" in line for line in done)
    assert [p.name for p in tmp_path.glob("0*1.journal")] == ["00000000000000000001.journal"]
    expected = [r for r in writer.records if not blocks[1].first_seq <= r[0] < blocks[2].first_seq]
    assert everything(writer.open()) == expected
    Upkeep(writer.journal, report=lambda line: None).round()
    assert first.path.exists()
    assert everything(writer.journal) == expected
    writer.journal.close()


@pytest.mark.parametrize("which", [0, 1, 3])
@pytest.mark.parametrize("damage", ["magic", "map", "checksum"])
def test_a_damaged_header_stops_the_plant_and_repair_makes_it_anew(writer: Writer, which: int, damage: str) -> None:
    broken = writer.journal.segments[which]
    data = bytearray(broken.path.read_bytes())
    if broken.path.name.endswith(".zst"):
        data[60] ^= 1  # within the frame that holds the header
    else:
        data[{"magic": 2, "map": 40, "checksum": 13}[damage]] ^= 1
    broken.path.write_bytes(data)
    position = copy_of(writer.journal.position)
    with pytest.raises(JournalError, match=f"{broken.path}: expected a segment header.*plant journal repair"):
        writer.open()
    found = check_journal(writer.folder)
    assert [broken.path.name in line for line in found.damage] == [True]
    done = repair(writer.folder, SCHEMA)
    assert done[0] == f"{broken.path.name}: the header was damaged and is made anew"
    assert check_journal(writer.folder).whole
    journal = writer.open()
    assert everything(journal) == writer.records
    assert journal.position == position
    journal.close()


def test_a_file_that_is_no_segment_is_moved_aside(tmp_path: Path) -> None:
    writer = closed(tmp_path, segments=3)
    writer.journal.close()
    second = writer.journal.segments[1]
    third = writer.journal.segments[2].first_seq
    second.path.write_bytes(b"holiday pictures" * 100)
    repair(tmp_path, SCHEMA)
    assert second.path.with_name(f"{second.path.name}.damaged").read_bytes() == b"holiday pictures" * 100
    assert shown(check_journal(tmp_path)) == [
        f"seq {second.first_seq} to {third - 1}",
        f"trades: table_seq {second.first_seq} to {third - 1}",
    ]
    assert everything(writer.open()) == [r for r in writer.records if not second.first_seq <= r[0] < third]
    writer.journal.close()


def test_a_segment_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    writer = closed(tmp_path, segments=3)
    writer.journal.close()
    path = writer.journal.segments[0].path
    data = path.read_bytes()
    header = header_in(writer.journal.segments[0].opening())
    assert header is not None
    path.write_bytes(packed_header({**header, "version": 2}) + data[writer.journal.segments[0].start :])
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    for attempt in (writer.open, lambda: repair(tmp_path, SCHEMA)):
        with pytest.raises(JournalError, match=f"{path}: expected segment version 1, found 2"):
            attempt()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert "found 2" in check_journal(tmp_path).damage[0]


def test_a_header_is_what_the_page_says(tmp_path: Path) -> None:
    writer = closed(tmp_path, segments=2)
    writer.journal.close()
    magic, length, _ = PREFIX.unpack_from(writer.last_file.read_bytes())
    assert magic == SEGMENT_MAGIC
    fields = msgpack.unpackb(writer.last_file.read_bytes()[16 : 16 + length], strict_map_key=False)
    assert sorted(fields) == ["created", "first_seq", "sources", "table_seqs", "tables", "version"]


def test_a_journal_copied_elsewhere_is_verified_there(writer: Writer, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(writer.folder, copied)
    assert check_journal(copied).whole
