"""Snapshot: everything one refresh of the page asks for, asked before anything is drawn. Pure, no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from dashboard.annotations.kept import Noted
from dashboard.bars import LOADED, by_length, intervals
from dashboard.connections import Answer, Connections
from dashboard.tables import HEARTBEAT_COLUMNS, SIGNAL_COLUMNS
from dashboard.watchlist import ROW_COLUMNS, SHOWN, SPARK_BARS, Tick, ticks_of

BAR_COLUMNS = ("time", "sym", "interval", "open", "high", "low", "close", "volume", "source")
TRADE_COLUMNS = ("time", "sym", "price")
QUOTE_COLUMNS = ("time", "sym", "bid", "ask")
RECENT_SIGNALS = 200
CHART_SIGNALS = 500
_NOTHING = Answer(None, None)


@dataclass(frozen=True)
class Snapshot:
    """The answers. `symbol` is what the chart shows, None as long as there are no bars at all; `interval` likewise, of
    the `intervals`: those that are built, and those in which the symbol has bars.

    `others` has the newest tick of each symbol that has trades or quotes, but no bars.
    `newest` has the newest bar of each symbol, `history` recent bars of those in the watchlist; `bars`, `indicators`,
    `signals` and `annotations` are those of `symbol`, `recent_signals` those of all.
    """

    symbols: list[str]
    symbol: str | None
    intervals: list[str]
    interval: str
    newest: Answer
    recent_signals: Answer
    history: Answer = _NOTHING
    bars: Answer = _NOTHING
    indicators: Answer = _NOTHING
    signals: Answer = _NOTHING
    others: dict[str, Tick] = field(default_factory=dict)
    annotations: Noted = field(default_factory=Noted)

    @property
    def choice(self) -> tuple[list[str], str | None, list[str], str]:
        """What there is to choose from, and what is chosen."""
        return self.symbols, self.symbol, self.intervals, self.interval


def newest(connections: Connections) -> Answer:
    """Ask for the newest bar of each symbol."""
    return connections.rdb.last("bars", needs=BAR_COLUMNS, columns=[*BAR_COLUMNS, "received"])


def beats(connections: Connections) -> Answer:
    """Ask for the newest heartbeat of each process."""
    return connections.rdb.last("heartbeats", needs=HEARTBEAT_COLUMNS)


def take(connections: Connections, wanted: str | None, wanted_interval: str | None) -> Snapshot:
    """Ask for all that the page shows; the chart is of what is `wanted`, if there is such a symbol and interval."""
    rdb, processor = connections.rdb, connections.processor
    newest_bars = newest(connections)
    recent_signals = processor.select("signals", needs=SIGNAL_COLUMNS, last=RECENT_SIGNALS)
    with_bars = set() if newest_bars.frame is None else set(newest_bars.frame["sym"].astype(str))
    trades = rdb.last("trades", needs=TRADE_COLUMNS, columns=list(TRADE_COLUMNS))
    quotes = rdb.last("quotes", needs=QUOTE_COLUMNS, columns=list(QUOTE_COLUMNS))
    others = ticks_of(trades.frame, quotes.frame, with_bars)
    symbols = sorted(with_bars | others.keys())
    if not symbols:
        return Snapshot([], None, [], "", newest_bars, recent_signals)
    symbol = wanted if wanted in symbols else symbols[0]
    history = _history(connections, symbols, with_bars)
    _learn_opens(connections, newest_bars)
    if symbol in others:
        nothing = Answer(None, trades.at, trades.error)
        names = by_length(connections.intervals)
        interval = wanted_interval if wanted_interval in names else names[0] if names else ""
        return Snapshot(symbols, symbol, names, interval, newest_bars, recent_signals, history, nothing, others=others)
    stored = _stored_intervals(connections, symbol)
    known = by_length([*connections.intervals, *stored])
    interval = wanted_interval if wanted_interval in known else (stored or known or [""])[0]
    alone = {"interval": interval}
    return Snapshot(
        symbols=symbols,
        symbol=symbol,
        intervals=known,
        interval=interval,
        newest=newest_bars,
        recent_signals=recent_signals,
        history=history,
        bars=rdb.select("bars", needs=BAR_COLUMNS, sym=symbol, where=alone, last=LOADED),
        indicators=processor.select(
            "indicators", needs=("time", "sym", "interval"), sym=symbol, where=alone, last=LOADED
        ),
        signals=processor.select("signals", needs=SIGNAL_COLUMNS, sym=symbol, where=alone, last=CHART_SIGNALS),
        others=others,
        annotations=Noted() if connections.annotations is None else connections.annotations.look(symbol),
    )


def _history(connections: Connections, symbols: list[str], with_bars: set[str]) -> Answer:
    listed = [sym for sym in symbols[:SHOWN] if sym in with_bars]
    if not listed:
        return _NOTHING
    return connections.rdb.select(
        "bars", needs=ROW_COLUMNS, sym=listed, columns=list(ROW_COLUMNS), last=SPARK_BARS * len(listed)
    )


def _stored_intervals(connections: Connections, symbol: str) -> list[str]:
    """Return the intervals in which the symbol has bars, shortest first: of all bars ever, or else of the newest."""
    literal = symbol.replace("'", "''")
    answer = connections.lists.sql(f"select distinct interval from bars where sym = '{literal}'", needs=("interval",))
    if answer.frame is None or answer.frame.empty:
        columns = ["time", "sym", "interval"]
        answer = connections.rdb.select("bars", needs=columns, sym=symbol, columns=columns, last=LOADED)
    return intervals(answer.frame)


def _learn_opens(connections: Connections, newest: Answer) -> None:
    if newest.frame is None or newest.stale:
        return
    listed = newest.frame.sort_values("sym", key=lambda syms: syms.astype(str)).head(SHOWN)
    starts = connections.opens.unknown(listed, connections.time_zone)
    if not starts:
        return
    answer = connections.rdb.select(
        "bars",
        needs=ROW_COLUMNS,
        sym=list(starts),
        start=pd.Timestamp(min(starts.values()), tz="UTC"),
        columns=list(ROW_COLUMNS),
    )
    if answer.frame is not None and not answer.stale:
        connections.opens.learn(answer.frame, starts)
