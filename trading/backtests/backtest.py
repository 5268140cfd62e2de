"""A backtest in a notebook: a strategy class and bars in, a Result out. No plant is needed.

result = backtest(Cross, bars=frame, sym="EURUSD", interval="1h", tick=1e-5)
result.metrics
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from plant.calendars.exchange import exchange
from plant.calendars.sessions import Sessions
from plant.errors import SettingsError, nearest_names
from plant.indicators.scalar import Scalar
from plant.rows.intervals import interval_of
from plant.rows.times import nanoseconds
from trading.backtests.market import Rows, merged, rows_of
from trading.backtests.metrics import metric_rows
from trading.backtests.prepared import prepared
from trading.backtests.result import Result
from trading.desk.ledger import Action, TableRow
from trading.engine import Engine
from trading.events import MarketEvent, available
from trading.instruments import Instrument
from trading.risk import Limits, limits_of
from trading.run import FillRules, RunSetup, fill_rules
from trading.strategy import Strategy, Window

MOST_POINTS = 5_000
"""Rows of equity that a backtest has at most, unless it has more sessions."""

TIMES_WARM_UP = 10
"""So many times what its slowest indicator needs, a run is warmed up with."""


class KnownBars:
    """All bars of a backtest by symbol, and the indicators computed of them before it begins."""

    def __init__(self, windows: Mapping[str, Window]) -> None:
        self._windows = windows

    def window(self, sym: str) -> Window:
        """Return the bars of a symbol."""
        return self._windows[sym]

    def prepared(self, indicator: Scalar, sym: str) -> Any:
        """Return an indicator with its values of all bars, or itself where there is no way to."""
        return prepared(indicator, self._windows[sym])


def backtest(
    strategy: type[Strategy],
    bars: Any,
    sym: str | Sequence[str] | None = None,
    interval: str | None = None,
    start: Any = None,
    end: Any = None,
    parameters: Mapping[str, Any] | None = None,
    fills: str | Mapping[str, Any] | FillRules = "careful",
    fills_on: str = "bars",
    as_seen: bool = False,
    tick: float = 0.01,
    lot: float = 1.0,
    capital: float = 1e6,
    commission: float | Mapping[str, float] | None = None,
    trades: Any = None,
    quotes: Any = None,
    *,
    instruments: Mapping[str, Instrument] | None = None,
    calendar: str = "",
    limits: Limits | Mapping[str, Any] | None = None,
    warm_up: int | None = None,
    seed: int = 0,
    run: str = "backtest",
    called: str = "",
    account: str = "backtest",
    at: int | None = None,
    after: Callable[[MarketEvent, Sequence[Action]], None] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Run a strategy over bars and return what came of it.

    bars         a DataFrame with time, open, high, low, close, volume (in any case; time is a bar's start, without a
                 zone UTC), the path of such a file, a connection of the plant, a mapping of symbols to such, or one of
                 them with a column sym
    sym          the symbol, or several; None: all that the bars have
    interval     length of a bar, "1h"; None: the most frequent distance of the bars
    start, end   the run is [start, end). start=None: it begins with the first bar and there is no warm-up; else the
                 bars before it warm it up: `warm_up` of them, by default 10 times what its slowest indicator needs, or
                 all where it has none
    fills        "careful", "tradingview", or a mapping (trading.run.FillRules)
    fills_on     what orders are filled on: "bars", "trades" or "quotes", which are then needed
    as_seen      from a connection: over `bar_closes` instead of `bars`, everything in the order of the journal
    tick, lot    least step of the price and of the quantity; `instruments` instead, by symbol, where they differ
    commission   {maker_bps, taker_bps, per_unit, minimum}, or a number: taker and maker bps
    calendar     code of the exchange, as "XNYS"; "": there are no sessions, a day is one of UTC
    limits       bounds of risk (trading.risk.Limits)
    run, called, account   what its rows call the run, the strategy (its class, by default) and the account
    at           the `time` of its rows, ns, to which each adds its count; None: when the last bar ends
    after        is called with every event and what followed from it, and may take its time
    progress     is called with the part that is done, 0 to 1

    Warns where most prices lie between ticks. Raises BadRows for bars that are unsorted, doubled or not numbers,
    SettingsError for a parameter or setting that cannot be used, and what a callback of the strategy raises.
    """
    rules = fill_rules(fills)
    bounds = limits if isinstance(limits, Limits) else limits_of(limits or {})
    sessions_by = _Sessions(calendar)
    wanted = sym if sym is None or isinstance(sym, str) else tuple(sym)
    until = None if end is None else nanoseconds(end)
    begins = None if start is None else nanoseconds(start)
    name = interval_of(interval) if interval is not None else ""
    if not name:
        name = _usual_interval(rows_of("bars", bars, wanted, "1s", {}, None, as_seen))
    series = rows_of("bars", bars, wanted, name, sessions_by, until, as_seen)
    symbols = tuple(rows.sym for rows in series)
    if not rules_fit(rules, series, fills_on):
        raise SettingsError(
            "bars: no bar has volume, so fills='careful' would fill nothing; use fills='tradingview', or "
            "fills={'volume_share': None}"
        )
    made = _instruments(symbols, instruments, tick, lot, commission, calendar)
    for each in series:
        _warn_of_a_coarse_tick(each, made[each.sym])
    parts = list(series)
    for table, source in (("trades", trades), ("quotes", quotes)):
        if source is not None:
            parts += rows_of(
                table, source, symbols if len(symbols) > 1 else symbols[0], name, sessions_by, until, as_seen
            )
        elif fills_on == table:
            raise SettingsError(f"fills_on={table!r} needs {table}=, a DataFrame, path or connection")
    setup = RunSetup(
        run=run,
        strategy=called or strategy.__name__,
        strategy_class=strategy,
        symbols=symbols,
        parameters=dict(parameters or {}),
        instruments=made,
        interval=name,
        account=account,
        mode="backtest",
        capital=capital,
        fills=replace(rules, fees=True) if commission is not None else rules,
        fills_on=fills_on,
        limits=bounds,
        account_limits=bounds,
        seed=seed,
        time=max((int(rows.available[-1]) for rows in series if len(rows.time)), default=0) if at is None else at,
        start_at=begins,
        sample_every=_points(series, begins, calendar, sessions_by),
        sessions={name: sessions_by.get(name) for name in symbols} if calendar else {},
    )
    if begins is not None:
        parts = _with_warm_up(parts, begins, warm_up, setup)
    engine = Engine(setup, known=KnownBars({rows.sym: rows.window for rows in parts if rows.table == "bars"}))
    total = sum(len(rows.time) for rows in parts)
    rows = _run(engine, merged(parts, as_seen, _Progress(total, progress)), after)
    if engine.failed is not None:
        raise engine.failed
    if progress is not None:
        progress(1.0)
    rows["metrics"] = _metric_rows(engine, rows, bool(calendar))
    return Result(setup.strategy, name, rows, {part.sym: part.window for part in parts if part.table == "bars"})


