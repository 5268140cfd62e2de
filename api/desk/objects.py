"""Rows of trading as objects of JSON, and as rows of an answer."""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from api.answers.problems import invalid
from api.answers.times import told_time
from plant.rows.schema import Table
from plant.state.newest import Row

_TYPES = {"time": pa.timestamp("ns", "UTC"), "float": pa.float64(), "int": pa.int64()}

OF_ROWS = ("seq", "seq_row", "received")


def object_of(row: Row, times: frozenset[str], form: str = "rfc3339") -> dict[str, Any]:
    """Return a row as an object: times as they are told, NaN as None. `times` are the names of columns of times."""
    told = {name: told_time(row[name], form) if name in (*times, "received") else row[name] for name in row}
    return {name: None if isinstance(v, float) and not math.isfinite(v) else v for name, v in told.items()}


def arrow_of(rows: Sequence[Row], table: Table) -> pa.Table:
    """Return rows as an Arrow table with the columns that the table declares, and `seq`."""
    columns = {}
    for column in table.columns:
        columns[column.name] = pa.array([row[column.name] for row in rows], _TYPES.get(column.kind, pa.string()))
    columns["seq"] = pa.array([row["seq"] for row in rows], pa.int64())
    return pa.table(columns)


def newest_first(rows: Iterable[Row], limit: int, cursor: str | None, seq: int) -> tuple[list[Row], str | None]:
    """Return a page of rows, newest first, and the cursor of the next; `cursor` is that of the page before.

    seq   everything up to it is in the rows

    What an object became after the first page comes last, oldest change first: its place is another one by then, and it
    may not have been on a page yet. Raises Problem invalid for a cursor that is none.
    """
    rows = list(rows)
    cut, behind = max([seq, *(row["seq"] for row in rows)]), None
    if cursor is not None:
        parts = cursor.split("-")
        if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in parts):
            raise invalid("?cursor", "expected `next` of the page before", found=cursor[:100])
        cut, *behind = map(int, parts)

    def turn(place: Sequence[int]) -> tuple[bool, int, int]:
        return (True, place[0], place[1]) if place[0] > cut else (False, -place[0], -place[1])

    ordered = sorted(rows, key=lambda row: turn(_place(row)))
    if behind is not None:
        ordered = [row for row in ordered if turn(_place(row)) > turn(behind)]
    page = ordered[:limit]
    more = len(ordered) > limit
    return page, f"{cut}-{page[-1]['seq']}-{page[-1]['seq_row']}" if more and page else None


def json_of(text: str, nothing: Any) -> Any:
    """Return what a text of JSON says, `nothing` for one that is empty or none."""
    try:
        return json.loads(text) if text else nothing
    except ValueError:
        return nothing


def _place(row: Row) -> tuple[int, int]:
    return row["seq"], row["seq_row"]
