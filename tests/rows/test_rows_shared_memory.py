"""A region is there as long as an array on it is, is read by who has the descriptor, and is given back."""

import gc
import mmap
import os

import numpy as np
import pytest

from plant.rows.shared_memory import SharedMemory


@pytest.fixture
def shared() -> SharedMemory:
    return SharedMemory()


def held(shared: SharedMemory) -> int:
    return os.fstat(shared.file).st_blocks * 512


def test_another_reads_a_region_where_it_lies_and_cannot_write(shared: SharedMemory) -> None:
    numbers = np.frombuffer(shared.region(8000), np.int64, 1000)
    numbers[:] = range(1000)
    place = shared.offset_of(numbers[100:].ctypes.data, 7200)
    file = shared.readable()
    with mmap.mmap(file, 0, mmap.MAP_SHARED, mmap.PROT_READ) as pages:
        assert place is not None
        assert int.from_bytes(pages[place : place + 8], "little") == 100
    with pytest.raises(PermissionError):
        mmap.mmap(file, 0)
    os.close(file)
    assert shared.offset_of(np.empty(10).ctypes.data, 80) is None


def test_a_region_lives_as_long_as_the_last_array_on_it_and_its_pages_are_given_back(shared: SharedMemory) -> None:
    region = shared.region(2**20, touched=True)
    part = np.frombuffer(region, np.int64, 10, 4096)[2:4]
    part[:] = 7
    del region
    gc.collect()
    others = [np.frombuffer(shared.region(2**20), np.int64) for _ in range(3)]
    for other in others:
        other[:] = 1
    assert part.tolist() == [7, 7]
    del part, others, other
    gc.collect()
    assert held(shared) == 0
