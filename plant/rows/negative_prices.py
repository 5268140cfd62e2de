"""Prices that may be 0 or less: oil in April 2020, power, spreads, rates. They are declared in plant.toml."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from plant.rows.schema import Check, Table

PRICES = {"bars": ("open", "high", "low", "close"), "trades": ("price",), "quotes": ("bid", "ask")}
"""The columns that are prices, of each table that has some."""


def with_negative_prices(table: Table, patterns: Sequence[str]) -> Table:
    """Return a table whose prices may be any finite number in rows of symbols that match one of `patterns`.

    A pattern that is the table's name is about all of its rows. Other checks stay: high is still the highest price.
    """
    names = PRICES.get(table.name, ())
    if not names:
        return table
    every = table.name in patterns
    symbols = [pattern for pattern in patterns if pattern not in PRICES]
    if not every and not symbols:
        return table

    def may_be(sym: Any) -> Any:
        if every:
            return True
        if isinstance(sym, str):
            return any(fnmatchcase(sym, pattern) for pattern in symbols)
        return np.array([may_be(name) for name in sym.names], dtype=bool)[sym.codes]

    def loosened(check: Check) -> Check:
        name = check.reason.partition(" must be ")[0]
        if name not in names or not check.reason.endswith(("finite number", "not known (NaN)")):
            return check
        return Check(
            f"{check.reason}, or of a symbol of [plant] negative_prices",
            lambda c: check.good(c) | (may_be(c["sym"]) & (abs(c[name]) < np.inf)),
        )

    return replace(table, checks=tuple(map(loosened, table.checks)), all_good=None)
