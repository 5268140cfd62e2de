"""What a backtest or replay may cost: beyond its memory or its CPU time it fails with a sentence, nothing else does.

Its strategy is somebody's own code: it must not take the memory of those that hold rows, nor their CPU.
"""

import contextlib
import math
import os
import resource
import signal
import time
from typing import Any

from plant.errors import PlantError
from plant.runtime.trading import TradingSettings

NICE = 10
"""How far it stands back where processes wait for a CPU."""

GRACE_S = 10
"""CPU seconds from being told to being killed, of a strategy that does not hear of it."""

_MEBIBYTE = 2**20


class TooDear(PlantError):
    """A backtest used more than it may."""


def bind(trading: TradingSettings) -> None:
    """Bound this process, from here on. In its main thread TooDear is raised once its CPU time is used up."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # short of memory, the system ends this process, not one that holds rows
    os.nice(NICE)
    most = _data_bytes() + trading.backtest_memory_mb * _MEBIBYTE
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def told(*_: Any) -> None:
        raise TooDear(
            f"it used {trading.backtest_cpu_s:g} s of CPU, which is all it may; [trading] backtest_cpu_s bounds it"
        )

    signal.signal(signal.SIGXCPU, told)
    seconds = math.ceil(time.process_time() + trading.backtest_cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + GRACE_S))


def sentence_of(error: BaseException, trading: TradingSettings) -> str:
    """Return why a backtest failed, as its row of `runs` says it."""
    if isinstance(error, MemoryError):
        return (
            f"it needs more than {trading.backtest_memory_mb:,} MiB; [trading] backtest_memory_mb bounds it; over "
            "fewer bars, or with fewer rows (plots), it needs less"
        )
    return str(error) if isinstance(error, PlantError) else f"{type(error).__name__}: {error}"


def _data_bytes() -> int:
    """Return what counts for RLIMIT_DATA: private memory that may be written, touched or not."""
    with open("/proc/self/status") as status:
        (found,) = [line.split()[1] for line in status if line.startswith("VmData:")]
    return int(found) * 1024
