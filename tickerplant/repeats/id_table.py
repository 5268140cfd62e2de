"""A set of 64-bit keys with 32 bits beside each, in numpy: open addressing, linear probing (Knuth, TAOCP 3, 6.4).

12 bytes a slot and between 3 and 6 slots of 10 in use, so 20 to 40 bytes a key; a dict of Python's ints takes 130.
"""

import numpy as np

FULL = 0.6
"""Of the slots; with more in use the table is made twice as large."""

FEW = 24
"""So many keys are looked up one by one in as little time as together."""


class IdTable:
    """Keys (uint64) and what is beside each (uint32); nothing is ever taken out. Not safe for threads."""

    def __init__(self, slots: int = 4096) -> None:
        self._count = 0
        self._begin(slots)

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self._keys.nbytes + self._beside.nbytes

    def get(self, key: int) -> int | None:
        """Return what is beside a key, None if it is not there."""
        keys, mask = self._view, self._mask
        key = key or 1  # 0 is an empty slot
        slot = key & mask
        while (found := keys[slot]) != key:
            if not found:
                return None
            slot = slot + 1 & mask
        return int(self._beside[slot])

    def find(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which keys are there, bool[n], and what is beside each of those, uint32[n]; elsewhere 0."""
        if len(keys) <= FEW:
            each = [self.get(key) for key in keys.tolist()]
            return np.array([e is not None for e in each], dtype=bool), np.array([e or 0 for e in each], np.uint32)
        known, beside = np.zeros(len(keys), dtype=bool), np.zeros(len(keys), dtype=np.uint32)
        wanted = np.maximum(keys, np.uint64(1))
        slots = (wanted & np.uint64(self._mask)).astype(np.int64)
        rows = np.arange(len(keys))
        while len(rows):
            there = self._keys[slots]
            same = there == wanted
            known[rows[same]] = True
            beside[rows[same]] = self._beside[slots[same]]
            on = ~same & (there != 0)
            rows, wanted, slots = rows[on], wanted[on], slots[on] + 1 & self._mask
        return known, beside

    def add(self, keys: np.ndarray, beside: np.ndarray) -> None:
        """Add keys, uint64[n], each once, with what is beside them, uint32[n]; one that is there keeps what it has."""
        slots = len(self._keys)
        while self._count + len(keys) > FULL * slots:
            slots *= 2
        if slots > len(self._keys):
            old_keys, old_beside = self._keys, self._beside
            there = np.flatnonzero(old_keys)
            self._begin(slots)
            self._put(old_keys[there], old_beside[there])
        self._put(np.maximum(keys, np.uint64(1)), beside)

    def _begin(self, slots: int) -> None:
        self._count, self._mask = 0, slots - 1
        self._keys = np.zeros(slots, dtype=np.uint64)
        self._beside = np.zeros(slots, dtype=np.uint32)
        self._view = self._keys.data  # one element of it costs a third of one of the array

    def _put(self, keys: np.ndarray, beside: np.ndarray) -> None:
        slots = (keys & np.uint64(self._mask)).astype(np.int64)
        while len(keys):
            there = self._keys[slots]
            empty = there == 0
            self._keys[slots[empty]] = keys[empty]  # of several that want one slot, one has it
            mine = empty & (self._keys[slots] == keys)
            self._beside[slots[mine]] = beside[mine]
            self._count += int(np.count_nonzero(mine))
            on = ~mine & (there != keys)
            keys, beside, slots = keys[on], beside[on], slots[on] + 1 & self._mask
