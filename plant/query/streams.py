"""An answer as bytes: an Arrow IPC stream, that is a schema, the names of each symbol column, rows in batches, an end.

Of a small answer most of Arrow's time goes to objects that live for one answer. Schema and names are the same from one
to the next, and of a batch's metadata only some numbers differ; so such a stream is put together from what Arrow wrote
for an answer of its kind before. The bytes are those that Arrow writes (format: https://arrow.apache.org/docs/format).
"""

import functools
import struct
from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa

from plant.errors import WireError
from plant.query.limits import Budget
from plant.rows.arrow import arrow_column
from plant.rows.columns import Columns, Symbols, Texts
from plant.rows.schema import UNKNOWN_TIME

BATCH_ROWS = 262_144
"""Rows that are written between two looks at the budget."""

SEQ = "seq"
"""The metadata of an answer that say up to which seq everything is in it: what came later follows behind it."""

SMALL_ROWS = 1_000
"""Answers of at most so many rows are put together."""

_END = b"\xff\xff\xff\xff\0\0\0\0"
_WRITING = pa.ipc.IpcWriteOptions()
_PREFIX = 8
"""Bytes of a message ahead of its metadata: a mark, and their length."""

_ALWAYS_KNOWN = ("time", "received")
"""Times of every row."""

_SPARE = tuple(map(bytes, range(8)))
_CODES, _INTS, _FLOATS = np.dtype(np.int32), np.dtype(np.int64), np.dtype(np.float64)


def to_ipc(table: pa.Table, budget: Budget | None = None) -> pa.Buffer:
    """Return a table as an Arrow IPC stream. Raises QueryLimit or Cancelled if the budget does."""
    budget = budget or Budget()
    budget.rows(table.num_rows)
    budget.bytes(sum(map(pa.ipc.get_record_batch_size, table.to_batches())))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_WRITING) as writer:
        for batch in table.to_batches(max_chunksize=BATCH_ROWS):
            budget.check()
            writer.write_batch(batch)
    return sink.getvalue()


def from_ipc(frame: Any) -> pa.Table:
    """Return the table of an Arrow IPC stream, on the bytes it came in. Raises WireError for other bytes."""
    try:
        return pa.ipc.open_stream(frame).read_all()
    except (pa.ArrowException, OSError) as error:
        raise WireError(f"expected an Arrow IPC stream, found other bytes ({error})") from None


def small_ipc(columns: Columns, times: Collection[str], facts: dict[str, str], budget: Budget) -> bytes | None:
    """Return columns of one table as an Arrow IPC stream, `facts` being its schema's metadata; as `to_ipc` would.

    `times` are the names of those that are times. None if they are not few rows, or hold what is not known among ints,
    symbols or texts: then Arrow does it.
    """
    rows = len(next(iter(columns.values()))) if columns else 0
    if not 0 < rows <= SMALL_ROWS:
        return None
    budget.rows(rows)
    kinds: list[str] = []
    nodes: list[int] = []
    places: list[int] = []
    body: list[bytes] = []
    size = 0
    for name, column in columns.items():
        kind, nulls, buffers = _laid_out(column, name in times, name in _ALWAYS_KNOWN)
        if not kind:
            return None
        kinds.append(kind)
        nodes += (rows, nulls)
        for data in buffers:
            length = len(data)
            places += (size, length)
            if length:
                body.append(data)
                if spare := -length & 7:
                    body.append(_SPARE[spare])
                size += length + spare
    seq = facts.get(SEQ, "")
    shape = _shape(
        tuple(columns), tuple(kinds), tuple({**facts, SEQ: "0" * len(seq)}.items() if seq else facts.items())
    )
    names = [shape.names(i, tuple(columns[name].names)) for i, name in enumerate(shape.symbols)]
    batch = shape.batch(rows, nodes, places, size)
    budget.bytes(len(batch) + size)
    budget.check()
    return b"".join((shape.schema_at(seq), *names, batch, *body, _END))


def _laid_out(column: Any, is_time: bool, known: bool) -> tuple[str, int, tuple[bytes, ...]]:
    """Return a column's kind, its number of nulls and its buffers: which rows are known (empty: all), what they are.

    The kind is "" where Arrow is needed. `known`: no time of it is not known.
    """
    if isinstance(column, Symbols):
        codes = column.codes
        kind = "symbol" if codes.dtype == _CODES and min(codes.tolist()) >= 0 else ""
        return kind, 0, (b"", codes.tobytes())
    if isinstance(column, Texts):
        return "text" if column.missing is None else "", 0, (b"", column.offsets.tobytes(), bytes(column.data))
    if type(column) is not np.ndarray:
        return "", 0, ()
    if column.dtype == _INTS:
        kind = "time" if is_time else "int"
        if not is_time or known or UNKNOWN_TIME not in (values := column.tolist()):
            return kind, 0, (b"", column.tobytes())
        return kind, values.count(UNKNOWN_TIME), (_bits(column != UNKNOWN_TIME), column.tobytes())
    if column.dtype != _FLOATS:
        return "", 0, ()
    total = sum(column.tolist())
    if total == total:  # with a NaN it is one
        return "float", 0, (b"", column.tobytes())
    missing = np.isnan(column)
    if not missing.any():
        return "float", 0, (b"", column.tobytes())
    return "float", int(missing.sum()), (_bits(~missing), column.tobytes())


