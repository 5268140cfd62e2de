"""What do candles, indicators and signals cost, beside TA-Lib and csp, and how fast is the processor back?

python -m benchmarks.computing [close] [calculate] [talib] [memory] [live] [restart]
                               [--quick] [--repeats 5] [--scale 1]
"""

import subprocess
import sys
from collections.abc import Callable

from benchmarks.computing.arithmetic import DAY, SYMBOLS, calculate, close, talib
from benchmarks.computing.plants import live, restart
from benchmarks.effort import CommandLine, Effort
from benchmarks.machine import Grid


def memory(effort: Effort) -> bool:
    """Print how much memory the state of 10,000 series takes."""
    symbols, bars = effort.size(SYMBOLS, 50), 60 if effort.quick else DAY
    command = [sys.executable, "-m", "benchmarks.computing.grown", str(symbols), str(bars)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=True)
    grid = Grid(
        f"Memory of {symbols:,} series after {bars} bars, engine and closer", ("", "MB more than empty", "goal")
    )
    grid.add("ours", float(done.stdout), "200 MB")
    print(grid, flush=True)
    return True


SECTIONS: dict[str, Callable[[Effort], bool]] = {
    "close": close,
    "calculate": calculate,
    "talib": talib,
    "memory": memory,
    "live": live,
    "restart": restart,
}


def main() -> None:
    """Run the sections named on the command line, all without one; exit with 1 if one failed."""
    arguments = CommandLine("benchmarks.computing", str(__doc__), SECTIONS).begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    results = [SECTIONS[name](effort) for name in arguments.sections]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
