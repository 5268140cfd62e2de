"""The commands `plant key create | list | revoke`."""

import json
import time
from typing import Annotated, Any

import typer
from rich.markup import escape

from api.access.keys import make_key
from plant.client.arguments import moment_of
from plant.client.connect import publisher
from plant.command.terminal import Config, err, out, overview
from plant.control.writing import fresh_id, read_folds, told_nearest
from plant.errors import BadRows, QueryError
from plant.rows.tables_service import ROLES
from plant.runtime.settings import load
from plant.state.keys import Keys

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
key = typer.Typer(add_completion=False, no_args_is_help=True, help="Keys of the service: who may do what.")
app.add_typer(key, name="key")

Json = Annotated[bool, typer.Option("--json", help="As JSON, for machines.")]


@key.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    role: Annotated[str, typer.Option("--role", help=", ".join(ROLES))],
    expires: Annotated[str | None, typer.Option("--expires", help="Until then, e.g. 2027-01-01.")] = None,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Make a key, and print it: nobody can tell it again."""
    if role not in ROLES:
        raise BadRows(f"--role is one of {', '.join(ROLES)}, found {role!r}")
    if not name.strip():
        raise BadRows("a key needs a name: whose is it?")
    now, until = time.time_ns(), moment_of(expires, load(config).zone)
    if until is not None and until <= now:
        raise BadRows(f"--expires must be in the future, found {expires!r}")
    made = make_key()
    row: dict[str, Any] = {"time": now, "sym": made.id, "version": 1, "action": "create", "role": role}
    row |= {"hash": made.hash, "name": name} | ({} if until is None else {"expires": until})
    seq = _publish(config, row)
    if as_json:
        print(json.dumps({"id": made.id, "key": made.key, "name": name, "role": role, "seq": seq}))
        return
    err.print(f"key {made.id} of {name}, role {role}; it is shown once:", markup=False, highlight=False)
    print(made.key)


@key.command("list")
def list_(as_json: Json = False, config: Config = None) -> None:
    """Show the keys, also those that were revoked."""
    keys, now = Keys(), time.time_ns()
    read_folds(config, api_keys=keys)
    rows = [{"id": name, **{each: keys[name][each] for each in ("name", "role", "version")},
             "state": _state(keys, name, now), "expires": keys[name]["expires"]} for name in sorted(keys)]  # fmt: skip
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = overview("id", "name", "role", "state", "expires", numbers=())
    for row in rows:
        until = "" if row["expires"] is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(row["expires"] // 10**9))
        table.add_row(row["id"], escape(row["name"]), row["role"], row["state"], until)
    out.print(table, highlight=False)


@key.command()
def revoke(id: Annotated[str, typer.Argument(help="The key's id, as `list` shows it.")], config: Config = None) -> None:
    """Revoke a key; what it has open ends within a second."""
    keys = Keys()
    read_folds(config, api_keys=keys)
    name = id.removeprefix("tp_").partition("_")[0]
    if name not in keys:
        raise QueryError(f"there is no key {name!r}{told_nearest(name, keys)}; `plant key list` shows them")
    if keys.is_revoked(name):
        out.print(f"key {name} was revoked before", highlight=False)
        return
    seq = _publish(config, keys.revoked(name, time.time_ns()))
    out.print(f"key {name} of {escape(keys[name]['name'])} is revoked, seq {seq:,}", highlight=False)


def _publish(config: str | None, row: dict[str, Any]) -> int:
    with publisher(f"key-{fresh_id()}", config=config) as feed:
        feed.publish("api_keys", row, strict=True)
        return feed.flush()


def _state(keys: Keys, name: str, now: int) -> str:
    if keys.usable(name, now):
        return "usable"
    return "revoked" if keys.is_revoked(name) else "expired"
