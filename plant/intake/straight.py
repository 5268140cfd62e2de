"""Columns of the common layouts, straight to ours: without a copy where the layout is the same, without Python's loops.

Each gives exactly what `plant.intake.values` would, or None for what is not in its layout: missing values, types that
need a look at each value, whatever is odd. That one decides then, and says what is wrong.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from plant.intake.moments import moments_ns, stamps_ns
from plant.rows.columns import Symbols, Texts
from plant.rows.schema import FIXED_DTYPES, UNKNOWN_TIME
from plant.rows.times import in_ns

Straight = Callable[[Any, str, str | None], Any]
"""A value, the kind of its column, and the unit of int times -> ndarray, Symbols or Texts; None: not by this way."""


_PLAIN = {int, float}
_KNOWN_OR_NOT = {float, type(None)}


def straight(value: Any, kind: str, unit: str | None) -> Any:
    """Return a column as one of this kind, or None. Raises ValueError for int times of another unit."""
    of = type(value)
    try:
        way = _WAYS[of]
    except KeyError:
        way = _WAYS[of] = _way_of(of)
    return way(value, kind, unit) if way is not None else None


def _of_list(value: Any, kind: str, unit: str | None) -> Any:
    if not value:
        return None
    if kind == "time":
        return moments_ns(value, unit)
    try:
        if kind == "symbol":
            return Symbols.of(value).stripped()
        if kind == "text":
            return Texts.of(value)
        kinds = set(map(type, value))
        if kind == "float" and kinds == _KNOWN_OR_NOT:
            return np.array(value, dtype="<f8")
        if kinds <= _PLAIN:
            numbers = np.asarray(value)
            if numbers.dtype.kind in ("fi" if kind == "float" else "i"):
                return np.ascontiguousarray(numbers, dtype=FIXED_DTYPES[kind])
    except (TypeError, AttributeError, ValueError, OverflowError):
        pass
    return None


def _of_array(value: np.ndarray, kind: str, unit: str | None) -> Any:
    form = value.dtype.kind
    if value.ndim != 1:
        return None
    if form == "f" and kind == "float":
        return np.ascontiguousarray(value, dtype="<f8")
    if form == "i" and kind in ("float", "int", "time"):
        numbers = np.ascontiguousarray(value, dtype=FIXED_DTYPES[kind])
        return in_ns(numbers, unit) if kind == "time" else numbers
    if form == "M" and kind == "time":
        name, count = np.datetime_data(value.dtype)
        return stamps_ns(value.astype("<i8"), name) if count == 1 else None
    return _of_list(value.tolist(), kind, unit) if form in "OU" else None


def _of_series(value: Any, kind: str, unit: str | None) -> Any:
    return straight(value.to_numpy() if isinstance(value.dtype, np.dtype) else value.array, kind, unit)


def _of_categorical(value: Any, kind: str, unit: str | None) -> Any:
    """Take the codes of a pandas Categorical."""
    codes = value.codes
    if kind != "symbol" or not len(codes) or codes.min() < 0:
        return None
    names = value.categories.tolist()
    if len(names) > len(codes):
        used, codes = np.unique(codes, return_inverse=True)
        names = [names[code] for code in used.tolist()]
    return _of_codes(names, codes)


def _of_codes(names: list[Any], codes: np.ndarray) -> Symbols | None:
    """Return codes into names of a library as ours, which are distinct texts without blanks around."""
    if set(map(type, names)) != {str} or len(set(names)) < len(names):
        return None
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        return None
    return Symbols(names, codes.astype(np.int32)).stripped()


def _of_datetimes(value: Any, kind: str, unit: str | None) -> Any:
    """Take the ints of pandas' DatetimeArray, which are UTC whatever its zone."""
    return stamps_ns(value.asi8, value.unit) if kind == "time" else None


def _of_pandas_arrow(value: Any, kind: str, unit: str | None) -> Any:
    return _of_chunks(value.__arrow_array__(), kind, unit)


def _of_polars(value: Any, kind: str, unit: str | None) -> Any:
    """Take a Series by the Arrow C stream."""
    import pyarrow as pa

    try:
        if kind == "text":
            return _of_arrow(value.to_arrow(), kind, unit)  # not of views, which Arrow would have to gather
        return _of_chunks(pa.chunked_array(value), kind, unit)
    except (pa.ArrowException, NotImplementedError, TypeError):  # of Python objects, or a type that Arrow lacks
        return None


