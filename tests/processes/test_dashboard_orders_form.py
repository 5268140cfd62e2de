"""What a size by risk is counted on: the equity of an account, where it is known."""

import math

from dashboard.orders.form import equity_of
from plant.control.books import Seen
from plant.runtime.trading import AccountSection


def test_a_paper_account_has_its_capital_until_it_traded_and_one_at_a_broker_nothing_that_was_not_told() -> None:
    paper, real = AccountSection(capital=5e4), AccountSection(name="real", broker="alpaca")
    assert equity_of(Seen(), paper) == (5e4, "its capital: nothing was traded yet")
    equity, source = equity_of(Seen(), real)
    assert (math.isnan(equity), source) == (True, "alpaca has not told it yet")
    assert equity_of(Seen(equity={"real": {"equity": 7.0}}), real) == (7.0, "its equity")