class _Progress:
    """Counts rows that are handed out and tells what part of all they are."""

    def __init__(self, total: int, tell: Callable[[float], None] | None) -> None:
        self._total, self._done, self._tell = max(total, 1), 0, tell

    def __call__(self, rows: int) -> None:
        if self._tell is not None:
            self._tell(self._done / self._total)
        self._done += rows


def _run(
    engine: Engine,
    events: Iterable[MarketEvent],
    after: Callable[[MarketEvent, Sequence[Action]], None] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Hand the engine all events, and return the rows by table."""
    rows: dict[str, list[dict[str, Any]]] = {}

    def keep(actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, TableRow):
                rows.setdefault(action.table, []).append(action.row)

    take = engine.take
    for event in events:
        if actions := take(event):
            keep(actions)
            if engine.failed is not None:
                break
        if after is not None:
            after(event, actions)
    keep(engine.finish())
    return rows


def _metric_rows(
    engine: Engine, rows: Mapping[str, Sequence[Mapping[str, Any]]], calendar: bool
) -> list[dict[str, Any]]:
    trips = rows.get("round_trips", ())
    equity = [money for _, money in engine.closes]
    last = engine.now
    if last is not None and (not engine.closes or available(last) > engine.closes[-1][0]):
        equity.append(engine.account.equity)  # the session that was not over
    setup = engine.setup
    return metric_rows(setup, engine.account, trips, equity, engine.bars, calendar, setup.time)


class _Sessions(dict[str, Sessions]):
    """The sessions of every symbol: those of one calendar."""

    def __init__(self, calendar: str) -> None:
        super().__init__()
        self._of = Sessions(exchange(calendar, "calendar") if calendar else None)

    def get(self, sym: str, default: Any = None) -> Any:
        return self._of


def rules_fit(rules: FillRules, series: Sequence[Rows], fills_on: str) -> bool:
    """Return whether there is volume for rules that ask for a share of it."""
    if rules.volume_share is None or fills_on != "bars":
        return True
    return any((rows.numbers["volume"] > 0).any() for rows in series)


def _warn_of_a_coarse_tick(rows: Rows, instrument: Instrument) -> None:
    """Warn where most prices lie between ticks of more than 0.1 % of the price: the tick is hardly the market's."""
    closes, tick = rows.numbers["close"][:10_000], float(instrument.tick)
    if not len(closes) or tick < 1e-3 * float(np.median(np.abs(closes))):
        return
    apart = np.abs(closes / tick - np.round(closes / tick))
    if float(np.mean(apart > 0.01)) > 0.5:
        warnings.warn(
            f"{rows.sym}: most prices, as {closes[-1]:g}, are not whole ticks of {tick:g}, but fills are; name it, "
            "as tick=1e-5",
            stacklevel=3,
        )


def _instruments(
    symbols: Sequence[str],
    given: Mapping[str, Instrument] | None,
    tick: float,
    lot: float,
    commission: float | Mapping[str, float] | None,
    calendar: str,
) -> dict[str, Instrument]:
    fees = _fees(commission)
    found: dict[str, Instrument] = {}
    for sym in symbols:
        of = (given or {}).get(sym)
        if of is None:
            of = Instrument(sym, tick=tick, lot=lot, calendar=calendar, source="backtest")
        found[sym] = replace(of, **fees) if fees else of
    return found


_FEES = {"maker_bps": "maker_bps", "taker_bps": "taker_bps", "per_unit": "fee_per_unit", "minimum": "min_fee"}


def _fees(commission: float | Mapping[str, float] | None) -> dict[str, Any]:
    if commission is None:
        return {}
    if not isinstance(commission, Mapping):
        return {"maker_bps": commission, "taker_bps": commission, "fee_per_unit": 0.0, "min_fee": 0.0}
    for key in commission:
        if key not in _FEES:
            near = nearest_names(key, _FEES, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"commission: unknown key {key!r}{hint}; keys are: {', '.join(_FEES)}")
    return {field: commission.get(key, 0.0) for key, field in _FEES.items()}


def _usual_interval(series: Sequence[Rows]) -> str:
    """Return the most frequent distance of two bars as an interval. Raises SettingsError if there are fewer."""
    steps = np.concatenate([np.diff(rows.time) for rows in series])
    if not len(steps):
        raise SettingsError('interval: one bar has no distance to another; say it, interval="1h"')
    distances, counts = np.unique(steps, return_counts=True)
    seconds = int(distances[counts.argmax()]) / 1e9
    days = seconds / 86_400
    if days.is_integer():
        return "1w" if days == 7 else interval_of(f"{int(days)}d")
    return interval_of(f"{int(seconds)}s" if seconds.is_integer() else f"{round(seconds * 1000)}ms")


def _points(series: Sequence[Rows], begins: int | None, calendar: str, sessions: Mapping[str, Sessions]) -> int:
    """Return every how many bars equity is a row, so that with session closes it stays under MOST_POINTS rows."""
    bars = sum(len(rows.time) if begins is None else int((rows.time >= begins).sum()) for rows in series)
    held = [rows for rows in series if len(rows.time)]
    if not held:
        return 0
    first = max(min(int(rows.time[0]) for rows in held), begins or 0)
    last = max(int(rows.available[-1]) for rows in held)
    if calendar:
        boundaries = sessions.get("").boundaries()  # type: ignore[union-attr]  # it has one for every symbol
        closes = int(((boundaries[1::2] >= first) & (boundaries[1::2] <= last)).sum())
    else:
        closes = (last - first) // (86_400 * 10**9) + 1
    room = MOST_POINTS - closes - 3
    return -(-bars // room) if room > 0 else 0


def _with_warm_up(parts: list[Rows], begins: int, warm_up: int | None, setup: RunSetup) -> list[Rows]:
    """Leave out what lies further before the start than the run is warmed up with."""
    if warm_up is None:
        needs = Engine(setup).warm_up
        if not needs:
            return parts
        warm_up = TIMES_WARM_UP * needs
    earliest = begins
    cut: dict[str, Rows] = {}
    for rows in parts:
        if rows.table == "bars":
            at = int(np.searchsorted(rows.time, begins))
            cut[rows.sym] = rows.since(max(at - warm_up, 0), len(rows.time))
            if len(cut[rows.sym].time):
                earliest = min(earliest, int(cut[rows.sym].time[0]))
    found = []
    for rows in parts:
        if rows.table == "bars":
            found.append(cut[rows.sym])
        else:
            found.append(rows.since(int(np.searchsorted(rows.time, earliest)), len(rows.time)))
    return found
