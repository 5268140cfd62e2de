"""Which standing runs there are: made of commands and the ends of runs alone."""

from typing import Any

from plant.runtime.trading import AccountSection
from plant.state.commands import GivenCommand
from trading.accounts.standing import standing

ACCOUNTS = (AccountSection(name="one"), AccountSection(name="two"))


def order(seq: int, **arguments: Any) -> GivenCommand:
    return GivenCommand(f"c{seq}", "order", "A", arguments, 0, seq * 1000, seq, 0)


def begun(*commands: GivenCommand, runs: dict[str, Any] | None = None, accounts: Any = ACCOUNTS) -> dict[str, int]:
    return {name: each.first_seq for name, each in standing(commands, runs or {}, accounts, (99, 99_000)).items()}


def test_it_begins_with_the_first_order_for_its_account_the_first_if_none_is_named() -> None:
    assert begun() == {}
    assert begun(order(7), order(8)) == {"manual-one": 6}
    assert begun(order(7, account="two"), order(8)) == {"manual-two": 6, "manual-one": 7}
    assert begun(order(7, account="nobody"), GivenCommand("k", "kill", "*", {}, 0, 0, 3, 0)) == {}


def test_it_goes_on_until_it_failed_and_begins_anew_with_the_next_order() -> None:
    row = {"state": "running", "first_seq": 6, "start_at": 7000, "seq": 50}
    assert begun(order(60), runs={"manual-one": row}) == {"manual-one": 6}
    failed = {"manual-one": {**row, "state": "failed"}}
    assert begun(order(7), runs=failed) == {}
    assert begun(order(7), order(60), runs=failed) == {"manual-one": 59}


def test_that_of_a_brokers_account_is_there_from_the_beginning() -> None:
    accounts = (AccountSection(name="one", broker="alpaca"),)
    assert begun(accounts=accounts) == {"manual-one": 99}
    row = {"state": "running", "first_seq": 42, "start_at": 7000, "seq": 50}
    assert begun(accounts=accounts, runs={"manual-one": row}) == {"manual-one": 42}
