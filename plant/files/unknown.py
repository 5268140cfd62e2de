"""Which values of a table may be unknown: by its own checks, so that what the plant keeps, the reader keeps."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.texts import whole_column
from plant.rows.columns import DEFAULTS
from plant.rows.schema import EARLIEST, Column, Table

_NO_TIME = ("NaT", "nan", "null", "None")
"""What programs write for a time that there is not."""


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
    """Return what `read` makes of ints that the plant exported, or of times; an empty one is what a row without it has.

    An int knows no "not known", but rows that are older than their column have null there in history. A time does.
    """
    values = whole_column(values)
    empty = values.is_null(nan_is_null=True)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        written = pc.utf8_trim_whitespace(values.fill_null(""))
        empty = pc.is_in(written, pa.array(("", *_NO_TIME) if column.kind == "time" else ("",), written.type))
    absent = empty.to_numpy(zero_copy_only=False)
    if not absent.any():
        return read(values)
    standard: int = DEFAULTS[column.kind]
    what = "not known" if column.kind == "time" else f"{standard}, as in a row that leaves it out"
    tell(f"{column.name}: {int(absent.sum()):,} empty are {what}")
    if absent.all():
        return np.full(len(absent), standard, dtype=np.int64)
    known = np.where(absent, np.flatnonzero(~absent)[0], np.arange(len(absent)))  # so that none of them is rejected
    return np.where(absent, standard, read(values.take(pa.array(known))))


_SAMPLES: dict[str, Any] = {
    "time": np.array([EARLIEST]), "int": np.array([1]), "float": np.array([1.0]), "symbol": "x", "text": "x",
}  # fmt: skip