def _bits(known: np.ndarray) -> bytes:
    return np.packbits(known, bitorder="little").tobytes()


class _Shape:
    """What the streams of answers with the same columns and facts have in common, but for the digits of `seq`."""

    def __init__(self, columns: tuple[str, ...], kinds: tuple[str, ...], facts: tuple[tuple[str, str], ...]) -> None:
        one: Columns = {name: _ONE[kind] for name, kind in zip(columns, kinds, strict=True)}
        arrays = [arrow_column(column, kind == "time") for column, kind in zip(one.values(), kinds, strict=True)]
        self.symbols = [name for name, kind in zip(columns, kinds, strict=True) if kind == "symbol"]
        self._table = pa.Table.from_arrays(arrays, list(columns)).replace_schema_metadata(dict(facts))
        first, *_, last = self._messages(self._table)
        self._schema, self._seq = first.serialize().to_pybytes(), 0
        if digits := len(dict(facts).get(SEQ, "")):
            other = self._table.replace_schema_metadata({**dict(facts), SEQ: "1" * digits})
            pairs = zip(self._schema, self._messages(other)[0].serialize().to_pybytes(), strict=True)
            self._seq = next(place for place, (a, b) in enumerate(pairs) if a != b)
        self._metadata = last.serialize().to_pybytes()[: -last.body.size]
        self._length, self._nodes, self._buffers, self._body = _numbers_in(self._metadata)
        self.names = functools.lru_cache(1024)(self._names)

    def schema_at(self, seq: str) -> bytes:
        """Return the message with the schema, `seq` being told in its metadata; "" if it has none."""
        return self._schema[: self._seq] + seq.encode() + self._schema[self._seq + len(seq) :] if seq else self._schema

    def batch(self, rows: int, nodes: list[int], buffers: list[int], size: int) -> bytes:
        """Return what is said of a batch ahead of its body: rows; rows and nulls of each column; place and length of
        each buffer; the body's size."""
        metadata = bytearray(self._metadata)
        struct.pack_into("<q", metadata, self._length, rows)
        struct.pack_into("<q", metadata, self._body, size)
        struct.pack_into(f"<{len(nodes)}q", metadata, self._nodes, *nodes)
        struct.pack_into(f"<{len(buffers)}q", metadata, self._buffers, *buffers)
        return bytes(metadata)

    def _names(self, which: int, names: tuple[str, ...]) -> bytes:
        """Return the message with the names of one of the symbol columns."""
        place = self._table.column_names.index(self.symbols[which])
        column = arrow_column(Symbols(list(names), np.zeros(1, dtype=np.int32)))
        messages = self._messages(self._table.set_column(place, self._table.field(place), column))
        return messages[1 + which].serialize().to_pybytes()

    def _messages(self, table: pa.Table) -> list[pa.ipc.Message]:
        return list(pa.ipc.MessageReader.open_stream(to_ipc(table)))


_shape = functools.lru_cache(256)(_Shape)

_ONE: dict[str, Any] = {
    "time": np.ones(1, dtype=np.int64),
    "int": np.ones(1, dtype=np.int64),
    "float": np.ones(1),
    "symbol": Symbols(["A"], np.zeros(1, dtype=np.int32)),
    "text": Texts.of(["A"]),
}


def _numbers_in(message: bytes) -> tuple[int, int, int, int]:
    """Return where a record batch's message has its rows, its first node, its first buffer and its body's size.

    It is a FlatBuffers table Message(version, header_type, header: RecordBatch(length, nodes, buffers), bodyLength).
    """
    root = _PREFIX + _read("<I", message, _PREFIX)
    batch = _pointed(message, _field(message, root, 2))
    nodes, buffers = (_pointed(message, _field(message, batch, i)) + 4 for i in (1, 2))  # behind their number
    return _field(message, batch, 0), nodes, buffers, _field(message, root, 3)


def _field(message: bytes, table: int, number: int) -> int:
    """Return where a field of a FlatBuffers table is."""
    fields = table - _read("<i", message, table)
    return table + _read("<H", message, fields + 4 + 2 * number)


def _pointed(message: bytes, place: int) -> int:
    return place + _read("<I", message, place)


def _read(kind: str, message: bytes, place: int) -> int:
    return int(struct.unpack_from(kind, message, place)[0])
