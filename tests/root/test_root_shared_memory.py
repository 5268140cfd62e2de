"""A region is there as long as an array on it is, is read by who has the descriptor, and is given back."""

import gc
import mmap
import os

import numpy as np
import psutil
import pytest

from plant.shared_memory import SharedMemory, shared_memory


@pytest.fixture
def shared() -> SharedMemory:
    return SharedMemory()


def held(shared: SharedMemory) -> int:
    return os.fstat(shared.file).st_blocks * 512


def test_another_reads_a_region_where_it_lies_and_cannot_write(shared: SharedMemory) -> None:
    np.frombuffer(shared.region(100), np.uint8)  # another, that goes at once
    numbers = np.frombuffer(shared.region(8000), np.int64, 1000)
    numbers[:] = range(1000)
    ((address, start, size),) = shared.places()
    assert (address, size) == (numbers.ctypes.data, 8192)
    file = shared.readable()
    with mmap.mmap(file, size, mmap.MAP_SHARED, mmap.PROT_READ, offset=start) as pages:
        assert int.from_bytes(pages[800:808], "little") == 100
    with pytest.raises(PermissionError):
        mmap.mmap(file, size, offset=start)
    os.close(file)


def test_a_region_lives_as_long_as_the_last_array_on_it_and_its_pages_are_given_back(shared: SharedMemory) -> None:
    region = shared.region(2**20)
    part = np.frombuffer(region, np.int64, 10, 4096)[2:4]
    part[:] = 7
    del region
    gc.collect()
    others = [np.frombuffer(shared.region(2**20), np.int64) for _ in range(3)]
    for other in others:
        other[:] = 1
    assert part.tolist() == [7, 7]
    assert held(shared) == 4 * 2**20
    del part, others, other
    gc.collect()
    assert held(shared) == 0
    assert not shared.places()


def test_no_more_addresses_are_taken_than_are_used(shared: SharedMemory) -> None:
    before = psutil.Process().memory_info().vms
    arrays = [np.frombuffer(shared.region(2**22), np.int64) for _ in range(5)]
    assert psutil.Process().memory_info().vms - before < 5 * 2**22 + 2**24
    del arrays


def test_a_fork_has_memory_of_its_own_and_takes_none_of_its_parents() -> None:
    ours = shared_memory()
    assert ours is not None
    array = np.frombuffer(ours.region(4096), np.int64)
    array[:] = 7
    places = ours.places()

    def child() -> bool:
        nonlocal array
        array = np.empty(0)
        gc.collect()
        theirs = shared_memory()
        assert theirs is not None
        np.frombuffer(theirs.region(4096), np.int64)[:] = 8
        return theirs.owner == os.getpid()

    if not (pid := os.fork()):
        os._exit(0 if child() else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert ours.places() == places
    assert set(array.tolist()) == {7}
