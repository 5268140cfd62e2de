"""Records that wait on disk for a plant that is down: in order, bounded, and none of them twice in the plant.

    <folder>/<rows>.spool    records as they go over the wire, one behind the other (docs/wire.md); <rows> are ahead of
                             the file, counted from the first record that there was
    <folder>/first           the number of the source's row ahead of that record, as the plant counts; blank: not known.
                             Behind it a line for each session in which records here were numbered: the session, and
                             that number in it (plant.wire.numbering); the last is in force. Older versions wrote none
    <folder>/lock

What was appended is with the system: SIGKILL of the process loses none of it. `sync` has the disk keep it. A record
whose end is missing, as after a power cut, is cut off when the folder is opened. `first` is written in place, always as
long: so it takes no room on a disk that is full.

The plant says how many rows of a source it has, and who numbered them. So each record here has its numbers, and what
the plant has already is left out, whoever was killed meanwhile, whenever, and whoever else published under the name.
"""

import contextlib
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from plant.data_folder import lock, sync_folder
from plant.errors import SourceTaken, WireError
from plant.wire.envelope import HEADER_BYTES, header_at
from plant.wire.numbering import Numbering, Told, session_of
from plant.wire.record import records

FILE_BYTES = 32 * 2**20
FIRST_BYTES, SESSION_BYTES, SESSIONS = 20, 37, 12
"""Of the file `first`: of its first line, of one for a session, and how many there are. It lies within a sector."""

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
        self.session = 0  # in which records are numbered now, ns since 1970 UTC, as the last welcome left it
        found = os.pread(self._first_file, FIRST_BYTES + SESSIONS * SESSION_BYTES, 0)
        self._numbering = Numbering(_bases_in(found))
        self._first_kept = found == _text_of(self._numbering)  # whether the file says it, too, and has its length
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

    def begin(self, first: int | None, bases: Mapping[int, int] | None = None) -> bool:
        """Say, while it is empty, which row of the source is the last ahead of it; None: that is not known.

        bases   the same, by session in which rows were numbered that are to come here; the last is in force

        False, and `trouble` says why, if the disk takes nothing.
        """
        self.trouble = ""
        self._empty(Numbering(bases or ({} if first is None else {0: first})))
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

    def fits(self, held: int, told: Told = ()) -> bool:
        """Return whether a plant with rows up to `held` has all that was let go here, and none behind that but ours."""
        base, own = self._numbering.base, self._numbering.own(held, told) or 0
        return base is None or (self._ahead <= own <= self._end and held - own == base)

    def welcome(self, held: int, accepted: int | None = None, told: Told = (), session: int = 0) -> None:
        """Take the plant's word on how many rows of the source it has: `read` goes on at the first that it lacks.

        accepted    the last row that is acknowledged; those between it and `held` are kept. None: all it has
        told        who numbered the rows up to `held`; empty: the plant does not know
        session     of who hands records over now, ns since 1970 UTC; 0: it has none

        What it lacks has the numbers that follow on what it has, whoever published that. If it lacks what was let go
        here, or its last row of ours is within a record, all records do: it lost a tail that was never synced.
        """
        own = self._numbering.own(held, told)
        goes_on = own is not None and self._ahead <= own <= self._end and self._gone_on_to(own)
        base = held - (own if goes_on and own is not None else self._ahead)
        self.session = session
        if base != self._numbering.base or session_of(session) != self._numbering.session:
            self.session = self._numbering.begin(base, session, told)
            self._set_numbering(self._numbering)
        if goes_on:
            self.acknowledged(held if accepted is None else accepted)
        else:
            self.rewind()

    def _gone_on_to(self, row: int) -> bool:
        """Have `read` go on behind this row of ours; False if no record ends with it."""
        if self._read_up_to != row:
            self.rewind()
        while self._read_up_to < row and self._read() is not None:
            pass
        return self._read_up_to == row

    @property
    def _ahead(self) -> int:
        """Rows that were let go, with their files."""
        return self._files[0].ahead if self._files else self._end

    def rewind(self) -> None:
        """Begin reading again at the first record there is."""
        self._reading.clear()
        self._read_up_to = self._acknowledged = self._ahead
        self._at = (0, 0)

    def read(self) -> tuple[bytearray, int] | None:
        """Return the next record and its count of rows; None if all were read, or while `first` cannot be kept.

        What was handed over under numbers that no file tells would come again after a SIGKILL.
        """
        return self._read() if self._keep_first() else None

    def _read(self) -> tuple[bytearray, int] | None:
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
        base = self._numbering.base or 0
        reached = accepted - base
        while self._reading and self._reading[0].end <= reached:
            done = self._reading.popleft()
            self._acknowledged = done.end
            while self._files[0] is not done.file:
                self._forget_first_file()
        if self._files and self._acknowledged == self._end:
            self._empty(Numbering({self._numbering.session: base + self._end}))  # what is appended next follows on that

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

    def _empty(self, numbering: Numbering) -> None:
        self._close_file()
        self._close_source()
        while self._files:
            self._files.popleft().path.unlink(missing_ok=True)
        sync_folder(self._folder)  # before `numbering` goes: without it they would count as never sent
        self._reading.clear()
        self._end = self._acknowledged = self._read_up_to = 0
        self._at = (0, 0)
        self._set_numbering(numbering)

    def _set_numbering(self, numbering: Numbering) -> None:
        self._numbering, self._first_kept = numbering, False
        self._keep_first()

    def _keep_first(self) -> bool:
        """Have the file say where we begin; False if the disk does not take it."""
        if not self._first_kept:
            try:
                os.pwrite(self._first_file, _text_of(self._numbering), 0)
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


def _text_of(numbering: Numbering) -> bytes:
    """Return what the file `first` says; always as long."""
    first = b"" if numbering.base is None else b"%d" % numbering.base
    lines = [b"%15d %20d" % each for each in numbering.bases.items()][-SESSIONS:]
    lines += [b""] * (SESSIONS - len(lines))
    return b"".join([first.rjust(FIRST_BYTES - 1) + b"\n", *(line.rjust(SESSION_BYTES - 1) + b"\n" for line in lines)])


def _bases_in(text: bytes) -> dict[int, int]:
    """Read the file `first`: the base of each session. Lines that do not go with the first are of another version."""
    try:
        base = int(text[:FIRST_BYTES])
    except ValueError:
        return {}
    lines = [line.split() for line in text[FIRST_BYTES:].split(b"\n") if line.strip()]
    try:
        found = {int(session): int(each) for session, each in lines}
    except ValueError:
        found = {}
    return found if next(reversed(found.values()), None) == base else {0: base}


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
