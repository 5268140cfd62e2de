"""The commands `plant strategy ...` and `plant backtest`; those of orders are in trading/accounts/command.py.

They publish rows of `strategies` and `commands`, and read; nobody calls the trader but to ask which classes there are.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from plant.client.connect import connect
from plant.command.terminal import Config, err, out, overview, steps
from plant.control.writing import (
    ASK_S,
    Described,
    change,
    classes_of,
    ended_run,
    give_command,
    read_folds,
)
from plant.errors import BadRows, Refused
from plant.runtime.settings import load
from plant.state.newest import Row
from plant.state.performance import Metrics
from plant.state.runs import BY_EVENTS, Runs
from plant.state.strategies import PAUSED, PYTHON, RUNNING, STOPPED, Strategies
from trading.accounts.command import app as accounts
from trading.live.again import again
from trading.live.catalogue import Catalogue

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
strategy = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Strategies: what is there, and what is to run."
)
app.add_typer(strategy, name="strategy")
app.registered_commands += accounts.registered_commands
app.registered_groups += accounts.registered_groups

Name = Annotated[str, typer.Argument(help="The strategy's name.")]
Class = Annotated[str, typer.Option("--class", help="Its class, one of `plant strategy classes`.")]
Definition = Annotated[Path | None, typer.Option("--definition", help="A file with its JSON form, instead of a class.")]
Parameters = Annotated[list[str] | None, typer.Option("--set", "-s", help="A parameter, NAME=VALUE; several times.")]
Symbols = Annotated[list[str] | None, typer.Option("--sym", help="What it trades; several times.")]
Interval = Annotated[str | None, typer.Option("--interval", help="Length of its bars, e.g. 5m.")]
Account = Annotated[str | None, typer.Option("--account", help="One of [[accounts]]; the first, if not told.")]
Mode = Annotated[str | None, typer.Option("--mode", help="paper or live.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept with the row.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for machines.")]


@strategy.command("list")
def list_(as_json: Json = False, config: Config = None) -> None:
    """Show the strategies, what they are to be, and what became of their newest run."""
    strategies, runs = Strategies(whole=False), Runs()
    read_folds(config, strategies=strategies, runs=runs)
    rows = [_shown(strategies[name], runs) for name in sorted(strategies)]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    names = ("strategy", "version", "class", "symbols", "interval", "account", "mode", "wanted", "run", "state", "why")
    table = overview(*names, numbers=("version",))
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    out.print(table, highlight=False)


@strategy.command()
def classes(as_json: Json = False, config: Config = None) -> None:
    """Show the classes there are, with their parameters."""
    found = classes_of(config)
    if as_json:
        print(json.dumps(found, indent=1))
        return
    table = overview("class", "parameters", "is", numbers=())
    for each in found:
        parameters = each["parameters"].get("properties", {})
        told = ", ".join(f"{name}={json.dumps(p.get('default'))}" for name, p in parameters.items())
        is_ = each["error"] or each["doc"].partition("\n")[0]
        table.add_row(escape(each["name"]), escape(told), escape(is_))
    out.print(table, highlight=False)


@strategy.command()
def create(
    name: Name,
    class_name: Class = "",
    definition: Definition = None,
    parameters: Parameters = None,
    sym: Symbols = None,
    interval: Interval = None,
    account: Account = None,
    mode: Mode = None,
    note: Note = "",
    start: Annotated[bool, typer.Option("--start", help="Have it run at once.")] = False,
    config: Config = None,
) -> None:
    """Create a strategy."""
    if bool(class_name) == bool(definition):
        raise BadRows("say what it is: --class NAME, or --definition FILE with its JSON form")
    told = _told(class_name, definition, parameters, sym, interval, account, mode)
    if "symbols" not in told or "interval" not in told:
        raise BadRows("say what it trades: --sym and --interval (in a definition: sym and interval)")
    _tell(config, name, "create", note, wanted=RUNNING if start else STOPPED, **told)


@strategy.command()
def update(
    name: Name,
    class_name: Class = "",
    definition: Definition = None,
    parameters: Parameters = None,
    sym: Symbols = None,
    interval: Interval = None,
    account: Account = None,
    mode: Mode = None,
    note: Note = "",
    config: Config = None,
) -> None:
    """Change a strategy; what is not told stays. If it runs, its run ends and another one begins."""
    _tell(config, name, "update", note, **_told(class_name, definition, parameters, sym, interval, account, mode))


@strategy.command()
def delete(name: Name, note: Note = "", config: Config = None) -> None:
    """Delete a strategy; what it did is kept."""
    _tell(config, name, "delete", note, wanted=STOPPED)


@strategy.command()
def start(name: Name, note: Note = "", config: Config = None) -> None:
    """Have a strategy run."""
    _tell(config, name, "update", note, wanted=RUNNING)


@strategy.command()
def stop(name: Name, note: Note = "", config: Config = None) -> None:
    """Have a strategy's run end: its orders are cancelled, positions are kept."""
    _tell(config, name, "update", note, wanted=STOPPED)


@strategy.command()
def pause(name: Name, note: Note = "", config: Config = None) -> None:
    """Have a strategy give no orders; it goes on reading what happens."""
    _tell(config, name, "update", note, wanted=PAUSED)


@strategy.command()
def resume(name: Name, note: Note = "", config: Config = None) -> None:
    """Have a paused strategy give orders again."""
    _tell(config, name, "update", note, wanted=RUNNING)


@strategy.command("again")
def again_(run: Annotated[str, typer.Argument(help="A run's id.")], config: Config = None) -> None:
    """Make a run again of the rows it was handed, and compare every row it made; exit code 1 if one differs."""
    with connect(config=config, frames="arrow", timeout_s=ASK_S, warn_unknown=False) as db:
        found = again(run, db, load(config))
    if found.difference:
        raise Refused(f"run {run}, behind {found.compared:,} rows that are the same: {found.difference}")
    left = f"; {found.missing:,} are still to come" if found.missing else ""
    out.print(f"run {run}: {found.compared:,} rows made again, all the same{left}", highlight=False)


