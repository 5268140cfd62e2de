"""A column as it was given as one of a table: by its straight way, else by a look at each value, with what is wrong."""

import re
from typing import Any

import numpy as np

from plant.errors import BadRows, QueryError
from plant.intake.moments import placed
from plant.intake.straight import straight
from plant.rows.columns import Symbols, Texts
from plant.rows.intervals import interval_name
from plant.rows.schema import FIXED_DTYPES, UNKNOWN_TIME, Column, Table
from plant.rows.times import in_ns

OF_BARS = ("bars", "indicators", "signals")
"""Tables whose column `interval` is the length of a bar."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A text that is exactly a number, as venues send it."""


def column_given(table: Table, column: Column, value: Any, unit: str | None = "ns") -> Any:
    """Return a column as it was given as one of the table; `unit` as in `columns_of`. Raises BadRows."""
    kind = column.kind
    try:
        found = straight(value, kind, unit)
        if found is None:
            found = looked_at(value, kind, unit)
        if column.name == "time" and len(found) and found.min() == UNKNOWN_TIME:
            raise ValueError("found a missing time; only the times beside it may be not known")
        return intervals_named(found) if column.name == "interval" and table.name in OF_BARS else found
    except QueryError as error:  # an interval that is none
        raise BadRows(f"{table.name}.{column.name}: {error}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRows(f"{table.name}.{column.name}: expected {kind}, {error}") from None


def looked_at(value: Any, kind: str, unit: str | None) -> Any:
    """Return a column of any layout as one of a kind: ndarray, Symbols or Texts; `unit` is that of int times.

    A missing time is UNKNOWN_TIME. Raises TypeError, ValueError or OverflowError, whose text tells what was found
    instead.
    """
    if kind == "symbol":
        return _symbols(value)
    if kind == "text":
        return value if isinstance(value, Texts) else Texts.of(_strings(value))
    return _times(value, unit) if kind == "time" else _numbers(value, kind)


def intervals_named(intervals: Symbols) -> Symbols:
    """Return a column of lengths of bars by their one name each; raises QueryError for what is none."""
    names = [interval_name(name) if name else name for name in intervals.names]
    if names == intervals.names:
        return intervals
    return Symbols.of([names[code] for code in intervals.codes.tolist()])


def _symbols(value: Any) -> Symbols:
    """Return a symbol column, names without blanks around."""
    if isinstance(value, Symbols):
        return value
    return Symbols.of(_strings(value)).stripped()


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
    try:
        array = np.asarray(value)
    except Exception as error:  # of whatever library the column is: their errors have no type in common
        raise TypeError(f"found a column that cannot be read: {error}") from None
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
    known, value = _without_missing(value)
    if known is not None:
        return _placed(known, value, unit)
    if isinstance(value, list | tuple) and value and all(type(v) is int for v in value):
        return in_ns(_numbers(value, "int"), unit)
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "i":
        return in_ns(np.ascontiguousarray(value, dtype="<i8"), unit)
    import pandas as pd

    if hasattr(value, "to_pandas"):
        value = value.to_pandas()
    series = value if isinstance(value, pd.Series) else pd.Series(value)
    if not len(series):
        return np.empty(0, dtype="<i8")
    if (missing := series.isna().to_numpy(dtype=bool)).any():
        return _placed(~missing, series[~missing], unit)
    if series.dtype == object and any(isinstance(v, int | np.integer) for v in series):
        series = series.infer_objects()  # all int: nanoseconds; else it stays object and is refused
    if series.dtype.kind in "iu":
        return in_ns(_numbers(series.to_numpy(), "int"), unit)
    odd = (bool, int, float, np.number)
    if series.dtype.kind in "fcb" or (series.dtype == object and any(isinstance(v, odd) for v in series)):
        found = next(v for v in series if isinstance(v, (*odd, complex, np.bool_)))
        raise TypeError(f"found {found!r}; give int nanoseconds, datetimes or ISO 8601 strings")
    if series.dtype.kind != "M":
        texts = [v for v in series if isinstance(v, str)]
        odd_text = next((v for v in texts if v.strip() and not v.strip()[0].isdigit()), None)
        if odd_text is not None:  # pandas takes "now" and "today", each time at another moment
            raise ValueError(f"found {odd_text!r}, which is not ISO 8601")
    try:
        iso = "ISO8601" if series.dtype.kind != "M" else None
        moments = pd.to_datetime(series, utc=True, format=iso).dt.as_unit("ns")
    except ValueError as error:
        raise ValueError(str(error).partition(" You might want to try")[0]) from None
    if moments.isna().any():
        raise ValueError("found a missing time")
    return moments.dt.tz_convert(None).to_numpy().astype("<i8")


def _without_missing(value: Any) -> tuple[np.ndarray | None, Any]:
    """Return which values of a column are there, bool[n], and those: so that pandas makes no floats of the ints.

    None, and the column itself, if none is missing, or what holds them can say that by itself.
    """
    if isinstance(value, list | tuple):
        known = np.array([v is not None for v in value], dtype=bool)
        return (None, value) if known.all() else (known, [v for v in value if v is not None])
    if hasattr(value, "drop_null"):  # Arrow
        return (np.asarray(value.is_valid()), value.drop_null()) if value.null_count else (None, value)
    if hasattr(value, "drop_nulls"):  # Polars
        return ((~value.is_null()).to_numpy(), value.drop_nulls()) if value.null_count() else (None, value)
    return None, value


def _placed(known: np.ndarray, value: Any, unit: str | None) -> np.ndarray:
    found = placed(known, _times(value, unit))
    assert found is not None
    return found
