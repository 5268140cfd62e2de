"""A small market in memory that answers as `rdb.connect()` and `processor.connect()` do, for the dashboard's tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import INDICATORS
from dashboard.connections import Connection, Connections
from dashboard.pulse import ASKED, Pulse
from plant.errors import Unavailable
from plant.runtime.sections import FeedSection

MINUTE_NS = 60_000_000_000
OPEN_NS = 1_763_649_000_000_000_000  # 2025-11-20 14:30 UTC, 09:30 in New York
SESSION_BARS = 390
PRICES = {"AAPL": 242.0, "GOOG": 171.0, "NVDA": 139.0, "TSLA": 338.0}


class Market:
    """Minute bars of a few symbols over three sessions, with nights between them, all of it from one seed.

    `bars` of each symbol exist from the start; `advance()` lets one more minute happen. `up` and `processor_up` say
    whether the two clients answer. `on_ask` is called before every answer of the rdb about bars.
    """

    def __init__(
        self, bars: int = 900, syms: tuple[str, ...] = tuple(PRICES), source: str = "simulated", ahead: int = 600
    ) -> None:
        self.syms = syms
        self.shown = bars
        self.up = True
        self.processor_up = True
        self.sql_up = True
        self.capturing = True
        self.trades, self.quotes, self.alerts = _no_trades(), _no_quotes(), alerts()
        self.on_ask: Callable[[], None] = lambda: None
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.away: set[int] = set()  # bars of all symbols that are not there yet: the first one is 0
        total = bars + ahead
        self._bars = {sym: _walk(sym, total, source) for sym in syms}
        self._indicators = {sym: _indicators(frame) for sym, frame in self._bars.items()}
        self._signals = {sym: _signals(frame) for sym, frame in self._indicators.items()}

    def advance(self, bars: int = 1) -> None:
        self.shown += bars

    def correct(self, sym: str, back: int) -> None:
        """Trade higher in the bar `back` bars before the newest one, than was known."""
        frame = self._bars[sym]
        names = [frame.columns.get_loc(name) for name in ("high", "close")]
        frame.iloc[self.shown - 1 - back, names] = float(frame["high"].iloc[self.shown - 1 - back]) + 0.5  # type: ignore[index]

    def withdraw(self, sym: str, back: int) -> None:
        """Withdraw the signals of the newest bars, so many of them."""
        frame = self._signals[sym]
        since = self._bars[sym]["time"].iloc[self.shown - back]
        frame.loc[frame["time"] >= since, "state"] = "withdrawn"

    def connections(self, **options: Any) -> Connections:
        """Return Connections to this market that ask at every refresh anew."""
        every_time: dict[str, Any] = {"retry_s": 0.0, "share_s": 0.0}
        return Connections(
            rdb=Connection("rdb", "tcp://127.0.0.1:5006", lambda: Rdb(self), **every_time),
            processor=Connection("processor", "tcp://127.0.0.1:5011", lambda: Processor(self), **every_time),
            lists=Connection("rdb", "tcp://127.0.0.1:5006", lambda: Rdb(self), **every_time),
            pulse=Pulse({name: partial(self.status, name) for name in ASKED}, every_s=0.0),
            feeds=(FeedSection(kind="simulated"),),
            **{"time_zone": "America/New_York", "refresh_s": 1.0, **options},
        )

    def status(self, process: str) -> dict[str, Any]:
        """Answer as a process does that is asked how it is."""
        down = {"rdb": not self.up, "processor": not self.processor_up, "tickerplant": not self.capturing}
        if down.get(process):
            raise Unavailable(f"no answer from the {process} within 1 s")
        return {"state": "ok"}

    def rows(self, table: str) -> pd.DataFrame:
        if table == "heartbeats":
            return _heartbeats()
        if table in {"trades", "quotes"}:
            return self.trades if table == "trades" else self.quotes
        if table == "alerts":
            return self.alerts
        if table in {"gaps", "rejects"}:
            return pd.DataFrame({"time": pd.to_datetime([], utc=True), "sym": []})
        frames = {"bars": self._bars, "indicators": self._indicators, "signals": self._signals}[table]
        if not self.syms or not self.shown:
            return next(iter(frames.values())).head(0) if frames else _walk("NONE", 1, "").head(0)
        newest = self._bars[self.syms[0]]["time"].iloc[self.shown - 1]
        away = self._bars[self.syms[0]]["time"].iloc[sorted(self.away)]
        there = [frame[(frame["time"] <= newest) & ~frame["time"].isin(away)] for frame in frames.values()]
        rows = pd.concat(there)
        return rows.sort_values("time", kind="stable").reset_index(drop=True)


class Rdb:
    missing = ""

    def __init__(self, market: Market) -> None:
        self.market = market

    def select(self, table: str, **query: Any) -> pd.DataFrame:
        return _select(self._rows(table, query), **query)

    def last(self, table: str, columns: list[str] | None = None) -> pd.DataFrame:
        rows = self._rows(table, {}).groupby("sym", sort=True, observed=True).tail(1)
        if table in {"trades", "quotes"}:
            return rows if columns is None else rows[columns]
        rows = rows.assign(received=pd.Timestamp(time.time_ns(), tz="UTC"))
        return rows if columns is None else rows[columns]

    def sql(self, text: str) -> pd.DataFrame:
        """Answer `select distinct interval from bars where sym = '...'`."""
        if not self.market.sql_up:
            raise Unavailable("no answer from tcp://127.0.0.1:5007 within 2 s")
        sym = text.rpartition("sym = '")[2].removesuffix("'")
        rows = self._rows("bars", {})
        return rows.loc[rows["sym"] == sym, ["interval"]].drop_duplicates()

    def _rows(self, table: str, query: dict[str, Any]) -> pd.DataFrame:
        self.market.asked.append(("rdb", table, query))
        if table == "bars":
            self.market.on_ask()
        if not self.market.up:
            raise Unavailable("no answer from tcp://127.0.0.1:5006 within 2 s")
        return self.market.rows(table)


class Processor(Rdb):
    def _rows(self, table: str, query: dict[str, Any]) -> pd.DataFrame:
        self.market.asked.append(("processor", table, query))
        if not self.market.processor_up:
            raise Unavailable("no answer from tcp://127.0.0.1:5011 within 2 s")
        return self.market.rows(table)


def _select(
    rows: pd.DataFrame,
    sym: str | list[str] | None = None,
    start: pd.Timestamp | None = None,
    end: pd.Timestamp | None = None,
    columns: list[str] | None = None,
    last: int | None = None,
    where: dict[str, str] | None = None,
) -> pd.DataFrame:
    if sym is not None:
        rows = rows[rows["sym"].isin([sym] if isinstance(sym, str) else sym)]
    for column, value in (where or {}).items():
        rows = rows[rows[column] == value]
    if start is not None:
        rows = rows[rows["time"] >= start]
    if end is not None:
        rows = rows[rows["time"] < end]
    if last is not None:
        rows = rows.tail(last)
    rows = rows if columns is None else rows[columns]
    return rows.reset_index(drop=True).astype({"sym": "category"})


def _walk(sym: str, count: int, source: str) -> pd.DataFrame:
    random = np.random.default_rng(sum(map(ord, sym)))
    first = PRICES.get(sym, 100.0)
    closes = np.round(first * np.exp(np.cumsum(random.normal(0, 0.0009, count))), 2)
    opens = np.round(np.concatenate([[first], closes[:-1]]), 2)
    reach = np.round(np.abs(random.normal(0, 0.0005, (2, count))) * closes, 2)
    minutes = np.arange(count)
    times = OPEN_NS + (minutes // SESSION_BARS) * 1440 * MINUTE_NS + (minutes % SESSION_BARS) * MINUTE_NS
    return pd.DataFrame(
        {
            "time": pd.DatetimeIndex(times, tz="UTC"),
            "sym": sym,
            "interval": "1m",
            "open": opens,
            "high": np.maximum(opens, closes) + reach[0],
            "low": np.minimum(opens, closes) - reach[1],
            "close": closes,
            "volume": np.round(random.gamma(2.0, 4000, count)),
            "source": source,
        }
    )


def _indicators(bars: pd.DataFrame) -> pd.DataFrame:
    """Textbook forms, good enough to look at; the processor's own are tested where they live."""
    close = bars["close"]
    middle, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    rise = close.diff()
    gain, loss = rise.clip(lower=0).ewm(alpha=1 / 14).mean(), -rise.clip(upper=0).ewm(alpha=1 / 14).mean()
    macd = close.ewm(span=12).mean() - close.ewm(span=26).mean()
    signal = macd.ewm(span=9).mean()
    values = (
        middle,
        close.ewm(span=20).mean(),
        close.ewm(span=50).mean(),
        100 - 100 / (1 + gain / loss),
        macd,
        signal,
        macd - signal,
        middle + 2 * deviation,
        middle,
        middle - 2 * deviation,
    )
    rows = bars.drop(columns="source").assign(**dict(zip(INDICATORS, values, strict=True)))
    rows.loc[rows.index[:50], list(INDICATORS)] = np.nan
    return rows


