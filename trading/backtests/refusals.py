"""What a backtest refused, as one sentence: an order that never left must not look like one that nobody asked for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from trading.run import RunSetup

LIFTED: Mapping[str, Any] = {
    "max_orders_per_minute": None,
    "price_band": None,
    "stale_s": 0,
}
"""Limits that hold unless one says otherwise, and the value that lifts each."""


class OrdersRefused(UserWarning):
    """Orders of a backtest were refused, by risk or because they cannot be orders."""


def refusals_of(rows: Mapping[str, Sequence[Mapping[str, Any]]], setup: RunSetup) -> str:
    """Return how many orders were refused, why, and how the limits that did are lifted; "" if none was.

    rows   of the run, by table
    """
    refused = [row for row in rows.get("orders", ()) if row["state"] == "refused"]
    if not refused:
        return ""
    asked = sum(row["n"] == 1 for row in rows["orders"])
    ruled = {row["order_id"]: row for row in rows.get("risk_events", ()) if row["action"] == "refused"}
    counts: Counter[str] = Counter()
    for row in refused:
        event = ruled.get(row["order_id"])
        counts[row["reason"] if event is None or event["bound"] != event["bound"] else event["rule"]] += 1
    bounds = {rule: getattr(setup.limits, rule, None) for rule in counts}
    whys = "; ".join(
        f"{count:,} by {rule} ({bounds[rule]:g})" if bounds[rule] is not None else f"{count:,}: {rule}"
        for rule, count in counts.most_common(3)
    )
    more = f"; {len(counts) - 3} more reasons" if len(counts) > 3 else ""
    lifted = {rule: LIFTED.get(rule) for rule in counts if bounds[rule] is not None}
    how = f"; limits={lifted} lifts that" if lifted else ""
    return f"{len(refused):,} of {asked:,} orders were refused: {whys}{more} (rows of result.orders){how}"
