"""Whatever a user holds as the columns of a table, or an error that says what is wrong with it.

`columns_of` takes a pandas or Polars frame, an Arrow table, a dict of columns, a list of dicts, or one dict.
"""

import re
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from plant.errors import BadRows, QueryError, UnknownColumn
from plant.rows.batch import Batch
from plant.rows.columns import DEFAULTS, Columns, Symbols, Texts, constant
from plant.rows.intervals import interval_name
from plant.rows.schema import FIXED_DTYPES, META_COLUMNS, Column, Table
from plant.rows.times import in_ns

_FORMS: dict[str, Any] = {
    **{kind: np.dtype(dtype) for kind, dtype in FIXED_DTYPES.items()},
    "symbol": Symbols,
    "text": Texts,
}

_CONTIGUOUS = (8,)

OF_BARS = ("bars", "indicators", "signals")
"""Tables whose column `interval` is the length of a bar."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A text that is exactly a number, as venues send it."""


def columns_of(table: Table, rows: Any, defaults: Mapping[str, Any] | None = None, unit: str | None = "ns") -> Columns:
    """Return `rows` as the columns of `table`.

    `rows` is a pandas or Polars DataFrame, an Arrow table, a dict of columns, a list of dicts, or one dict of plain
    values. A missing column takes its value from `defaults`, else `DEFAULTS`. Times may be ints, datetimes or ISO 8601
    strings; without a zone they are UTC. `unit` is that of int times since 1970 UTC: s, ms, us or ns; None: ns, but
    refused if no market was open then, for they are of another unit. A number may be a text that is exactly one.

    Raises BadRows (wrong type or length, missing time, sym or key) and UnknownColumn.
    """
    ready = _as_they_are(table, rows) if type(rows) is dict else None
    if ready is not None:
        if unit != "ns":
            ready["time"] = column_given(table, table.columns[0], ready["time"], unit)
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
    if isinstance(rows, Sequence) and not isinstance(rows, str | bytes) and all(isinstance(r, Mapping) for r in rows):
        names = list(dict.fromkeys(name for row in rows for name in row))
        if any(len(row) != len(names) for row in rows):
            raise BadRows(f"rows as dicts must all have the same keys; found {names} but not in every row")
        return {name: [row[name] for row in rows] for name in names} if rows else {"time": []}
    if hasattr(rows, "column_names") and hasattr(rows, "column"):  # Arrow
        return {name: rows.column(name) for name in rows.column_names}
    if hasattr(rows, "columns") and hasattr(rows, "__getitem__"):  # pandas, Polars
        return {str(name): rows[name] for name in rows.columns}
    raise BadRows(
        f"rows must be a DataFrame, an Arrow table, a dict of columns, a list of dicts or one dict; "
        f"found {type(rows).__name__}"
    )


def _is_column(value: Any) -> bool:
    if isinstance(value, str | bytes | Mapping | Set):
        return False
    return hasattr(value, "__len__") and getattr(value, "ndim", 1) != 0  # a 0-dimensional array has no length


def column_given(table: Table, column: Column, value: Any, unit: str | None = "ns") -> Any:
    """Return a column as it was given as one of the table; `unit` as in `columns_of`. Raises BadRows."""
    try:
        if column.kind == "symbol":
            found = _symbols(value)
            return intervals_named(found) if column.name == "interval" and table.name in OF_BARS else found
        if column.kind == "text":
            return value if isinstance(value, Texts) else Texts.of(_strings(value))
        if column.kind == "time":
            return _times(value, unit if column.name == "time" else "ns")
        return _numbers(value, column.kind)
    except (TypeError, ValueError, OverflowError, QueryError) as error:
        raise BadRows(f"{table.name}.{column.name}: expected {column.kind}, {error}") from None


def intervals_named(intervals: Symbols) -> Symbols:
    """Return a column of lengths of bars by their one name each; raises QueryError for what is none."""
    names = [interval_name(name) if name else name for name in intervals.names]
    if names == intervals.names:
        return intervals
    return Symbols.of([names[code] for code in intervals.codes.tolist()])


