"""Which values of a table may be unknown: by its own checks, so that what the plant keeps, the reader keeps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from plant.rows.schema import EARLIEST, Table


def allows(table: Table, name: str, value: float) -> bool:
    """Return whether the checks of a table let a column hold a value (NaN: not known) beside good ones.

    >>> from plant.rows.tables import schema_of
    >>> [allows(schema_of()["quotes"], "ask", np.nan), allows(schema_of()["bars"], "close", np.nan)]
    [True, False]
    """
    good: Mapping[str, Any] = {c.name: _SAMPLES[c.kind] for c in table.columns}
    tried = {**good, name: np.array([value])}
    return all(np.all(check.good(tried)) for check in table.checks if np.all(check.good(good)))


_SAMPLES: dict[str, Any] = {
    "time": np.array([EARLIEST]), "int": np.array([1]), "float": np.array([1.0]), "symbol": "x", "text": "x",
}  # fmt: skip
