"""Texts and numbers of foreign files as str, float64 and int64, with the unreadable rows marked.

Each `read_*` returns a value for every row, and marks in `Rejects` those rows whose value means nothing.
"""

import math
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.foreign_file import Rejects
from plant.files.sheet import EXACT
from plant.files.text_file import UNREADABLE

NO_PRICE = np.array(
    [2.0**63, -(2.0**63), 2.0**64, 2.0**63 / 1e9, sys.float_info.max, -sys.float_info.max, np.finfo(np.float32).max]
)
"""What vendors write for a price that there is not: the largest of an int64 (also x 1e-9), uint64, double or float."""

_WITH_GROUPS = r"^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$"
_POINT = (
    r"^[+-]?(\d*\.(\d{0,2}|\d{4,})|\d{4,}\.\d{3}|0\d*\.\d{3}|\.\d{3}|\d*\.\d+[eE][+-]?\d+"
    r"|\d{1,3}(,\d{3})+\.\d*|\d{1,3}(,\d{3}){2,})$"
)
_SAY_MARK = "say the decimal mark: --decimal . or , (of a feed: decimal)"
_UNCLEAR = r"^[+-]?[1-9]\d{0,2}[.]\d{3}$"


def read_numbers(
    column: Any, name: str, rejects: Rejects, mark: str = ".", unknown: bool = False, endless: bool = False
) -> np.ndarray:
    """Return float64; a decimal text becomes the float64 next to it, so that repr() gives the text back.

    mark      the decimal mark of texts, "." or ","; the other one may stand between thousands
    unknown   whether a value may be missing: empty, null, or one of NO_PRICE; then it is NaN
    endless   whether it may be infinite
    """
    column = whole_column(column)
    empty = column.is_null().to_numpy(zero_copy_only=False)
    if is_number(column):
        numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        wrong = np.zeros(len(numbers), dtype=bool)
    else:
        text = pc.utf8_trim_whitespace(column.cast(pa.string()))
        empty |= pc.equal(text, "").fill_null(True).to_numpy(zero_copy_only=False)
        told_nan = pc.equal(pc.utf8_lower(text), "nan").fill_null(False).to_numpy(zero_copy_only=False)
        plain = _plain(text, mark)
        try:
            numbers = plain.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:  # one bad text is enough: take them one by one
            numbers = np.array([_number(each) for each in plain.to_pylist()], dtype=np.float64)
        wrong = np.isnan(numbers) & ~empty & ~told_nan
    numbers = np.where(np.isin(numbers, NO_PRICE), np.nan, numbers)
    missing = np.isnan(numbers) & ~wrong
    if not unknown:
        wrong |= missing
    if not endless:
        wrong |= np.isinf(numbers)
    rejects.add(wrong, name, "a number", column)
    return numbers


def read_whole_numbers(column: Any, name: str, rejects: Rejects) -> np.ndarray:
    """Return int64, exactly as it stands: no digit goes by way of a float."""
    column = whole_column(column)
    if pa.types.is_floating(column.type):
        floats = column.to_numpy(zero_copy_only=False)
        wrong = ~(np.abs(floats) < EXACT) | (floats != np.floor(floats))
        numbers = np.where(wrong, 0.0, floats).astype(np.int64)
    else:
        found = [_whole(each) for each in column.cast(pa.string()).to_pylist()]
        wrong = np.array([each is None for each in found], dtype=bool)
        numbers = np.array([each or 0 for each in found], dtype=np.int64)
    rejects.add(wrong, name, "a whole number", column)
    return numbers


