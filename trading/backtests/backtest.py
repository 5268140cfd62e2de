"""A backtest in a notebook: a strategy class and bars in, a Result out. No plant is needed.

result = backtest(Cross, bars=frame, sym="EURUSD", interval="1h", tick=1e-5)
result.metrics
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from plant.errors import SettingsError
from plant.indicators.scalar import Scalar
from plant.rows.intervals import interval_of
from plant.rows.times import nanoseconds
from trading.backtests.costs import instruments_for, warn_of_a_coarse_tick
from trading.backtests.extent import TIMES_WARM_UP, SessionsOfAll, points_of_equity, usual_interval, with_warm_up
from trading.backtests.market import Rows, merged, rows_of
from trading.backtests.metrics import metric_rows
from trading.backtests.prepared import prepared
from trading.backtests.quick_engine import QuickEngine
from trading.backtests.refusals import OrdersRefused, refusals_of
from trading.backtests.result import Result
from trading.desk.ledger import Action, TableRow
from trading.engine import Engine
from trading.events import MarketEvent, available
from trading.instruments import Instrument
from trading.risk import UNBOUNDED, Limits, limits_of
from trading.run import FillRules, RunSetup, fill_rules
from trading.strategy import Strategy, Window


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
    parameters   those that are not the default; `limits` among them is as limits=
    limits       bounds of risk (trading.risk.Limits): some hold unless it is said otherwise; see docs/trading.md
    run, called, account   what its rows call the run, the strategy (its class, by default) and the account
    at           the `time` of its rows, ns, to which each adds its count; None: when the last bar ends
    after        is called with every event and what followed from it, and may take its time
    progress     is called with the part that is done, 0 to 1

    Warns where most prices lie between ticks, and of orders that were refused (OrdersRefused). Raises BadRows for bars
    that are unsorted, doubled or not numbers, SettingsError for a parameter or setting that cannot be used, and what a
    callback of the strategy raises.
    """
    rules = fill_rules(fills)
    told, bounds = _bounds(parameters, limits)
    sessions_by = SessionsOfAll(calendar)
    wanted = sym if sym is None or isinstance(sym, str) else tuple(sym)
    until = None if end is None else nanoseconds(end)
    begins = None if start is None else nanoseconds(start)
    name = interval_of(interval) if interval is not None else ""
    if not name:
        name = usual_interval(rows_of("bars", bars, wanted, "", {}, None, as_seen))
    series = rows_of("bars", bars, wanted, name, sessions_by, until, as_seen)
    symbols = tuple(rows.sym for rows in series)
    if not rules_fit(rules, series, fills_on):
        raise SettingsError(
            "bars: no bar has volume, so fills='careful' would fill nothing; use fills='tradingview', or "
            "fills={'volume_share': None}"
        )
    made = instruments_for(symbols, instruments, tick, lot, commission, calendar)
    for each in series:
        warn_of_a_coarse_tick(each, made[each.sym])
    parts = list(series)
    for table, source in (("trades", trades), ("quotes", quotes)):
        if source is not None:
            which = symbols if len(symbols) > 1 else symbols[0]
            parts += rows_of(table, source, which, name, sessions_by, until, as_seen)
        elif fills_on == table:
            raise SettingsError(f"fills_on={table!r} needs {table}=, a DataFrame, path or connection")
    setup = RunSetup(
        run=run,
        strategy=called or strategy.__name__,
        strategy_class=strategy,
        symbols=symbols,
        parameters=told,
        instruments=made,
        interval=name,
        account=account,
        mode="backtest",
        capital=capital,
        fills=replace(rules, fees=True) if commission is not None else rules,
        fills_on=fills_on,
        limits=bounds,
        account_limits=UNBOUNDED,
        seed=seed,
        time=max((int(rows.available[-1]) for rows in series if len(rows.time)), default=0) if at is None else at,
        start_at=begins,
        sample_every=points_of_equity(series, begins, calendar, sessions_by),
        sessions={name: sessions_by.get(name) for name in symbols} if calendar else {},
    )
    if begins is not None:
        needed = TIMES_WARM_UP * Engine(setup).warm_up if warm_up is None else warm_up
        if needed or warm_up is not None:
            parts = with_warm_up(parts, begins, needed)
    engine = QuickEngine(setup, KnownBars({rows.sym: rows.window for rows in parts if rows.table == "bars"}))
    total = sum(len(rows.time) for rows in parts)
    alone = len(parts) == 1 and fills_on == "bars" and not parts[0].decided_at.any()
    rows = _run(engine, merged(parts, as_seen, _Progress(total, progress)), alone, after)
    if engine.failed is not None:
        raise engine.failed
    if progress is not None:
        progress(1.0)
    rows["metrics"] = _metric_rows(engine, rows, bool(calendar))
    refused = refusals_of(rows, setup)
    if refused:
        warnings.warn(refused, OrdersRefused, stacklevel=2)
    windows = {part.sym: part.window for part in parts if part.table == "bars"}
    return Result(setup.strategy, name, rows, windows, refused)


def _bounds(
    parameters: Mapping[str, Any] | None, limits: Limits | Mapping[str, Any] | None
) -> tuple[dict[str, Any], Limits]:
    """Return the strategy's own parameters, and the limits, which may be among them. Raises SettingsError."""
    told = dict(parameters or {})
    own = told.pop("limits", None)
    if own is not None and limits is not None:
        raise SettingsError("limits are told twice: by limits= and by parameters={'limits': ...}; say them once")
    bounds = limits if limits is not None else own or {}
    return told, bounds if isinstance(bounds, Limits) else limits_of(bounds)


class _Progress:
    """Counts rows that are handed out and tells what part of all they are."""

    def __init__(self, total: int, tell: Callable[[float], None] | None) -> None:
        self._total, self._done, self._tell = max(total, 1), 0, tell

    def __call__(self, rows: int) -> None:
        if self._tell is not None:
            self._tell(self._done / self._total)
        self._done += rows


def _run(
    engine: QuickEngine,
    events: Iterable[MarketEvent],
    alone: bool,
    after: Callable[[MarketEvent, Sequence[Action]], None] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Hand the engine all events, and return the rows by table."""
    rows: dict[str, list[dict[str, Any]]] = {}

    def keep(actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, TableRow):
                rows.setdefault(action.table, []).append(action.row)

    if after is None:
        for actions in engine.run(events, alone):
            keep(actions)
    else:
        for event in events:
            keep(actions := engine.take(event))
            if engine.failed is not None:
                break
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


def rules_fit(rules: FillRules, series: Sequence[Rows], fills_on: str) -> bool:
    """Return whether there is volume for rules that ask for a share of it."""
    if rules.volume_share is None or fills_on != "bars":
        return True
    return any((rows.numbers["volume"] > 0).any() for rows in series)
