"""Whose a strategy is: its limits are those of real money where its account is."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from dashboard.desk.desk import Desk
from plant.control.books import Seen
from plant.errors import Refused
from plant.runtime.trading import AccountSection

REAL, PAPER = AccountSection(name="real", mode="paper"), AccountSection(name="paper")
SEEN = cast(Seen, SimpleNamespace(
    error=None, limits=(), strategies={"b": {"account": ""}, "a": {"account": "real"}, "c": {"account": "paper"}}
))  # fmt: skip


def desk() -> Desk:
    books = SimpleNamespace(look=lambda fresh=False: SEEN)
    return Desk(cast(Any, SimpleNamespace(accounts=(REAL, PAPER))), cast(Any, books))


def test_a_strategy_that_names_no_account_is_of_the_first_alone() -> None:
    assert desk().strategies_of(SEEN, "real") == ["a", "b"]
    assert desk().strategies_of(SEEN, "paper") == ["c"]


def test_limits_of_a_strategy_are_not_told_from_another_account() -> None:
    with pytest.raises(Refused, match="account paper has no strategy 'b' any more"):
        desk().limit(PAPER, "b", {"max_order_qty": 1.0}, 0)