def read_texts(column: Any, name: str, rejects: Rejects) -> list[str]:
    """Return str for every row as it stands, "" for a missing one; a float that is a whole number without its point."""
    column = whole_column(column)
    if pa.types.is_floating(column.type):
        floats = column.to_numpy(zero_copy_only=False)
        rejects.add(np.abs(floats) >= EXACT, name, "a text, or a number that has all its digits", column)
        return ["" if v != v else str(int(v)) if v.is_integer() else repr(v) for v in map(float, floats)]
    texts = [each or "" for each in column.cast(pa.string()).to_pylist()]
    broken = np.fromiter((UNREADABLE in each for each in texts), dtype=bool, count=len(texts))
    rejects.add(broken, name, "a text in the file's encoding (say it: --encoding)", texts)
    return texts


def decimal_mark(columns: dict[str, Any], delimiter: str) -> str:
    """Return "." or ",", as the numbers of a file show; raises ValueError if they may be read in two ways.

    One point with three digits behind it is a decimal point, as programs write it, unless the delimiter is a semicolon,
    as of spreadsheets where the comma is the decimal mark.

    >>> [decimal_mark({"price": pa.array(texts)}, ",") for texts in (["18.234,50", "18.235"], ["18.235"])]
    [',', '.']
    """
    written = {name: column.cast(pa.string()) for name, column in columns.items() if not is_number(column)}
    texts = {name: pc.utf8_trim_whitespace(column) for name, column in written.items()}
    swapped = {name: _swapped(text) for name, text in texts.items()}
    point, comma = _first(texts, _POINT), _first(swapped, _POINT)
    if point and comma:
        raise ValueError(f"{point} has a decimal point and {_swapped_back(comma)} a decimal comma; {_SAY_MARK}")
    if point or comma:
        return "." if point else ","
    unclear = _first(swapped, _UNCLEAR)
    found = _swapped_back(unclear) if unclear else _first(texts, _UNCLEAR) if delimiter == ";" else ""
    if found:
        raise ValueError(f"{found} may be thousands or have decimals, and no number tells; {_SAY_MARK}")
    return "."


def scaled(numbers: np.ndarray, factor: float) -> np.ndarray:
    """Return `numbers` x `factor`; dividing by 10,000 gives the nearest float64 where multiplying by 1e-4 does not."""
    divisor = round(1 / factor) if 0 < factor < 1 else 0
    if divisor and math.isclose(1 / factor, divisor, rel_tol=1e-12):
        return numbers / divisor
    return numbers * factor


def whole_column(column: Any) -> Any:
    """Return one Arrow array without chunks and without a dictionary."""
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def is_number(column: Any) -> bool:
    """Return whether a column is of numbers and not of texts (a decimal is read as its text)."""
    return pa.types.is_integer(column.type) or pa.types.is_floating(column.type)


def _plain(text: Any, mark: str) -> Any:
    """Return texts with a decimal point and nothing between thousands; what has not that form is no number."""
    text = _swapped(text) if mark == "," else text
    grouped = pc.match_substring_regex(text, _WITH_GROUPS)
    return pc.if_else(grouped, pc.replace_substring(text, ",", ""), text)


def _swapped(text: Any) -> Any:
    """Return texts with commas for points and points for commas."""
    held = pc.replace_substring(text.cast(pa.string()), ".", "\0")
    return pc.replace_substring(pc.replace_substring(held, ",", "."), "\0", ",")


def _swapped_back(shown: str) -> str:
    return shown.translate(str.maketrans(".,", ",."))


def _first(texts: dict[str, Any], pattern: str) -> str:
    """Return the first text that has a form, with its column; "" if none has."""
    for name, text in texts.items():
        place = pc.index(pc.match_substring_regex(text.cast(pa.string()), pattern), True).as_py()
        if place >= 0:
            return f"{name} {text[place].as_py()}"
    return ""


def _number(text: str | None) -> float:
    try:
        return math.nan if text is None or "_" in text else float(text)
    except ValueError:
        return math.nan


def _whole(text: str | None) -> int | None:
    try:
        number = None if text is None or "_" in text else int(text)
    except ValueError:
        return None
    return number if number is not None and -(2**63) <= number < 2**63 else None
