"""The standing run of an account, `manual-<account>`: it takes orders by hand, and no row of `strategies` begins it.

It begins with the first command `order` for its account, at a broker's account at once, and is never stopped; one that
failed begins anew with the next order behind its end. So which there are is made of rows alone.
"""

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plant.runtime.settings import Settings
from plant.runtime.trading import AccountSection
from plant.state.commands import GivenCommand
from plant.state.newest import Row
from plant.state.runs import ENDED
from plant.state.strategies import MANUAL
from trading.accounts.commands import order_account
from trading.live.catalogue import Catalogue
from trading.live.director import Wanted
from trading.live.setups import Prepared, account_of, setup_of, told_of_account
from trading.risk import Limits

CLASS = "Manual"


def run_of(account: str) -> str:
    """Return the id of an account's standing run.

    >>> run_of("paper")
    'manual-paper'
    """
    return f"{MANUAL}-{account}"


def standing(
    commands: Iterable[GivenCommand],
    runs: Mapping[str, Row],
    accounts: Sequence[AccountSection],
    now: tuple[int, int],
) -> dict[str, Wanted]:
    """Return the standing runs that there are to be, by id.

    runs      the newest rows of runs, by id
    accounts  those of plant.toml, the first of which an order is for that names none
    now       seq and `received` of the newest row of all, 0 before the first: a broker's account begins there, if it
              has not begun
    """
    found: dict[str, Wanted] = {}
    waiting: dict[str, tuple[AccountSection, int]] = {}  # behind which seq an order begins it
    for account in accounts:
        name = run_of(account.name)
        row = runs.get(name)
        if row is not None and row["state"] not in ENDED:
            found[name] = _wanted(account, row["first_seq"], row["start_at"])
        elif row is None and account.broker != "paper" and now[1]:  # of a plant without a row there is no time yet
            found[name] = _wanted(account, *now)
        else:
            waiting[account.name] = account, row["seq"] if row is not None else -1
    for told in commands:
        name = order_account(told, accounts[0].name) if told.command == "order" else ""
        if name in waiting and told.seq > waiting[name][1]:
            account, _ = waiting.pop(name)
            found[run_of(name)] = _wanted(account, told.seq - 1, told.received)
    return found


def is_standing(wanted: Wanted) -> bool:
    """Return whether it is a standing run."""
    return bool(wanted.row["sym"] == MANUAL)


def standing_prepared(
    wanted: Wanted, before: Row | None, settings: Settings, catalogue: Catalogue, known_seq: int = -1
) -> Prepared:
    """Return what a standing run is told; arguments as of trading.live.setups.prepared. Raises SettingsError."""
    account = account_of(settings, wanted.row["account"])
    found = catalogue.named(CLASS, {})
    own = account.limits.model_dump()
    own["max_orders_per_minute"] = own["max_orders_per_minute"] or Limits.max_orders_per_minute
    fills, risk = told_of_account(account, before, own, account.fills_on, known_seq)
    setup = setup_of(
        fills,
        risk,
        run=wanted.run,
        strategy=MANUAL,
        strategy_class=found.made_of,
        symbols=(),
        instruments={},
        account=account.name,
        mode=account.mode,
        seed=zlib.crc32(wanted.run.encode()),
        start_seq=wanted.first_seq,
        standing=True,
        sessions={},
    )
    return Prepared(setup, found.code_sha, ())


def _wanted(account: AccountSection, first_seq: int, began_at: int) -> Wanted:
    """Return a standing run, its row what one of `strategies` would have."""
    texts = dict.fromkeys(("definition", "code_sha", "interval", "note", "who"), "")
    told: dict[str, Any] = {"sym": MANUAL, "class_name": CLASS, "parameters": "{}", "symbols": json.dumps([])}
    told |= {"account": account.name, "mode": account.mode, "wanted": "running", "action": "create", "version": 0}
    place = {"seq": first_seq, "seq_row": 0, "received": began_at, "time": began_at}
    return Wanted(run_of(account.name), {**texts, **told, **place})
