"""Rows of the plant's tables with journal numbers, as folds take them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from plant.intake.forms import columns_of
from plant.rows.columns import Columns
from plant.rows.schema import META_COLUMNS
from plant.rows.tables import schema_of
from plant.state.newest import rows_of_columns

NOON = 1_763_640_000_000_000_000


def journaled(table: str, rows: Sequence[dict[str, Any]]) -> Columns:
    """Return rows as columns, with the `seq` and `seq_row` that each has (0, if it has none)."""
    own = [{k: v for k, v in row.items() if k not in META_COLUMNS} for row in rows]
    columns = columns_of(schema_of()[table], [{"time": NOON, "sym": "X", **row} for row in own])
    for name in ("seq", "seq_row"):
        columns[name] = np.array([row.get(name, 0) for row in rows], dtype=np.int64)
    return columns


def numbered(rows: Iterable[dict[str, Any]], seqs: Iterable[int]) -> list[dict[str, Any]]:
    """Return rows with these seqs, which rise; those of one seq are numbered 0, 1, ... by seq_row."""
    found: list[dict[str, Any]] = []
    for row, seq in zip(rows, seqs, strict=False):
        place = found[-1]["seq_row"] + 1 if found and found[-1]["seq"] == seq else 0
        found.append({**row, "seq": seq, "seq_row": place})
    return found


def through_the_plant(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as it is once it went through the plant: all columns, of their kinds, as plain values."""
    declared = schema_of()[table]
    (found,) = rows_of_columns(columns_of(declared, row), declared.times)
    return found