@app.command()
def backtest(
    name: Annotated[str, typer.Argument(help="A strategy of the plant; or none, and --class or --definition.")] = "",
    class_name: Class = "",
    definition: Definition = None,
    parameters: Parameters = None,
    sym: Symbols = None,
    interval: Interval = None,
    start: Annotated[
        str | None, typer.Option("--start", help="From when on, e.g. 2026-11-20; bars before warm it up.")
    ] = None,
    end: Annotated[str | None, typer.Option("--end", help="Until when.")] = None,
    fills: Annotated[str, typer.Option("--fills", help="careful, tradingview, or JSON.")] = "careful",
    fills_on: Annotated[str, typer.Option("--fills-on", help="bars, trades or quotes.")] = "bars",
    as_seen: Annotated[bool, typer.Option("--as-seen", help="Bars as they were told when they closed.")] = False,
    capital: Annotated[float, typer.Option("--capital", help="What it begins with.")] = 1e6,
    check: Annotated[
        bool,
        typer.Option("--check", help="Instead, look whether it looks ahead, or hangs on its warm-up; exit code 1."),
    ] = False,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Run a strategy over what the plant has of history and today, and show what it earned."""
    told = _told(class_name, definition, parameters, sym, interval, None, None)
    told |= {"strategy": name} if name else {}
    told |= {"start": start, "end": end, "fills": _value(fills), "fills_on": fills_on, "as_seen": as_seen}
    told = {key: value for key, value in told.items() if value is not None} | {"capital": capital}
    if check:
        from trading.workers.checking import checked

        strategies = Strategies(whole=False)
        read_folds(config, strategies=strategies)
        found = checked(config, told, strategies)
        out.print(str(found), markup=False, highlight=False)
        raise typer.Exit(0 if found.passed else 1)
    run, _ = give_command(config, name or class_name or "Conditions", "backtest", told)
    with steps(f"run {run}") as step:
        shown = step("backtest")
        row = ended_run(config, run, lambda part: shown(round(part * 1000), 1000))
    if row["state"] != "completed":
        raise Refused(f"run {run} is {row['state']}: {row['detail']}")
    if row["detail"]:  # what was refused
        told_by = "on the command line: --set 'limits={\"max_orders_per_minute\": null}'"
        (err if as_json else out).print(f"{row['detail']} ({told_by})", markup=False, highlight=False)
    fold = Metrics()
    read_folds(config, metrics=fold)
    metrics = fold.of_run(run)
    if as_json:
        known = {key: None if value != value else value for key, value in metrics.items()}
        print(json.dumps({"run": run, "bars": row["bars"], "metrics": known}, indent=1))
        return
    table = overview("metric", "value", numbers=("value",))
    for metric, value in metrics.items():
        table.add_row(metric, "" if value != value else f"{value:,.6g}")
    out.print(f"run {run}: {row['bars']:,} bars", highlight=False)
    out.print(table, highlight=False)


def _tell(config: str | None, name: str, action: str, note: str, **columns: Any) -> None:
    row, seq = change(config, name, action, note, described=_described(config), **columns)
    out.print(f"{name}: version {row['version']}, wanted {row['wanted']}, seq {seq:,}", highlight=False)


def _described(config: str | None) -> Described:
    """Return what tells of a class that is given as its source."""
    folder = load(config).strategies_folder
    return lambda class_name, definition: Catalogue(folder).named(class_name, definition).data()


def _told(
    class_name: str,
    definition: Path | None,
    parameters: list[str] | None,
    sym: list[str] | None,
    interval: str | None,
    account: str | None,
    mode: str | None,
) -> dict[str, Any]:
    """Return the columns that options tell of; those of a definition are told by it, where no option does."""
    found: dict[str, Any] = {"class_name": class_name, "definition": ""} if class_name else {}
    if definition is not None:
        try:
            document = json.loads(definition.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadRows(f"--definition {definition}: {error}") from None
        if not isinstance(document, dict):
            raise BadRows(f"--definition {definition}: expected an object, found {type(document).__name__}")
        found = {"class_name": "" if PYTHON in document else "Conditions", "definition": document}
        if document.get("sym"):
            found["symbols"] = document["sym"]
        if document.get("interval"):
            found["interval"] = document["interval"]
    if parameters:
        found["parameters"] = dict(_assignment(text) for text in parameters)
    if sym:
        found["symbols"] = sym
    told = {"interval": interval, "account": account, "mode": mode}
    return found | {name: value for name, value in told.items() if value is not None}


def _assignment(text: str) -> tuple[str, Any]:
    """Return name and value of NAME=VALUE; the value is JSON, or a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise BadRows(f"expected NAME=VALUE, found {text!r}")
    return name, _value(value)


def _value(text: str) -> Any:
    """Return what a text is as JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _shown(row: Row, runs: Runs) -> dict[str, Any]:
    """Return what `plant strategy list` shows of a strategy."""
    own = [run for run in runs.of_strategy(row["sym"]) if run["mode"] in BY_EVENTS]  # a backtest says nothing of it
    newest = own[-1] if own else {"run": "", "state": "", "detail": ""}
    shown = {"strategy": row["sym"], "version": row["version"], "class": row["class_name"]}
    shown |= {"symbols": ", ".join(json.loads(row["symbols"] or "[]")), "interval": row["interval"]}
    shown |= {name: row[name] for name in ("account", "mode", "wanted")}
    return shown | {"run": newest["run"], "state": newest["state"], "why": newest["detail"]}
