"""A plant in memory that answers the dashboard, and in which time passes: at every refresh every symbol ticks."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard.bars import INDICATORS, LOADED
from dashboard.connections import Connection, Connections
from dashboard.pulse import ASKED, Pulse

BEGUN_NS = 1_763_649_000_000_000_000  # 2025-11-20 14:30 UTC
MINUTE_NS = 60_000_000_000
REFRESHES_A_BAR = 12  # one in 5 s, bars of a minute
THERE = LOADED + 200  # a symbol has more bars than a page loads: old ones drop out
AHEAD = 500  # bars that may still happen
KINDS = ("golden_cross", "death_cross", "rsi_oversold", "rsi_overbought", "macd_cross_up", "macd_cross_down")


class Ticking:
    """Minute bars, indicators and signals of so many symbols, of which the newest bar changes with every refresh.

    Every twelfth refresh begins another bar. Columns are arrays of (bars, symbols).
    """

    def __init__(self, symbols: int, seed: int = 13) -> None:
        self.syms = np.array([f"SYM{i:02d}" for i in range(symbols)])
        self.refreshes = 0
        self._random = np.random.default_rng(seed)
        count = THERE + AHEAD
        minutes = np.arange(count)
        self._times = BEGUN_NS + (minutes // 390) * 1440 * MINUTE_NS + (minutes % 390) * MINUTE_NS
        self._bars = _walk(self._random, count, symbols)
        self._indicators = _indicators(pd.DataFrame(self._bars["close"]))
        self._signals = self._random.random((count, symbols)) < 1 / 12
        self._kinds = self._random.integers(0, len(KINDS), (count, symbols))

    def connections(self, refresh_s: float) -> Connections:
        """Return what `dashboard.app.main` takes."""
        names = ("rdb", "processor", "rdb")
        rdb, processor, lists = (Connection(name, "in memory", lambda: self, share_s=0.0) for name in names)
        pulse = Pulse({name: lambda: {"state": "ok"} for name in ASKED}, every_s=0.0)
        return Connections(
            rdb, processor, lists, pulse, ("simulated",), refresh_s=refresh_s, time_zone="America/New_York"
        )

    @property
    def missing(self) -> str:
        """Answers lack nothing."""
        return ""

    def select(self, table: str, **query: Any) -> pd.DataFrame:
        """Return the newest `last` rows of the symbols `sym`."""
        if table not in ("bars", "indicators", "signals"):
            return pd.DataFrame({"time": pd.to_datetime([], utc=True), "sym": []})
        wanted = query.get("sym", self.syms.tolist())
        places = np.flatnonzero(np.isin(self.syms, [wanted] if isinstance(wanted, str) else wanted))
        last = query.get("last", self._until)
        if table == "signals":
            return self._signal_rows(places).tail(last)
        rows = self._rows(table, self._until - -(-last // len(places)), places)
        return rows[query.get("columns") or list(rows.columns)]

    def last(self, table: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the newest row of each symbol; for bars time passes first."""
        if table == "heartbeats":
            return _heartbeats()
        if table != "bars":
            return pd.DataFrame({"time": pd.to_datetime([], utc=True), "sym": [], "price": [], "bid": [], "ask": []})
        self._tick()
        rows = self._rows("bars", self._until - 1, np.arange(len(self.syms)))
        return rows.assign(received=pd.Timestamp(time.time_ns(), tz="UTC"))

    def sql(self, _: str) -> pd.DataFrame:
        """Return the intervals of a symbol's bars."""
        return pd.DataFrame({"interval": ["1m"]})

    @property
    def _until(self) -> int:
        return min(THERE + self.refreshes // REFRESHES_A_BAR, THERE + AHEAD)

    def _tick(self) -> None:
        """Trade in the newest bar of every symbol: its close, high, low, volume, and what is computed of them."""
        self.refreshes += 1
        i, bars = self._until - 1, self._bars
        moves = np.round(self._random.normal(0, 0.05, len(self.syms)), 2)
        bars["close"][i] = np.round(bars["close"][i] + moves, 2)
        bars["high"][i] = np.maximum(bars["high"][i], bars["close"][i])
        bars["low"][i] = np.minimum(bars["low"][i], bars["close"][i])
        bars["volume"][i] += 100.0
        for column in self._indicators.values():
            column[i] += moves / 20

    def _rows(self, table: str, start: int, places: np.ndarray) -> pd.DataFrame:
        start, columns = max(0, start), self._bars if table == "bars" else self._indicators
        taken = {name: column[start : self._until, places].ravel() for name, column in columns.items()}
        times = np.repeat(self._times[start : self._until], len(places))
        rows = {"time": pd.DatetimeIndex(times, tz="UTC"), "sym": np.tile(self.syms[places], self._until - start)}
        return pd.DataFrame({**rows, "interval": "1m", **taken, "source": "simulated"})

    def _signal_rows(self, places: np.ndarray) -> pd.DataFrame:
        bars, syms = np.nonzero(self._signals[: self._until - 1, places])
        syms = places[syms]
        kinds, prices = self._kinds[bars, syms], self._bars["close"][bars, syms]
        return pd.DataFrame(
            {
                "time": pd.DatetimeIndex(self._times[bars], tz="UTC"),
                "sym": self.syms[syms],
                "interval": "1m",
                "signal": np.array(KINDS)[kinds],
                "side": np.array(["buy", "sell"])[kinds % 2],
                "price": prices,
                "detail": [f"SMA 20 {price:.2f} crossed EMA 50 {price - 0.11:.2f}" for price in prices],
                "state": "",
            }
        )


def _walk(random: np.random.Generator, count: int, symbols: int) -> dict[str, np.ndarray]:
    closes = np.round(200 * np.exp(np.cumsum(random.normal(0, 0.0009, (count, symbols)), axis=0)), 2)
    opens = np.vstack([closes[:1], closes[:-1]])
    reach = np.round(np.abs(random.normal(0, 0.0005, (2, count, symbols))) * closes, 2)
    return {
        "open": opens,
        "high": np.maximum(opens, closes) + reach[0],
        "low": np.minimum(opens, closes) - reach[1],
        "close": closes,
        "volume": np.round(random.gamma(2.0, 4000, (count, symbols))),
    }


def _indicators(close: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return columns of the right size and shape; what they mean is not measured here."""
    middle, deviation = close.rolling(20).mean(), close.rolling(20).std(ddof=0)
    macd = close.ewm(span=12).mean() - close.ewm(span=26).mean()
    values = dict.fromkeys(INDICATORS, middle) | {
        "ema_20": close.ewm(span=20).mean(),
        "ema_50": close.ewm(span=50).mean(),
        "rsi_14": 50 + 20 * np.tanh(close.diff(14)),
        "macd": macd,
        "macd_signal": macd.ewm(span=9).mean(),
        "macd_histogram": macd - macd.ewm(span=9).mean(),
        "bb_upper": middle + 2 * deviation,
        "bb_lower": middle - 2 * deviation,
    }
    return {name: column.to_numpy(copy=True) for name, column in values.items()}


def _heartbeats() -> pd.DataFrame:
    names = ["processor", "rdb", "feed-simulated", "tickerplant"]
    numbers = {"pid": range(4101, 4105), "seq_seen": 88214, "rows": 93211, "rate": 12.5, "memory": 101_000_000}
    return pd.DataFrame({"time": pd.Timestamp(time.time_ns(), tz="UTC"), "sym": names, **numbers, "state": "serving"})
