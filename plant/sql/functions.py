"""What DuckDB 2.0 lacks for times of nanoseconds: functions that it has for those of microseconds alone.

A time of the plant is TIMESTAMPTZ_NS in a SELECT, an instant; AT TIME ZONE makes TIMESTAMP_NS of it, what a local clock
shows. DuckDB refuses most functions of the first, and rounds the second to microseconds without a word: a trade of
09:29:59.9999999 would be one of 09:30. So its functions are given these two types as well, as plant.sql.times computes
them, and whatever else is asked stays DuckDB's.
"""

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.func import PythonUDFType

from plant.errors import QueryError
from plant.sql import times

INSTANT, CLOCK = "TIMESTAMPTZ_NS", "TIMESTAMP_NS"


def _refuse(text: str) -> Callable[..., Any]:
    def refused(*_: Any) -> Any:
        raise QueryError(text)

    return refused


_AGE = _refuse("age and date_sub take no times of ns: write date_diff, or epoch_ns(a) - epoch_ns(b)")
_RANGE = _refuse("range and generate_series take no times of ns: make their microseconds by make_timestamp(...)")

Extension = tuple[str, tuple[str, ...], str, Callable[..., Any]]
"""A function's name, the types it takes, the type it gives, and what computes it."""


def extensions(kind: str) -> list[Extension]:
    """Return what DuckDB's functions take besides, for INSTANT or CLOCK."""
    found: list[Extension] = [(name, (kind,), "BIGINT", function) for name, function in times.FIELDS.items()]
    for name in ("weekofyear", "weekday", "dayofmonth"):
        found.append((name, (kind,), "BIGINT", times.FIELDS[times.PARTS[name]]))
    for name in ("date_part", "datepart"):
        found.append((name, ("VARCHAR", kind), "BIGINT", times.field))
    for name in ("date_trunc", "datetrunc"):
        found.append((name, ("VARCHAR", kind), kind, times.truncated))
    for name in ("date_diff", "datediff") if kind == CLOCK else ():  # DuckDB has it for instants
        found.append((name, ("VARCHAR", kind, kind), "BIGINT", times.boundaries))
    for name in ("date_sub", "datesub"):
        found.append((name, ("VARCHAR", kind, kind), "BIGINT", _AGE))
    for name in ("+", "add"):
        found.append((name, (kind, "INTERVAL"), kind, times.shifted))
        found.append((name, ("INTERVAL", kind), kind, lambda interval, ns: times.shifted(ns, interval)))
    for name in ("-", "subtract"):
        found.append((name, (kind, "INTERVAL"), kind, lambda ns, interval: times.shifted(ns, interval, -1)))
        found.append((name, (kind, kind), "INTERVAL", lambda end, start: times.interval_between(start, end)))
    for name in ("range", "generate_series"):
        found.append((name, (kind, kind, "INTERVAL"), f"{kind}[]", _RANGE))
    return [
        *found,
        *((name, (kind,), "VARCHAR", function) for name, function in times.NAMES.items()),
        ("time_bucket", ("INTERVAL", kind), kind, times.bucketed),
        ("time_bucket", ("INTERVAL", kind, "INTERVAL"), kind, times.bucketed_apart),
        ("time_bucket", ("INTERVAL", kind, kind), kind, times.bucketed),
        ("last_day", (kind,), "DATE", times.last_day),
        ("epoch", (kind,), "DOUBLE", lambda ns: ns / 1e9),
        ("age", (kind,), "INTERVAL", _AGE),
        ("age", (kind, kind), "INTERVAL", _AGE),
    ]


PYTHONS = {name for name, *_ in extensions(CLOCK) if name.isidentifier()}
"""Names of functions that Python computes for times of ns."""


class Functions:
    """DuckDB's functions for times of ns, on a connection and its cursors.

    refused   why one of them refused its arguments, since this was last set to None: DuckDB's own error has it wrapped
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.refused: str | None = None
        self._cursors: list[duckdb.DuckDBPyConnection] = []  # a connection takes one function of a name
        there: dict[str, int] = {}
        for kind in (INSTANT, CLOCK):
            for name, takes, gives, function in extensions(kind):
                count = there[name] = there.get(name, -1) + 1
                if count == len(self._cursors):
                    self._cursors.append(connection.cursor())
                types: list[Any] = [connection.sqltype(t) for t in takes]
                made = self._made(function, takes, gives)
                self._cursors[count].create_function(
                    name, made, types, connection.sqltype(gives), type=PythonUDFType.ARROW
                )
        for macro in _MACROS:
            connection.execute(f"create macro {macro}")

    def _made(self, function: Callable[..., Any], takes: Sequence[str], gives: str) -> Callable[..., pa.Array]:
        """Return a function of Arrow arrays; DuckDB keeps nulls from it."""

        def made(*columns: pa.ChunkedArray) -> pa.Array:
            found = [_taken(column, kind) for column, kind in zip(columns, takes, strict=True)]
            try:
                if takes[0] != "VARCHAR":
                    return _given(function(*found), gives)
                parts, others = found[0], found[1:]
                result = np.zeros(len(columns[0]), np.int64)
                for part, some in parts.items():
                    result[some] = function(part, *(t[some] for t in others))
                return _given(result, gives)
            except QueryError as error:
                self.refused = str(error)
                raise

        names = [Parameter(f"_{i}", Parameter.POSITIONAL_ONLY) for i in range(len(takes))]
        made.__signature__ = Signature(names)  # type: ignore[attr-defined]  # DuckDB counts them
        return made


_MACROS = (
    "now() as get_current_timestamp()::timestamptz_ns",
    "get_current_timestamp() as system.main.get_current_timestamp()::timestamptz_ns",  # current_timestamp
    "transaction_timestamp() as system.main.transaction_timestamp()::timestamptz_ns",
    "to_timestamp(seconds) as system.main.to_timestamp(seconds)::timestamptz_ns",
)
"""Those that give an instant of microseconds, which is compared with none of ns."""

_GIVEN = {
    INSTANT: pa.timestamp("ns", "UTC"),
    CLOCK: pa.timestamp("ns"),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "INTERVAL": pa.month_day_nano_interval(),
}


def _taken(column: pa.ChunkedArray, kind: str) -> Any:
    """Return an argument: texts with where they are, intervals, or times; without what has pyarrow import pandas."""
    if kind == "VARCHAR":
        known = column.unique().to_pylist()
        return {text: np.array(pc.equal(column, text)) if len(known) > 1 else slice(None) for text in known}
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    dtype = times.INTERVAL if kind == "INTERVAL" else np.dtype(np.int64)
    return np.frombuffer(whole.buffers()[1] or b"", dtype, len(whole), whole.offset * dtype.itemsize)


def _given(values: np.ndarray, kind: str) -> pa.Array:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(values))]
    if kind in _GIVEN:
        return pa.Array.from_buffers(_GIVEN[kind], len(values), buffers)
    texts = values.tolist()
    ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(texts), [None, pa.py_buffer(ends), pa.py_buffer("".join(texts).encode())]
    )
