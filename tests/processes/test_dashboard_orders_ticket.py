"""The ticket: what it says, what is wrong with it, what it becomes; and whether an account is halted."""

import doctest
from typing import Any

import pytest

from dashboard.orders import ticket
from dashboard.orders.ticket import Ticket, Traded, traded
from plant.control.halts import halt_of

AAPL = Traded("AAPL", tick=0.01, lot=1.0, last=190.5, told=True)
SECOND = 10**9


def of(**more: Any) -> Ticket:
    return Ticket(**{"what": AAPL, "account": "paper", "live": False, "qty": 10.0, **more})


def test_its_examples_hold() -> None:
    assert doctest.testmod(ticket).failed == 0


def test_the_button_says_whose_money_it_is() -> None:
    assert of().button == "Buy 10 AAPL on PAPER account paper"
    live = of(account="swing-1", live=True, side="sell", qty=1250.0)
    assert live.button == "Sell 1,250 AAPL on REAL MONEY account swing-1"


def test_it_becomes_the_arguments_of_the_command_and_nothing_that_was_not_said() -> None:
    assert of().faults == []
    assert of().arguments == {"account": "paper", "side": "buy", "qty": 10.0, "tif": "day"}
    whole = of(kind="stop-limit", limit=191.0, stop=190.9, stop_loss=188.0, take_profit=195.0, tif="gtc", tag="mine")
    assert whole.faults == []
    assert whole.arguments == {
        "account": "paper",
        "side": "buy",
        "qty": 10.0,
        "tif": "gtc",
        "limit": 191.0,
        "stop": 190.9,
        "stop_loss": 188.0,
        "take_profit": 195.0,
        "tag": "mine",
    }
    assert whole.sentence == (
        "stop-limit, limit 191, stop 190.9, gtc; then stop loss 188 and take profit 195; worth 1,910.00 USD"
    )


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"what": Traded("")}, "name a symbol"),
        ({"qty": float("nan")}, "give a quantity"),
        ({"qty": 0.0}, "give a quantity"),
        ({"qty": 2.5}, "a quantity is a multiple of the lot, 1; 2.5 is none"),
        ({"kind": "limit"}, "a limit order needs a limit price"),
        ({"kind": "stop"}, "a stop order needs a stop price"),
        ({"kind": "trailing stop"}, "a trailing stop order needs a distance"),
        ({"stop_loss": 191.0}, "the stop loss of a buy lies below 190.5"),
        ({"take_profit": 190.0}, "the take profit of a buy lies above 190.5"),
        ({"side": "sell", "stop_loss": 190.0}, "the stop loss of a sell lies above 190.5"),
        ({"live": True, "what": Traded("NEW", last=1.0)}, "with real money its tick and lot must be known"),
    ],
)
def test_what_is_wrong_is_said(more: dict[str, Any], fault: str) -> None:
    assert any(fault in found for found in of(**more).faults), of(**more).faults


def test_lots_of_a_thousandth_are_whole_in_spite_of_floats() -> None:
    coin = Traded("BTC/USD", lot=0.001, last=60_000.0, told=True)
    assert of(what=coin, qty=0.007).faults == []
    assert of(what=coin, qty=0.0075).faults != []


def test_of_a_symbol_nothing_is_known_of_the_steps_are_taken_for_granted() -> None:
    found = traded("NEW", None, 12.0)
    assert (found.lot, found.tick, found.last, found.told) == (1.0, 0.01, 12.0, False)


def command(word: str, sym: str, at: int = 1, late: int = 0) -> dict[str, Any]:
    time = at * SECOND
    return {"command": word, "sym": sym, "time": time, "received": time + late * SECOND, "who": "user:ada"}


def breach(action: str, strategy: str, rule: str = "max_daily_loss") -> dict[str, Any]:
    return {"account": "paper", "strategy": strategy, "rule": rule, "action": action, "detail": "risk: too much"}


def test_a_kill_halts_its_account_until_a_resume() -> None:
    kill = command("kill", "paper", 5)
    assert (halt_of((kill,), "paper").since, halt_of((kill,), "paper").by) == (5 * SECOND, "user:ada")
    assert not halt_of((kill,), "other").halted
    assert halt_of((command("kill", "*"),), "other").halted
    assert not halt_of((kill, command("resume", "*", 6)), "paper").halted
    assert halt_of((kill, command("resume", "other", 6)), "paper").halted
    assert not halt_of((command("kill", "paper", late=61),), "paper").halted, "it came too late to be obeyed"


def test_a_strategy_that_halted_is_told_until_it_or_its_account_is_resumed() -> None:
    halted = (breach("halted", "cross"), breach("halted", "other", rule="kill"))
    assert halt_of(halted, "paper").strategies == {"cross": "risk: too much"}
    assert not halt_of((*halted, breach("resumed", "cross", rule="resume")), "paper").halted
    assert not halt_of((*halted, command("resume", "paper")), "paper").halted
    alone = (command("kill", "cross"),)
    assert halt_of(alone, "paper", ("cross",)).strategies == {"cross": "killed by user:ada"}
    assert not halt_of(alone, "paper").halted
    assert not halt_of((*alone, command("resume", "cross")), "paper", ("cross",)).halted
