"""The journal on a disk that is full or fails: nothing is half kept, and what was refused is as if it never was."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from journals import Writer, copy_of, everything

from plant.errors import JournalError
from plant.journal.journal import Journal
from plant.rows.tables import schema_of

ROOT = Path(__file__).parents[2]
PATH = os.pathsep.join((str(ROOT), str(ROOT / "tests" / "support")))


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "journal")
    yield made
    made.journal.close()


def disk_full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_after(calls: int, real: Callable[..., int]) -> Callable[..., int]:
    left = iter(range(calls))

    def write(fd: int, chunks: Sequence[bytes]) -> int:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, chunks)

    return write


@pytest.mark.parametrize("calls", [0, 1])
def test_a_write_that_fails_leaves_the_journal_as_it_was(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    writer.append(2)
    before, size = copy_of(writer.journal.position), writer.last_file.stat().st_size
    chunks = [writer.record(1) for _ in range(1100)]
    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", full_after(calls, os.writev))
        with pytest.raises(JournalError, match="No space left on device; nothing of it was accepted"):
            writer.journal.append(chunks, 2)
    assert writer.last_file.stat().st_size == size
    assert everything(writer.journal) == writer.records
    writer.journal.position = copy_of(before)
    writer.append(4)
    assert everything(writer.journal) == writer.records
    writer.reopen()
    assert writer.journal.segments.damage == []
    assert everything(writer.journal) == writer.records


def test_a_write_that_the_disk_takes_in_small_pieces_is_whole(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "writev", lambda fd, chunks: os.write(fd, b"".join(chunks)[:50]))
    writer.append(3, 2, 1)
    writer.append(1)
    assert everything(writer.journal) == writer.records
    assert everything(writer.reopen()) == writer.records


def test_a_write_cut_short_by_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    """A real limit on the file's size, in a process of its own: writev takes a part, the rest fails with EFBIG."""
    program = """
import resource, signal, sys
from pathlib import Path
from journals import Writer, everything
from plant.errors import JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = Writer(Path(sys.argv[1]))
writer.append(5)
size = writer.last_file.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 150, resource.RLIM_INFINITY))
try:
    writer.journal.append([writer.record(3), writer.record(3)], 2)
except JournalError as error:
    print("refused:", error)
assert writer.last_file.stat().st_size == size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.journal.position.seq = 1
writer.append(2)
assert everything(writer.journal) == writer.records
assert [seq for seq, _ in everything(writer.reopen())] == [1, 2]
assert writer.journal.segments.damage == []
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, env={"PYTHONPATH": PATH}
    )
    assert done.returncode == 0, done.stderr
    assert "refused:" in done.stdout
    assert "File too large; nothing of it was accepted" in done.stdout


def test_records_that_could_not_be_synced_are_not_kept_when_the_policy_is_each_batch(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tickerplant forgets a turn whose append failed and gives its numbers again: the file must forget it too."""
    writer.append(2)
    before = copy_of(writer.journal.position)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", disk_full)
        with pytest.raises(JournalError, match="nothing of it was accepted"):
            writer.journal.append([writer.record(3)], 2, durable=True)
    assert everything(writer.journal) == writer.records
    writer.journal.position = before
    writer.append(1)
    assert everything(writer.reopen()) == writer.records


def test_a_durable_append_is_synced_before_it_returns(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda fd: sizes.append(os.fstat(fd).st_size))
    writer.journal.append([writer.record(3)], 1, durable=True)
    assert sizes == [writer.last_file.stat().st_size]
    writer.journal.append([writer.record(3)], 2)
    assert len(sizes) == 1


def test_a_segment_that_cannot_be_begun_leaves_the_old_one_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path, segment_bytes=10**6)
    writer.append(3)
    writer.journal.segment_bytes = 100
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk_full)
        with pytest.raises(JournalError, match="No space left on device; the journal goes on in 00000000000000000001"):
            writer.journal.roll_if_full()
    writer.journal.segment_bytes = 10**6
    writer.append(2)
    assert len(writer.journal.segments) == 1
    writer.journal.segment_bytes = 100
    assert writer.journal.roll_if_full()
    writer.append(1)
    assert everything(writer.journal) == writer.records
    assert everything(writer.reopen()) == writer.records
    writer.journal.close()


def test_a_sync_that_fails_is_told_and_closing_lets_go_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    writer = Writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", disk_full)
        with pytest.raises(JournalError, match="fsync failed: No space left on device"):
            writer.journal.sync()
        with pytest.raises(JournalError, match="fsync failed"):
            writer.journal.close()
    assert len(os.listdir("/proc/self/fd")) <= before
    writer.open().close()


def test_after_a_failed_fsync_the_unsynced_bytes_are_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, schema_of())
    path = journal.segments[-1].path
    size = path.stat().st_size
    os.ftruncate(journal._fd, size)
    os.write(journal._fd, b"records")
    journal._size += 7
    failures = [OSError(errno.EIO, "Input/output error")]
    written: list[tuple[int, int]] = []
    write_again = Journal._write_again
    monkeypatch.setattr(os, "fdatasync", lambda fd: (_ for _ in ()).throw(failures.pop()) if failures else None)
    monkeypatch.setattr(
        Journal, "_write_again", lambda self, a, b: (written.append((a, b)), write_again(self, a, b))[1]
    )
    with pytest.raises(JournalError, match="fsync failed"):
        journal.sync()
    journal.sync()
    journal.sync()
    assert written == [(0, size + 7)], "once after the failure, and no more"
    assert path.read_bytes().endswith(b"records")
    monkeypatch.undo()
    journal.close()
