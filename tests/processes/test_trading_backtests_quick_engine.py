"""Bars that are taken many at a time give what they give one by one, whatever a strategy does: to the last bit."""

import random
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chance import SEED, cases

from trading import Sma, Strategy, backtest, param
from trading.backtests import extent
from trading.backtests.quick_engine import QuickEngine
from trading.backtests.refusals import OrdersRefused
from trading.events import Bar, MarketEvent
from trading.strategy import FillView, OrderView

LEVELS = ({}, {"limit": 0.999}, {"stop": 1.002}, {"stop_loss": 0.99, "take_profit": 1.01}, {"trail": 0.01})


class Anything(Strategy):
    """Does what chance says, seldom or often, and asks for its equity now and then."""

    often: float = param(0.02, low=0, high=1)
    asks: float = param(0.05, low=0, high=1)
    fails_at: int = param(0, low=0)

    def start(self) -> None:
        self.mean, self.count = self.use(Sma(7)), 0

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        dice = self.random.random()
        if dice < self.asks:
            self.plot("equity", self.equity)
            self.plot("cash", self.cash + self.position())
        if self.count == self.fails_at:
            raise ValueError("as asked")
        if self.random.random() < self.often:
            what, qty = (
                self.random.choice(("buy", "sell", "enter", "close", "cancel")),
                self.random.choice((1, 3, "5% equity")),
            )
            levels = {name: value * bar.close for name, value in self.random.choice(LEVELS).items()}
            if what == "enter":
                self.enter(self.random.choice(("long", "short")), qty)
            elif what == "close":
                self.close()
            elif what == "cancel":
                self.cancel_all()
            else:
                getattr(self, what)(qty, **levels, tif=self.random.choice(("day", "gtc", "ioc")))

    def on_order(self, order: OrderView) -> None:
        self.log(f"{order.state} after {self.count} bars, {self.equity}")

    def on_fill(self, fill: FillView) -> None:
        if self.random.random() < 0.2:
            self.close()

    def on_session(self, kind: str) -> None:
        self.log(f"{kind} at {self.mean.value}, {self.equity}")


def bars_of(chance: np.random.Generator, count: int) -> pd.DataFrame:
    """Return random bars of 15 minutes: some at one price, some with gaps, some without volume."""
    step = chance.normal(0, 0.004, count) * (chance.random(count) < 0.9)
    close = (100 * np.exp(np.cumsum(step))).round(2)
    open = np.where(chance.random(count) < 0.8, np.roll(close, 1), close)
    high, low = np.maximum(open, close), np.minimum(open, close)
    volume = chance.integers(0, 3_000, count) * (chance.random(count) < 0.9)
    time = pd.date_range("2024-03-01", periods=count, freq="15min", tz="UTC")
    prices = {"open": open, "high": high, "low": low, "close": close}
    return pd.DataFrame({"time": time, **prices, "volume": volume.astype(float)})


def told(seed: int, **changed: Any) -> dict[str, Any]:
    """Return what a backtest gave, its rows as text."""
    chance, chosen = np.random.default_rng(seed), random.Random(seed)
    bars = bars_of(chance, chosen.randint(300, 1500))
    parameters = {"often": chosen.choice((0.002, 0.02, 0.3)), "asks": chosen.choice((0.0, 0.02, 0.5))}
    terms: dict[str, Any] = {"fills": chosen.choice(("careful", "tradingview")), "seed": seed}
    terms |= {"commission": chosen.choice((None, 1.5)), "capital": chosen.choice((1e4, 1e6))}
    terms |= {"calendar": chosen.choice(("", "", "XNYS"))}
    limits = {"max_orders_per_minute": None, "stale_s": 0, "max_drawdown": chosen.choice((None, None, 0.002))}
    if chosen.random() < 0.3:
        terms["start"] = bars["time"][200]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrdersRefused)
        result = backtest(
            Anything, bars, sym="A", interval="15m", limits=limits, **terms, parameters=parameters | changed
        )
    return {table: [repr(row) for row in rows] for table, rows in result.rows.items()}


@pytest.fixture(autouse=True)
def points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few points of equity, as there are for many bars: each is the end of a stretch."""
    monkeypatch.setattr(extent, "MOST_POINTS", 100)


def one_by_one(engine: QuickEngine, events: Iterable[MarketEvent], alone: bool) -> Iterator[Sequence[Any]]:
    for event in events:
        yield engine.take(event)
        if engine.failed is not None:
            return


@cases(few=20, soak=2000)
def test_rows_are_the_same_to_the_last_bit(numbers: range, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = [SEED + number for number in numbers]
    print(f"seeds {seeds[0]} to {seeds[-1]}")
    stretches: list[int] = []
    plain = QuickEngine._stretch

    def counted(engine: QuickEngine, events: Iterator[MarketEvent]) -> Any:
        before = engine.bars
        found = plain(engine, events)
        stretches.append(engine.bars - before)
        return found

    quick, slow = [], []
    with monkeypatch.context() as patch:
        patch.setattr(QuickEngine, "_stretch", counted)
        quick = [told(seed) for seed in seeds]
    with monkeypatch.context() as patch:
        patch.setattr(QuickEngine, "run", one_by_one)
        slow = [told(seed) for seed in seeds]
    for seed, fast, plainly in zip(seeds, quick, slow, strict=True):
        for table in plainly:
            assert fast[table] == plainly[table], (seed, table)
        assert fast.keys() == plainly.keys()
    assert sum(stretches) > 2_000, "bars that were taken together"
    assert sum(len(rows.get("fills", ())) for rows in slow) > 100


def test_an_error_of_the_strategy_ends_the_run_at_its_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    errors, rows = [], []
    for run in (QuickEngine.run, one_by_one):
        ended: list[Any] = []

        def kept(engine: QuickEngine, events: Any, alone: bool, run: Any = run, ended: Any = ended) -> Any:
            for actions in run(engine, events, alone):
                ended.extend(map(repr, actions))
                yield actions

        monkeypatch.setattr(QuickEngine, "run", kept)
        with pytest.raises(ValueError, match="as asked") as error:
            told(SEED, fails_at=250, often=0.02)
        errors.append(str(error.value))
        rows.append(ended)
    assert rows[0] == rows[1]
    assert any("on_bar: ValueError: as asked" in row for row in rows[0])


def test_an_indicator_that_is_used_later_begins_there_as_it_does_in_a_run_that_follows_the_plant() -> None:
    class Later(Strategy):
        def start(self) -> None:
            self.mean: Any = None
            self.closes: list[float] = []

        def on_bar(self, bar: Bar) -> None:
            if self.mean is not None:
                self.closes.append(bar.close)
                assert self.mean.ready == (len(self.closes) >= 3)
                if self.mean.ready:
                    assert self.mean.value == pytest.approx(np.mean(self.closes[-3:]), rel=1e-12)
            elif self.bars(100).close.size == 20:
                self.mean = self.use(Sma(3))

        def finish(self) -> None:
            assert len(self.closes) == 40

    bars = bars_of(np.random.default_rng(SEED), 60)
    backtest(Later, bars, sym="X", interval="15m")
    backtest(Later, bars, sym="X", interval="15m", after=lambda event, actions: None)
