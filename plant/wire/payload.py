"""The payload of a record (docs/wire.md).

The payload is a msgpack array with one item per column: fixed-width columns first, then symbols, then
texts, each group in the order of the declaration. A fixed-width column is a bin of rows * 8 bytes; a
symbol column [distinct strings, bin of rows int32 codes]; a text column [bin of rows int32 lengths, bin
of UTF-8].
"""

from typing import Any

import msgpack
import numpy as np

from plant.errors import WireError
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import FIXED_DTYPES, Column, Table

_frombuffer = np.frombuffer

_packb = msgpack.packb

_PAIR = b"\x92"

_INT32 = np.dtype("<i4")

_DTYPES = {kind: np.dtype(dtype) for kind, dtype in FIXED_DTYPES.items()}


def encode_payload(table: Table, columns: Columns) -> bytes:
    """Return the msgpack array of the module's docstring."""
    return b"".join(_payload_parts(table, columns))


def _payload_parts(table: Table, columns: Columns) -> list[Any]:
    """Return the payload in pieces, so that joining them is the only copy of the numbers."""
    parts: list[Any] = [_array_head(len(table.columns))]
    for column in table.wire_order:
        value = columns[column.name]
        if column.fixed:
            parts += _bin(value, _DTYPES[column.kind])
        elif column.kind == "symbol":
            parts += (_PAIR, _packb(value.names), *_bin(value.codes, _INT32))
        else:
            parts += (_PAIR, *_bin(np.diff(value.offsets), _INT32), _packb(bytes(value.data)))
    return parts


def _array_head(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")


def _bin(array: np.ndarray, dtype: np.dtype[Any]) -> tuple[bytes, Any]:
    """Return msgpack's bin of an array: its opening and its bytes."""
    data = np.ascontiguousarray(array, dtype=dtype).data.cast("B") if len(array) else b""
    size = len(data)
    if size < 2**8:
        return bytes((0xC4, size)), data
    return (b"\xc5" + size.to_bytes(2, "big") if size < 2**16 else b"\xc6" + size.to_bytes(4, "big")), data


def decode_payload(table: Table, payload: Any, rows: int, checked: bool = True) -> Columns:
    """Return the columns of a payload; numbers are views of it. Raises WireError if it does not fit `table`.

    Without `checked` symbols and texts are taken as they are: right for what the plant has checked and published.
    """
    columns: Columns = dict.fromkeys(table.names)
    try:
        at = _array_start(table, payload)
        for column in table.fixed_columns:
            start, size = _bin_start(table, column, payload, at)
            at = start + size
            if size != rows * 8 or at > len(payload):
                found = min(size, len(payload) - start)
                raise WireError(f"{table.name}.{column.name}: expected {rows} x 8 bytes, found {found}")
            columns[column.name] = _frombuffer(payload, _DTYPES[column.kind], rows, start)
        items = msgpack.unpackb(table.rest_opening + payload[at:])
    except (ValueError, TypeError, IndexError, msgpack.UnpackException) as error:
        raise WireError(f"{table.name}: the payload is cut short, or not msgpack: {error}") from None
    for column, item in zip(table.other_columns, items, strict=True):
        if type(item) is not list or len(item) != 2:
            where = f"{table.name}.{column.name}"
            raise WireError(f"{where}: expected two items for a {column.kind} column, found {type(item).__name__}")
        if column.kind == "text":
            columns[column.name] = _texts(item, rows, table, column)
        elif checked:
            columns[column.name] = _symbols(item, rows, table, column)
        else:
            columns[column.name] = Symbols(item[0], _buffer(item[1], _INT32, rows, table, column))
    return columns


def _array_start(table: Table, payload: Any) -> int:
    """Return where the items of a payload's array begin."""
    count, tag = len(table.columns), payload[0]
    found = tag & 0x0F if tag >> 4 == 0x9 else int.from_bytes(payload[1:3], "big") if tag == 0xDC else -1
    if found != count:
        raise WireError(
            f"{table.name}: expected an array of {count} columns, found {found if found >= 0 else hex(tag)}"
        )
    return 3 if tag == 0xDC else 1


def _bin_start(table: Table, column: Column, payload: Any, at: int) -> tuple[int, int]:
    """Return where the bytes of a msgpack bin begin, and how many they are."""
    tag = payload[at]
    if tag == 0xC4:
        return at + 2, payload[at + 1]
    if tag == 0xC5:
        return at + 3, int.from_bytes(payload[at + 1 : at + 3], "big")
    if tag == 0xC6:
        return at + 5, int.from_bytes(payload[at + 1 : at + 5], "big")
    raise WireError(f"{table.name}.{column.name}: expected a buffer of numbers, found msgpack's {tag:#04x}")


def _buffer(item: Any, dtype: np.dtype[Any], rows: int, table: Table, column: Column) -> np.ndarray:
    if type(item) is not bytes:
        raise WireError(f"{table.name}.{column.name}: expected a buffer of numbers, found {type(item).__name__}")
    if len(item) != rows * dtype.itemsize:
        raise WireError(f"{table.name}.{column.name}: expected {rows} x {dtype.itemsize} bytes, found {len(item)}")
    return _frombuffer(item, dtype)


def _symbols(item: list[Any], rows: int, table: Table, column: Column) -> Symbols:
    names, codes = item[0], _buffer(item[1], _INT32, rows, table, column)
    where = f"{table.name}.{column.name}"
    if type(names) is not list or (names and set(map(type, names)) != {str}):
        raise WireError(f"{where}: expected a list of strings, found {type(names).__name__}")
    if len(names) > 1 and len(set(names)) < len(names):  # Symbols compares codes, Arrow wants a dictionary
        raise WireError(f"{where}: expected distinct strings, found {len(names) - len(set(names))} twice")
    if rows and (codes.view("<u4").max() if rows > 1 else codes.item() & 0xFFFFFFFF) >= len(names):
        raise WireError(f"{where}: codes from {codes.min()} to {codes.max()}, but {len(names)} strings")
    return Symbols(names, codes)


def _texts(item: list[Any], rows: int, table: Table, column: Column) -> Texts:
    lengths, data = _buffer(item[0], _INT32, rows, table, column), item[1]
    where = f"{table.name}.{column.name}"
    offsets = np.zeros(rows + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if not isinstance(data, bytes) or (rows and int(lengths.min()) < 0) or offsets[-1] != len(data):
        raise WireError(f"{where}: the lengths add up to {offsets[-1]}, which the text does not have")
    try:
        text = data.decode()
        if len(text) != len(data):  # not ASCII: every single value must be UTF-8
            Texts(offsets, data).tolist()
    except UnicodeDecodeError as error:
        raise WireError(f"{where}: not UTF-8: {error}") from None
    return Texts(offsets, data)
