"""The commands `plant order`, `plant orders`, `plant kill`, `plant resume` and `plant limits`: they publish `commands`.

Each waits until rows tell what became of it; nobody calls the trader.
"""

import json
from typing import Annotated, Any

import typer
from rich.markup import escape

from plant.command.terminal import Config, out, overview
from plant.control.writing import check_account, give_command, read_folds
from plant.errors import BadRows, Refused
from plant.runtime.settings import load
from plant.state.newest import Row
from plant.state.orders import Orders
from trading.accounts.ordering import given_cancel, given_limits, given_order, told_limits

app = typer.Typer(add_completion=False)
orders = typer.Typer(add_completion=False, invoke_without_command=True)
app.add_typer(orders, name="orders")

Account = Annotated[str, typer.Option("--account", help="One of [[accounts]]; the first, if not told.")]
Whose = Annotated[str, typer.Option("--account", help="Only this one of [[accounts]].")]
Note = Annotated[str, typer.Option("--note", help="Why; kept with the row.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for machines.")]
Price = float | None

_SHOWN = (
    "order_id",
    "strategy",
    "account",
    "sym",
    "side",
    "kind",
    "qty",
    "limit_price",
    "stop_price",
    "filled",
    "state",
    "reason",
)


@app.command()
def order(
    sym: Annotated[str, typer.Argument(help="What is bought or sold.")],
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    qty: Annotated[str, typer.Argument(help='Units, or a share: "15% equity".')],
    limit: Annotated[Price, typer.Option("--limit", help="Price, at most or at least.")] = None,
    stop: Annotated[Price, typer.Option("--stop", help="Price from which on it is an order.")] = None,
    trail: Annotated[Price, typer.Option("--trail", help="Distance of a stop that follows the price.")] = None,
    tif: Annotated[str, typer.Option("--tif", help="day, gtc, ioc or fok.")] = "day",
    stop_loss: Annotated[Price, typer.Option("--stop-loss", help="Price that closes it with a loss.")] = None,
    take_profit: Annotated[Price, typer.Option("--take-profit", help="Price that closes it with a profit.")] = None,
    account: Account = "",
    tag: Annotated[str, typer.Option("--tag", help="A word of your own.")] = "",
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Give an order by hand, and show what became of it; exit code 1 if it was refused or rejected."""
    told = {"side": side, "qty": _number(qty), "limit": limit, "stop": stop, "trail": trail, "tif": tif}
    told |= {"stop_loss": stop_loss, "take_profit": take_profit, "tag": tag or None}
    row = given_order(config, sym, account, {key: value for key, value in told.items() if value is not None})
    _show([row], as_json)
    if row["state"] in ("refused", "rejected"):
        raise Refused(f"order {row['order_id']} was {row['state']}: {row['reason']}")


@orders.callback()
def orders_(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that are done.")] = False,
    run: Annotated[str, typer.Option("--run", help="Only those of a run.")] = "",
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Show the orders that are open, or cancel one."""
    if context.invoked_subcommand is not None:
        return
    fold = Orders()
    read_folds(config, orders=fold)
    rows = sorted(fold.values(), key=lambda r: r["seq"]) if every else fold.open
    _show([row for row in rows if not run or row["run"] == run], as_json)


@orders.command()
def cancel(
    order_id: Annotated[str, typer.Argument(help="One of `plant orders`.")],
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Cancel an order of any run, and show it."""
    _show([given_cancel(config, order_id)], as_json)


@app.command()
def kill(account: Whose = "*", note: Note = "", config: Config = None) -> None:
    """Halt: cancel all open orders and refuse new ones, until `plant resume` of the account; positions are kept."""
    check_account(load(config), account)
    _, seq = give_command(config, account, "kill", {"note": note})
    out.print(f"halted at seq {seq:,}: open orders are cancelled and new ones refused", highlight=False)


@app.command("resume")
def resume_trading(account: Whose = "*", note: Note = "", config: Config = None) -> None:
    """End a halt, of `plant kill` or of a limit that was broken."""
    check_account(load(config), account)
    _, seq = give_command(config, account, "resume", {"note": note})
    out.print(f"resumed at seq {seq:,}", highlight=False)


@app.command()
def limits(
    account: Account = "",
    strategy: Annotated[str, typer.Option("--strategy", help="A strategy, instead of an account.")] = "",
    numbers: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="A limit, NAME=VALUE, null for none; several times.")
    ] = None,
    config: Config = None,
) -> None:
    """Tell limits, over those of plant.toml or of the strategy, or show those that were told."""
    if numbers:
        told, seq = given_limits(config, account, strategy, dict(_assigned(text) for text in numbers))
        out.print(f"limits at seq {seq:,}:", highlight=False)
    elif strategy:
        told = told_limits(config, "strategy", strategy)
    else:
        told = told_limits(config, "account", account or load(config).accounts[0].name)
    for name, value in told.items():
        out.print(f"{name} = {json.dumps(value)}", highlight=False)


def _assigned(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadRows(f"expected NAME=VALUE, found {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _show(rows: list[Row], as_json: bool) -> None:
    if as_json:
        print(json.dumps([{k: None if v != v else v for k, v in row.items()} for row in rows], indent=1))
        return
    table = overview(*_SHOWN, numbers=("qty", "limit_price", "stop_price", "filled"))
    for row in rows:
        table.add_row(*("" if row[name] != row[name] else escape(f"{row[name]}") for name in _SHOWN))
    out.print(table, highlight=False)
