"""What commands tell a run: which count, whom they are for, and what an order by hand may say."""

import json
from typing import Any

import pytest

from plant.errors import SettingsError
from plant.state.commands import GivenCommand, KeptCommands, terms_of, told_of
from trading.accounts.commands import arguments_for

SECOND = 10**9


def row(command: str, sym: str = "*", late_s: float = 0.0, **arguments: Any) -> dict[str, Any]:
    told = {"time": SECOND, "sym": sym, "id": "c", "command": command, "arguments": json.dumps(arguments), "who": "me"}
    return {**told, "seq": 5, "seq_row": 0, "received": SECOND + int(late_s * SECOND)}


def told(command: str, sym: str = "*", **arguments: Any) -> GivenCommand:
    found = told_of(row(command, sym, **arguments))
    assert found is not None
    return found


def to_run(each: GivenCommand) -> dict[str, Any] | None:
    return arguments_for(each, "r1", "cross", "paper", ("A", "B"))


def test_a_command_counts_if_it_came_in_time_and_says_an_object() -> None:
    assert told_of(row("kill", late_s=60)) is not None
    assert told_of(row("kill", late_s=61)) is None
    assert told_of({**row("kill"), "arguments": "[1]"}) is None
    assert told_of({**row("kill"), "arguments": "{"}) is None


@pytest.mark.parametrize(
    ("sym", "of"),
    [("*", "account"), ("paper", "account"), ("cross", "strategy"), ("r1", "strategy"), ("other", None), ("A", None)],
)
@pytest.mark.parametrize("command", ["kill", "resume"])
def test_kill_and_resume_are_for_an_account_or_a_strategy_alone(command: str, sym: str, of: str | None) -> None:
    assert to_run(told(command, sym)) == (None if of is None else {"of": of})


def test_limits_name_an_account_or_a_strategy() -> None:
    one = {"max_order_qty": 1}
    assert to_run(told("limits", "paper", account="paper", **one)) == {**one, "of": "account"}
    assert to_run(told("limits", "cross", strategy="cross", **one)) == {**one, "of": "strategy"}
    assert to_run(told("limits", "paper", strategy="cross", account="paper", **one)) == {**one, "of": "strategy"}
    assert to_run(told("limits", "paper", strategy="cross", account="other", **one)) is None
    assert to_run(told("limits", "paper", strategy="other", **one)) is None
    assert to_run(told("limits", "paper", **one)) == {**one, "of": "account"}


def test_flatten_is_for_all_or_for_a_symbol_and_an_order_by_hand_for_no_strategy() -> None:
    assert to_run(told("flatten")) == {}
    assert to_run(told("flatten", "B")) == {"sym": "B"}
    assert to_run(told("flatten", "C")) is None
    assert to_run(told("flatten", "B", account="other")) is None
    assert to_run(told("order", "A", side="buy", qty=1)) is None
    assert to_run(told("backtest", "cross")) is None
    assert to_run(told("cancel", "A", order_id="tp-x-1-0")) == {"order_id": "tp-x-1-0"}


def test_an_order_may_be_said_in_either_words() -> None:
    assert terms_of({"side": "buy", "qty": "15% equity"}) == {"side": "buy", "qty": "15% equity"}
    named = {"limit_price": 9.5, "stop_price": 9, "time_in_force": "gtc", "type": "stop_limit", "take_profit": None}
    assert terms_of({"side": "sell", "notional": 100.0, **named}) == {
        "side": "sell",
        "notional": 100.0,
        "limit": 9.5,
        "stop": 9,
        "tif": "gtc",
    }


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"qty": 1}, "side must be buy or sell, found None"),
        ({"side": "hold", "qty": 1}, "side must be buy or sell, found 'hold'"),
        ({"side": "buy"}, "expected qty, units, or notional"),
        ({"side": "buy", "qty": 1, "notional": 1}, "expected qty, units, or notional"),
        ({"side": "buy", "qty": True}, "qty must be a finite number, found True"),
        ({"side": "buy", "qty": [1]}, "qty must be a finite number"),
        ({"side": "buy", "qty": 1, "limit": "9"}, "limit must be a finite number, found '9'"),
        ({"side": "buy", "qty": 1, "limit": float("nan")}, "limit must be a finite number, found nan"),
        ({"side": "buy", "qty": 1, "tag": 3}, "tag must be a text, found 3"),
        ({"side": "buy", "qty": 1, "lmit": 3}, r"unknown argument 'lmit' \(did you mean 'limit'\?\)"),
        ({"side": "buy", "qty": 1, "type": "limit"}, "with these prices its type is market, found type 'limit'"),
    ],
)
def test_what_no_order_can_say_is_told(said: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        terms_of(said)


def test_commands_are_kept_in_the_order_of_the_journal_each_once() -> None:
    from state_rows import journaled

    rows = [{**row(name), "id": name, "seq": seq} for seq, name in ((9, "kill"), (7, "order"), (8, "backtest"))]
    kept = KeptCommands()
    columns = journaled("commands", rows)
    import numpy as np

    columns["received"] = np.full(3, SECOND)
    assert len(kept.take(columns)) == 2
    assert kept.take(columns) == []
    assert [each.command for each in kept] == ["order", "kill"]
