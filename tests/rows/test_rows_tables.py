"""Prices of 0 or less are refused, unless plant.toml declares them for a symbol or a table."""

from typing import Any

import numpy as np
import pytest

from plant.intake.forms import columns_of
from plant.rows.tables import schema_of
from tickerplant.validation import bad_rows

NOON = 1_763_640_000_000_000_000
BAR = {"open": -37.0, "high": 1.0, "low": -40.0, "close": 0.0, "volume": 1.0, "interval": "1m"}


def refused(table: str, rows: list[dict[str, Any]], *patterns: str) -> list[str]:
    """Return why rows are refused; one by one they are refused for the same reasons."""
    declared = schema_of(negative_prices=patterns)[table]
    columns = columns_of(declared, [{"time": NOON, **row} for row in rows])
    _, reasons = bad_rows(declared, columns, len(rows))
    alone = []
    for row in rows:
        one = columns_of(declared, {"time": NOON, **row})
        alone += bad_rows(declared, one, 1)[1]
    assert alone == reasons
    return reasons


@pytest.mark.parametrize(
    ("table", "row"),
    [("bars", BAR), ("trades", {"price": -37.63, "size": 1.0}), ("quotes", {"bid": -1.0, "ask": np.nan})],
)
def test_only_declared_symbols_may_have_them(table: str, row: dict[str, Any]) -> None:
    rows = [{"sym": "CLK0", **row}, {"sym": "AAPL", **row}]
    assert len(refused(table, rows)) == 2
    (reason,) = refused(table, rows, "CL*", "POWER")
    assert reason.endswith("or of a symbol of [plant] negative_prices")
    assert refused(table, rows, table) == []


def test_what_is_no_price_is_none_with_a_declaration_either() -> None:
    for price in (np.nan, np.inf, -np.inf):
        assert len(refused("trades", [{"sym": "CL", "price": price}, {"sym": "CL", "price": price}], "CL")) == 2
    assert "highest price" in refused("bars", [{"sym": "CL", **BAR, "high": -50.0}], "CL")[0]
    assert len(refused("trades", [{"sym": "CL", "price": -1.0, "size": -1.0}], "CL")) == 1
