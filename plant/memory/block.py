"""Older rows of a table, sorted by symbol, time and arrival, so that a symbol's rows lie together.

    bounds    where the rows of each symbol begin, by its code, up to the highest there is, int32[codes + 1]
    place     in which place each row came, counted from `base`, int32[n]

A block never changes. One made of chunks or smaller blocks leaves out rows that were replaced or released meanwhile.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from plant.memory.arrays import arrays
from plant.memory.chunk import Batches, Chunk, Rows, texts_at
from plant.rows.arrow import arrow_column
from plant.rows.columns import Texts
from plant.rows.ordering import grouped, joined_texts


class Block:
    """Sorted rows; made by `sealed`."""

    sorted = True

    def __init__(
        self, base: int, span: int, columns: dict[str, np.ndarray], texts: dict[str, np.ndarray], batches: Batches
    ) -> None:
        self.base = base
        self.span = span
        self.batches = batches
        self.place = columns.pop("")
        self.columns = columns
        self.texts = texts
        self._arrow: dict[str, pa.Array] = {}
        codes, times = columns["sym"], columns["time"]
        self.bounds = np.append(0, np.cumsum(np.bincount(codes))).astype(np.int32)
        self.first_time = int(times.min()) if len(times) else 0
        self.last_time = int(times.max()) if len(times) else 0
        self.first_place = int(self.place.min()) if len(times) else 0

    def text(self, name: str, rows: Rows) -> tuple[np.ndarray, Any]:
        """Return a text column at some rows: offsets, and what they point into; a slice gives a view."""
        return texts_at(self.columns[name], self.texts[name], rows)

    def arrow(self, name: str, is_time: bool) -> pa.Array:
        """Return a whole column as an Arrow array on the same memory; symbols as codes, what is not known as null."""
        array = self._arrow.get(name)
        if array is None:
            column = self.columns[name]
            whole = Texts(column, self.texts[name].data) if name in self.texts else column
            array = self._arrow[name] = arrow_column(whole, is_time)
        return array

    def arrival(self, rows: Rows) -> np.ndarray:
        """Return in which place rows came, counted from `base`."""
        return self.place[rows]

    def of_symbol(self, code: int) -> slice:
        """Return where the rows of a symbol are."""
        if code + 1 >= len(self.bounds):
            return slice(0, 0)
        return slice(self.bounds.item(code), self.bounds.item(code + 1))

    def __len__(self) -> int:
        return len(self.place)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        held = (self.place, self.bounds, *self.columns.values(), *self.texts.values())
        return sum(a.nbytes for a in held) + self.batches.nbytes


Part = Chunk | Block


def sealed(parts: Sequence[Part], keep: Callable[[int, np.ndarray], np.ndarray | None]) -> Block:
    """Return the rows of neighbours, in order of arrival, as one block.

    `keep(base, place)` tells which rows to keep: bool[n], None for all.
    """
    base, last = parts[0].base, parts[-1]
    span = last.base + last.span - base
    place = np.concatenate([p.arrival(slice(0, len(p))) + np.int32(p.base - base) for p in parts]).astype(np.int32)
    codes, times = (_whole(parts, name) for name in ("sym", "time"))
    batches = _joined_batches(parts, base)
    kept = keep(base, place)
    if kept is None or kept.all():
        order = grouped(codes, times)
    else:
        left = np.flatnonzero(kept)
        order = left[grouped(codes[left], times[left])]
        batches = batches.with_rows(place[left])
    columns, texts = _sorted(parts, place, codes, times, order)
    return Block(base, span, columns, texts, batches)


def _sorted(
    parts: Sequence[Part], place: np.ndarray, codes: np.ndarray, times: np.ndarray, order: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return columns in this order, on memory of their own; one column is joined at a time."""
    count = len(order)
    names = list(parts[0].columns)
    is_text = {n: n in parts[0].texts for n in names}
    texts = {n: _ordered_texts([p.text(n, slice(0, len(p))) for p in parts], order) for n in names if is_text[n]}
    layout = [(np.int32, count), *((parts[0].columns[n].dtype, count + is_text[n]) for n in names)]
    layout += [(np.uint8, len(data)) for _, data in texts.values()]
    made = arrays(layout)
    columns = dict(zip(("", *names), made, strict=False))
    place.take(order, out=columns[""], mode="clip")
    known = {"sym": codes, "time": times}
    for name in names:
        if is_text[name]:
            columns[name][:] = texts[name][0]
        else:
            whole = known[name] if name in known else _whole(parts, name)
            whole.take(order, out=columns[name], mode="clip")
    data = dict(zip(texts, made[1 + len(names) :], strict=True))
    for name, array in data.items():
        array[:] = texts[name][1]
    return columns, data


def _whole(parts: Sequence[Part], name: str) -> np.ndarray:
    whole = [p.columns[name][: len(p)] for p in parts]
    return whole[0] if len(whole) == 1 else np.concatenate(whole)


def _ordered_texts(parts: Sequence[tuple[np.ndarray, Any]], order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets and data of texts in this order."""
    whole = joined_texts(parts)
    buffers = [None, pa.py_buffer(whole.offsets), pa.py_buffer(whole.data)]
    if not len(order):
        return np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.uint8)
    found = pa.Array.from_buffers(pa.large_string(), len(whole), buffers).take(pa.array(order))
    _, offsets, data = found.buffers()
    ends = np.frombuffer(offsets, np.int64, len(order) + 1)
    return ends, np.frombuffer(data or b"", np.uint8, int(ends[-1]))


def _joined_batches(parts: Sequence[Part], base: int) -> Batches:
    found = [p.batches for p in parts]
    return Batches(
        np.concatenate([b.start + np.int32(p.base - base) for b, p in zip(found, parts, strict=True)]),
        np.concatenate([b.seq for b in found]),
        np.concatenate([b.received for b in found]),
    )
