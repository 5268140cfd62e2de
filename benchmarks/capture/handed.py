"""The same trades in the forms in which people have them, and how each is packed for a system that carries bytes."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import pandas as pd
import polars as pl
import pyarrow as pa

from benchmarks.capture.work import trades

Columns = dict[str, Any]
SYMBOLS = ("sym", "source")


@dataclass(frozen=True)
class Form:
    """`made(columns)` are rows in a form, `pack(rows)` its bytes as somebody without a plant would make them."""

    name: str
    rows: int
    made: Callable[[Columns], Any]
    pack: Callable[[Any], bytes]

    def items(self, messages: int) -> list[Any]:
        """Return the messages."""
        every = trades(messages * self.rows)
        return [
            self.made({name: column[i : i + self.rows] for name, column in every.items()})
            for i in range(0, messages * self.rows, self.rows)
        ]


_ZERO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def _datetimes(columns: Columns) -> list[dt.datetime]:
    return [_ZERO + dt.timedelta(microseconds=time // 1000) for time in columns["time"].tolist()]


def _dicts(columns: Columns, times: list[Any]) -> list[dict[str, Any]]:
    plain = {**{n: c if isinstance(c, list) else c.tolist() for n, c in columns.items()}, "time": times}
    return [dict(zip(plain, values, strict=True)) for values in zip(*plain.values(), strict=True)]


def _frame(columns: Columns) -> pd.DataFrame:
    return pd.DataFrame({**columns, "time": pd.to_datetime(columns["time"], utc=True)})


def _arrow(columns: Columns) -> pa.Table:
    table = pa.table({**columns, "time": pa.array(columns["time"] // 1000).cast(pa.timestamp("us", "UTC"))})
    for name in SYMBOLS:
        table = table.set_column(table.column_names.index(name), name, table[name].dictionary_encode())
    return table


def _polars(columns: Columns) -> pl.DataFrame:
    frame = pl.DataFrame(columns).with_columns(pl.from_epoch("time", "ns").dt.replace_time_zone("UTC"))
    return frame.with_columns(pl.col(*SYMBOLS).cast(pl.Categorical))


def _packed(rows: Any) -> bytes:
    return bytes(msgpack.packb(rows, datetime=True))


def _stream(table: pa.Table | pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write(table)
    return sink.getvalue().to_pybytes()


def _pandas_stream(frame: pd.DataFrame) -> bytes:
    return _stream(pa.RecordBatch.from_pandas(frame, preserve_index=False))


def _numpy_stream(columns: Columns) -> bytes:
    return _stream(pa.record_batch({name: pa.array(column) for name, column in columns.items()}))


def rows_of(form: "Form", packed: bytes) -> int:
    """Return how many rows packed bytes hold."""
    if form.pack is _packed:
        found = msgpack.unpackb(packed, timestamp=3)
        return 1 if isinstance(found, dict) else len(found)
    return int(pa.ipc.open_stream(packed).read_all().num_rows)


FORMS = (
    Form("one dict, time an int", 1, lambda c: _dicts(c, c["time"].tolist())[0], _packed),
    Form("one dict, time a datetime", 1, lambda c: _dicts(c, _datetimes(c))[0], _packed),
    Form("one dict, time in ISO 8601", 1, lambda c: _dicts(c, [t.isoformat() for t in _datetimes(c)])[0], _packed),
    Form("list of dicts, datetimes", 100, lambda c: _dicts(c, _datetimes(c)), _packed),
    Form("dict of arrays", 100, dict, _numpy_stream),
    Form("dict of arrays, DatetimeIndex", 100, lambda c: {**c, "time": pd.to_datetime(c["time"])}, _numpy_stream),
    Form("DataFrame", 100, _frame, _pandas_stream),
    Form("DataFrame", 1000, _frame, _pandas_stream),
    Form("DataFrame, categories", 1000, lambda c: _frame(c).astype(dict.fromkeys(SYMBOLS, "category")), _pandas_stream),
    Form("Arrow, dictionaries", 1000, _arrow, _stream),
    Form("Polars, categories", 1000, _polars, lambda frame: _stream(frame.to_arrow())),
)
