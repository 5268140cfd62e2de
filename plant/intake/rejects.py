"""Rows that are refused one by one: each becomes a row of the table `rejects`, with the reason and its values."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from plant.errors import BadRows
from plant.intake.forms import by_name, columns_of
from plant.intake.moments import is_missing
from plant.intake.values import column_given
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.ordering import joined
from plant.rows.schema import Column, Table

ROW_CHARS = 4000
"""Characters of a rejected row, and of its symbol, that are kept; a row may hold a text of megabytes."""

REJECTS_IN_ONE = 500
"""Rejects that go together; each may hold ROW_CHARS."""

Values = dict[str, list[Any]]
"""Columns as they were given, each value by itself."""


def rejected(syms: list[str], reasons: list[str], rows: list[str], source: str, table: str, now: int) -> Columns:
    """Return rows of the table `rejects`, all stamped `now`, ns since 1970 UTC."""
    count = len(reasons)
    zeros = np.zeros(count, dtype=np.int32)
    return {
        "time": np.full(count, now, dtype=np.int64),
        "sym": Symbols.of([sym[:ROW_CHARS].encode(errors="replace").decode() or "?" for sym in syms]),
        "source": Symbols([source], zeros),
        "table_name": Symbols([table], zeros),
        "reason": Texts.of(reasons),
        "row": Texts.of(rows),
    }


def as_json(row: Mapping[str, Any]) -> str:
    """Return a row as JSON, cut at ROW_CHARS; what JSON cannot hold is there as text."""
    return json.dumps({name: _plain(value) for name, value in row.items()}, default=str)[:ROW_CHARS]


def readable(
    table: Table, rows: Any, defaults: Mapping[str, Any], unit: str | None, now: int
) -> Iterator[tuple[str, Columns]]:
    """Yield rows of which some cannot be read as (table, columns): the good ones, in their order, then rejects.

    Each row given is one row there; a reject tells its number, counted from 0. `defaults` and `unit` are those of
    `columns_of`, which raises BadRows as ever for what is wrong with all rows: columns that are missing or differ in
    length, int times that are all of another unit.
    """
    given = by_name(rows)
    values: Values = {name: _values(column) for name, column in given.items() if name in table.names}
    count = len(values.get("time", ()))
    reasons: dict[int, str] = {}
    another_unit = False  # all times of a column
    if all(len(column) == count for column in values.values()):
        for name, column in values.items():
            odd_ints = 0
            for place, reason in _unreadable(table, table.column(name), column, 0, unit):
                reasons.setdefault(place, reason)
                odd_ints += isinstance(column[place], int)
            if table.column(name).kind == "time" and odd_ints:
                another_unit |= odd_ints == sum(name == "time" or not is_missing(value) for value in column)
    if not reasons or another_unit:
        columns_of(table, rows, defaults, unit)
    if places := [place for place in range(count) if place not in reasons]:
        yield table.name, _columns(table, values, places, defaults, unit)
    bad = sorted(reasons)
    for some in (bad[i : i + REJECTS_IN_ONE] for i in range(0, len(bad), REJECTS_IN_ONE)):
        rows_of = [{name: column[place] for name, column in values.items()} for place in some]
        told = [f"row {place} of {count} (counted from 0): {reasons[place]}" for place in some]
        yield (
            "rejects",
            rejected([*map(_sym, rows_of)], told, [*map(as_json, rows_of)], defaults["source"], table.name, now),
        )


def rejected_row(table: Table, row: Mapping[str, Any], error: BadRows, source: str, now: int) -> Columns:
    """Return the row of `rejects` that tells of one row which was published by itself."""
    told = f"row 0 of 1 (counted from 0): {error}"
    return rejected([_sym(row)], [told], [as_json(row)], source, table.name, now)


def _sym(row: Mapping[str, Any]) -> str:
    return row["sym"] if isinstance(row.get("sym"), str) else "?"


def _unreadable(
    table: Table, column: Column, values: list[Any], first: int, unit: str | None
) -> Iterator[tuple[int, str]]:
    """Yield (place, reason) of the values of a column that cannot be read; `first` is the place of the first."""
    try:
        column_given(table, column, values, unit)
    except BadRows as error:
        if len(values) == 1:
            yield first, str(error)
            return
        half = len(values) // 2
        yield from _unreadable(table, column, values[:half], first, unit)
        yield from _unreadable(table, column, values[half:], first + half, unit)


def _columns(table: Table, values: Values, places: list[int], defaults: Mapping[str, Any], unit: str | None) -> Columns:
    """Return rows that can each be read; together they may not be, if some times are numbers and others text."""
    try:
        return columns_of(table, {n: [column[p] for p in places] for n, column in values.items()}, defaults, unit)
    except BadRows:
        if len(places) == 1:
            raise
    half = len(places) // 2
    parts = [_columns(table, values, some, defaults, unit) for some in (places[:half], places[half:])]
    return {name: joined([part[name] for part in parts]) for name in table.names}


def _values(column: Any) -> list[Any]:
    for name in ("to_pylist", "tolist", "to_list"):
        if hasattr(column, name):
            return list(getattr(column, name)())
    return list(column)


def _plain(value: Any) -> Any:
    """Return a number JSON can hold: NaN and infinities as text."""
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)
