"""Limits as people tell them: what holds of an account or a strategy, and whether others can.

A row of `commands` has all that was told for its target, over what plant.toml or the strategy says; the newest counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError

from plant.errors import SettingsError, nearest_names
from plant.runtime.trading import AccountSection, LimitsSection
from plant.state.commands import GivenCommand
from plant.state.newest import Row

ACCOUNT, STRATEGY = "account", "strategy"
"""Whom limits are of: both are arguments of the command as well."""

ORDERS_PER_MINUTE = 10
"""Of a strategy that says none."""

NAMES = tuple(LimitsSection.model_fields)


class LimitsInForce(NamedTuple):
    """What holds of a target.

    limits    name -> value, None is none
    told      those of them that a command told
    version   seq of that command, 0: none was
    """

    limits: dict[str, Any]
    told: dict[str, Any]
    version: int


def told_of_target(commands: Iterable[GivenCommand], target: str, name: str) -> tuple[dict[str, Any], int]:
    """Return the limits that commands have told of an "account" or a "strategy", and the seq of the newest, 0: none."""
    found = [each for each in commands if each.command == "limits" and each.arguments.get(target) == name]
    if not found:
        return {}, 0
    limits = {key: value for key, value in found[-1].arguments.items() if key not in (ACCOUNT, STRATEGY)}
    return limits, found[-1].seq


def of_account(account: AccountSection, commands: Iterable[GivenCommand]) -> LimitsInForce:
    """Return what holds of an account: what plant.toml says, over it what was told."""
    told, version = told_of_target(commands, ACCOUNT, account.name)
    return LimitsInForce(_plain(account.limits.model_dump(mode="json") | told), told, version)


def of_strategy(row: Row, commands: Iterable[GivenCommand]) -> LimitsInForce:
    """Return what holds of a strategy: what its parameters say under `limits`, over it what was told.

    row   the newest of `strategies`
    """
    told, version = told_of_target(commands, STRATEGY, row["sym"])
    try:
        own = json.loads(row["parameters"] or "{}").get("limits") or {}
    except (ValueError, AttributeError):
        own = {}
    usual = LimitsSection().model_dump(mode="json") | {"max_orders_per_minute": ORDERS_PER_MINUTE}
    return LimitsInForce(_plain(usual | (own if isinstance(own, dict) else {}) | told), told, version)


def check(limits: Mapping[str, Any], live: bool) -> None:
    """Raise SettingsError for limits that the trader refuses: unknown names, no positive numbers.

    live   whether orders are of real money: a price of any age (stale_s = 0) is none to trade on
    """
    for name in limits:
        if name not in NAMES:
            near = nearest_names(name, NAMES, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"limits: unknown limit {name!r}{hint}; limits are: {', '.join(NAMES)}")
    try:
        LimitsSection.model_validate({name: value for name, value in limits.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "limits"
        said = str(first["msg"]).removeprefix("Input should be ")
        raise SettingsError(f"limits: {name} must be {said}, found {first['input']!r}") from None
    if live and not limits.get("stale_s", 1):
        raise SettingsError("limits: stale_s = 0 lets orders go on prices of any age; real money needs seconds")


def _plain(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return those that there are, in their order: a newer plant may have told others."""
    return {name: list(limits[name]) if name == "symbols" else limits[name] for name in NAMES if name in limits}
