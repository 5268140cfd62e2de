"""Strategies that are JSON documents: what they do, and that all that is wrong is said at once."""

import pytest
from made_up_bars import walk, written

from plant.conditions.definition import definition_of
from plant.errors import ConditionError
from trading import Bar, Ema, Strategy, backtest
from trading.strategies.conditions import Conditions
from trading.strategies.symbol_rules import SymbolRules
from trading.strategy import Window

CROSS = {
    "id": "cross",
    "sym": ["X"],
    "interval": "1m",
    "indicators": [
        {"as": "fast", "name": "ema", "parameters": {"period": 5}},
        {"as": "slow", "name": "ema", "parameters": {"period": 20}, "input": "close"},
    ],
    "signals": [
        {
            "id": "up",
            "action": "entry",
            "side": "long",
            "all": [{"left": "fast", "operator": "crosses_above", "right": "slow"}],
        },
        {
            "id": "down",
            "action": "exit",
            "side": "long",
            "all": [{"left": "fast", "operator": "crosses_below", "right": "slow"}],
        },
    ],
    "risk": {"size": {"type": "qty", "value": 3}},
}


class Cross(Strategy):
    """The same in Python."""

    def start(self):
        self.fast, self.slow, self.before = self.use(Ema(5)), self.use(Ema(20)), None

    def on_bar(self, bar):
        if self.slow.ready:
            gap = self.fast.value - self.slow.value
            if self.before is not None and self.before <= 0 < gap and self.position() <= 0:
                self.enter("long", 3, tag="up")
            elif self.before is not None and self.before >= 0 > gap and self.position() > 0:
                self.close(tag="down")
            self.before = gap


def test_it_trades_as_the_same_rules_in_python() -> None:
    frame, terms = walk(400), {"sym": "X", "interval": "1m", "fills": "tradingview"}
    told = backtest(Conditions, frame, parameters={"definition": CROSS}, **terms).round_trips
    plain = backtest(Cross, frame, **terms).round_trips
    assert len(told) > 5
    for name in ("side", "entry_at", "entry_price", "entry_tag", "exit_at", "exit_price", "exit_tag", "qty", "profit"):
        assert told[name].tolist() == plain[name].tolist(), name


def test_conditions_evaluated_over_all_bars_are_those_of_one_bar_after_the_other() -> None:
    document = {**CROSS, "risk": {"stop_loss": {"type": "atr", "value": 1}}}
    frame = walk(200)
    rules = SymbolRules(definition_of(document))
    window = Window(frame["time"].astype("int64").to_numpy(), *(frame[name].to_numpy() for name in Window._fields[1:]))
    prepared = SymbolRules(definition_of(document)).prepared(window)
    signals = 0
    for row in frame.itertuples():
        bar = Bar("X", row.time.value, 0, 1, 0, "1m", 0, row.open, row.high, row.low, row.close, row.volume)
        assert rules.update(bar) == prepared.update(bar)
        assert rules.atr == prepared.atr
        signals += len(rules.value)
    assert signals > 5


def one_entry(risk: dict, *bars: tuple, volume: float = 1e6):
    document = {
        "signals": [
            {"id": "in", "action": "entry", "side": "long", "all": [{"left": "close", "operator": "gt", "right": 99}]}
        ],
        "risk": risk,
    }
    frame = written(*(bars or [(100, 101, 99.5, 100)] * 4), volume=volume)
    terms = {"sym": "X", "interval": "1m", "fills": "tradingview", "tick": 0.5, "capital": 10_000}
    return backtest(Conditions, frame, parameters={"definition": document}, **terms)


@pytest.mark.parametrize(
    ("size", "qty"),
    [
        ({"type": "qty", "value": 2}, 2),
        ({"type": "notional", "value": 950}, 9),
        ({"type": "fraction", "value": 0.25}, 25),
        ({"type": "risk", "value": 60}, 12),
    ],
)
def test_sizes(size: dict, qty: float) -> None:
    result = one_entry({"size": size, "stop_loss": {"type": "percent", "value": 5}})
    assert result.fills["qty"].iloc[0] == qty


def test_it_is_protected_and_rests_after_a_loss() -> None:
    risk = {
        "stop_loss": {"type": "percent", "value": 2},
        "take_profit": {"type": "level", "value": 110},
        "cooldown_s": 120,
    }
    result = one_entry(risk, (100, 100, 100, 100), (100, 100, 97, 100), *[(100, 100, 100, 100)] * 4)
    trips = result.round_trips
    assert trips["exit_price"].iloc[0] == 98
    assert trips["entry_at"].dt.minute.tolist() == [1, 3], "closed in minute 1; from minute 3 on it enters again"


def test_no_more_trades_a_day_than_allowed() -> None:
    falls = [(100, 100, 90, 100)] * 8
    result = one_entry({"stop_loss": {"type": "percent", "value": 2}, "max_trades_per_day": 2}, *falls)
    assert len(result.round_trips) == 2


def test_everything_that_is_wrong_is_said_with_its_place() -> None:
    document = {
        "indicators": [{"as": "fast", "name": "emma"}, {"as": "close", "name": "ema"}],
        "signals": [
            {"id": "a", "action": "enter", "side": "long", "all": [{"left": "slwo", "operator": "gt", "right": 1}]},
            {"id": "b", "action": "exit", "side": "short", "all": [{"left": "close", "operator": "above", "right": 1}]},
            {"id": "c", "action": "exit", "side": "short"},
        ],
        "risk": {"size": {"type": "risk", "value": 5}, "take_profit": {"type": "percent", "value": -1}, "cooldwn_s": 1},
        "sigals": [],
    }
    with pytest.raises(ConditionError) as raised:
        definition_of(document)
    places = [place for place, _ in raised.value.faults]
    assert places == [
        "$",
        "$.indicators[0]",
        "$.indicators[1].as",
        "$.signals[0].action",
        "$.signals[0].all[0].left",
        "$.signals[1].all[0].operator",
        "$.signals[2]",
        "$.risk",
        "$.risk.take_profit",
        "$.risk.size",
    ]


def test_levels_of_the_day_before_are_the_same_bar_by_bar_and_over_all_bars() -> None:
    atom = {"left": "close", "operator": "crosses_above", "right": "level:prev_day_high"}
    document = {
        "interval": "1h",
        "signals": [{"id": "up", "action": "entry", "side": "long", "all": [atom]}],
        "risk": {"size": {"type": "qty", "value": 1}},
    }
    frame = walk(2000, freq="h")

    class Plain(Strategy):
        """The same in Python, days being those of UTC."""

        def start(self):
            self.day, self.high, self.level, self.side = -1, None, None, 0

        def on_bar(self, bar):
            day = bar.time // 86_400_000_000_000
            if day != self.day:
                self.level, self.high, self.day = self.high, bar.high, day
            self.high = max(self.high, bar.high)
            if self.level is not None and bar.close != self.level:
                side = 1 if bar.close > self.level else -1
                if side > self.side != 0 and self.position() <= 0:
                    self.enter("long", 1, tag="up")
                self.side = side

    terms = {"sym": "X", "interval": "1h", "fills": "tradingview"}
    told = backtest(Conditions, frame, parameters={"definition": document}, **terms).orders
    plain = backtest(Plain, frame, **terms).orders
    assert len(told) > 0
    assert told["market_time"].tolist() == plain["market_time"].tolist()
