"""Messages between a process and those that work on its SQL, on a UNIX socket of datagrams, with tables beside them.

A message is a msgpack map, and may come with one file without a name (memfd), which goes when nobody has it open. A
table is described in the map: its schema, and for each buffer of its columns where it lies, in a region of the sender's
shared memory (plant.shared_memory), where the receiver reads it, or in the file, to which it was copied.
"""

import array
import mmap
import os
import socket
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgpack
import pyarrow as pa

from plant.shared_memory import SharedMemory

SHORT = 2**15
"""A longer map goes into the file as well."""

_LONGEST = 2**16
_ALIGNED = 64

Received = tuple[dict[str, Any], pa.Buffer | None]

Place = Sequence[int]
"""Where a buffer lies: (start, size) in the file, (start, size, start of the region, its size) in shared memory, ()."""


def send(channel: socket.socket, fields: Mapping[str, Any], file: "Parcel | int | None" = None) -> None:
    """Send a map, with a file. Raises OSError if nobody is there."""
    body = msgpack.packb(fields)
    if len(body) > SHORT:
        parcel = file if isinstance(file, Parcel) else Parcel()
        body, file = msgpack.packb({"": parcel.put(pa.py_buffer(body))}), parcel
    number = file.number if isinstance(file, Parcel) else file
    rights = [] if number is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [number]))]
    channel.sendmsg([body], rights)


def receive(channel: socket.socket) -> Received | None:
    """Return the next map, and the file's bytes; None once the other side is gone."""
    body, files, _, _ = socket.recv_fds(channel, _LONGEST, 1)
    if not body:
        return None
    file: pa.Buffer | None = None
    for number in files:
        size = os.fstat(number).st_size
        file = pa.py_buffer(mmap.mmap(number, size, mmap.MAP_SHARED, mmap.PROT_READ) if size else b"")
        os.close(number)
    fields = msgpack.unpackb(body)
    if list(fields) == [""] and file is not None:
        start, size = fields[""]
        fields = msgpack.unpackb(file.slice(start, size))
    return fields, file


class Parcel:
    """A file without a name that fills with what is not in shared memory."""

    def __init__(self, shared: SharedMemory | None = None) -> None:
        self.number = os.memfd_create("tickplant-question", os.MFD_CLOEXEC)
        self._shared = [] if shared is None else shared.places()
        self._end = 0
        self._put: dict[tuple[int, int], Place] = {}

    def __del__(self) -> None:
        os.close(self.number)

    def put(self, buffer: pa.Buffer) -> Place:
        """Copy a buffer into the file, once; return its place."""
        key = buffer.address, buffer.size  # who put it keeps it: no other will have its address
        if key not in self._put:
            start, left = self._end, memoryview(buffer)
            self._put[key] = start, buffer.size
            self._end = -(-(start + buffer.size) // _ALIGNED) * _ALIGNED
            while left:
                written = os.pwrite(self.number, left, start)
                start, left = start + written, left[written:]
        return self._put[key]

    def described(self, table: pa.Table) -> list[Any]:
        """Return a table as plain data. It has to be kept until the receiver has done with it."""
        columns = [[self._chunk(one) for one in column.chunks] for column in table.columns]
        return [table.schema.serialize().to_pybytes(), columns]

    def _chunk(self, found: pa.Array) -> list[Any]:
        if pa.types.is_dictionary(found.type):
            return [self._chunk(found.indices), self._chunk(found.dictionary)]
        return [len(found), found.offset, [self._place(buffer) for buffer in found.buffers()]]

    def _place(self, buffer: pa.Buffer | None) -> Place:
        if buffer is None:
            return ()
        if not buffer.size:
            return 0, 0
        i = bisect_right(self._shared, buffer.address, key=lambda place: place[0]) - 1
        if i >= 0:
            address, start, size = self._shared[i]
            if buffer.address + buffer.size <= address + size:
                return buffer.address - address, buffer.size, start, size
        return self.put(buffer)


class _Described:
    """Arrays on the memory that a description names."""

    def __init__(self, file: pa.Buffer | None, region: Callable[[int, int], pa.Buffer]) -> None:
        self._file, self._region = file, region

    def array(self, kind: pa.DataType, found: list[Any]) -> pa.Array:
        if pa.types.is_dictionary(kind):
            codes, names = self.array(kind.index_type, found[0]), self.array(kind.value_type, found[1])
            return pa.DictionaryArray.from_arrays(codes, names, safe=False)
        length, offset, places = found
        return pa.Array.from_buffers(kind, length, [self._buffer(p) for p in places], offset=offset)

    def _buffer(self, place: Place) -> pa.Buffer | None:
        if not place:
            return None
        start, size, *of_region = place
        within = self._region(*of_region) if of_region else self._file if size else pa.py_buffer(b"")
        return None if within is None else within.slice(start, size)


def table_of(described: list[Any], file: pa.Buffer | None, region: Callable[[int, int], pa.Buffer]) -> pa.Table:
    """Return the table that was described, on the memory it lies in; `region` gives one by its start and size."""
    schema, on = pa.ipc.read_schema(pa.py_buffer(described[0])), _Described(file, region)
    columns = [
        pa.chunked_array([on.array(field.type, one) for one in found], field.type)
        for field, found in zip(schema, described[1], strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)
