"""Rows of `rejects` that tell of trades which came again."""

import json

import numpy as np

from plant.intake.rejects import rejected
from plant.rows.columns import Columns
from tickerplant.repeats.trade_ids import Verdict

NOTHING = Verdict(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), 0, {})
"""The verdict on rows that are not compared."""


def with_conflicts(
    columns: Columns, bad: np.ndarray, reasons: list[str], verdict: Verdict
) -> tuple[np.ndarray, list[str]]:
    """Return the positions of bad rows and their reasons, in order, with the conflicts of a verdict."""
    found = dict(zip(bad.tolist(), reasons, strict=True))
    ids = columns["trade_id"][verdict.conflicts].tolist()
    for position, trade_id in zip(verdict.conflicts.tolist(), ids, strict=True):
        found.setdefault(
            position,
            f"trade_id {_cut(trade_id)!r} came before on its day with another price or size, but the source promises "
            "unique_trade_ids; the earlier trade stands",
        )
    positions = sorted(found)
    return np.array(positions, dtype=np.int64), [found[p] for p in positions]


def rejects_of(columns: Columns, repeats: np.ndarray, source: str, now: int) -> Columns:
    """Return a row of `rejects` for each symbol of which trades came again, with their number and their ids.

    `repeats` are their positions in `columns`, int64[k]; `now` is ns since 1970 UTC.
    """
    ids: dict[str, list[str]] = {}
    syms, of_trades = columns["sym"][repeats].tolist(), columns["trade_id"][repeats].tolist()
    for sym, trade_id in zip(syms, of_trades, strict=True):
        ids.setdefault(sym, []).append(trade_id)
    reasons = [
        f"dropped {count(len(some), 'repeated trade')}, already in the plant (unique_trade_ids): "
        + " to ".join(dict.fromkeys((repr(_cut(some[0])), repr(_cut(some[-1])))))
        for some in ids.values()
    ]
    rows = [
        json.dumps({"rows": len(some), "first_trade_id": _cut(some[0]), "last_trade_id": _cut(some[-1])})
        for some in ids.values()
    ]
    return rejected(list(ids), reasons, rows, source, "trades", now)


def count(number: int, what: str) -> str:
    """Return a number of things in words.

    >>> count(1, "trade"), count(2_000, "trade")
    ('1 trade', '2,000 trades')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
