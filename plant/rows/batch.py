"""Rows of one table as columns: what travels, is stored, and is handed to a user.

A fixed-width column is a numpy array of its dtype, a symbol column a `Symbols`, a text column a `Texts`.
`columns_of` makes them from whatever a user holds: a pandas or Polars frame, an Arrow table, a dict of
columns, a list of dicts, or one dict.
"""

import datetime as dt
import functools
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from plant.errors import BadRows, UnknownColumn
from plant.rows.schema import FIXED_DTYPES, META_COLUMNS, Column, Table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DEFAULTS: dict[str, Any] = {"time": 0, "float": np.nan, "int": 0, "symbol": "", "text": ""}
"""What a column that was not given holds; `time`, `sym` and the columns of a key must be given."""


NULL = -1
"""The code of a symbol that is not there: of a row that is older than its column. Rows that are published have none."""


class Symbols:
    """A column of repeating strings: `names` (distinct) and `codes`, int32[n] into names, or NULL."""

    __slots__ = ("codes", "names")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, names: list[str], codes: np.ndarray) -> None:
        self.names = names
        self.codes = codes

    @classmethod
    def of(cls, given: Iterable[str]) -> "Symbols":
        """Return the column of these strings, in order of first appearance."""
        strings = given if isinstance(given, list | tuple) else tuple(given)
        if strings and strings.count(strings[0]) == len(strings):
            strings[0].encode()
            return cls([strings[0]], np.zeros(len(strings), dtype=np.int32))  # one source, one interval: very common
        names = list(dict.fromkeys(strings))
        "".join(names).encode()  # a lone surrogate is no text: say so now, as a ValueError
        code_of = dict(zip(names, range(len(names)), strict=True))
        return cls(names, np.fromiter(map(code_of.__getitem__, strings), np.int32, len(strings)))

    def copy(self) -> "Symbols":
        """Return a column that shares nothing with this one."""
        return Symbols(self.names.copy(), self.codes.copy())

    def compact(self) -> "Symbols":
        """Return the column with only the names that it uses: what is sent of a frame of many symbols."""
        used, codes = np.unique(self.codes, return_inverse=True)
        return Symbols([self.names[code] for code in used.tolist()], codes.astype(np.int32))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> "Symbols":
        return Symbols(self.names, self.codes[rows])

    def __eq__(self, text: object) -> Any:
        """Compare each row with a text, as a numpy column does: bool[n]."""
        return self.codes == (self.names.index(text) if text in self.names else -1)

    def __ne__(self, text: object) -> Any:
        return np.ones(len(self), dtype=bool) if text not in self.names else ~(self == text)

    def tolist(self) -> list[str]:
        """Return the strings, one per row; None for NULL."""
        names: list[Any] = [*self.names, None]
        return [names[c] for c in self.codes.tolist()]


_FEW_TEXTS = 1000


class Texts:
    """A column of strings that do not repeat: `data` (UTF-8, joined) and `offsets`, int64[n + 1] into it.

    `missing`, bool[n]: those that are not there, as rows that are older than their column; None if all are.
    """

    __slots__ = ("data", "missing", "offsets")

    def __init__(self, offsets: np.ndarray, data: bytes | memoryview, missing: np.ndarray | None = None) -> None:
        self.offsets = offsets
        self.data = data
        self.missing = missing

    @classmethod
    def of(cls, strings: Iterable[str]) -> "Texts":
        """Return the column of these strings."""
        parts = [s.encode() for s in strings]
        offsets = np.zeros(len(parts) + 1, dtype=np.int64)
        np.cumsum([len(p) for p in parts], out=offsets[1:])
        return cls(offsets, b"".join(parts))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: Any) -> "Texts":
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            ends = self.offsets[first : max(first, last) + 1]
            missing = None if self.missing is None else self.missing[rows]
            return Texts(ends - ends[0], memoryview(self.data)[int(ends[0]) : int(ends[-1])], missing)
        starts = self.offsets[:-1][rows]
        lengths = self.offsets[1:][rows] - starts
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        missing = None if self.missing is None else self.missing[rows]
        if len(lengths) > _FEW_TEXTS:
            return Texts(offsets, self._data_at(rows)[: int(offsets[-1])], missing)
        taken = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])  # where each byte comes from
        return Texts(offsets, np.frombuffer(self.data, dtype=np.uint8)[taken].tobytes(), missing)

    def _data_at(self, rows: Any) -> memoryview:
        """Return the texts at some rows, joined; Arrow copies texts, where numpy would copy bytes."""
        import pyarrow as pa

        places = np.arange(len(self))[rows] if not isinstance(rows, np.ndarray) or rows.dtype == bool else rows
        places = np.where(places < 0, places + len(self), places)
        buffers = [None, pa.py_buffer(np.ascontiguousarray(self.offsets)), pa.py_buffer(self.data)]
        found = pa.Array.from_buffers(pa.large_string(), len(self), buffers).take(pa.array(places))
        return memoryview(found.buffers()[2] or b"")

    def tolist(self) -> list[str]:
        """Return the strings, one per row; None for those that are missing."""
        data, ends = bytes(self.data), self.offsets.tolist()
        texts: list[Any] = [data[a:b].decode() for a, b in pairwise(ends)]
        if self.missing is not None:
            for row in np.flatnonzero(self.missing).tolist():
                texts[row] = None
        return texts


