"""What does a refresh of the dashboard cost: bytes received, and time of the browser's main thread?

    python -m benchmarks.page [refresh] [--quick] [--symbols 60] [--repeats 5]

The real page in headless Chromium: 1,000 bars with all layers, watchlist, header and the tab of signals.
"""

from collections import Counter

import numpy as np

from benchmarks.effort import CommandLine, Effort, positive
from benchmarks.machine import Grid, number
from benchmarks.page.chromium import Page, Refresh, opened

REFRESH_S = 5.0
REFRESHES = 12  # of each repeat: one new bar of a minute
KINDS = ("chart", "watchlist", "signals", "beat")
GOAL_BYTES, GOAL_S = 20_000, 0.1

HIDDEN = """\
What these numbers hide:
- The plant is an array in this machine's memory: every symbol ticks before each refresh, and its newest bar, indicators
  included, is another one. A refresh of a calm market sends less.
- A refresh is everything between two drawings of the chart, so also the badges, and the "beat": how the processes are,
  asked every second over HTTP.
- The main thread's time is CPU time; one that waits for a CPU takes longer. What other threads of the browser do
  (raster, compositor, network) is not in it, nor the time of Python, which makes the figure.
- The first refresh after a symbol, interval or layer was changed sends the whole chart, as a new page is sent it."""


def refresh(effort: Effort, symbols: int) -> None:
    """Print what refreshes cost."""
    refresh_s = 1.0 if effort.quick else REFRESH_S
    with opened(symbols, refresh_s) as (page, address):
        first = page.open(address)
        found = _measured(page, 3 if effort.quick else REFRESHES * effort.repeats)
    grid = Grid(
        f"A refresh every {refresh_s:g} s, {symbols} symbols in the watchlist",
        ("", "n", "median", "p99", "most", "goal"),
    )
    totals = [float(sum(one.received.values())) for one in found]
    _add(grid, "bytes received", totals, f"{GOAL_BYTES:,}")
    for kind in KINDS:
        _add(grid, f"  {kind}", [float(one.received[kind]) for one in found])
    _add(grid, "  the rest", [float(_rest(one.received)) for one in found])
    _add(grid, "main thread, CPU ms", [one.busy_s * 1e3 for one in found], number(GOAL_S * 1e3))
    _add(grid, "  of it scripts", [one.script_s * 1e3 for one in found])
    print(grid)
    print(f"Until the first chart stood: {first:,} bytes\n\n{HIDDEN}", flush=True)


def _measured(page: Page, count: int) -> list[Refresh]:
    for _ in range(3):  # the first ones still answer for opening the page
        page.refresh()
    return [page.refresh() for _ in range(count)]


def _rest(received: Counter[str]) -> int:
    return sum(size for kind, size in received.items() if kind not in KINDS)


def _add(grid: Grid, name: str, values: list[float], goal: str = "") -> None:
    median, tail = np.percentile(values, [50, 99]).tolist()
    grid.add(name, len(values), number(median), number(tail), number(max(values)), goal)


SECTIONS = {"refresh": refresh}


def main() -> None:
    """Run the sections named on the command line, all without one."""
    line = CommandLine("benchmarks.page", str(__doc__), SECTIONS)
    line.add_argument("--symbols", type=positive, default=60, help="symbols in the watchlist (60)")
    arguments = line.begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    for name in arguments.sections:
        SECTIONS[name](effort, arguments.symbols)


if __name__ == "__main__":
    main()
