"""Records that wait on disk for a plant that is down: in order, bounded, and none of them twice in the plant.

    <folder>/<rows>.spool    records as they go over the wire, one behind the other (docs/wire.md); <rows> are ahead of
                             the file, counted from the first record that there was
    <folder>/first           the number of the source's row ahead of that record, as the plant counts; blank: not known
    <folder>/lock

What was appended is with the system: SIGKILL of the process loses none of it. `sync` has the disk keep it. A record
whose end is missing, as after a power cut, is cut off when the folder is opened. `first` is written in place, always as
long: so it takes no room on a disk that is full.

The plant says how many rows of a source it has. So each record here has its numbers, and what the plant has already is
left out, whoever was killed meanwhile, and whenever.
"""

import contextlib
import os
from collections import deque
from pathlib import Path
from typing import BinaryIO, NamedTuple

from plant.data_folder import lock, sync_folder
from plant.errors import SourceTaken, WireError
from plant.wire.envelope import HEADER_BYTES, header_at
from plant.wire.record import records

FILE_BYTES = 32 * 2**20
FIRST_BYTES = 20
SUFFIX = ".spool"


class _File:
    """One file: rows ahead of it, and its size."""

    def __init__(self, path: Path) -> None:
        self.path, self.ahead, self.size = path, int(path.stem), 0
        self.named = False  # for certain, so that a power cut leaves the name there


class _Read(NamedTuple):
    """A record that was read: rows up to its end, counted from the first there was, and the file it is in."""

    end: int
    file: _File


