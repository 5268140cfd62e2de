"""Rows with the columns that their table has now, whatever it had when they were journaled.

A column that an older row has not holds what a publisher that leaves it out gives: NaN, an unknown time, 0 or an empty
text.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from plant.rows.batch import Batch
from plant.rows.columns import DEFAULTS, Columns, Symbols, Texts, constant
from plant.rows.schema import FIXED_DTYPES, META_COLUMNS, Column, Table

_COLUMNS = {"symbol": Symbols, "text": Texts}
_MAY_BE_NULL = ("float", "time")


def as_declared(batch: Batch, table: Table) -> Batch:
    """Return a batch with the columns and the key of `table`."""
    columns = columns_as_declared(batch.columns, table)
    return replace(batch, columns=columns, key=table.key, times=table.times)


def columns_as_declared(given: Columns, table: Table) -> Columns:
    """Return columns with those that `table` has; one that is of another kind counts as one that is not given."""
    count = len(given["time"])
    return {
        c.name: given[c.name] if _holds(given.get(c.name), c) else constant(c, count, DEFAULTS[c.kind])
        for c in table.columns
    }


def served(rows: pa.Table, table: Table) -> pa.Table:
    """Return rows of the journal as who serves today's rows has them: the columns of `table`, and META_COLUMNS."""
    columns = {
        c.name: without_nulls(rows.column(c.name), c)
        if c.name in rows.column_names
        else pa.repeat(pa.scalar(DEFAULTS[c.kind]), rows.num_rows)
        for c in table.columns
        if c.name in rows.column_names or c.kind not in _MAY_BE_NULL
    }
    return pa.table({**columns, **{name: rows.column(name) for name in META_COLUMNS}})


def without_nulls(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    """Return values without nulls, which older rows have; those of _MAY_BE_NULL stay, for so an answer shows them."""
    if not values.null_count or column.kind in _MAY_BE_NULL:
        return values
    return values.cast(pa.string() if column.kind in _COLUMNS else pa.int64()).fill_null(DEFAULTS[column.kind])


def _holds(values: Any, column: Column) -> bool:
    """Return whether values are a column of this kind."""
    if column.kind in _COLUMNS:
        return isinstance(values, _COLUMNS[column.kind])
    return isinstance(values, np.ndarray) and values.dtype == FIXED_DTYPES[column.kind]
