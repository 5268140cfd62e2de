"""A run that is made again, compared with the rows that the plant has of it; what it has not is handed on.

Rows were published in the order in which they were made, so those that the plant has of a table are the first of it.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from plant.errors import PlantError
from plant.rows.columns import DEFAULTS
from plant.rows.schema import UNKNOWN_TIME, Schema
from plant.state.newest import Row
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

    @property
    def holds(self) -> bool:
        """Whether rows that the plant has not are held back, since it has some that were not made again so far."""
        return bool(self._held)

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
        for column in self._schema[made.table].columns:
            value = made.row.get(column.name, DEFAULTS[column.kind])
            if not _same(column.kind, value, there[column.name]):
                raise Diverged(
                    f"{made.table}.{column.name}: expected {there[column.name]!r}, as the plant has it at seq "
                    f"{there['seq']:,}, found {value!r}; all of the row made again: {shown(made.row)}"
                )


def shown(row: Row) -> str:
    """Return a row as one line, without what is empty."""
    return ", ".join(f"{name}={value}" for name, value in row.items() if value not in ("", None) and value == value)


def _same(kind: str, made: Any, there: Any) -> bool:
    """Return whether a value is that which the plant has once it went through it."""
    if made == there:
        return True
    if kind == "float":
        return bool(made != made and there != there)
    if kind == "time":
        return there is None and made in (None, UNKNOWN_TIME)
    return kind == "symbol" and str(made).strip() == there
