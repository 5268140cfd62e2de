"""Random rows of any table for property tests, and a plain-list view of columns to compare them with."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from plant.rows.columns import DEFAULTS, Columns, Symbols, Texts, constant
from plant.rows.schema import UNKNOWN_TIME, Column, Table

EVERY_KIND = Table(
    "everything",
    (
        Column("time", "time"),
        Column("sym", "symbol"),
        Column("note", "text"),
        Column("price", "float"),
        Column("venue", "symbol"),
        Column("count", "int"),
        Column("remark", "text"),
        Column("settles", "time"),
    ),
)
"""A table with every kind of column, in an order that is not the wire's."""

INT64 = st.integers(-(2**63), 2**63 - 1)
STRINGS = st.text(max_size=6) | st.sampled_from(["", "AAPL", "Ä€𝄞", "\0", "null"])
_TIMES = st.integers(-(2**63) + 1, 2**63 - 1)
_VALUES = {"time": _TIMES, "int": INT64, "float": st.floats(), "symbol": STRINGS, "text": STRINGS}


@st.composite
def plain_rows(draw: st.DrawFn, table: Table = EVERY_KIND, max_rows: int = 8) -> dict[str, list[Any]]:
    """Return a dict of lists of equal length, one per column of `table`."""
    count = draw(st.integers(0, max_rows))
    beside = _TIMES | st.just(UNKNOWN_TIME)
    kinds = {c.name: beside if c.kind == "time" and c.name != "time" else _VALUES[c.kind] for c in table.columns}
    return {name: draw(st.lists(values, min_size=count, max_size=count)) for name, values in kinds.items()}


def columns_from(table: Table, rows: dict[str, list[Any]]) -> Columns:
    """Return the columns that hold these lists, and the default in those that are not given."""
    kinds = {"time": np.int64, "int": np.int64, "float": np.float64}
    return {
        c.name: constant(c, len(rows["time"]), DEFAULTS[c.kind])
        if c.name not in rows
        else Symbols.of(rows[c.name])
        if c.kind == "symbol"
        else Texts.of(rows[c.name])
        if c.kind == "text"
        else np.array(rows[c.name], dtype=kinds[c.kind])
        for c in table.columns
    }


def bits(columns: Columns) -> dict[str, list[Any]]:
    """Return the columns as lists in which equal means equal bits: floats as their bytes, so that NaN equals NaN."""
    return {
        name: column.view(np.int64).tolist() if isinstance(column, np.ndarray) else column.tolist()
        for name, column in columns.items()
    }


def trades(first: int, count: int, sym: str = "AAPL") -> dict[str, list[Any]]:
    """Return `count` good rows of the table trades, told apart by `size` = first, first + 1, ..."""
    return {
        "time": [1_700_000_000_000_000_000 + i for i in range(first, first + count)],
        "sym": [sym] * count,
        "price": [100.0] * count,
        "size": [float(i) for i in range(first, first + count)],
        "source": ["test"] * count,
        "trade_id": [str(i) for i in range(first, first + count)],
    }