class Spool:
    """The spool in `folder`, of `most_bytes` at most. Raises SourceTaken if another process has it, OSError.

    `rows` the plant does not have, as far as is known; `size` bytes are on disk; `trouble` is why the disk takes none.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._most = folder, most_bytes
        self._lock = lock(folder, lambda pid: SourceTaken(f"process {pid} has the spool {folder}; only one may"))
        self._first_file = os.open(folder / "first", os.O_RDWR | os.O_CREAT, 0o644)
        self.trouble = ""
        found = os.pread(self._first_file, FIRST_BYTES, 0)
        self._first = int(found) if found.strip().isdigit() else None
        self._first_kept = len(found) == FIRST_BYTES  # whether the file says it, too, and has its length
        self._keep_first()
        self._files = deque(_File(path) for path in sorted(folder.glob(f"*{SUFFIX}")))
        self._end = 0  # rows up to the end of the last record
        for file in self._files:
            file.size, rows = _whole(file.path)
            self._end = file.ahead + rows
        self._acknowledged = self._files[0].ahead if self._files else 0
        self._reading: deque[_Read] = deque()  # not acknowledged yet
        self._read_up_to = self._acknowledged
        self._at = (0, 0)  # number of the file in `_files`, and byte in it, of the next record to read
        self._source: BinaryIO | None = None
        self._writing: int | None = None
        self._unsynced = False

    def __bool__(self) -> bool:
        return self.rows > 0

    @property
    def rows(self) -> int:
        """Rows that the plant does not have, as far as is known."""
        return self._end - self._acknowledged

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self._files)

    @property
    def full(self) -> bool:
        """Whether it takes no more."""
        return bool(self.trouble) or self.size >= self._most

    def begin(self, first: int | None) -> bool:
        """Say, while it is empty, which row of the source is the last ahead of it; None: that is not known.

        False, and `trouble` says why, if the disk takes nothing.
        """
        self.trouble = ""
        self._empty(first)
        return self._keep_first()

    def append(self, record: bytes | bytearray, rows: int) -> bool:
        """Keep a record behind the others; False, and `trouble` says why, if the disk does not take it."""
        if not self._keep_first():
            return False
        try:
            if self._writing is None or self._files[-1].size >= FILE_BYTES:
                self._next_file()
            assert self._writing is not None
            written = 0
            while written < len(record):
                written += os.write(self._writing, memoryview(record)[written:])
        except OSError as error:
            self._troubled(error)
            if self._writing is not None:  # no half of a record stays
                with contextlib.suppress(OSError):
                    os.ftruncate(self._writing, self._files[-1].size)
            return False
        self._files[-1].size += len(record)
        self._end += rows
        self._unsynced = True
        return True

    def sync(self) -> None:
        """Have the disk keep what was appended; after trouble, the next record is tried again."""
        self.trouble = ""
        if self._unsynced and self._writing is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._writing)
                if self._files[-1].size and not self._files[-1].named:
                    sync_folder(self._folder)
                    self._files[-1].named = True
            self._unsynced = False

    def fits(self, held: int) -> bool:
        """Return whether a plant with rows up to `held` has all that was let go here, and none behind our last."""
        ahead = self._files[0].ahead if self._files else self._end
        return self._first is None or self._first + ahead <= held <= self._first + self._end

    def welcome(self, held: int, accepted: int | None = None) -> None:
        """Take the plant's word on how many rows of the source it has: `read` goes on at the first that it lacks.

        accepted    the last row that is acknowledged; those between it and `held` are kept. None: all it has

        If `held` does not fit our numbers, all records get those that follow on what it has: it lost a tail that was
        never synced, or the source published rows past the spool.
        """
        ahead = self._files[0].ahead if self._files else self._end
        first = self._first
        if first is not None and self.fits(held):
            if self._read_up_to != held - first:
                self.rewind()
            while self._read_up_to < held - first and self.read() is not None:
                pass
            if self._read_up_to == held - first:
                self.acknowledged(held if accepted is None else accepted)
                return
        self._set_first(held - ahead)
        self.rewind()

    def rewind(self) -> None:
        """Begin reading again at the first record there is."""
        self._reading.clear()
        self._read_up_to = self._acknowledged = self._files[0].ahead if self._files else self._end
        self._at = (0, 0)

    def read(self) -> tuple[bytearray, int] | None:
        """Return the next record and its count of rows; None if all were read, or while `first` cannot be kept.

        What was handed over under numbers that no file tells would come again after a SIGKILL.
        """
        if not self._keep_first():
            return None
        number, start = self._at
        while number < len(self._files) and start >= self._files[number].size:
            if number == len(self._files) - 1:
                return None
            number, start = number + 1, 0
        if number >= len(self._files):
            return None
        file = self._files[number]
        if self._source is None or self._source.name != str(file.path):
            self._close_source()
            self._source = file.path.open("rb")
        self._source.seek(start)
        head = self._source.read(HEADER_BYTES)
        header = header_at(head, 0)
        record = bytearray(head + self._source.read(header.length))
        self._at = (number, start + len(record))
        self._read_up_to += header.rows
        self._reading.append(_Read(self._read_up_to, file))
        return record, header.rows

    def acknowledged(self, accepted: int) -> None:
        """Let go of what the plant has: all up to this row of the source."""
        reached = accepted - (self._first or 0)
        while self._reading and self._reading[0].end <= reached:
            done = self._reading.popleft()
            self._acknowledged = done.end
            while self._files[0] is not done.file:
                self._forget_first_file()
        if self._files and self._acknowledged == self._end:
            self._empty(accepted)  # what is appended next follows on that

    def close(self) -> None:
        """Sync, and let go of the folder; what is in it stays."""
        self._close_file()
        self._close_source()
        os.close(self._first_file)
        os.close(self._lock)

    def _next_file(self) -> None:
        self._close_file()
        path = self._folder / f"{self._end:015d}{SUFFIX}"
        self._writing = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if not self._files or self._files[-1].path != path:
            self._files.append(_File(path))

    def _close_file(self) -> None:
        if self._writing is not None:
            self.sync()
            os.close(self._writing)
            self._writing = None

    def _close_source(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _forget_first_file(self) -> None:
        self._files.popleft().path.unlink(missing_ok=True)
        number, start = self._at
        self._at = (number - 1, start)

    def _empty(self, first: int | None) -> None:
        self._close_file()
        self._close_source()
        while self._files:
            self._files.popleft().path.unlink(missing_ok=True)
        sync_folder(self._folder)  # before `first` goes: without it they would count as never sent
        self._reading.clear()
        self._end = self._acknowledged = self._read_up_to = 0
        self._at = (0, 0)
        self._set_first(first)

    def _set_first(self, first: int | None) -> None:
        self._first, self._first_kept = first, False
        self._keep_first()

    def _keep_first(self) -> bool:
        """Have the file say where we begin; False if the disk does not take it."""
        if not self._first_kept:
            text = b"" if self._first is None else b"%d" % self._first
            try:
                os.pwrite(self._first_file, text.rjust(FIRST_BYTES - 1) + b"\n", 0)
                os.fdatasync(self._first_file)
            except OSError as error:
                self._troubled(error)
                return False
            self._first_kept = True
        return True

    def _troubled(self, error: OSError) -> None:
        self.trouble = f"the disk takes no more: {error.strerror or error}"


def spooled_bytes(folder: Path) -> int:
    """Return the size of what lies in a spool's folder, whoever has it; 0 if there is none."""
    found = 0
    for file in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):  # it was handed over a moment ago
            found += file.stat().st_size
    return found


def _whole(path: Path) -> tuple[int, int]:
    """Cut off what is behind the last whole record of a file; return its size then, and its rows."""
    data = path.read_bytes()
    size = rows = 0
    with contextlib.suppress(WireError):
        for header, start in records(data):
            size, rows = start + header.length, rows + header.rows
    if size < len(data):
        os.truncate(path, size)
    return size, rows
