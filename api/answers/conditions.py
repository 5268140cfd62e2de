"""Conditions and columns as they are written in a query: `price>190`, `sym=AAPL`."""

import re
from collections.abc import Iterable

from fastapi import Request

from api.answers.problems import invalid
from api.answers.terms import time_of
from plant.query.questions import Where
from plant.query.view import known_columns
from plant.rows.arrow import kind_of
from plant.rows.schema import Table

_WRITTEN = re.compile(r"\s*(\w+)\s*(==|!=|<>|<=|>=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_OPERATORS = {"=": "==", "<>": "!="}


def where_of(request: Request, table: Table, written: Iterable[str] | None) -> Where:
    """Return the conditions that are written, which all hold. Raises Problem invalid, UnknownColumn."""
    found = []
    for text in written or ():
        match = _WRITTEN.fullmatch(text)
        if match is None:
            raise invalid("?where", "expected a column, one of = != < <= > >=, and a value, e.g. price>190", found=text)
        name, operator, value = match.groups()
        known_columns(table, (name,))
        kind = "time" if name == "received" else kind_of(table, name)
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        told: str | int | float | None = value
        try:
            if kind == "float":
                told = float(value)
            elif kind == "int":
                told = int(value)
            elif kind == "time":
                told = time_of(request, "where", value)
        except ValueError:
            raise invalid("?where", f"{table.name}.{name} is a number", found=text) from None
        found.append((name, _OPERATORS.get(operator, operator), told))
    return tuple(found)


def columns_of(table: Table, written: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return names of columns that are written, several in one text with commas between. Raises UnknownColumn."""
    if written is None:
        return None
    names = tuple(dict.fromkeys(name.strip() for text in written for name in text.split(",") if name.strip()))
    if not names:
        raise invalid("?columns", "expected names of columns")
    return known_columns(table, names)
