"""What the command line of every benchmark says: which sections are run, how often, and how large."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.machine import describe


@dataclass(frozen=True)
class Effort:
    """How much is measured: `repeats` of each cell, sizes times `scale`; `quick` only tries that everything runs.

    kind    rows of throughput and subscribers: "bars" or "trades"
    coded   whether the batches' symbols are codes
    """

    quick: bool = False
    repeats: int = 5
    scale: float = 1.0
    kind: str = "bars"
    coded: bool = True

    def times(self, most: int | None = None) -> range:
        """Return the repeats, at most so many."""
        return range(1 if self.quick else min(self.repeats, most or self.repeats))

    def size(self, full: float, quick: int) -> int:
        """Return the full size, scaled, or the quick one; at least 1."""
        return quick if self.quick else max(int(full * self.scale), 1)


class CommandLine(argparse.ArgumentParser):
    """The command line of `python -m name`, with this docstring and these sections; add what only this one takes."""

    def __init__(self, name: str, doc: str, sections: Iterable[str]) -> None:
        super().__init__(prog=f"python -m {name}", description=doc.splitlines()[0])
        self._sections = tuple(sections)
        self.add_argument("sections", nargs="*", metavar="section", help=", ".join(self._sections))
        self.add_argument("--quick", action="store_true", help="tiny sizes: whether it runs, not how fast")
        self.add_argument("--repeats", type=positive, default=5, help="runs of each cell (5)")
        self.add_argument("--scale", type=float, default=1.0, help="factor on all sizes (1)")

    def begin(self) -> argparse.Namespace:
        """Print the machine; return what was typed, `sections` being those to run: all if none was named."""
        arguments = self.parse_args()
        if unknown := [name for name in arguments.sections if name not in self._sections]:
            self.error(f"no section {unknown[0]!r}; sections are {', '.join(self._sections)}")
        if not arguments.scale > 0:
            self.error(f"--scale: expected more than 0, found {arguments.scale:g}")
        arguments.sections = arguments.sections or self._sections
        print(describe())
        if arguments.quick:
            print("--quick: these numbers say only that everything runs")
        return arguments


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {number}")
    return number
