"""Orders, cancels and limits given by hand: the command is published, and what became of it waited for."""

import time
from contextlib import closing
from typing import Any

from plant.client.connect import connect
from plant.client.connection import Connection
from plant.control.limits import told_of_target
from plant.control.writing import ASK_S, check_account, give_command, read_folds, told_nearest
from plant.errors import QueryError, Refused, Unavailable
from plant.rows.tables import schema_of
from plant.runtime.settings import Settings, load
from plant.state.commands import KeptCommands, terms_of
from plant.state.newest import Row
from plant.state.orders import FINAL
from trading.accounts.standing import run_of
from trading.live.reading import rows_of
from trading.risk import limits_of

LOOK_S = 0.05
"""Pause between looks at what became of a command."""

_ON_ITS_WAY = ("created", "submitting")


def given_order(config: str | None, sym: str, account: str, terms: dict[str, Any]) -> Row:
    """Give an order and return its newest row, once it is more than on its way, or has been for 20 s.

    account   "": the first of [[accounts]]

    Raises SettingsError for what no order is, Refused for one that the trader says is none, and Unavailable if it says
    nothing.
    """
    settings = load(config)
    account = account or settings.accounts[0].name
    check_account(settings, account)
    terms_of(terms)
    command, seq = give_command(config, sym, "order", {"account": account, **terms})
    of_run = ("run", "==", run_of(account))
    schema, deadline, row = schema_of(), time.monotonic() + ASK_S, None
    with closing(_connected(config)) as db:
        while time.monotonic() < deadline:
            rows = rows_of(db, schema, "orders", [of_run, ("cause_seq", "==", seq)])
            row = next((each for each in reversed(rows) if each["order_id"] == rows[0]["order_id"]), None)
            if row is not None and row["state"] not in _ON_ITS_WAY:
                return row
            for event in rows_of(db, schema, "strategy_events", [of_run, ("seq", ">", seq)]):
                if event["detail"].endswith(f"(command {command})"):
                    raise Refused(event["detail"].rpartition(" (")[0])
            time.sleep(LOOK_S)
    if row is not None:
        return row
    raise Unavailable(
        f"the order is in the journal at seq {seq:,}, but the trader has not taken it within {ASK_S:g} s; is it up? "
        "`plant status` tells, `plant orders --all` shows what becomes of it. It takes no order that it reads 60 s late"
    )


def given_cancel(config: str | None, order_id: str) -> Row:
    """Ask to cancel an order and return its newest row, once it is done, or is being cancelled for 20 s.

    Raises QueryError for an order there is not, Refused for one that is done, Unavailable if the trader says nothing.
    """
    schema, deadline = schema_of(), time.monotonic() + ASK_S
    with closing(_connected(config)) as db:

        def newest() -> Row:
            rows = rows_of(db, schema, "orders", [("order_id", "==", order_id)])
            if not rows:
                known = {row["order_id"] for row in rows_of(db, schema, "orders", [])}
                raise QueryError(f"there is no order {order_id!r}{told_nearest(order_id, known)}; see `plant orders`")
            return max(rows, key=lambda row: (row["seq"], row["n"]))

        row = newest()
        if row["state"] in FINAL:
            raise Refused(f"order {order_id} is {row['state']} already")
        _, seq = give_command(config, row["sym"], "cancel", {"order_id": order_id})
        while row["state"] not in FINAL:
            if time.monotonic() > deadline:
                if row["state"] == "cancelling":  # the broker has not said yet that it is cancelled
                    return row
                raise Unavailable(
                    f"the cancel is in the journal at seq {seq:,}, but order {order_id} is still {row['state']} after "
                    f"{ASK_S:g} s; is the trader up? `plant status` tells"
                )
            time.sleep(LOOK_S)
            row = newest()
        return row


def given_limits(
    config: str | None, account: str, strategy: str, numbers: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Tell limits of an account, or of a strategy; return all that are told for it by now, and the seq.

    What was told before and is not told now stays; null takes a limit back to none. Raises SettingsError for one there
    is not, QueryError for an account there is not.
    """
    settings: Settings = load(config)
    if not strategy:
        account = account or settings.accounts[0].name
        check_account(settings, account)
    target, name = ("strategy", strategy) if strategy else ("account", account)
    told = told_limits(config, target, name)
    told |= numbers
    limits_of(told)
    _, seq = give_command(config, name, "limits", {target: name, **told})
    return told, seq


def told_limits(config: str | None, target: str, name: str) -> dict[str, Any]:
    """Return the limits that commands have told of an "account" or a "strategy": those of the newest."""
    fold = KeptCommands()
    read_folds(config, received=True, commands=fold)
    return told_of_target(fold, target, name)[0]


def _connected(config: str | None) -> Connection:
    return connect(config=config, frames="arrow", timeout_s=ASK_S)
