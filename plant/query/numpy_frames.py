"""An Arrow column as numpy holds it, every int with all its digits; and which columns Arrow itself would round."""

import numpy as np
import pyarrow as pa


def as_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column as an array: symbols and texts str objects, null is NaN; ints with nulls are masked."""
    if pa.types.is_dictionary(column.type):
        return np.array(column.to_pylist(), dtype=object)
    if pa.types.is_nested(column.type) and _holds_ints(column.type):
        return objects(column)
    if loses_digits(column):
        return np.ma.MaskedArray(column.fill_null(0).to_numpy(), column.is_null().to_numpy())
    array: np.ndarray = column.to_numpy()
    return array


def loses_digits(column: pa.ChunkedArray) -> bool:
    """Return whether Arrow makes floats of a column's ints, as it does where one is null, and with those of a value."""
    if pa.types.is_nested(column.type):
        return _holds_ints(column.type)
    return pa.types.is_integer(column.type) and bool(column.null_count)


def objects(column: pa.ChunkedArray) -> np.ndarray:
    """Return a column as objects of Python."""
    return np.fromiter(column.to_pylist(), dtype=object, count=len(column))


def _holds_ints(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or any(_holds_ints(kind.field(i).type) for i in range(kind.num_fields))
