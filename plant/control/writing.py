"""Rows of `strategies` and `commands`, written as a person's word: checked, acknowledged, and whether they count."""

import getpass
import json
import secrets
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgpack

from plant.client.connect import connect, publisher
from plant.errors import BadRows, QueryError, Refused, Unavailable, nearest_names
from plant.rows.arrow import columns_from_arrow
from plant.rows.tables import schema_of
from plant.runtime.settings import Settings, load
from plant.state.newest import Fold, Row
from plant.state.runs import ENDED, Runs
from plant.state.schemas import faults_of
from plant.state.strategies import PYTHON, RESERVED, Strategies
from plant.transport import sockets
from plant.transport.request import Requester

ASK_S = 20.0
"""Longest history and today may take to answer."""

CLASSES_S = 10.0
"""Longest the trader may take to tell its classes."""

LOOK_S = 0.3
"""Pause between looks at a run."""

OF_THE_CLASS = frozenset(("class_name", "definition", "parameters", "account", "mode"))
"""What is checked against the class and the accounts, where it changes."""

OF_THE_SOURCE = ("class_name", "definition", "parameters")
"""What is checked against a class that is given as its source, where it changes."""

Described = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Given a class's name and definition, tells of it as `classes_of` does."""


def read_folds(config: str | None, received: bool = False, **folds: Fold) -> None:
    """Have folds take the rows of their tables, of history and today; with `received`, if they need it."""
    schema = schema_of()
    with connect(config=config, frames="arrow", timeout_s=ASK_S) as db:
        for name, fold in folds.items():
            names = (*schema[name].names, "seq", "seq_row", *("received",) * received)
            found = db.select(name, columns=names)
            if len(found):
                fold.take(columns_from_arrow(found, schema[name], names))


def classes_of(config: str | None, timeout_s: float = CLASSES_S) -> list[dict[str, Any]]:
    """Return the classes of strategies that the trader tells. Raises Unavailable.

    Of each: name, doc, parameters (JSON schema), file, code_sha, error, "" if it can be used.
    """
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    trader = Requester(settings.address(settings.trading.port), "trading", timeout_s)
    try:
        found: list[dict[str, Any]] = msgpack.unpackb(trader.ask(ask="classes")[0])
        return found
    finally:
        trader.close()


