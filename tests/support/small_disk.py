"""A disk of a few MiB, to be filled, freed and made read-only: a tmpfs mounted by root."""

import contextlib
import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


class SmallDisk:
    """A file system of `size_mb` at `folder`, with room for so many `files`. Raises PermissionError if it cannot be."""

    def __init__(self, folder: Path, size_mb: int, files: int) -> None:
        folder.mkdir()
        self.folder = folder
        options = f"size={size_mb}m,nr_inodes={files}"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PermissionError(f"no tmpfs can be mounted here: {done.stderr.strip()}")

    def fill(self) -> None:
        """Write a file until there is no room, not for another byte."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (2**16, 1):
                with contextlib.suppress(OSError):
                    while file.write(b"\0" * size):
                        pass

    def fill_names(self) -> None:
        """Create files until there can be no more of them; those there are can still grow."""
        names = self.folder / "names"
        names.mkdir(exist_ok=True)
        for number in range(10_000):
            try:
                (names / str(number)).touch()
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    return
                raise

    def free(self) -> None:
        """Take away what `fill` and `fill_names` made."""
        (self.folder / "filler").unlink(missing_ok=True)
        for name in (self.folder / "names").glob("*"):
            name.unlink()

    def read_only(self, value: bool) -> None:
        """Make it read-only or not; nothing on it may be open for writing."""
        option = "remount,ro" if value else "remount,rw"
        subprocess.run(["mount", "-o", option, str(self.folder)], check=True)

    def unmount(self) -> None:
        """Let go of it."""
        subprocess.run(["umount", "-l", str(self.folder)], check=True)


@contextlib.contextmanager
def mounted(folder: Path, files: int) -> Iterator[SmallDisk]:
    """Give a disk of 32 MiB with room for so many files; skip the test where none can be mounted."""
    try:
        disk = SmallDisk(folder, 32, files)
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(str(error))
    try:
        yield disk
    finally:
        disk.unmount()
