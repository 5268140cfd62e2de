"""A feed for fault tests: trades numbered 1, 2, 3, ... in their ids; what was polled before a kill is not made again.

kind = "counting_feed:CountingFeed". It writes to the file `handed` each number that was handed on: a poll means that
what the poll before gave was published, or spooled. Started again it goes on 1,000,000 later.
"""

import os
import time
from typing import Any

import numpy as np

from feedhandler import Batch, FeedSettings, PlantPath

JUMP = 1_000_000
ROWS = 20


class CountingSettings(FeedSettings):
    """Where the file is."""

    handed: PlantPath


class CountingFeed:
    """ROWS trades a poll, a poll every 2 ms."""

    Settings = CountingSettings
    replayable = False
    finished = False

    def __init__(self, settings: CountingSettings) -> None:
        self._file = os.open(settings.handed, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._file).st_size
        before = os.pread(self._file, size, 0).split() if size else [b"0"]
        self._number = (int(before[-1]) // JUMP + 1) * JUMP
        os.write(self._file, b"%d\n" % self._number)
        self._given = self._number

    def start(self, accepted: int) -> None:
        pass

    def poll(self, now_ns: int, timeout_s: float) -> list[Batch]:
        if self._given > self._number:
            self._number = self._given
            os.write(self._file, b"%d\n" % self._number)
        time.sleep(0.002)
        numbers = range(self._number + 1, self._number + ROWS + 1)
        self._given = numbers[-1]
        columns: dict[str, Any] = {
            "time": np.array(numbers, dtype=np.int64) + 1_767_225_600_000_000_000,
            "sym": ["A"] * ROWS,
            "price": np.ones(ROWS),
            "size": np.ones(ROWS),
            "trade_id": [str(number) for number in numbers],
        }
        return [("trades", columns)]

    def status(self) -> str:
        return f"at {self._number}"

    def close(self) -> None:
        os.close(self._file)
