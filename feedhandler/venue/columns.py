"""Rows of a venue as the plant's columns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from feedhandler.feed import Batch
from feedhandler.venue.events import BarRow, CorrectionRow, OtherRow, QuoteRow, Row, TradeRow

TABLE_OF: dict[type, str] = {
    TradeRow: "trades",
    QuoteRow: "quotes",
    BarRow: "bars",
    CorrectionRow: "trade_corrections",
}
"""The table of each kind of row; an OtherRow names its own."""

_CALLED = {"trades": ("trade", "timesale"), "bars": ("bar", "kline", "ohlc"), "quotes": ("quote", "ticker", "mbp")}
"""What the channels of a table are called, whatever the venue."""

_KINDS = {
    "time": np.int64, "venue_seq": np.int64, "order": np.int64,
    **dict.fromkeys(("price", "size", "bid", "ask", "bid_size", "ask_size"), np.float64),
    **dict.fromkeys(("open", "high", "low", "close", "volume", "vwap", "trades"), np.float64),
}  # fmt: skip

_NOT_OF_THE_TABLE = {"order", "closed"}


def tables_of_channels(channels: Iterable[str]) -> list[str]:
    """Return the tables that these channels fill, whatever the venue calls them.

    >>> tables_of_channels(["aggTrades", "kline_1m"])
    ['trades', 'bars']
    """
    named = [channel.lower() for channel in channels]
    return [table for table, words in _CALLED.items() if any(word in name for word in words for name in named)]


def batches(rows: Iterable[Row], source: str, ours: Mapping[str, str]) -> list[Batch]:
    """Return rows as batches, one a table, each in the order in which they came; `ours`: our symbol of the venue's.

    Rows of other tables go out one batch a row.
    """
    by_kind: dict[type, list[Any]] = {}
    others: list[Batch] = []
    for row in rows:
        if isinstance(row, OtherRow):
            others.append(_other(row, source, ours))
        else:
            by_kind.setdefault(type(row), []).append(row)
    return [(TABLE_OF[kind], _columns(kind, found, source, ours)) for kind, found in by_kind.items()] + others


def _columns(kind: Any, rows: Sequence[Any], source: str, ours: Mapping[str, str]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, values in zip(kind._fields, zip(*rows, strict=True), strict=True):
        if name in _NOT_OF_THE_TABLE:
            continue
        dtype = _KINDS.get(name)
        if dtype is not None:
            columns[name] = np.array(values, dtype=dtype)
        elif name == "sym" and ours:
            columns[name] = [ours.get(sym, sym) for sym in values]
        else:
            columns[name] = list(values)
    columns["source"] = [source] * len(rows)
    return columns


def _other(row: OtherRow, source: str, ours: Mapping[str, str]) -> Batch:
    columns = {name: [value] for name, value in row.columns.items()}
    if "sym" in columns:
        columns["sym"] = [ours.get(sym, sym) for sym in columns["sym"]]
    return row.table, columns | ({} if "source" in columns else {"source": [source]})