_FORMS: dict[str, Any] = {
    **{kind: np.dtype(dtype) for kind, dtype in FIXED_DTYPES.items()},
    "symbol": Symbols,
    "text": Texts,
}
_CONTIGUOUS = (8,)

Columns = dict[str, Any]
"""Column name to ndarray, Symbols or Texts, all of one length."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table as they were journaled together.

    `seq` counts the batches of the journal, `table_seq` those of this table; `received` is when the tickerplant took
    it, ns since 1970 UTC. Several batches decoded as one have the numbers of the last, and `parts`: the first row,
    the seq and the received of each, int64[k].
    """

    table: str
    columns: Columns
    seq: int
    table_seq: int
    received: int
    key: tuple[str, ...] = ()
    parts: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.columns["time"])

    def filtered(self, rows: np.ndarray) -> "Batch":
        """Return the batch with only `rows` (bool[n] or positions)."""
        kept = {name: column[rows] for name, column in self.columns.items()}
        return Batch(self.table, kept, self.seq, self.table_seq, self.received, self.key)

    def arrow(self) -> "pa.Table":
        """Return the rows as an Arrow table: time as timestamp[ns, UTC], symbols dictionary-encoded."""
        import pyarrow as pa

        return pa.table({name: arrow_column(column, is_time=name == "time") for name, column in self.columns.items()})

    def pandas(self) -> "pd.DataFrame":
        """Return the rows as a pandas DataFrame."""
        return self.arrow().to_pandas()

    def numpy(self) -> dict[str, Any]:
        """Return the rows as a dict of numpy arrays; symbols and texts as arrays of str objects."""
        return {
            name: column if isinstance(column, np.ndarray) else np.array(column.tolist(), dtype=object)
            for name, column in self.columns.items()
        }

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows as dicts of plain Python values; times as int nanoseconds."""
        lists = [column.tolist() for column in self.columns.values()]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*lists, strict=True)]

    def __repr__(self) -> str:
        return f"<Batch {self.table} seq={self.seq} rows={len(self)}>"


def taken(columns: Columns, rows: Any) -> Columns:
    """Return some rows (positions, bool[n] or a slice) of columns, with only the names of symbols that they use."""
    some = {name: column[rows] for name, column in columns.items()}
    return {name: c.compact() if isinstance(c, Symbols) and len(c.names) > 1 else c for name, c in some.items()}


def arrow_column(column: Any, is_time: bool = False, checked: bool = True) -> "pa.Array":
    """Return a column as an Arrow array without copying its numbers; a float NaN is null, and so is what is missing.

    Without `checked` codes are taken as they are: right for what was made here.
    """
    import pyarrow as pa

    if isinstance(column, Symbols):
        absent = column.codes == NULL
        codes = pa.array(column.codes, pa.int32(), mask=absent if absent.any() else None)
        return pa.DictionaryArray.from_arrays(codes, _dictionary(tuple(column.names)), safe=checked)
    if isinstance(column, Texts):
        known = None
        if column.missing is not None:
            known = pa.py_buffer(np.packbits(~column.missing, bitorder="little"))
        buffers = [known, pa.py_buffer(np.ascontiguousarray(column.offsets)), pa.py_buffer(column.data)]
        return pa.Array.from_buffers(pa.large_string(), len(column), buffers)
    if is_time:
        return pa.array(column, pa.int64()).view(pa.timestamp("ns", "UTC"))
    if column.dtype.kind == "f" and np.isnan(column).any():
        return pa.array(column, from_pandas=True)
    return pa.array(column)  # a look for NaN is a tenth of the time that Arrow takes to make a mask of none


@functools.lru_cache(16)
def _dictionary(names: tuple[str, ...]) -> "pa.Array":
    """Return names as an Arrow array; those of one answer are often those of the next."""
    import pyarrow as pa

    return pa.array(names, pa.string())


def columns_of(table: Table, rows: Any, defaults: Mapping[str, Any] | None = None) -> Columns:
    """Return `rows` as the columns of `table`.

    `rows` is a pandas or Polars DataFrame, an Arrow table, a dict of columns, a list of dicts, or one dict of plain
    values. A missing column takes its value from `defaults`, else `DEFAULTS`. Times may be int64 nanoseconds,
    datetimes or ISO 8601 strings; without a zone they are UTC.

    Raises BadRows (wrong type or length, missing time, sym or key) and UnknownColumn.
    """
    ready = _as_they_are(table, rows) if type(rows) is dict else None
    if ready is not None:
        return ready
    given = _by_name(rows)
    for name in given:
        if name not in table.names and name not in META_COLUMNS:
            raise UnknownColumn.named(name, table.name, table.names)
    if "time" not in given:
        raise BadRows(f"{table.name}: no column 'time'; give {', '.join(table.names)}")
    columns: Columns = {}
    count = len(given["time"])
    for column in table.columns:
        if column.name in given:
            value = _column(table, column, given[column.name])
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


def _by_name(rows: Any) -> dict[str, Any]:
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


def constant(column: Column, count: int, value: Any) -> Any:
    """Return a column of `count` times the same value."""
    if column.kind == "symbol":
        return Symbols([str(value)], np.zeros(count, dtype=np.int32))
    if column.kind == "text":
        return Texts.of([str(value)] * count)
    return np.full(count, value, dtype=FIXED_DTYPES[column.kind])


def _column(table: Table, column: Column, value: Any) -> Any:
    try:
        if column.kind == "symbol":
            return _symbols(value)
        if column.kind == "text":
            return value if isinstance(value, Texts) else Texts.of(_strings(value))
        if column.kind == "time":
            return _times(value)
        return _numbers(value, column.kind)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRows(f"{table.name}.{column.name}: expected {column.kind}, {error}") from None


def _symbols(value: Any) -> Symbols:
    """Return a symbol column; a pandas Categorical or an Arrow dictionary without looking at each row."""
    if isinstance(value, Symbols):
        return value
    categories = getattr(getattr(value, "dtype", None), "categories", None)
    if categories is not None and hasattr(value, "cat") and len(value):
        codes = value.cat.codes.to_numpy() if hasattr(value.cat, "codes") else None
        if codes is not None and codes.min() >= 0:
            return Symbols(_strings(categories), codes.astype(np.int32))
    return Symbols.of(_strings(value))


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
    if array.dtype.kind == "O":  # None among numbers is "not known"
        array = np.asarray([np.nan if v is None else v for v in array.tolist()])
    if array.ndim != 1 or (array.dtype.kind not in ("fiu" if kind == "float" else "iu") and array.size):
        shown = array.ravel()[:1].tolist()
        raise TypeError(f"found {shown[0] if shown else value!r} ({array.dtype}, {array.ndim} dimensions)")
    if kind == "int" and array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise ValueError(f"found {int(array.max())}, more than an int64 holds")
    return np.ascontiguousarray(array, dtype=FIXED_DTYPES[kind])


def _times(value: Any) -> np.ndarray:
    """Return int64 nanoseconds since 1970 UTC."""
    if isinstance(value, list | tuple) and value and all(type(v) is int for v in value):
        return np.array(value, dtype="<i8")
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "i":
        return np.ascontiguousarray(value, dtype="<i8")
    import pandas as pd

    if hasattr(value, "to_pandas"):
        value = value.to_pandas()
    series = value if isinstance(value, pd.Series) else pd.Series(value)
    if series.isna().any():
        raise ValueError("found a missing time")
    if series.dtype == object and any(isinstance(v, int | np.integer) for v in series):
        series = series.infer_objects()  # all int: nanoseconds; else it stays object and is refused
    if series.dtype.kind in "iu":
        return _numbers(series.to_numpy(), "int")
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


def nanoseconds(moment: Any, zone: dt.tzinfo = dt.UTC, now: dt.datetime | None = None) -> int:
    """Return a moment as int nanoseconds since 1970 UTC.

    `moment` is int nanoseconds, a datetime, a pandas Timestamp, a numpy datetime64, or a string: ISO 8601, or a time of
    day ("09:30"), which is meant today in `zone`; a moment without a zone is in `zone`. Raises BadRows.
    """
    import pandas as pd

    try:
        if isinstance(moment, int | np.integer) and not isinstance(moment, bool):
            if not -(2**63) <= moment < 2**63:
                raise ValueError("more than an int64 holds")
            return int(moment)
        if isinstance(moment, float | np.floating):
            raise ValueError("a float cannot hold nanoseconds exactly")
        if isinstance(moment, str) and ":" in moment[:3]:
            today = (now or dt.datetime.now(zone)).astimezone(zone).date()
            moment = dt.datetime.combine(today, dt.time.fromisoformat("0" * (moment.find(":") == 1) + moment))
        elif isinstance(moment, str):  # pandas would guess at 05/06/2026, and take "now" for UTC
            if not moment[:1].isdigit():
                raise ValueError("not ISO 8601")
            moment = pd.to_datetime(moment, format="ISO8601")
        elif isinstance(moment, dt.time):
            moment = dt.datetime.combine((now or dt.datetime.now(zone)).astimezone(zone).date(), moment)
        stamp = pd.Timestamp(moment)
        if stamp is pd.NaT:
            raise ValueError("not a time")
        stamp = stamp.tz_localize(zone) if stamp.tzinfo is None else stamp
        return int(stamp.tz_convert("UTC").as_unit("ns").value)
    except (TypeError, ValueError, OverflowError) as error:
        reason = str(error).partition(" You might want to try")[0]
        raise BadRows(
            f'expected a time ("09:30", "2026-11-20 09:30", a datetime, int ns since 1970 UTC), '
            f"found {moment!r}: {reason}"
        ) from None