def _of_chunks(value: Any, kind: str, unit: str | None) -> Any:
    """Take an Arrow ChunkedArray."""
    if value.num_chunks == 1:
        return _of_arrow(value.chunk(0), kind, unit)
    return _of_arrow(value.unify_dictionaries().combine_chunks(), kind, unit) if len(value) else None


def _of_arrow(value: Any, kind: str, unit: str | None) -> Any:
    """Take the buffers of an Arrow array; null is NaN or UNKNOWN_TIME, and not for this way among others."""
    family = _families().get(value.type.id)
    if kind == "float":
        if family not in ("int", "float"):
            return None
        return np.ascontiguousarray(value.to_numpy(zero_copy_only=False), dtype="<f8")
    if kind == "time":
        return _times_of_arrow(value, family, unit) if len(value) else None
    if value.null_count or not len(value):
        return None
    if kind == "int":
        return np.ascontiguousarray(value.to_numpy(), dtype="<i8") if family == "int" else None
    if family == "dictionary":
        if kind == "symbol" and len(value.dictionary) <= len(value):
            return _of_codes(value.dictionary.to_pylist(), value.indices.to_numpy())
        value = value.dictionary_decode()
        family = _families().get(value.type.id)
    if family != "string":
        return None
    return _of_strings(value) if kind == "symbol" else _texts(value)


def _times_of_arrow(value: Any, family: str | None, unit: str | None) -> Any:
    if family not in ("timestamp", "int"):
        return None
    if family == "timestamp":
        times = np.frombuffer(value.buffers()[1], "<i8")[value.offset : value.offset + len(value)]
    else:
        times = np.ascontiguousarray((value.fill_null(0) if value.null_count else value).to_numpy(), dtype="<i8")
    if value.null_count:
        times = np.where(value.is_valid().to_numpy(zero_copy_only=False), times, UNKNOWN_TIME)
    return stamps_ns(times, value.type.unit) if family == "timestamp" else in_ns(times, unit)


_FEW = 256
"""Strings up to which Python codes them in less time than Arrow begins to."""


def _of_strings(strings: Any) -> Symbols:
    if len(strings) <= _FEW:
        return Symbols.of(strings.to_pylist()).stripped()
    coded = strings.dictionary_encode()
    return Symbols(coded.dictionary.to_pylist(), coded.indices.to_numpy()).stripped()


def _texts(strings: Any) -> Texts | None:
    """Return Arrow strings as texts; None if not each is UTF-8, which Arrow takes on trust."""
    from plant.rows.arrow import texts_of_arrow

    texts = texts_of_arrow(strings)
    try:
        if not bytes(texts.data).isascii():
            texts.tolist()
    except UnicodeDecodeError:
        return None
    return texts


@functools.lru_cache(1)
def _families() -> dict[int, str]:
    """Return what Arrow's types are to us, by their ids; values of others must be looked at."""
    import pyarrow as pa

    string = pa.string()
    families = {
        "int": (pa.int8(), pa.int16(), pa.int32(), pa.int64()),
        "float": (pa.float16(), pa.float32(), pa.float64()),
        "timestamp": (pa.timestamp("ns"),),
        "dictionary": (pa.dictionary(pa.int32(), string),),
        "string": (string, pa.large_string(), pa.string_view()),
    }
    return {kind.id: name for name, kinds in families.items() for kind in kinds}


def _as_it_is(value: Any, kind: str, unit: str | None) -> Any:
    return value if type(value) is (Symbols if kind == "symbol" else Texts if kind == "text" else None) else None


_WAYS: dict[type, Straight | None] = {
    list: _of_list,
    tuple: _of_list,
    np.ndarray: _of_array,
    Symbols: _as_it_is,
    Texts: _as_it_is,
}

_OF_LIBRARIES: dict[tuple[str, str], Straight] = {
    ("pandas", "Series"): _of_series,
    ("pandas", "DatetimeIndex"): _of_datetimes,
    ("pandas", "DatetimeArray"): _of_datetimes,
    ("pandas", "Categorical"): _of_categorical,
    ("pandas", "CategoricalIndex"): _of_categorical,
    ("pandas", "ArrowStringArray"): _of_pandas_arrow,
    ("pandas", "ArrowExtensionArray"): _of_pandas_arrow,
    ("polars", "Series"): _of_polars,
    ("pyarrow", "ChunkedArray"): _of_chunks,
}


def _way_of(of: type) -> Straight | None:
    """Return the way of a type of another library, by name: none of them is imported for it."""
    library = of.__module__.partition(".")[0]
    if library == "pyarrow" and of.__name__.endswith("Array") and of.__name__ != "ChunkedArray":
        return _of_arrow
    return _OF_LIBRARIES.get((library, of.__name__))
