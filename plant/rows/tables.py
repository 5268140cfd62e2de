"""The tables of the plant, declared once, as data.

Wire format, in-memory tables, history, validation and docs/tables.md all derive from `TABLES`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from plant.rows.intervals import is_name
from plant.rows.schema import (
    EARLIEST,
    LATEST,
    Check,
    Column,
    Schema,
    Table,
    not_negative,
    positive,
    table_from,
    unknown_or_not_negative,
)
from plant.rows.tables_candles import CANDLE_TABLES
from plant.rows.tables_service import SERVICE_TABLES
from plant.rows.tables_trading import TRADING_TABLES

SIMULATED = "simulated"
"""The `source` of rows that are made up, and the kind of the plant's feed that makes them."""


IMPORTED = "import"
"""The `source` of rows of an imported file that names none: of no feed that goes on."""


def _good_bars(c: Mapping[str, Any]) -> Any:
    """Return where all checks of bars hold: what is true of low and high is true of the prices between them."""
    time, low, high, first, last, volume = c["time"], c["low"], c["high"], c["open"], c["close"], c["volume"]
    between = (low <= first) & (low <= last) & (first <= high) & (last <= high)
    vwap, trades = c["vwap"], c["trades"]
    return (
        ((abs(vwap) < np.inf) | (vwap != vwap))
        & (((trades >= 0) & (trades < np.inf)) | (trades != trades))
        & (between & (low > 0) & (high < np.inf) & (volume >= 0) & (volume < np.inf))
        & ((time >= EARLIEST) & (time < LATEST))
        & ((c["sym"] != "") & _named(c["interval"]))
    )


def _named(interval: Any) -> Any:
    """Return whether an interval, a text or a column of texts, is called by its one name."""
    if isinstance(interval, str):
        return is_name(interval)
    names = np.fromiter(map(is_name, interval.names), bool, len(interval.names))
    return names[interval.codes] if len(names) else np.zeros(len(interval), bool)


_OHLCV = """
    open       float   first price, quote currency
    high       float   highest price
    low        float   lowest price
    close      float   last price
    volume     float   units traded in the interval so far"""

