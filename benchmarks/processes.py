"""What processes have used of the CPUs: which depends less than times do on what else the machine does."""

import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Usage(NamedTuple):
    """CPU seconds (user and system), and how often threads went to sleep, or had to make room for others."""

    cpu_s: float = 0.0
    slept: float = 0
    pushed: float = 0

    @classmethod
    def own(cls) -> "Usage":
        """Return what this process has used."""
        found = resource.getrusage(resource.RUSAGE_SELF)
        return cls(found.ru_utime + found.ru_stime, found.ru_nvcsw, found.ru_nivcsw)

    @classmethod
    def of(cls, pids: Iterable[int]) -> "Usage":
        """Return what these processes have used together (proc(5)); a thread that has ended is not counted as asleep.

        Raises OSError if one of them is gone.
        """
        cpu, slept, pushed = 0, 0, 0
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            cpu += int(fields[11]) + int(fields[12])
            for task in Path(f"/proc/{pid}/task").iterdir():
                told = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines() if ":" in line)
                slept += int(told["voluntary_ctxt_switches"])
                pushed += int(told["nonvoluntary_ctxt_switches"])
        return cls(cpu / TICKS_PER_S, slept, pushed)

    def __sub__(self, earlier: "Usage") -> "Usage":
        """Return what was used since."""
        return Usage(*(now - then for now, then in zip(self, earlier, strict=True)))

    def over(self, count: float) -> "Usage":
        """Return what was used for each of so many."""
        return Usage(*(value / count for value in self))
