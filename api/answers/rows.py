"""Rows as they go out: JSON by row or by column, CSV, Arrow. NaN, and what is not known, is null."""

import asyncio
import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv
from fastapi import Response
from pydantic_core import to_json

from api.answers.times import told_times
from plant.rows.schema import UNKNOWN_TIME

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
MEDIA = (JSON, CSV, ARROW)

FEW_ROWS = 1_000
"""More are written in a thread."""

_threads = ThreadPoolExecutor(2, "answers")

_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Form:
    """How an answer is wanted: `media` of MEDIA, `times` of api.answers.times.FORMS, `layout` "rows" or "columns"."""

    media: str = JSON
    times: str = "rfc3339"
    layout: str = "rows"


def plain_columns(table: pa.Table, times: str = "rfc3339") -> dict[str, list[Any]]:
    """Return the columns of an Arrow table as lists of what JSON has; NaN and infinity are None."""
    return {name: _plain(table.column(name), times) for name in table.column_names}


def plain_rows(table: pa.Table, times: str = "rfc3339") -> list[dict[str, Any]]:
    """Return the rows of an Arrow table as dicts of what JSON has."""
    columns = plain_columns(table, times)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def row_answer(
    name: str,
    table: pa.Table,
    seq: int | None,
    form: Form,
    next_: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Return rows as an answer: everything up to `seq` is in it, `next_` is the cursor of the next page.

    CSV and Arrow tell table, seq and next in the headers X-Table, X-Seq and X-Next (Arrow also in its metadata).
    """
    told = {"table": name, "seq": seq, "next": next_, **(more or {})}
    if form.media == JSON:
        content = _json(table, form, {"table": name, "seq": seq}, {"next": next_, **(more or {})})
        return Response(content, 200, seq_header(seq), JSON)
    headers = {f"X-{key.title()}": str(value) for key, value in told.items() if isinstance(value, str | int)}
    if form.media == ARROW:
        sink = io.BytesIO()
        whole = table.replace_schema_metadata({k: str(v) for k, v in told.items() if isinstance(v, str | int)})
        with pa.ipc.new_stream(sink, whole.schema) as writer:
            writer.write_table(whole)
        return Response(sink.getvalue(), media_type=ARROW, headers=headers)
    return Response(_csv(table, form.times), media_type=CSV, headers=headers)


async def answered(
    name: str,
    table: pa.Table,
    seq: int | None,
    form: Form,
    next_: str | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """Return what `row_answer` does; many rows are written in a thread, so that no other request waits for them."""
    return await beside(row_answer, name, table, seq, form, next_, more, many=table.num_rows > FEW_ROWS)


async def beside(what: Callable[..., _Found], *args: Any, many: bool = True) -> _Found:
    """Return what a call gives, of `many` rows in a thread: those that wait for the rdb are others."""
    return await asyncio.get_running_loop().run_in_executor(_threads, what, *args) if many else what(*args)


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return plain values as JSON; NaN and infinity are null."""
    return Response(to_json(content, inf_nan_mode="null"), status, dict(headers or {}), JSON)


def seq_header(seq: int | None) -> dict[str, str]:
    """Return the header that tells up to which seq everything is in an answer."""
    return {} if seq is None else {"X-Seq": str(seq)}


def _json(table: pa.Table, form: Form, before: dict[str, Any], behind: dict[str, Any]) -> bytes:
    """Return rows as JSON, members before and behind them; a part at a time: others have their turn between two."""
    if form.layout == "columns":
        return to_json({**before, "columns": plain_columns(table, form.times), **behind}, inf_nan_mode="null")
    parts = [plain_rows(table.slice(at, FEW_ROWS), form.times) for at in range(0, table.num_rows, FEW_ROWS)]
    rows = b",".join(to_json(part, inf_nan_mode="null")[1:-1] for part in parts)
    return b'%s,"rows":[%s],%s' % (to_json(before)[:-1], rows, to_json(behind, inf_nan_mode="null")[1:])


def _plain(column: pa.ChunkedArray, times: str) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
        return told_times(np.asarray(stamps.fill_null(UNKNOWN_TIME)), times)
    if pa.types.is_floating(column.type):
        numbers = column.to_numpy()
        found: list[Any] = numbers.tolist()
        for place in np.flatnonzero(~np.isfinite(numbers)).tolist():
            found[place] = None
        return found
    if pa.types.is_dictionary(column.type):
        return [value for chunk in column.chunks for value in _named(chunk)]
    if pa.types.is_integer(column.type) and not column.null_count:
        return list(column.to_numpy().tolist())
    return list(column.to_pylist())


def _named(chunk: pa.DictionaryArray) -> list[Any]:
    """Return the values of a chunk; each name becomes a Python object once, not once a row."""
    names = [*chunk.dictionary.to_pylist(), None]
    return [names[place] for place in chunk.indices.cast(pa.int64()).fill_null(len(names) - 1).to_numpy().tolist()]


def _csv(table: pa.Table, times: str) -> bytes:
    columns: dict[str, Any] = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            columns[name] = pa.array(_plain(column, times))
        elif pa.types.is_floating(column.type):
            columns[name] = pa.array(column.to_numpy(), from_pandas=True)
        elif pa.types.is_dictionary(column.type):
            columns[name] = column.cast(pa.string())
        elif pa.types.is_nested(column.type):
            columns[name] = pa.array([None if v is None else str(v) for v in column.to_pylist()])
        else:
            columns[name] = column
    sink = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(columns), sink)
    return sink.getvalue()
