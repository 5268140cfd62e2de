"""Whatever a user holds as the columns of a table, or an error that says what is wrong with it.

`columns_of` takes a pandas or Polars frame, an Arrow table, a dict of columns, a list of dicts, or one dict.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from operator import itemgetter
from typing import Any

import numpy as np

from plant.errors import BadRows, UnknownColumn
from plant.intake.values import OF_BARS, column_given
from plant.rows.batch import Batch
from plant.rows.columns import DEFAULTS, Columns, Symbols, Texts, constant
from plant.rows.schema import FIXED_DTYPES, META_COLUMNS, Table

_FORMS: dict[str, Any] = {
    **{kind: np.dtype(dtype) for kind, dtype in FIXED_DTYPES.items()},
    "symbol": Symbols,
    "text": Texts,
}

_CONTIGUOUS = (8,)


def columns_of(table: Table, rows: Any, defaults: Mapping[str, Any] | None = None, unit: str | None = "ns") -> Columns:
    """Return `rows` as the columns of `table`.

    `rows` is a pandas or Polars DataFrame, an Arrow table, a dict of columns, a list of dicts, or one dict of plain
    values. A missing column takes its value from `defaults`, else `DEFAULTS`. Times may be ints, datetimes or ISO 8601
    strings; without a zone they are UTC. `unit` is that of int times since 1970 UTC: s, ms, us or ns; None: ns, but
    refused if no market was open then, for they are of another unit. A time beside `time` may be missing (None, NaT,
    null): then it is UNKNOWN_TIME, which an int may be too. A number may be a text that is exactly one.

    Raises BadRows (wrong type or length, missing time, sym or key) and UnknownColumn.
    """
    ready = _as_they_are(table, rows) if type(rows) is dict else None
    if ready is not None:
        if unit != "ns":
            for column in (c for c in table.fixed_columns if c.kind == "time"):
                ready[column.name] = column_given(table, column, ready[column.name], unit)
        if table.name in OF_BARS:
            ready["interval"] = column_given(table, table.column("interval"), ready["interval"])
        return ready
    if isinstance(rows, Batch):
        unit = "ns"
    given = by_name(rows)
    for name in given:
        if name not in table.names and name not in META_COLUMNS:
            raise UnknownColumn.named(name, table.name, table.names)
    if "time" not in given:
        raise BadRows(f"{table.name}: no column 'time'; give {', '.join(table.names)}")
    columns: Columns = {}
    count = len(given["time"])
    for column in table.columns:
        if column.name in given:
            value = column_given(table, column, given[column.name], unit)
        elif count and (column.name == "sym" or column.name in table.key):
            raise BadRows(
                f"{table.name}: no column {column.name!r}, which every row needs; give {', '.join(table.names)}"
            )
        else:
            value = constant(column, count, (defaults or {}).get(column.name, DEFAULTS[column.kind]))
        if len(value) != count:
            raise BadRows(f"{table.name}.{column.name}: expected {count} values as in time, found {len(value)}")
        columns[column.name] = value
    return columns


def _as_they_are(table: Table, rows: dict[str, Any]) -> Columns | None:
    """Return rows that are whole columns already, in the order of the declaration; None if any is anything else."""
    if len(rows) != len(table.columns):
        return None
    columns: Columns = {}
    count = -1
    try:
        for column in table.columns:
            value, form = rows[column.name], _FORMS[column.kind]
            if type(form) is type:
                if type(value) is not form:
                    return None
            elif type(value) is not np.ndarray or value.dtype != form or value.strides != _CONTIGUOUS:
                return None
            if len(value) != count:
                if count >= 0:
                    return None
                count = len(value)
            columns[column.name] = value
    except KeyError:
        return None
    return columns


def by_name(rows: Any) -> dict[str, Any]:
    """Return rows in any form that `columns_of` takes as columns by their names, as they were given. Raises BadRows."""
    kind = type(rows)  # a pandas frame that is asked for an attribute looks through its columns
    if hasattr(kind, "iloc") and hasattr(kind, "items"):  # pandas
        names = _names_of(rows)
        if len(set(names)) == len(names):
            return dict(zip(names, _arrays_of(rows), strict=True))
        return {str(name): rows[name] for name in rows.columns}
    if isinstance(rows, Batch):
        return dict(rows.columns)
    if isinstance(rows, Mapping):
        columns = [name for name, value in rows.items() if _is_column(value)]
        if len(columns) == len(rows):
            return dict(rows)
        if columns:
            other = next(name for name in rows if name not in columns)
            raise BadRows(
                f"a dict holds either columns of one length or the plain values of one row; "
                f"found a column as {columns[0]!r}, but {other!r} is {rows[other]!r}"
            )
        return {name: [value] for name, value in rows.items()}
    if isinstance(rows, list) and rows and (alike := _of_dicts(rows)):
        return alike
    if isinstance(rows, Sequence) and not isinstance(rows, str | bytes) and all(isinstance(r, Mapping) for r in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        if any(len(row) != len(names) for row in rows):
            raise BadRows(f"rows as dicts must all have the same keys; found {names} but not in every row")
        return {name: [row[name] for row in rows] for name in names} if rows else {"time": []}
    if hasattr(kind, "column_names") and hasattr(kind, "column"):  # Arrow
        return {name: rows.column(name) for name in rows.column_names}
    if hasattr(kind, "columns") and hasattr(kind, "__getitem__"):  # Polars
        return {str(name): rows[name] for name in rows.columns}
    raise BadRows(
        f"rows must be a DataFrame, an Arrow table, a dict of columns, a list of dicts or one dict; "
        f"found {type(rows).__name__}"
    )


def _names_of(frame: Any) -> list[str]:
    try:
        return [*map(str, frame.columns.array.__arrow_array__().to_pylist())]  # texts, since pandas 3
    except AttributeError:
        return [*map(str, frame.columns)]


def _arrays_of(frame: Any) -> Iterable[Any]:
    """Return the columns of a pandas frame, without the Series that `items` makes: a tenth of its time.

    `_iter_column_arrays` is pandas' own, used by its own modules since 0.25, but promised to nobody.
    """
    try:
        return frame._iter_column_arrays()
    except AttributeError:
        return (column for _, column in frame.items())


def _of_dicts(rows: list[Any]) -> dict[str, list[Any]] | None:
    """Return rows as columns if they are dicts of the same keys, else None."""
    if set(map(type, rows)) != {dict} or len(set(map(len, rows))) > 1 or len(rows[0]) < 2:
        return None
    try:
        values = map(itemgetter(*rows[0]), rows)
        return dict(zip(rows[0], map(list, zip(*values, strict=True)), strict=True))
    except KeyError:
        return None


def _is_column(value: Any) -> bool:
    if isinstance(value, str | bytes | Mapping | Set):
        return False
    return hasattr(value, "__len__") and getattr(value, "ndim", 1) != 0  # a 0-dimensional array has no length
