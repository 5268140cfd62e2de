"""[[signals]]: the six that are always there, those that are written, and what is wrong with one."""

import doctest
from typing import Any

import pytest

from plant.conditions import rules as module
from plant.conditions.evaluator import OneSeries
from plant.conditions.parsing import condition_of
from plant.conditions.rules import DEFAULT_SIGNALS, Rule, rule_of, rules_of
from plant.errors import SettingsError
from plant.indicators.declarations import declared
from plant.rows.tables import TABLES

KNOWN = ("open", "high", "low", "close", "volume", "sma_20", "ema_50", "rsi_14", "macd", "macd_signal")
SIX = ["golden_cross", "death_cross", "rsi_oversold", "rsi_overbought", "macd_cross_up", "macd_cross_down"]
GOOD = {"name": "breakout", "side": "buy", "when": "close > high[1]"}


def test_example_in_docstring_is_true() -> None:
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_the_six_are_there_and_others_follow() -> None:
    assert [rule.name for rule in rules_of([], KNOWN)] == SIX == [section["name"] for section in DEFAULT_SIGNALS]
    rules = rules_of([GOOD], KNOWN)
    assert [rule.name for rule in rules] == [*SIX, "breakout"]
    assert rules[-1] == Rule("breakout", "buy", condition_of("close > high[1]"))
    columns = next(table for table in TABLES if table.name == "indicators").names
    assert [rule.name for rule in rules_of([], columns)] == SIX


def test_one_with_the_name_of_a_default_one_takes_its_place() -> None:
    own = {"name": "rsi_oversold", "side": "sell", "when": "rsi_14 < 20", "intervals": ["5Min"], "symbols": ["BRK*"]}
    rules = rules_of([own], KNOWN)
    assert [rule.name for rule in rules] == SIX
    assert rules[2] == Rule("rsi_oversold", "sell", condition_of("rsi_14 < 20"), ("5m",), ("BRK*",))


def test_default_rules_whose_columns_are_not_there_are_left_out() -> None:
    assert [rule.name for rule in rules_of([], ["close", "rsi_14"])] == ["rsi_oversold", "rsi_overbought"]
    assert [rule.name for rule in rules_of([GOOD], ["close", "high"])] == ["breakout"]


def test_a_declared_ut_bot_has_two_rules_of_its_name_behind_the_default_ones() -> None:
    declarations = declared([{"name": "bot", "kind": "ut_bot", "intervals": ["5Min"], "symbols": ["BRK*"]}])
    columns = [column for one in declarations for column in one.columns]
    rules = rules_of([GOOD], ("close", "high", *columns), declarations)
    assert [rule.name for rule in rules] == [*SIX, "bot", "bot", "breakout"]
    buy, sell = rules[6:8]
    assert (buy.side, sell.side, buy.intervals, sell.symbols) == ("buy", "sell", ("5m",), ("BRK*",))
    assert buy.told == ("close", "bot_stop")
    assert sell.detail("", [10.3, 11.5988]) == "bot turned to sell (close 10.3000, stop 11.5988)"
    position = OneSeries(buy.when)
    assert [position.update({"bot_position": p}) for p in (None, 1, -1, 1, 1, 0, 1)] == [
        False, False, False, True, False, False, True,
    ]  # fmt: skip


def test_the_name_of_a_ut_bot_is_that_of_no_other_signal() -> None:
    bot = declared([{"name": "bot", "kind": "ut_bot"}])
    with pytest.raises(
        SettingsError, match=r"^\[\[signals\]\] 1: name = 'bot' is that of the signals of \[\[indicators"
    ):
        rules_of([{**GOOD, "name": "bot"}], (*KNOWN, "bot_position"), bot)
    cross = declared([{"name": "golden_cross", "kind": "ut_bot"}], defaults=False)
    assert [rule.side for rule in rules_of([], ["close", "golden_cross_position"], cross)] == ["buy", "sell"]
    with pytest.raises(SettingsError, match="'golden_cross': a ut_bot raises signals of its name"):
        rules_of([], KNOWN, cross)


def test_a_rule_watches_its_symbols_and_intervals() -> None:
    rule = rule_of(GOOD)
    assert rule.watches("AAPL", "1m")
    rule = rule_of({**GOOD, "symbols": ["BRK.?", "T"], "intervals": ["1m", "60m"]})
    assert rule.watches("BRK.A", "1h")
    assert not rule.watches("BRK.AB", "1h")
    assert not rule.watches("t", "1m")
    assert not rule.watches("T", "5m")


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"name": "Breakout"}, r"^\[\[signals\]\] 1 \(Breakout\): name must be a-z, 0-9 and _"),
        ({"name": ""}, r"^\[\[signals\]\] 1: name must be"),
        ({"name": 3}, "name must be"),
        ({"side": "long"}, r"^\[\[signals\]\] 1 \(breakout\): side must be \"buy\" or \"sell\", found 'long'"),
        ({"side": ["buy"]}, "side must be"),
        ({"when": 30}, "when must be a condition"),
        (
            {"when": "close > hihg"},
            r"when = 'close > hihg', character 9: unknown name 'hihg' \(did you mean 'high'\?\)",
        ),
        (
            {"when": "close > level:prev_day_high"},
            "'level:prev_day_high': levels and zones stand in conditions of strategies only; a rule of",
        ),
        ({"when": "close"}, "expected a comparison"),
        ({"intervals": ["5"]}, r"intervals: expected an interval .* found '5'"),
        ({"intervals": "5m"}, "intervals must be a list of texts"),
        ({"symbols": "AAPL"}, "symbols must be a list of texts"),
        ({"symbols": [""]}, "none empty"),
        ({"symbol": ["AAPL"]}, r"unknown key 'symbol' \(did you mean 'symbols'\?\)"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told(section: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        rules_of([{**GOOD, **section}], KNOWN)


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"\[\[signals\]\] 2: name = 'breakout' is there twice"):
        rules_of([GOOD, GOOD], KNOWN)
    with pytest.raises(SettingsError, match="expected name, side and when"):
        rules_of(["breakout"], KNOWN)  # type: ignore[list-item]
