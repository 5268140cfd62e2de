"""Whether the terms of a question are of their kind: what every question needs, whatever it asks."""

from collections.abc import Mapping
from typing import Any

from plant.errors import QueryError

OPERATORS = ("==", "!=", "<", "<=", ">", ">=")

_TEXTS = ("table", "left", "right", "query", "interval", "kind", "parameters", "session")
_NAMES = ("sym", "columns")
_MOMENTS = ("start", "end", "at", "first", "last", "tolerance", "as_of")
_NUMBERS = ("before", "after", "beyond")
_NOT_NEGATIVE = ("first", "last", "tolerance", "beyond", "as_of")
_FLAGS = ("strict", "prevailing", "today")

_MAY_BE_NONE = frozenset((*_MOMENTS, *_NAMES))
_INTS = frozenset((*_MOMENTS, *_NUMBERS))


def check_terms(ask: str, terms: Mapping[str, Any]) -> None:
    """Raise QueryError, naming the question `ask` and the first term that is not of its kind."""
    if not _right(terms):
        _check_each(ask, terms)


def _right(terms: Mapping[str, Any]) -> bool:
    """Return whether all terms are plainly of their kind: most questions are asked with few of them."""
    for name, value in terms.items():
        if value is None:
            if name not in _MAY_BE_NONE:
                return False
            continue
        kind = type(value)
        if kind is int:
            if not (name in _INTS and (-(2**63) if name not in _NOT_NEGATIVE else 0) <= value < 2**63):
                return False
        elif kind is tuple:
            named = name in _NAMES and all(type(v) is str for v in value)
            if not named and (name != "where" or value):
                return False
        elif not (kind is str and name in _TEXTS) and not (kind is bool and name in _FLAGS):
            return False
    return terms.get("first") is None or terms.get("last") is None


def _check_each(ask: str, terms: Mapping[str, Any]) -> None:
    for name in _TEXTS:
        if name in terms and type(terms[name]) is not str:
            raise QueryError(f"{ask}: {name} must be a string, found {terms[name]!r}")
    for name in (*_MOMENTS, *_NUMBERS):
        value = terms.get(name, 0)
        if (value is not None or name in _NUMBERS) and (type(value) is not int or not -(2**63) <= value < 2**63):
            raise QueryError(f"{ask}: {name} must be a whole number (times are ns since 1970 UTC), found {value!r}")
    for name in _NAMES:
        value = terms.get(name)
        if value is not None and not (isinstance(value, tuple) and all(type(v) is str for v in value)):
            raise QueryError(f"{ask}: {name} must be a list of strings, found {value!r}")
    for name in _NOT_NEGATIVE:
        if (terms.get(name) or 0) < 0:
            raise QueryError(f"{ask}: {name} must be 0 or more, found {terms[name]}")
    if terms.get("first") is not None and terms.get("last") is not None:
        raise QueryError(f"{ask}: give first or last, not both")
    for name in _FLAGS:
        if type(terms.get(name, False)) is not bool:
            raise QueryError(f"{ask}: {name} must be true or false, found {terms[name]!r}")
    _check_conditions(ask, terms.get("where", ()))


def _check_conditions(ask: str, conditions: Any) -> None:
    if not isinstance(conditions, tuple):
        raise QueryError(f"{ask}: where must be a list of conditions, found {conditions!r}")
    for term in conditions:
        if not (
            isinstance(term, tuple)
            and len(term) == 3
            and type(term[0]) is str
            and term[1] in OPERATORS
            and isinstance(term[2], str | int | float)
        ):
            raise QueryError(
                f"{ask}: a condition is [column, operator, value] with an operator of {' '.join(OPERATORS)}, "
                f"found {term!r}"
            )
