"""Snapshot: everything one refresh of the page asks for, asked before anything is drawn. Pure, no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dashboard.bars import LOADED, intervals
from dashboard.connections import Answer, Connections
from dashboard.tables import SIGNAL_COLUMNS
from dashboard.watchlist import ROW_COLUMNS, SHOWN, SPARK_BARS

BAR_COLUMNS = ("time", "sym", "interval", "open", "high", "low", "close", "volume", "source")
RECENT_SIGNALS = 200
CHART_SIGNALS = 500
SIMULATED = "simulated"  # what the simulated feed writes into `source`
_NOTHING = Answer(None, None)


@dataclass(frozen=True)
class Snapshot:
    """The answers. `symbol` is what the chart shows, None as long as there are no bars at all; `interval` likewise, of
    the `intervals` in which that symbol has bars.

    `newest` has the newest bar of each symbol, `history` recent bars of those in the watchlist; `bars`, `indicators`
    and `signals` are those of `symbol`, `recent_signals` those of all.
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

    @property
    def simulated(self) -> bool:
        """Whether any symbol's newest bar comes from the simulated feed."""
        frame = self.newest.frame
        return frame is not None and bool((frame["source"].astype(str) == SIMULATED).any())


def take(connections: Connections, wanted: str | None, wanted_interval: str | None) -> Snapshot:
    """Ask for all that the page shows; the chart is of what is `wanted`, if there is such a symbol and interval."""
    rdb, processor = connections.rdb, connections.processor
    newest = rdb.last("bars", needs=BAR_COLUMNS, columns=[*BAR_COLUMNS, "received"])
    recent_signals = processor.select("signals", needs=SIGNAL_COLUMNS, last=RECENT_SIGNALS)
    symbols = [] if newest.frame is None else sorted(set(newest.frame["sym"].astype(str)))
    if not symbols:
        return Snapshot([], None, [], "", newest, recent_signals)
    symbol = wanted if wanted in symbols else symbols[0]
    bars = rdb.select("bars", needs=BAR_COLUMNS, sym=symbol, last=LOADED)
    known = intervals(bars.frame)
    interval = wanted_interval if wanted_interval in known else known[0] if known else ""
    alone = {"interval": interval}
    if len(known) > 1:
        bars = rdb.select("bars", needs=BAR_COLUMNS, sym=symbol, where=alone, last=LOADED)
    listed = symbols[:SHOWN]
    history = rdb.select(
        "bars", needs=ROW_COLUMNS, sym=listed, columns=list(ROW_COLUMNS), last=SPARK_BARS * len(listed)
    )
    _learn_opens(connections, newest)
    return Snapshot(
        symbols=symbols,
        symbol=symbol,
        intervals=known,
        interval=interval,
        newest=newest,
        recent_signals=recent_signals,
        history=history,
        bars=bars,
        indicators=processor.select(
            "indicators", needs=("time", "sym", "interval"), sym=symbol, where=alone, last=LOADED
        ),
        signals=processor.select("signals", needs=SIGNAL_COLUMNS, sym=symbol, where=alone, last=CHART_SIGNALS),
    )


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
