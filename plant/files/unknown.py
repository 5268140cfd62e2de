"""Which values of a table may be unknown: by its own checks, so that what the plant keeps, the reader keeps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.texts import whole_column
from plant.rows.columns import DEFAULTS
from plant.rows.schema import EARLIEST, Column, Table


def allows(table: Table, name: str, value: float) -> bool:
    """Return whether the checks of a table let a column hold a value (NaN: not known) beside good ones.

    >>> from plant.rows.tables import schema_of
    >>> [allows(schema_of()["quotes"], "ask", np.nan), allows(schema_of()["bars"], "close", np.nan)]
    [True, False]
    """
    good: Mapping[str, Any] = {c.name: _SAMPLES[c.kind] for c in table.columns}
    tried = {**good, name: np.array([value])}
    return all(np.all(check.good(tried)) for check in table.checks if np.all(check.good(good)))


def read_known(
    column: Column, values: Any, read: Callable[[Any], np.ndarray], tell: Callable[[str], None]
) -> np.ndarray:
    """Return what `read` makes of the ints or times that the plant exported; an empty one is what a row without it has.

    An int or a time knows no "not known", but rows that are older than their column have null there in history.
    """
    values = whole_column(values)
    empty = values.is_null()
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        empty = pc.or_(empty, pc.equal(pc.utf8_trim_whitespace(values.fill_null("")), ""))
    absent = empty.to_numpy(zero_copy_only=False)
    if not absent.any():
        return read(values)
    standard: int = DEFAULTS[column.kind]
    tell(f"{column.name}: {int(absent.sum()):,} empty are {standard}, as in a row that leaves it out")
    if absent.all():
        return np.full(len(absent), standard, dtype=np.int64)
    known = np.where(absent, np.flatnonzero(~absent)[0], np.arange(len(absent)))  # so that none of them is rejected
    found = read(values.take(pa.array(known)))
    found[absent] = standard
    return found


_SAMPLES: dict[str, Any] = {
    "time": np.array([EARLIEST]), "int": np.array([1]), "float": np.array([1.0]), "symbol": "x", "text": "x",
}  # fmt: skip