def _signals(rows: pd.DataFrame) -> pd.DataFrame:
    before = rows.shift()
    found = [
        ("golden_cross", "buy", (before.sma_20 <= before.ema_50) & (rows.sma_20 > rows.ema_50)),
        ("death_cross", "sell", (before.sma_20 >= before.ema_50) & (rows.sma_20 < rows.ema_50)),
        ("rsi_oversold", "buy", (before.rsi_14 >= 30) & (rows.rsi_14 < 30)),
        ("rsi_overbought", "sell", (before.rsi_14 <= 70) & (rows.rsi_14 > 70)),
    ]
    signals = []
    for name, side, when in found:
        hits = rows[when]
        numbers = zip(hits["sma_20"], hits["ema_50"], hits["rsi_14"], strict=True)
        detail = [f"SMA 20 {sma:.2f}, EMA 50 {ema:.2f}, RSI {rsi:.1f}" for sma, ema, rsi in numbers]
        columns = hits[["time", "sym", "interval"]]
        signals.append(columns.assign(signal=name, side=side, price=hits["close"], detail=detail, state=""))
    return pd.concat(signals).sort_values("time", kind="stable")


def alerts(*rows: tuple[Any, ...]) -> pd.DataFrame:
    """Return rows of the table: time, sym, event, service, state, attempt, held_back, detail."""
    names = ["time", "sym", "event", "service", "state", "attempt", "held_back", "detail"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.assign(time=pd.to_datetime(frame["time"], utc=True))


def _no_trades() -> pd.DataFrame:
    return pd.DataFrame({"time": pd.to_datetime([], utc=True), "sym": [], "price": []})


def _no_quotes() -> pd.DataFrame:
    return pd.DataFrame({"time": pd.to_datetime([], utc=True), "sym": [], "bid": [], "ask": []})


def _heartbeats() -> pd.DataFrame:
    names = ["processor", "rdb", "feed-simulated", "tickerplant"]
    return pd.DataFrame(
        {
            "time": pd.Timestamp(time.time_ns(), tz="UTC"),
            "sym": names,
            "pid": [4103, 4102, 4104, 4101],
            "seq_seen": [88210, 88214, 0, 88214],
            "rows": [10820, 93211, 3600, 93211],
            "rate": [1.2, 12.5, 2.0, 12.5],
            "memory": [101_000_000, 143_000_000, 61_000_000, 58_000_000],
            "state": ["computing", "serving", "sending", "journal synced"],
        }
    )
