"""A folder that one process writes, whatever becomes of it: its lock, files replaced as a whole, names that last."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".new"
"""End of the name of a file that is on its way: what a crash left of one is deleted at the next start."""


def lock(folder: Path, taken: Callable[[str], Exception]) -> int:
    """Return a file descriptor that holds the lock of a folder until it is closed; its file `lock` has our pid.

    Raises what `taken` makes of the pid of another process that holds it, OSError if the file cannot be used.
    """
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.read(fd, 32).decode(errors="replace").strip() or "unknown"
        os.close(fd)
        raise taken(holder) from None
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd


def partial_of(path: Path) -> Path:
    """Return where a file is made before it gets its name."""
    return path.with_name(f"{path.name}{PARTIAL}")


def free_path(path: Path) -> Path:
    """Return a path that nothing has yet: this one, or with -again behind it as often as needed."""
    while path.exists():
        path = path.with_name(f"{path.name}-again")
    return path


def replace_file(path: Path, data: bytes) -> None:
    """Give a file new content, or make it: a power cut leaves the old or the new, never half of it. Raises OSError.

    Which of the two is certain once the folder is synced.
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the place of `path` at the end as in `replace_file`; not after an error."""
    partial = partial_of(path)
    with partial.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
