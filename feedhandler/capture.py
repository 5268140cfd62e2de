"""Every frame of a venue as it came, on disk, and such files read again.

    <data>/frames/<feed>/<UTC>.frames.zst

A line a frame: `<seconds since 1970>.<9 digits>: <frame>`; a frame that holds a line's end, or is no UTF-8, stands as
`<seconds>.<digits>:base64 <its bytes>`. So a file is text once it is decompressed (`zstd -dc`), and what others
recorded in this form, plain, gzip or zstd, is read by the same code: lines of another form are not frames. A new
connection is the line `<address> <-> <seconds>`.

Frames are written a second after they came at the latest, as a zstd frame of their own, so that a process that is
killed loses no more than that; they are not fsynced. A file ends after an hour or `FILE_BYTES`; the oldest are removed.
"""

import base64
import gzip
import io
import re
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import pyarrow as pa

WRITE_EVERY_S = 1.0
BLOCK_BYTES = 1_000_000
FILE_BYTES = 64_000_000
FILE_HOURS = 1.0
SUFFIX = ".frames.zst"

_FRAME = re.compile(rb"(\d{1,11})(?:\.(\d{1,9})\d*)?:(base64)? ")
_OPENED = re.compile(rb"\S+ <-> ")
_ANSWERED = re.compile(rb"(https?://\S+) -> (\d{1,11})(?:\.(\d{1,9})\d*)?: ")
_MEBIBYTE = 2**20


class Capture:
    """Keeps frames in `folder`, at most `most_mb` MiB of them on disk."""

    def __init__(self, folder: Path, most_mb: int) -> None:
        self._folder, self._most = folder, most_mb * _MEBIBYTE
        self._lines: list[bytes] = []
        self._waiting = 0
        self._file: IO[bytes] | None = None
        self._size = 0
        self._begun_at = self._write_at = 0.0
        self._trouble = ""
        self.frames = 0

    def add(self, frames: list[bytes], received_ns: list[int]) -> None:
        """Take frames, each with its time of arrival, UTC ns."""
        for frame, at in zip(frames, received_ns, strict=True):
            line = line_of(frame, at)
            self._lines.append(line)
            self._waiting += len(line)
        self.frames += len(frames)
        if self._waiting >= BLOCK_BYTES:
            self._write()

    def opened(self, address: str) -> None:
        """Note a new connection."""
        self._lines.append(f"{address.partition('?')[0]} <-> {time.time():.6f}\n".encode())

    def look(self, now: float) -> None:
        """Write what has waited for long enough; `now` in seconds of one clock."""
        if self._lines and now >= self._write_at:
            self._write_at = now + WRITE_EVERY_S
            self._write()
        if self._file is not None and now - self._begun_at >= FILE_HOURS * 3600:
            self._end()
        if self._file is None:
            self._begun_at = now

    def status(self) -> str:
        """Return one line for a human."""
        return self._trouble or f"{self.frames:,} frames recorded"

    def close(self) -> None:
        """Write what waits, and close the file."""
        if self._lines:
            self._write()
        self._end()

    def _write(self) -> None:
        data, self._lines, self._waiting = b"".join(self._lines), [], 0
        try:
            if self._file is None:
                self._begin()
            assert self._file is not None
            block = pa.compress(data, codec="zstd", asbytes=True)
            self._file.write(block)
            self._size += len(block)
            self._trouble = ""
        except OSError as error:  # the rows go on; what the disk cannot take is told
            self._trouble = f"frames are not recorded: {error.strerror or error}"
            self._end()
        if self._size >= FILE_BYTES:
            self._end()

    def _begin(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._forget_oldest()
        name = time.strftime("%Y-%m-%dT%H%M%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}{SUFFIX}"
        self._file, self._size = (self._folder / name).open("xb", buffering=0), 0

    def _end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _forget_oldest(self) -> None:
        files = sorted(self._folder.glob(f"*{SUFFIX}"))
        sizes = [file.stat().st_size for file in files]
        room = self._most - min(FILE_BYTES, self._most // 2)  # for the one that begins
        for file, size in zip(files, sizes, strict=True):
            if sum(sizes) <= room:
                break
            file.unlink()
            sizes.remove(size)


def line_of(frame: bytes, received_ns: int) -> bytes:
    """Return a frame as a line.

    >>> line_of(b'{"e": 1}', 1_500_000_000_000_000_001), line_of(bytes([255]), 0)
    (b'1500000000.000000001: {"e": 1}\\n', b'0.000000000:base64 /w==\\n')
    """
    seconds, digits = divmod(received_ns, 10**9)
    if b"\n" not in frame and b"\r" not in frame and _is_text(frame):
        return b"%d.%09d: %b\n" % (seconds, digits, frame)
    return b"%d.%09d:base64 %b\n" % (seconds, digits, base64.b64encode(frame))


def _is_text(frame: bytes) -> bool:
    try:
        frame.decode()
        return True
    except UnicodeDecodeError:
        return False


class Frame(NamedTuple):
    """What a line of a file says: a frame and when it came, UTC ns; None: a new connection begins.

    url: what it answers, of an answer of REST; "" of a frame of the socket.
    """

    received_ns: int
    frame: bytes | None
    url: str = ""


def frames_of(path: Path) -> Iterator[Frame]:
    """Yield the frames of a file, plain, gzip or zstd, in its order. Raises ValueError for one that is cut off.

    Answers of REST are lines `<url> -> <seconds>: <body>`. What a line says of what was sent is left out.
    """
    received_ns = 0
    with _opened(path) as lines:
        try:
            for line in lines:
                if match := _FRAME.match(line):
                    received_ns = _ns(match[1], match[2])
                    content = line[match.end() :].rstrip(b"\r\n")
                    yield Frame(received_ns, base64.b64decode(content) if match[3] else content)
                elif _OPENED.match(line):
                    yield Frame(received_ns, None)
                elif match := _ANSWERED.match(line):
                    url, at_ns = match[1].decode("utf-8", "replace"), _ns(match[2], match[3])
                    yield Frame(at_ns, line[match.end() :].rstrip(b"\r\n"), url)
        except (EOFError, OSError, zlib.error) as error:
            raise ValueError(f"{path}: cut off behind its last whole part ({error})") from None


def _ns(seconds: bytes, digits: bytes | None) -> int:
    return int(seconds) * 10**9 + int((digits or b"0").ljust(9, b"0"))


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if magic == b"\x28\xb5\x2f\xfd":
        return io.BufferedReader(pa.input_stream(str(path), compression="zstd"))
    return path.open("rb")
