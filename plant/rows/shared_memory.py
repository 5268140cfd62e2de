"""Memory that another process may read where it lies: rows that were sorted once are handed over as a place in it.

One file without a name (memfd), mapped once, is given out in regions. It goes with the last process that has it open,
also after SIGKILL, and a region's pages go back to the system with the last array on it. Nothing is written twice for a
reader: who inherits the descriptor `readable()` maps the file for reading and finds a region at its `offset_of`.
"""

import contextlib
import ctypes
import functools
import mmap
import os
import threading
import weakref
from typing import Any

SPAN = 2**42
"""Bytes of addresses; pages that were not written take no memory."""

_POPULATE = 23
"""MADV_POPULATE_WRITE, Linux 5.14: all pages in one call, instead of a fault each."""

_PUNCH_HOLE = 0x01 | 0x02
"""FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE."""


class SharedMemory:
    """Regions of one file; any thread."""

    def __init__(self) -> None:
        self.file = os.memfd_create("tickplant", os.MFD_CLOEXEC)
        os.ftruncate(self.file, SPAN)
        self._pages = mmap.mmap(self.file, SPAN, mmap.MAP_SHARED)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))
        self._free: dict[int, list[int]] = {}
        self._end = 0
        self._lock = threading.RLock()  # a collected region is given back by whichever thread collects it
        self._owner = os.getpid()

    def region(self, size: int, touched: bool = False) -> Any:
        """Return a buffer of at least so many bytes, of any values; it is given back with the last array on it.

        `touched`: all of it will be written soon. Raises MemoryError.
        """
        room = max(1 << (size - 1).bit_length(), mmap.PAGESIZE)  # a hole is taken again by what is about as large
        with self._lock:
            holes = self._free.setdefault(room, [])
            start = holes.pop() if holes else self._end
            if start == self._end:
                if start + room > SPAN:
                    raise MemoryError("no addresses are left for tables in memory")
                self._end += room
        if touched:
            with contextlib.suppress(OSError):  # an older system: a fault for each page
                self._pages.madvise(_POPULATE, start, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE)
        found = _kind_of_region(room).from_buffer(self._pages, start)
        weakref.finalize(found, self._give_back, start, room).atexit = False
        return found

    def offset_of(self, address: int, size: int) -> int | None:
        """Return where in the file a buffer lies, None if it lies elsewhere."""
        offset = address - self._address
        return offset if offset >= 0 and offset + size <= self._end else None

    def readable(self) -> int:
        """Return a new descriptor of the file, for reading only."""
        return os.open(f"/proc/self/fd/{self.file}", os.O_RDONLY | os.O_CLOEXEC)

    def _give_back(self, start: int, room: int) -> None:
        if os.getpid() != self._owner:
            return  # a fork: the rows are its parent's
        _fallocate(self.file, _PUNCH_HOLE, start, room)
        with self._lock:
            self._free[room].append(start)


@functools.cache
def shared_memory() -> SharedMemory | None:
    """Return this process's shared memory, None on a system without such files."""
    return SharedMemory() if hasattr(os, "memfd_create") else None


@functools.cache
def _kind_of_region(room: int) -> Any:
    """Return a class of buffers; not an array of numpy's, which a view of it would not keep."""
    return type("Region", (ctypes.c_char * room,), {})


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _fallocate(file: int, mode: int, start: int, size: int) -> None:
    if _libc().fallocate(file, mode, ctypes.c_int64(start), ctypes.c_int64(size)):
        raise OSError(ctypes.get_errno(), "memory of a table is not given back")
