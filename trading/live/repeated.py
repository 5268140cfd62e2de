"""A run that is made again, compared with the rows that the plant has of it; what it has not is handed on.

Rows were published in the order in which they were made, so those that the plant has of a table are the first of it.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from plant.errors import PlantError
from plant.intake.forms import columns_of
from plant.rows.schema import Schema
from plant.state.newest import Row, rows_of_columns
from trading.live.machine import Made


class Diverged(PlantError):
    """A run that is made again is another than the one that the plant has."""


class Repeated:
    """What the plant has of a run, table by table (in the order of seq, seq_row), and what it is made to again.

    `compare` returns the rows that the plant has not, once all it has were made again. Raises Diverged.
    """

    def __init__(self, schema: Schema, there: Mapping[str, Iterable[Row]]) -> None:
        self._schema = schema
        self._there = {table: deque(rows) for table, rows in there.items()}
        self._left = sum(map(len, self._there.values()))
        self._held: list[Made] = []
        self.compared = 0

    @property
    def missed(self) -> int:
        """Rows that the plant has and that were not made again so far."""
        return self._left

    def compare(self, made: Iterable[Made]) -> list[Made]:
        """Take rows that were made; return those to be published now."""
        for each in made:
            there = self._there.get(each.table)
            if not there:
                self._held.append(each)
                continue
            self._check(each, there.popleft())
            self._left -= 1
            self.compared += 1
        if self._left or not self._held:
            return []
        held, self._held = self._held, []
        return held

    def finish(self) -> None:
        """Say that all it was made of has been read. Raises Diverged if the plant has rows that were not made."""
        for table, rows in self._there.items():
            if rows:
                raise Diverged(f"the plant has a row of {table} that was not made again: {shown(rows[0])}")

    def _check(self, made: Made, there: Row) -> None:
        again = normal(self._schema, made)
        for name, value in again.items():
            if not _same(value, there[name]):
                raise Diverged(
                    f"{made.table}.{name}: expected {there[name]!r}, as the plant has it at seq {there['seq']:,}, "
                    f"found {value!r}; all of the row made again: {shown(again)}"
                )


def normal(schema: Schema, made: Made) -> Row:
    """Return a row as it is once it went through the plant: all columns, of their kinds."""
    table = schema[made.table]
    (row,) = rows_of_columns(columns_of(table, made.row), table.times)
    return row


def shown(row: Row) -> str:
    """Return a row as one line, without what is empty."""
    return ", ".join(f"{name}={value}" for name, value in row.items() if value not in ("", None) and value == value)


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (
        isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    )
