"""What the commands share: the screen, the option --config and its plant, how far long work is, a row as a line."""

import datetime as dt
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table as RichTable

from plant.errors import QueryError
from plant.history.days import Days
from plant.progress import Progress, Step
from plant.runtime.settings import Settings, load
from plant.runtime.supervision import Supervision, supervision_of
from plant.transport import sockets

out = Console(width=None if sys.stdout.isatty() else 140)

err = Console(stderr=True)

Config = Annotated[
    str | None, typer.Option("--config", help="plant.toml to use (default: PLANT_CONFIG, else ./plant.toml).")
]


@contextmanager
def steps(name: str) -> Iterator[Step]:
    """Show on stderr how far the steps of some work are; nothing is left of it at the end."""
    columns = (TextColumn(f"{name}: {{task.description}}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProgressBar(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)

        def step(what: str) -> Progress:
            progress.reset(task, description=what, total=None)
            return lambda done, of: progress.update(task, completed=done, total=of)

        yield step


def overview(*headings: str, numbers: Collection[str]) -> RichTable:
    """Return a table without lines, to be filled and printed: columns of `numbers` to the right, others to the left."""
    table = RichTable(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left")
    return table


def line_of(row: dict[str, Any]) -> str:
    """Return a row of plain values as a line: time, symbol, then column=value."""
    seconds, nanoseconds = divmod(row["time"], 10**9)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
    rest = (f"{k}={v}" if k != "sym" else str(v) for k, v in row.items() if k != "time")
    return f"{stamp}.{nanoseconds // 10**6:03d}  " + "  ".join(rest)


def plant_of(config: str | None) -> tuple[Settings, Supervision]:
    """Return the settings of a plant, and where its supervisord has its files; its keys are in use from now on."""
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    return settings, supervision_of(settings, config)


def bounds_of(days: Days, day: str) -> tuple[int, int]:
    """Return where a day begins and ends, ns since 1970 UTC. Raises QueryError for what is no day of the plant."""
    try:
        return days.bounds(dt.date.fromisoformat(day))
    except ValueError as error:
        raise QueryError(f"expected a day such as 2026-11-20, found {day!r}: {error}") from None
