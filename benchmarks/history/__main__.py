"""How fast is a day closed, how fast is history read, and how much room does it take, next to plain alternatives?

    python -m benchmarks.history [close] [beside] [questions] [client] [size] [files]
                                 [--quick] [--repeats 5] [--scale 1]

close      10 million trades over 500 symbols, in parts, merged into the file of their day, next to Polars sorting and
           writing the same rows
beside     a plant that closes such a day while rows come at 100,000 a second
questions  one symbol for one day out of 250, next to DuckDB and Polars on the same files, and DuckDB on unsorted parts
client     many days through the client, DataFrame included, next to DuckDB on the same files in a process of its own
size       bytes per row, next to uncompressed columns and ArcticDB (LMDB)
files      a file of 2 million trades, CSV and Parquet: dry run and import, next to pandas, Polars and DuckDB

The systems take turns, and what they answer is compared before it is timed.
"""

import sys
from collections.abc import Callable

from benchmarks.effort import CommandLine, Effort
from benchmarks.history.beside import beside
from benchmarks.history.client import client
from benchmarks.history.closing import closing
from benchmarks.history.files import files
from benchmarks.history.reading import questions
from benchmarks.history.room import size

SECTIONS: dict[str, Callable[[Effort], bool]] = {
    "close": closing,
    "beside": beside,
    "questions": questions,
    "client": client,
    "size": size,
    "files": files,
}


def main() -> None:
    """Run the sections named on the command line, all without one."""
    arguments = CommandLine("benchmarks.history", str(__doc__), SECTIONS).begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    results = [SECTIONS[name](effort) for name in arguments.sections]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
