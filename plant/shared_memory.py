"""Memory that another process may read where it lies: rows that were sorted once are handed over as a place in it.

One file without a name (memfd) that only grows. Each region is mapped by itself, so no address is taken ahead, and goes
with the last array on it: its pages back to the system, its place in the file for good, which costs nothing. The file
goes with the last process that has it open, also after SIGKILL. Who inherits `readable()` maps a region for reading.
"""

import contextlib
import functools
import mmap
import os
import threading
from typing import Any

import numpy as np

_POPULATE = 23
"""MADV_POPULATE_WRITE, Linux 5.14: all pages in one call, instead of a fault each."""

_HUGE, HUGE_BYTES = getattr(mmap, "MADV_HUGEPAGE", None), 2**21
"""Pages of that size, where the system has them for such files (shmem_enabled)."""


class SharedMemory:
    """Regions of one file; any thread."""

    def __init__(self) -> None:
        self.file = os.memfd_create("tickplant", os.MFD_CLOEXEC)
        self.owner = os.getpid()
        self.regions: dict[int, tuple[int, int]] = {}
        self._end = 0
        self._lock = threading.Lock()

    def region(self, size: int) -> Any:
        """Return a buffer of so many bytes, of any values, all of which will be written soon.

        It is given back with the last array on it. Raises OSError if the system has no more files to open.
        """
        room = -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        with self._lock:
            start = self._end if size < HUGE_BYTES else -(-self._end // HUGE_BYTES) * HUGE_BYTES
            os.ftruncate(self.file, start + room)
            self._end = start + room
        made = _Region(self.file, room, flags=mmap.MAP_SHARED, offset=start)
        made.let_go_by(self, start)
        with contextlib.suppress(OSError):  # an older system: a fault for each page
            if _HUGE is not None and size >= HUGE_BYTES:
                made.madvise(_HUGE)
            made.madvise(_POPULATE)
        return made

    def places(self) -> list[tuple[int, int, int]]:
        """Return the address of each region, where in the file it lies, and its size, in order of addresses."""
        return sorted((address, *place) for address, place in list(self.regions.items()))

    def readable(self) -> int:
        """Return a new descriptor of the file, for reading only."""
        return os.open(f"/proc/self/fd/{self.file}", os.O_RDONLY | os.O_CLOEXEC)


class _Region(mmap.mmap):
    def let_go_by(self, memory: SharedMemory, start: int) -> None:
        self._memory, self._address = memory, np.frombuffer(self, np.uint8).ctypes.data
        memory.regions[self._address] = start, len(self)

    def __del__(self, getpid: Any = os.getpid, remove: int = mmap.MADV_REMOVE) -> None:  # there also at the very end
        if getpid() == self._memory.owner:  # in a fork the rows are its parent's
            del self._memory.regions[self._address]
            self.madvise(remove)


def shared_memory() -> SharedMemory | None:
    """Return this process's shared memory, None on a system without such files."""
    return _of(os.getpid()) if hasattr(os, "memfd_create") else None


@functools.lru_cache(1)
def _of(_pid: int) -> SharedMemory:
    """Return that of a process; a fork has one of its own, or both would write to one place."""
    return SharedMemory()
