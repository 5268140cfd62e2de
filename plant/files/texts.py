"""Columns of foreign files as texts: Arrow arrays, symbols; a column in pieces, so that an odd value costs little."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.foreign_file import Rejects
from plant.files.sheet import EXACT
from plant.files.text_file import UNREADABLE
from plant.rows.columns import Symbols, Texts

_MOST, _LEAST = 2**16, 64


def read_texts(column: Any, name: str, rejects: Rejects) -> Any:
    """Return an Arrow array of texts as they stand, "" for a missing one; a float that is whole without its point."""
    column = whole_column(column)
    if pa.types.is_floating(column.type):
        floats = column.to_numpy(zero_copy_only=False)
        rejects.add(np.abs(floats) >= EXACT, name, "a text, or a number that has all its digits", column)
        found = ["" if v != v else str(int(v)) if v.is_integer() else repr(v) for v in map(float, floats)]
        return pa.array(found, pa.string())
    texts = column.cast(pa.string())
    texts = texts.fill_null("") if texts.null_count else texts
    if UNREADABLE.encode() in bytes_of(texts).tobytes():
        broken = pc.match_substring(texts, UNREADABLE).to_numpy(zero_copy_only=False)
        rejects.add(broken, name, "a text in the file's encoding (say it: --encoding)", texts)
    return texts


def whole_column(column: Any) -> Any:
    """Return one Arrow array without chunks and without a dictionary."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def as_symbols(texts: Any) -> Symbols:
    """Return an Arrow array of texts as symbols without blanks around them, in order of first appearance."""
    found = texts.dictionary_encode()
    codes = found.indices.to_numpy(zero_copy_only=False)
    stripped = [name.strip() for name in found.dictionary.to_pylist()]
    names = list(dict.fromkeys(stripped))
    if len(names) < len(stripped):
        place = {name: code for code, name in enumerate(names)}
        codes = np.array([place[name] for name in stripped], dtype=np.int32)[codes]
    return Symbols(names, codes)


def as_texts(texts: Any) -> Texts:
    """Return an Arrow array of texts, none of them null, as a column of the plant, without a copy of the texts."""
    _, offsets, data = texts.cast(pa.large_string()).buffers()
    if not len(texts):
        return Texts(np.zeros(1, dtype=np.int64), b"")
    return Texts(np.frombuffer(offsets, np.int64)[: len(texts) + 1], memoryview(data) if data is not None else b"")


def bytes_of(texts: Any) -> np.ndarray:
    """Return the UTF-8 of an Arrow array of texts, one behind the other, uint8."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, dtype=np.uint8)
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data, np.uint8)[int(ends[0]) : int(ends[-1])]


def in_pieces(texts: Any, convert: Callable[[Any], Any]) -> Iterator[tuple[slice, Any]]:
    """Yield what `convert` makes of an Arrow array, piece by piece in order; None for a piece that it cannot take.

    `convert` raises ArrowInvalid if one value is wrong: then a smaller piece around it is left out, or, where the
    first and the last values are wrong too, the whole piece.
    """
    waiting = [(start, min(start + _MOST, len(texts))) for start in range(0, len(texts), _MOST)][::-1]
    while waiting:
        start, stop = waiting.pop()
        piece = texts.slice(start, stop - start)
        try:
            yield slice(start, stop), convert(piece)
        except pa.ArrowInvalid:
            if stop - start <= _LEAST or not (_takes(convert, piece[:_LEAST]) or _takes(convert, piece[-_LEAST:])):
                yield slice(start, stop), None
            else:
                step = max((stop - start) // 8, _LEAST)
                waiting += [(at, min(at + step, stop)) for at in range(start, stop, step)][::-1]


def _takes(convert: Callable[[Any], Any], piece: Any) -> bool:
    try:
        convert(piece)
    except pa.ArrowInvalid:
        return False
    return True
