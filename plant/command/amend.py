"""The command `plant amend`."""

import re
import time
from typing import Annotated, Any

import typer

from plant.client.connect import connect, publisher
from plant.command.terminal import Config, line_of
from plant.errors import BadRows, Refused
from plant.history.amending import TABLE, amendment, plain_rows
from plant.rows.schema import Table
from plant.runtime.settings import load
from plant.transfer.replaying import NEVER
from plant.transport import sockets

MOST = 1000
"""Rows that one command may amend, unless --most says otherwise."""

SHOWN = 20

_CONDITION = re.compile(r"\s*(\w+)\s*(==|!=|>=|<=|=|>|<)\s*(.*)")

app = typer.Typer()


@app.command()
def amend(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The rows' table, e.g. trades.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the amendment.")],
    changes: Annotated[list[str] | None, typer.Option("--set", help="COLUMN=VALUE, e.g. price=187.5.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the rows instead.")] = False,
    sym: Annotated[list[str] | None, typer.Option(help="Only this symbol; may be given several times.")] = None,
    start: Annotated[str | None, typer.Option(help='Rows from this time on, e.g. "2026-11-20 09:30".')] = None,
    end: Annotated[str | None, typer.Option(help="Rows before this time.")] = None,
    where: Annotated[list[str] | None, typer.Option(help='E.g. "price > 1000"; several must all hold.')] = None,
    seq: Annotated[int | None, typer.Option(help="Rows with this journal sequence number.")] = None,
    most: Annotated[int, typer.Option(help="Refuse if more rows are meant.")] = MOST,
    write: Annotated[bool, typer.Option("--write/--dry-run", help="Do it; without it, only show the rows.")] = False,
    config: Config = None,
) -> None:
    """Replace values of rows, or remove rows; the reason, and what was there before, are kept.

    An amendment is a row of the table amendments. The next end of day applies it to the day of the row it names.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    declared = settings.table_schema[table]
    if table in NEVER:
        raise Refused(f"rows of {table} are what was decided, and are not amended")
    if remove == bool(changes):
        raise BadRows("say what becomes of the rows: --set COLUMN=VALUE, or --remove")
    if not (sym or start or end or where or seq):
        raise BadRows("say which rows: --sym, --start, --end, --where or --seq")
    new = None if remove else dict(_assignment(declared, text) for text in changes or [])
    with connect(config=config, frames="arrow", timeout_s=60.0) as db:
        terms: list[tuple[str, str, Any]] = [_condition(declared, text) for text in where or []]
        rows = plain_rows(db.select(table, sym or None, start, end, [*declared.names, "seq"], where=terms or None))
    rows = [row for row in rows if seq is None or row["seq"] == seq]
    if len(rows) > most:
        raise Refused(
            f"{len(rows):,} rows are meant, more than {most:,}; say which more closely, or --most {len(rows)}"
        )
    amendments = [amendment(declared, row, new, reason) for row in rows]
    for row in rows[:SHOWN]:
        print(line_of(row))
    if len(rows) > SHOWN:
        print(f"and {len(rows) - SHOWN:,} more")
    what = "to be removed" if new is None else "to become " + ", ".join(f"{n} = {v!r}" for n, v in new.items())
    print(f"{len(rows):,} rows {what}")
    if not write or not rows:
        print("nothing was written" + ("; --write does it" if rows else ""))
        return
    now = time.time_ns()
    with publisher(f"amend-{now}", config=config) as feed:
        feed.publish(TABLE, [each.columns(now) for each in amendments])
        print(f"noted at seq {feed.flush():,}; the next end of day applies it (plant end-of-day)")


def _condition(table: Table, text: str) -> tuple[str, str, Any]:
    """Return what "price > 100" means."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise BadRows(f'expected a condition such as "price > 100", found {text!r}')
    name, operator, value = found.groups()
    return name, "==" if operator == "=" else operator, _value(table, name, value)


def _assignment(table: Table, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRows(f"expected COLUMN=VALUE, found {text!r}")
    return name.strip(), _value(table, name.strip(), value)


def _value(table: Table, name: str, text: str) -> Any:
    """Return a text as a value of a column; an empty number or time is one that is not known."""
    kind = table.column(name).kind
    try:
        if kind in ("float", "time") and not text.strip():
            return None
        if kind == "float":
            return float(text)
        return int(text) if kind in ("int", "time") else text.strip().strip("'\"")
    except ValueError:
        raise BadRows(f"{table.name}.{name}: expected {kind}, found {text!r}") from None
