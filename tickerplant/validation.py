"""Which rows of a batch are good, and why the others are not."""

from typing import Any

import numpy as np

from plant.intake.rejects import as_json, rejected
from plant.rows.columns import Columns
from plant.rows.schema import Table


def bad_rows(table: Table, columns: Columns, count: int) -> tuple[np.ndarray, list[str]]:
    """Return the positions of the rows that fail a check (int64[k], ascending), and the reason of each.

    A row that fails several checks has the first one's reason. One row is checked as plain numbers, which costs a
    tenth of numpy on columns of length 1.
    """
    if count > 1 and table.all_good is not None and table.all_good(columns).all():
        return _NONE, []
    if count == 1:
        row = {name: _single(column) for name, column in columns.items()}
        if table.all_good is not None and table.all_good(row):
            return _NONE, []
        for check in table.checks:
            if not check.good(row):
                return np.zeros(1, dtype=np.int64), [check.reason]
        return _NONE, []
    reasons: dict[int, str] = {}
    for check in table.checks:
        good = check.good(columns)
        if not good.all():
            for position in np.flatnonzero(~good).tolist():
                reasons.setdefault(position, check.reason)
    positions = sorted(reasons)
    return np.array(positions, dtype=np.int64), [reasons[p] for p in positions]


def rejects(columns: Columns, positions: np.ndarray, reasons: list[str], source: str, table: str, now: int) -> Columns:
    """Return rows of the table `rejects` for the rows of `columns` at `positions`; their JSON is cut at ROW_CHARS."""
    count = len(positions)
    bad = {name: column[positions].tolist() for name, column in columns.items()}
    rows = [as_json({name: values[i] for name, values in bad.items()}) for i in range(count)]
    return rejected(bad["sym"], reasons, rows, source, table, now)


def _single(column: Any) -> Any:
    return column.item() if isinstance(column, np.ndarray) else column.tolist()[0]


_NONE = np.zeros(0, dtype=np.int64)
