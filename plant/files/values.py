"""Numbers of foreign files as float64 and int64, with the unreadable rows marked.

Each `read_*` returns a value for every row, and marks in `Rejects` those rows whose value means nothing.
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from plant.files.foreign_file import Rejects
from plant.files.sheet import EXACT
from plant.files.texts import bytes_of, in_pieces, whole_column

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
_USUAL = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_SOME = 4096
_IN_INTS = np.isin(np.arange(256), [*b"0123456789-"])
_UNCLEAR = r"^[+-]?[1-9]\d{0,2}[.]\d{3}$"


def read_numbers(
    column: Any,
    name: str,
    rejects: Rejects,
    mark: str = ".",
    unknown: bool = False,
    endless: bool = False,
    no_price: bool = True,
) -> np.ndarray:
    """Return float64; a decimal text becomes the float64 next to it, so that repr() gives the text back.

    mark      the decimal mark of texts, "." or ","; the other one may stand between thousands
    unknown   whether a value may be missing: empty or null; then it is NaN
    endless   whether it may be infinite
    no_price  whether one of NO_PRICE is a missing value, as vendors write it; else it is the number
    """
    column = whole_column(column)
    if is_number(column):
        numbers = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        wrong = np.zeros(len(numbers), dtype=bool)
    else:
        text = column.cast(pa.string())
        numbers, wrong = np.empty(len(text)), np.zeros(len(text), dtype=bool)
        for piece, found in in_pieces(text, lambda part: _plain_numbers(part, mark)):
            if found is not None:
                numbers[piece] = found
            else:
                numbers[piece], wrong[piece] = _each_number(text[piece], mark)
    if no_price:
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
        text = column.cast(pa.string())
        numbers, wrong = np.empty(len(text), dtype=np.int64), np.zeros(len(text), dtype=bool)
        for piece, found in in_pieces(text, _plain_ints):
            if found is not None:
                numbers[piece] = found
                continue
            each = [_whole(one) for one in text[piece].to_pylist()]
            wrong[piece] = [one is None for one in each]
            numbers[piece] = [one or 0 for one in each]
    rejects.add(wrong, name, "a whole number", column)
    return numbers


def decimal_mark(columns: dict[str, Any], delimiter: str) -> str:
    """Return "." or ",", as the numbers of a file show; raises ValueError if they may be read in two ways.

    One point with three digits behind it is a decimal point, as programs write it, unless the delimiter is a semicolon,
    as of spreadsheets where the comma is the decimal mark.

    >>> [decimal_mark({"price": pa.array(texts)}, ",") for texts in (["18.234,50", "18.235"], ["18.235"])]
    [',', '.']
    """
    texts = {name: whole_column(column).cast(pa.string()) for name, column in columns.items() if not is_number(column)}
    point = _first(texts, _POINT, _may_have(texts, b".", b","))
    comma = _first(texts, _POINT, _may_have(texts, b",", b"."), _swapped)
    if point and comma:
        raise ValueError(f"{point} has a decimal point and {_swapped_back(comma)} a decimal comma; {_SAY_MARK}")
    if point or comma:
        return "." if point else ","
    unclear = _first(texts, _UNCLEAR, _may_have(texts, b",", b"."), _swapped)
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


def _as_it_is(text: Any) -> Any:
    return text


def _swapped_back(shown: str) -> str:
    return shown.translate(str.maketrans(".,", ",."))


def _first(texts: dict[str, Any], pattern: str, possible: bool = True, form: Callable[[Any], Any] = _as_it_is) -> str:
    """Return the first text whose `form` has a pattern, in that form, with its column; "" if none has."""
    for name, column in texts.items() if possible else ():
        for start in range(0, len(column), _SOME):
            text = form(pc.utf8_trim_whitespace(column.slice(start, _SOME)))
            place = pc.index(pc.match_substring_regex(text, pattern), True).as_py()
            if place >= 0:
                return f"{name} {text[place].as_py()}"
    return ""


def _may_have(texts: dict[str, Any], mark: bytes, other: bytes) -> bool:
    """Return whether any text may have this decimal mark: it has one, or two of the other, which divide thousands."""
    for text in texts.values():
        written = bytes_of(text)
        if (written == mark[0]).any():
            return True
        others = np.count_nonzero(written == other[0])
        if others and others > pc.sum(pc.match_substring(text, other.decode())).as_py():
            return True
    return False


def _plain_numbers(part: Any, mark: str) -> np.ndarray:
    """Return texts as float64, NaN for empty ones; raises ArrowInvalid if one is anything but a plain number."""
    try:
        numbers = (_swapped(part) if mark == "," else part).cast(pa.float64())
        missing = numbers.null_count
    except pa.ArrowInvalid:
        text = pc.utf8_trim_whitespace(_swapped(part) if mark == "," else part)
        text = pc.if_else(pc.equal(text, ""), None, text)
        numbers, missing = text.cast(pa.float64()), text.null_count
    found: np.ndarray = numbers.to_numpy(zero_copy_only=False)
    if np.count_nonzero(np.isnan(found)) > missing:
        raise pa.ArrowInvalid("a text that reads as NaN")
    return found


def _each_number(part: Any, mark: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (float64, bool: no number) of texts of any kind."""
    text = pc.utf8_trim_whitespace(part)
    empty = pc.equal(text, "").fill_null(True).to_numpy(zero_copy_only=False)
    told_nan = pc.equal(pc.utf8_lower(text), "nan").fill_null(False).to_numpy(zero_copy_only=False)
    text = _plain(text, mark)
    usual = pc.match_substring_regex(text, _USUAL).fill_null(False)
    numbers = pc.if_else(usual, text, None).cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
    rest = np.flatnonzero(~usual.to_numpy(zero_copy_only=False))
    numbers[rest] = [_number(each) for each in text.take(pa.array(rest)).to_pylist()]
    return numbers, np.isnan(numbers) & ~empty & ~told_nan


def _plain_ints(part: Any) -> np.ndarray:
    """Return texts as int64; raises ArrowInvalid if one is anything but digits, with a minus or without."""
    if part.null_count or not _IN_INTS[bytes_of(part)].all():  # Arrow also reads 0x1F
        raise pa.ArrowInvalid("a text that is no plain whole number")
    return part.cast(pa.int64()).to_numpy()


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
