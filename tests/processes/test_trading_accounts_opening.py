"""What commands and halts of before leave for a run that begins: which halts hold, which limits count."""

from typing import Any

from plant.state.commands import GivenCommand
from trading.accounts.opening import remembered


def told(seq: int, command: str, sym: str = "*", **arguments: Any) -> GivenCommand:
    return GivenCommand(f"c{seq}", command, sym, arguments, seq, seq, seq, 0)


def halted(seq: int, rule: str = "max_drawdown") -> dict[str, Any]:
    return {"time": seq, "rule": rule, "detail": f"risk: {rule} (run other)"}


def after(*commands: GivenCommand, rows: tuple[tuple[str, dict[str, Any]], ...] = ()) -> tuple[Any, Any, int]:
    return remembered(commands, rows, "r1", "cross", "paper")


def test_a_kill_holds_until_a_resume() -> None:
    assert after(told(1, "kill"))[0] == {"account": "killed by hand"}
    assert after(told(1, "kill", "paper"))[0] == {"account": "killed by hand"}
    assert after(told(1, "kill", "cross"))[0] == {"strategy": "killed by hand"}
    assert after(told(1, "kill", "other"))[0] == {}
    assert after(told(1, "kill"), told(2, "resume"))[0] == {}
    assert after(told(1, "kill"), told(2, "resume", "paper"), told(3, "kill"))[0] == {"account": "killed by hand"}


def test_a_resume_of_a_strategy_leaves_the_account_halted_one_of_the_account_both_going() -> None:
    killed = (told(1, "kill"), told(2, "kill", "cross"))
    assert after(*killed, told(3, "resume", "cross"))[0] == {"account": "killed by hand"}
    assert after(*killed, told(3, "resume"))[0] == {}


def test_a_breach_holds_until_a_resume_that_was_given_after_it() -> None:
    rows = (("account", halted(5)),)
    assert after(rows=rows)[0] == {"account": "risk: max_drawdown (run other)"}
    assert after(told(4, "resume"), rows=rows)[0] == {"account": "risk: max_drawdown (run other)"}
    assert after(told(6, "resume"), rows=rows) == ({}, {}, 6)
    assert after(told(6, "resume"), rows=(*rows, ("account", halted(9))))[0] != {}
    assert after(told(6, "resume", "cross"), rows=(*rows, ("strategy", halted(5))))[0].keys() == {"account"}


def test_the_newest_limits_count() -> None:
    one, two = told(1, "limits", "paper", max_order_qty=1), told(2, "limits", "paper", max_order_value=2)
    own = told(3, "limits", "cross", strategy="cross", long_only=True)
    assert after(one, two, own)[1] == {"account": {"max_order_value": 2}, "strategy": {"long_only": True}}