def _symbols(value: Any) -> Symbols:
    """Return a symbol column, names without blanks around; a Categorical without looking at each row."""
    if isinstance(value, Symbols):
        return value
    categories = getattr(getattr(value, "dtype", None), "categories", None)
    if categories is not None and hasattr(value, "cat") and len(value):
        codes = value.cat.codes.to_numpy() if hasattr(value.cat, "codes") else None
        names = _strings(categories)
        if codes is not None and codes.min() >= 0 and not _blanks(names):
            return Symbols(names, codes.astype(np.int32))
    found = Symbols.of(_strings(value))
    return Symbols.of([text.strip() for text in found.tolist()]) if _blanks(found.names) else found


def _blanks(names: list[str]) -> bool:
    return any(name != name.strip() for name in names)


def _strings(value: Any) -> list[str]:
    strings = (
        value.to_pylist()
        if hasattr(value, "to_pylist")
        else value.tolist()
        if hasattr(value, "tolist")
        else value.to_list()
        if hasattr(value, "to_list")
        else list(value)
    )
    try:
        "".join(strings).encode()  # a lone surrogate is no text: better known here than on the wire
    except TypeError:
        wrong = next(s for s in strings if not isinstance(s, str))
        raise TypeError(f"found {wrong!r} ({type(wrong).__name__})") from None
    return strings


def _numbers(value: Any, kind: str) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "OUT":  # None among numbers is "not known"
        values = [np.nan if v is None else _number(v, kind) for v in array.ravel().tolist()]
        odd = next((v for v in values if isinstance(v, bool) or not isinstance(v, int | float | np.number)), None)
        if odd is not None:
            raise TypeError(f"found {odd!r} ({type(odd).__name__})")
        array = np.asarray(values).reshape(array.shape)
    if array.ndim != 1:
        raise TypeError(f"found {array.ndim} dimensions; a column is a list of values")
    if array.dtype.kind not in ("fiu" if kind == "float" else "iu") and array.size:
        shown = array[:1].tolist()[0]
        raise TypeError(f"found {shown!r} ({type(shown).__name__})")
    if kind == "int" and array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise ValueError(f"found {int(array.max())}, more than an int64 holds")
    return np.ascontiguousarray(array, dtype=FIXED_DTYPES[kind])


def _number(value: Any, kind: str) -> Any:
    """Return a text that is exactly a number as that; anything else as it is."""
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        return value
    if kind == "float":
        return float(value)
    return int(value) if value.lstrip("+-").isdigit() else value


def _times(value: Any, unit: str | None) -> np.ndarray:
    """Return int64 nanoseconds since 1970 UTC."""
    if isinstance(value, list | tuple) and value and all(type(v) is int for v in value):
        return in_ns(np.array(value, dtype="<i8"), unit)
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "i":
        return in_ns(np.ascontiguousarray(value, dtype="<i8"), unit)
    import pandas as pd

    if hasattr(value, "to_pandas"):
        value = value.to_pandas()
    series = value if isinstance(value, pd.Series) else pd.Series(value)
    if series.isna().any():
        raise ValueError("found a missing time")
    if series.dtype == object and any(isinstance(v, int | np.integer) for v in series):
        series = series.infer_objects()  # all int: nanoseconds; else it stays object and is refused
    if series.dtype.kind in "iu":
        return in_ns(_numbers(series.to_numpy(), "int"), unit)
    odd = (bool, int, float, np.number)
    if series.dtype.kind in "fcb" or (series.dtype == object and any(isinstance(v, odd) for v in series)):
        found = next(v for v in series if isinstance(v, (*odd, complex, np.bool_)))
        raise TypeError(f"found {found!r}; give int nanoseconds, datetimes or ISO 8601 strings")
    try:
        iso = "ISO8601" if series.dtype.kind != "M" else None
        moments = pd.to_datetime(series, utc=True, format=iso).dt.as_unit("ns")
    except ValueError as error:
        raise ValueError(str(error).partition(" You might want to try")[0]) from None
    if moments.isna().any():
        raise ValueError("found a missing time")
    return moments.dt.tz_convert(None).to_numpy().astype("<i8")
