"""Limits that people tell: the newest count, over those of plant.toml or of the strategy; what the trader refuses."""

import json
from typing import Any

import pytest

from plant.control.limits import NAMES, check, of_account, of_strategy
from plant.errors import SettingsError
from plant.runtime.trading import AccountSection
from plant.state.commands import GivenCommand
from trading.risk import Limits, limits_of


def told(seq: int, **arguments: Any) -> GivenCommand:
    return GivenCommand("c", "limits", "paper", arguments, 0, 0, seq, 0)


def test_what_was_told_last_holds_over_plant_toml_and_null_takes_a_limit_back() -> None:
    account = AccountSection.model_validate({"limits": {"max_order_qty": 100, "max_drawdown": 0.2}})
    found = of_account(account, [])
    assert (found.limits["max_order_qty"], found.told, found.version) == (100.0, {}, 0)
    commands = [told(3, account="paper", max_order_qty=7), told(5, account="paper", max_order_qty=None, long_only=True)]
    found = of_account(account, [*commands, told(9, account="two", max_order_qty=1), told(10, strategy="up")])
    assert (found.limits["max_order_qty"], found.limits["max_drawdown"], found.limits["long_only"]) == (None, 0.2, True)
    assert (found.told, found.version) == ({"max_order_qty": None, "long_only": True}, 5)


def test_those_of_a_strategy_are_what_it_says_itself_and_what_was_told() -> None:
    row = {"sym": "up", "parameters": json.dumps({"length": 3, "limits": {"stale_s": 0}})}
    found = of_strategy(row, [told(4, strategy="up", max_order_qty=2)])
    assert (found.limits["stale_s"], found.limits["max_orders_per_minute"], found.limits["max_order_qty"]) == (0, 10, 2)
    assert found.version == 4
    assert of_strategy({"sym": "up", "parameters": "[]"}, []).limits["stale_s"] == 60.0


def test_its_names_and_the_usual_of_a_strategy_are_those_that_the_trader_knows() -> None:
    usual = of_strategy({"sym": "up", "parameters": ""}, []).limits
    assert tuple(Limits.__dataclass_fields__) == NAMES
    assert limits_of(usual) == Limits()


@pytest.mark.parametrize(
    ("limits", "live", "why"),
    [
        ({"max_order_qt": 5}, False, "unknown limit 'max_order_qt' (did you mean 'max_order_qty'?)"),
        ({"max_order_qty": 0.0}, False, "max_order_qty must be greater than 0, found 0.0"),
        ({"max_daily_loss": float("nan")}, False, "max_daily_loss must be a finite number, found nan"),
        ({"max_drawdown": 1.5}, False, "max_drawdown must be less than 1, found 1.5"),
        ({"stale_s": -1.0}, False, "stale_s must be greater than or equal to 0, found -1.0"),
        ({"stale_s": 0.0}, True, "stale_s = 0 lets orders go on prices of any age"),
    ],
)
def test_what_the_trader_would_refuse_is_refused_before_it_is_written(
    limits: dict[str, Any], live: bool, why: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        check(limits, live)
    assert why in str(refused.value)


def test_an_empty_limit_is_none_and_a_price_of_any_age_is_for_paper() -> None:
    check({"max_order_qty": None, "price_band": None, "stale_s": 0.0, "symbols": ["AAPL"]}, live=False)