def told_nearest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean X?)", "" if nothing is like it."""
    near = nearest_names(name, known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def check_account(settings: Settings, account: str) -> None:
    """Raise QueryError for what is none of [[accounts]]; "*" is all of them."""
    names = [each.name for each in settings.accounts]
    if account not in ("*", *names):
        raise QueryError(f"no account {account!r}{told_nearest(account, names)}; accounts are {', '.join(names)}")


def give_command(
    config: str | None, sym: str, command: str, arguments: dict[str, Any], by: str = ""
) -> tuple[str, int]:
    """Publish a row of `commands`; return its id and its seq. `by`: who gives it, if not the user of this process."""
    row = command_row(sym, command, arguments, by)
    with publisher(f"command-{row['id']}", config=config) as feed:
        feed.publish("commands", row, strict=True)
        return row["id"], feed.flush()


def command_row(sym: str, command: str, arguments: dict[str, Any], by: str = "", name: str = "") -> Row:
    """Return a row of `commands` that is given now; `name` is its id, a new one if it is not told."""
    row = {"time": time.time_ns(), "sym": sym, "id": name or fresh_id(), "command": command}
    return {**row, "arguments": json.dumps(arguments), "who": by or who()}


def ended_run(config: str | None, run: str, progress: Callable[[float], None]) -> Row:
    """Wait until a run is over and return its newest row. Raises Unavailable if the trader does not begin it."""
    fold, begun_by = Runs(), time.monotonic() + ASK_S
    while True:
        read_folds(config, runs=fold)
        row = fold.get(run)
        if row is None and time.monotonic() > begun_by:
            raise Unavailable(f"the trader has not begun run {run} within {ASK_S:g} s; is it up? `plant status` tells")
        if row is not None:
            progress(row["progress"] if row["progress"] == row["progress"] else 0.0)
            if row["state"] in ENDED:
                return row
        time.sleep(LOOK_S)


def fresh_id() -> str:
    """Return an id that no other command has, fit for a run."""
    return secrets.token_hex(6)


def who() -> str:
    """Return who gives a command, as rows have it."""
    return f"user:{getpass.getuser()}"


def change(
    config: str | None,
    name: str,
    action: str,
    note: str,
    *,
    seen: int | None = None,
    by: str = "",
    described: Described | None = None,
    **columns: Any,
) -> tuple[Row, int]:
    """Publish the next version of a strategy; return the row and its seq.

    `seen` is the version that the writer looked at, where it decides on what it saw; `by` who writes it, if it is not
    the user of this process; `described` tells of a class that is given as its source. Raises Refused if another
    writer was faster, BadRows for what it cannot be, QueryError for a strategy there is not.
    """
    fold = Strategies(whole=False)
    read_folds(config, strategies=fold)
    row = changed_row(config, fold, name, action, note, seen=seen, by=by, described=described, **columns)
    with publisher(f"strategy-{fresh_id()}", config=config) as feed:
        feed.publish("strategies", row, strict=True)
        seq = feed.flush()
    deadline = time.monotonic() + ASK_S
    version = row["version"]
    while (found := fold.writer(name, version)) is None:
        if time.monotonic() > deadline:
            raise Unavailable(f"version {version} of {name} is in the journal at seq {seq:,}, but not answered yet")
        read_folds(config, strategies=fold)
    if found[0] != seq:
        raise Refused(f"version {version} of {name} was written by another at seq {found[0]:,}; look, and try again")
    return row, seq


def changed_row(
    config: str | None,
    fold: Strategies,
    name: str,
    action: str,
    note: str,
    *,
    seen: int | None = None,
    by: str = "",
    described: Described | None = None,
    **columns: Any,
) -> Row:
    """Return the row that is the next version of a strategy, checked; `fold` has the strategies as they are.

    The other arguments, and what is raised, are those of `change`.
    """
    if name in RESERVED:
        raise BadRows(f"no strategy may be called {name!r}: orders by hand are; give it another name")
    if action == "create" and name in fold:
        raise Refused(f"there is a strategy {name!r} already; `plant strategy update` changes it")
    if action != "create" and name not in fold:
        raise QueryError(f"there is no strategy {name!r}{told_nearest(name, fold)}; `plant strategy list` shows them")
    if action == "create":
        columns = {"parameters": {}, "mode": "paper", "definition": "", "account": "", **columns}
    before = fold.newest(name)
    if seen is not None and before is not None and before["version"] != seen:
        raise Refused(
            f"{name} is at version {before['version']} by now, written by {before['who']}; you saw version {seen}. "
            "Nothing was written: look at it as it is now, and try again"
        )
    row = fold.changed(name, action, by or who(), time.time_ns(), note=note, **columns)
    if action != "delete" and (
        action == "create" or columns.keys() & OF_THE_CLASS or columns.get("wanted") == "running"
    ):
        row["code_sha"] = _code_sha(load(config), config, row, before, described)
    return row


def _code_sha(settings: Settings, config: str | None, row: Row, before: Row | None, described: Described | None) -> str:
    """Return the code_sha of a strategy's class. Raises BadRows for class, parameters or account that cannot be."""
    if row["account"]:
        check_account(settings, row["account"])
    if row["mode"] not in ("paper", "live"):
        raise BadRows(f"mode is paper or live, found {row['mode']!r}")
    definition = json.loads(row["definition"] or "{}")
    if PYTHON in definition:  # it is its own class
        if before is not None and all(row[name] == before[name] for name in OF_THE_SOURCE):
            return str(before["code_sha"])
        if described is None:
            raise BadRows("a strategy of Python source is changed by `plant strategy update NAME --definition FILE`")
        found = described(row["class_name"], definition)
    else:
        known = {each["name"]: each for each in classes_of(config)}
        if row["class_name"] not in known:
            hint = told_nearest(row["class_name"], known)
            raise BadRows(f"there is no class {row['class_name']!r}{hint}; classes are {', '.join(known) or 'none'}")
        found = known[row["class_name"]]
    if found["error"]:
        raise BadRows(f"the class {found['name']} cannot be used: {found['error']}")
    if faults := faults_of(json.loads(row["parameters"] or "{}"), found["parameters"]):
        raise BadRows("; ".join(f"parameters {place}: {sentence}" for place, sentence in faults))
    return str(found["code_sha"])
