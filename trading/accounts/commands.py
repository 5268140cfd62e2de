"""Commands as runs take them: whom each is for, and what it tells them."""

from collections.abc import Iterable
from typing import Any

from plant.state.commands import GivenCommand


def order_account(told: GivenCommand, first: str) -> str:
    """Return the account that an order by hand is for; one that names none is for the `first`."""
    return str(told.arguments.get("account") or first)


def arguments_for(
    told: GivenCommand, run: str, strategy: str, account: str, symbols: Iterable[str]
) -> dict[str, Any] | None:
    """Return what a command tells a run, None if it is for others.

    Of kill, resume and limits `of` says whether the whole account is meant or the strategy alone; of flatten `sym`, if
    it is one symbol that is to be closed. Orders by hand are not for a run that is no standing one.
    """
    arguments, mine = dict(told.arguments), (run, strategy)
    if told.command == "cancel":
        return arguments  # of another run's order it does nothing
    if told.command == "cancel_run":
        return arguments if arguments.get("run", told.sym) in mine else None
    if told.command == "flatten":
        if arguments.get("account", account) not in (account, *mine):
            return None
        if told.reaches(account, *mine):
            return {}
        return {"sym": told.sym} if told.sym in symbols else None
    if told.command == "limits":
        names = [arguments.pop(name) for name in ("strategy", "account") if name in arguments] or [told.sym]
        told = told._replace(sym=str(names[0]))
        if len(names) > 1 and names[1] != account:
            return None
    elif told.command not in ("kill", "resume"):
        return None
    if not told.reaches(account, *mine):
        return None
    return {**arguments, "of": "account" if told.is_of_account(account) else "strategy"}
