"""What a backtest is asked with: the form's values as arguments of the command `backtest`. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from plant.state.schemas import LIMITS

FILLS = ("careful", "tradingview")
"""The presets of how orders are filled."""

FILLS_ON = ("bars", "trades", "quotes")


def arguments_of(
    columns: Mapping[str, Any],
    start: dt.date | None,
    end: dt.date | None,
    capital: float,
    fills: str = FILLS[0],
    fills_on: str = FILLS_ON[0],
    as_seen: bool = False,
) -> tuple[dict[str, Any], str]:
    """Return the arguments of the command, and what is wrong with them, "" for nothing.

    columns   class_name, parameters, symbols, interval, definition, as the form of a strategy has them
    start     the first day of the run, bars before it warm it up; None: from the first bar on
    end       the last day, inclusive; None: until now
    """
    if start is not None and end is not None and end < start:
        return {}, f"it ends on {end}, before it starts on {start}"
    if not capital > 0:
        return {}, f"the capital must be more than 0, found {capital:g}"
    told: dict[str, Any] = {name: columns[name] for name in ("class_name", "symbols", "interval")}
    told["parameters"] = {n: v for n, v in columns["parameters"].items() if n != LIMITS or v}
    if columns.get("definition"):
        told["definition"] = columns["definition"]
    if start is not None:
        told["start"] = start.isoformat()
    if end is not None:
        told["end"] = (end + dt.timedelta(days=1)).isoformat()  # its last day is of it
    told |= {"fills": fills, "fills_on": fills_on, "capital": float(capital)}
    return told | ({"as_seen": True} if as_seen else {}), ""


def title_of(columns: Mapping[str, Any]) -> str:
    """Return what is tested, in a line.

    >>> title_of({"class_name": "Rsi", "symbols": ["A", "B"], "interval": "1m"})
    'Rsi on A, B, 1m'
    """
    return f"{columns['class_name']} on {', '.join(columns['symbols'])}, {columns['interval']}"