TABLES = (
    table_from(
        "bars",
        f"""
    interval   symbol  length of the bar, e.g. 1m{_OHLCV}
    source     symbol  feed that sent it; made of a feed's trades or smaller bars: built: and its name
    vwap       float   mean price of its trades, weighted by their sizes; NaN: not told
    trades     float   number of its trades; NaN: not told
    """,
        ("sym", "interval", "time"),
        (
            *map(positive, ("open", "high", "low", "close")),
            not_negative("volume"),
            Check(
                "high must be the highest price (high >= open, low, close)",
                lambda c: (c["high"] >= c["low"]) & (c["high"] >= c["open"]) & (c["high"] >= c["close"]),
            ),
            Check(
                "low must be the lowest price (low <= open, close)",
                lambda c: (c["low"] <= c["open"]) & (c["low"] <= c["close"]),
            ),
            Check("interval must not be empty", lambda c: c["interval"] != ""),
            Check(
                "interval must be by its one name: 1m, 5m, 1h, 1d (not 1Min, 60s, D)", lambda c: _named(c["interval"])
            ),
            Check(
                "vwap must be a finite number, or not known (NaN)",
                lambda c: (abs(c["vwap"]) < np.inf) | (c["vwap"] != c["vwap"]),
            ),
            unknown_or_not_negative("trades"),
        ),
        _good_bars,
    ),
    table_from(
        "trades",
        """
    price      float   quote currency
    size       float   units
    source     symbol  feed that sent it
    trade_id   text    the venue's own id, empty if it has none
    conditions text    sale conditions, US equities: numbers of Massive, letters of the SIPs, e.g. "12,37" or "@ T I"
    tape       symbol  A, B or C: the consolidated tape it was reported to; empty: not told
    exchange   symbol  where it was made, as the feed calls it; empty: not told
    venue_seq  int     the venue's own sequence number within the symbol; 0: none
    """,
        (),
        (positive("price"), unknown_or_not_negative("size")),
    ),
    table_from(
        "quotes",
        """
    bid        float   best bid, quote currency
    ask        float   best ask, quote currency
    bid_size   float   units at the bid
    ask_size   float   units at the ask
    source     symbol  feed that sent it
    """,
        (),
        tuple(map(unknown_or_not_negative, ("bid", "ask", "bid_size", "ask_size"))),
    ),
    table_from(
        "indicators",
        f"""
    interval   symbol  length of the bar{_OHLCV}
    sma_20     float   mean of the last 20 closes
    ema_20     float   exponential mean, alpha 2/21
    ema_50     float   exponential mean, alpha 2/51
    rsi_14     float   Wilder's relative strength, 0 to 100
    macd       float   EMA 12 - EMA 26
    macd_signal    float  EMA 9 of macd
    macd_histogram float  macd - macd_signal
    bb_upper   float   bb_middle + 2 standard deviations
    bb_middle  float   mean of the last 20 closes
    bb_lower   float   bb_middle - 2 standard deviations
    """,
        ("sym", "interval", "time"),
    ),
    table_from(
        "signals",
        """
    interval   symbol  length of the bar
    signal     symbol  golden_cross, death_cross, rsi_oversold, rsi_overbought, macd_cross_up, macd_cross_down
    side       symbol  buy or sell
    price      float   close of the bar that raised it
    detail     text    why, with the numbers
    state      symbol  empty: it stands; withdrawn: a correction of the bars took it away
    """,
        ("sym", "interval", "time", "signal"),
    ),
    table_from(
        "heartbeats",
        """
    pid        int     process id
    seq_seen   int     journal sequence number it has reached
    rows       int     rows it has handled since its start
    rate       float   rows per second since its last beat
    memory     int     resident bytes
    state      text    one line from the process itself
    """,
    ),
    table_from(
        "rejects",
        """
    source     symbol  publisher that sent it
    table_name symbol  table it was meant for
    reason     text    what is wrong with it
    row        text    the row, as JSON
    """,
    ),
    table_from(
        "gaps",
        """
    table_name symbol  table that missed batches
    first      int     first table sequence number missed
    last       int     last table sequence number missed
    state      symbol  opened, healed or lost
    detail     text    how it was noticed, or how long it took
    """,
    ),
    table_from(
        "queries",
        """
    client     text    who asked: name/pid@host, as it told
    kind       symbol  tables, select, last, count, resample, asof, window or sql; ?: unknown
    question   text    its terms, or the SQL, at most 1,000 characters
    seconds    float   from its arrival to its answer, waiting included
    rows       int     rows of the answer
    bytes      int     bytes of the answer
    state      symbol  ok, error, limit or cancelled; lost: some were not noted
    detail     text    the error, if there was one
    """,
    ),
    table_from(
        "days",
        """
    day        text    the day of the plant, e.g. 2026-11-20
    state      symbol  end: it ends behind this row; closed: its files are in place; failed: they cannot be made now
    last_seq   int     closed, failed: sequence number of the row that ended it
    rows       int     closed: rows that came since the end before
    detail     text    failed: why; end: again, if it counts although that day was ended before
    """,
    ),
    table_from(
        "amendments",
        """
    table_name symbol  table of the row that is amended; time is when that was decided, sym is the row's
    row_time   int     time of the row, ns since 1970 UTC
    row_seq    int     its journal sequence number
    row        text    its other columns, as JSON
    action     symbol  replace or remove
    changes    text    what it becomes: the columns that change, as JSON
    reason     text    why
    """,
        (),
        (Check("action must be replace or remove", lambda c: (c["action"] == "replace") | (c["action"] == "remove")),),
    ),
    table_from(
        "imports",
        """
    table_name symbol  table the rows went to; sym is the publisher: import-, and a digest of file and options
    file       text    the file's name
    state      symbol  begun or finished
    rows       int     rows to be written, or written
    duplicates int     rows of the file that were there already
    rejected   int     rows of the file that were no good rows
    left_out   text    which rows were not to be written when it began, in order of time: bits, zlib, base64
    """,
    ),
    *CANDLE_TABLES,
    table_from(
        "alerts",
        """
    event      symbol  the signal, or what was noticed: feed_stale, process_down, gap, rejects, disk, day_not_closed
    service    text    where it is sent: the address, without its secrets
    state      symbol  sending: an attempt begins; sent; failed: it was not taken; unknown: nobody knows, not repeated
    attempt    int     how often it was tried, this time included; 0: it was given up before the first
    held_back  int     others of its kind that were not sent since the one before: every_s, within_s
    detail     text    what is told; of one that failed also why, and whether it is tried again
    """,
    ),
    *TRADING_TABLES,
    *SERVICE_TABLES,
)
"""The plant's own tables. In heartbeats and queries, sym is the process; in rejects the row's sym or ?; in gaps the
subscriber; in days who said it. In alerts, sym is the signal's, or what the event is about: a process, a feed, a day;
all rows of one alert have the time at which it was decided."""


PRICES = {
    "bars": ("open", "high", "low", "close"),
    "trades": ("price",),
    "quotes": ("bid", "ask"),
    "trade_corrections": ("price",),
}
"""The columns that are prices, of each table that has some."""


def with_negative_prices(table: Table, patterns: Sequence[str]) -> Table:
    """Return a table whose prices may be any finite number in rows of symbols that match one of `patterns`.

    A pattern that is the table's name is about all of its rows. Other checks stay: high is still the highest price.
    """
    names = PRICES.get(table.name, ())
    if not names:
        return table
    every = table.name in patterns or (table.name == "trade_corrections" and "trades" in patterns)
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


def with_indicators(table: Table, declared: Sequence[Column]) -> Table:
    """Return the table `indicators` with these computed columns instead of those that are always there."""
    always = {column.name: column for column in table.columns}
    bars = [column for column in table.columns if column.name in _OF_A_BAR]
    return replace(table, columns=(*bars, *(always.get(column.name, column) for column in declared)))


_OF_A_BAR = ("time", "sym", "interval", "open", "high", "low", "close", "volume")


def schema_of(
    extra: Iterable[Table] = (), negative_prices: Sequence[str] = (), indicators: Sequence[Column] | None = None
) -> Schema:
    """Return the plant's tables and a user's own; raises SchemaError if a name is taken.

    `negative_prices` are patterns of symbols ("CL*") whose prices may be 0 or less, or names of tables: bars, trades,
    quotes. `indicators` are the computed columns of that table; None: those that are always there.
    """
    tables = [with_negative_prices(table, negative_prices) for table in TABLES] if negative_prices else list(TABLES)
    if indicators is not None:
        tables = [with_indicators(table, indicators) if table.name == "indicators" else table for table in tables]
    return Schema((*tables, *extra))
