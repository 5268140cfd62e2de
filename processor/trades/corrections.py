"""Trades less those that were cancelled, with those that were corrected: what a bar is made of anew."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from plant.rows.columns import Columns, Symbols, Texts, taken


@dataclass
class Corrected:
    """Rows of `trades` as corrected, and the corrections that found no trade among them: their positions."""

    trades: Columns
    unmatched: list[int] = field(default_factory=list)


def corrected(trades: Columns, corrections: Columns) -> Corrected:
    """Return what is left of trades of one symbol, and what they became; of several corrections the last counts.

    A correction names a trade of its source by trade_id if it has one, else by venue_seq. Trades have seq and seq_row,
    as corrections do; a corrected trade keeps its time and its place, so it stays first or last where it was.
    """
    if not len(corrections["time"]):
        return Corrected(trades)
    keys = list(zip(trades["source"].tolist(), trades["trade_id"].tolist(), trades["venue_seq"].tolist(), strict=True))
    by_id = {(source, i): row for row, (source, i, _) in enumerate(keys) if i}
    by_seq = {(source, n): row for row, (source, _, n) in enumerate(keys) if n}
    kept = np.ones(len(keys), dtype=bool)
    price, size = trades["price"].copy(), trades["size"].copy()
    conditions = trades["conditions"].tolist()
    unmatched = []
    names = ("source", "trade_id", "venue_seq", "action", "price", "size", "conditions")
    rows: list[tuple[Any, ...]] = list(zip(*(corrections[name].tolist() for name in names), strict=True))
    for at in np.lexsort((corrections["seq_row"], corrections["seq"])).tolist():
        source, trade_id, venue_seq, action, new_price, new_size, new_conditions = rows[at]
        row = by_id.get((source, trade_id)) if trade_id else by_seq.get((source, venue_seq))
        if row is None:
            unmatched.append(at)
        elif action == "cancel":
            kept[row] = False
        else:
            kept[row] = True
            price[row], size[row], conditions[row] = new_price, new_size, new_conditions
    changed = {**trades, "price": price, "size": size, "conditions": Texts.of(conditions)}
    return Corrected(taken(changed, kept), unmatched)


def none_of(table: Any) -> Columns:
    """Return no rows of a table, with seq and seq_row."""
    kinds = {"symbol": lambda: Symbols([], np.empty(0, dtype=np.int32)), "text": lambda: Texts.of([])}
    empty = {c.name: kinds.get(c.kind, lambda: np.empty(0, dtype=np.int64))() for c in table.columns}
    empty |= {c.name: np.empty(0) for c in table.columns if c.kind == "float"}
    return {**empty, "seq": np.empty(0, dtype=np.int64), "seq_row": np.empty(0, dtype=np.int64)}


def together(parts: list[Columns]) -> Columns:
    """Return rows of several columns as one."""
    first = parts[0]
    found: Columns = {}
    for name, column in first.items():
        each = [part[name] for part in parts]
        if isinstance(column, np.ndarray):
            found[name] = np.concatenate(each)
        else:
            found[name] = type(column).of([text for part in each for text in part.tolist()])
    return found
