"""The command `plant`: up, down, status, query, tail, keys, end-of-day, journal, and on history."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as RichTable

from plant.client.connect import subscriber_of
from plant.client.connection import Connection
from plant.command import amend as amend_cli
from plant.command import end_of_day as day_cli
from plant.command import export_files as export_cli
from plant.command import import_files as import_cli
from plant.command import journal as journal_cli
from plant.command import rebuild as rebuild_cli
from plant.command import replay as replay_cli
from plant.command import verify as verify_cli
from plant.command.health import WELL, Health, health_of
from plant.command.terminal import Config, err, line_of, out
from plant.errors import PlantError, Unavailable
from plant.runtime.settings import Settings, load
from plant.runtime.supervision import Supervision, supervision_of, write_configuration
from plant.transport import sockets
from plant.transport.keys import make_keys

READY_S = 90.0
"""Longest `plant up -d` waits for every process to be up."""

EXIT_UNWELL = 3
EXIT_NO_SUPERVISORD = 4
"""Exit codes of `plant status`, those of supervisorctl."""

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A kdb-style tick plant: start it, look at it, ask it.",
)
app.add_typer(journal_cli.app, name="journal")
app.add_typer(import_cli.app)
app.add_typer(replay_cli.app)
app.add_typer(verify_cli.app)
app.add_typer(rebuild_cli.app)
app.add_typer(amend_cli.app)
app.add_typer(export_cli.app)
app.command("end-of-day")(day_cli.end_of_day)


@app.command()
def up(
    detach: Annotated[bool, typer.Option("-d", "--detach", help="In the background; returns when all is up.")] = False,
    config: Config = None,
) -> None:
    """Start the plant under supervisord."""
    settings, place = _plant(config)
    write_configuration(place, config)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path}
    if config:
        environment["PLANT_CONFIG"] = str(Path(config).absolute())
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(place.configuration)]
    if not detach:
        os.execve(sys.executable, [*command, "--nodaemon"], environment)
    if _running(place):
        out.print(f"supervisord runs already ({place.socket}); starting what is stopped")
        place.call("supervisor.startAllProcesses", False)
    elif (code := subprocess.run(command, env=environment, check=False).returncode) != 0:
        raise PlantError(f"supervisord ended with {code}; see {place.run}/supervisord.log")
    healths = _wait_until_well(settings, place)
    _print_health(healths)
    if unwell := [h for h in healths if h.state != WELL]:
        for health in unwell:
            err.print(
                f"\n{health.process}: the end of its log:\n{_log_tail(place, health.process)}",
                style="red",
                markup=False,
            )
        raise typer.Exit(EXIT_UNWELL)
    out.print(
        f"\nDashboard   http://{settings.plant.host}:{settings.dashboard.port}"
        f"\nPython      import rdb; db = rdb.connect({_address_hint(settings)}); db"
        "\nStop        plant down",
        markup=False,
        highlight=False,
    )


@app.command()
def down(config: Config = None) -> None:
    """Stop the plant and its supervisord; what was accepted is in the journal."""
    _, place = _plant(config)
    if not _running(place):
        out.print("the plant is not running")
        return
    pid = place.call("supervisor.getPID")
    place.call("supervisor.shutdown")
    deadline = time.monotonic() + 40
    while _alive(pid):
        if time.monotonic() > deadline:
            raise Unavailable(f"supervisord (pid {pid}) has not stopped within 40 s; see {place.run}/supervisord.log")
        time.sleep(0.1)
    out.print("stopped")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False, config: Config = None) -> None:
    """Show how each process is. Exit code 0: all well, 3: something is not, 4: no supervisord."""
    settings, place = _plant(config)
    healths, running = health_of(settings, place)
    if as_json:
        print(json.dumps([h.as_dict() for h in healths], indent=1))
    else:
        _print_health(healths)
        if not running:
            err.print(f"no supervisord at {place.socket}; start the plant with `plant up`", markup=False)
    if not running:
        raise typer.Exit(EXIT_NO_SUPERVISORD)
    if any(h.state != WELL for h in healths):
        raise typer.Exit(EXIT_UNWELL)


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help='A SELECT, e.g. "select sym, count(*) n from bars group by sym".')],
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
    config: Config = None,
) -> None:
    """Answer a SELECT over today's tables."""
    settings, _ = _plant(config)
    with Connection("rdb", settings.address(settings.rdb.port), frames="arrow", timeout_s=60) as db:
        answer = db.sql(sql)
    if form == "json":
        print(json.dumps(answer.to_pylist(), default=str, indent=1))
    elif form == "csv":
        print(answer.to_pandas().to_csv(index=False), end="")
    else:
        table = RichTable(*answer.column_names)
        for row in answer.to_pylist():
            table.add_row(*("" if v is None else str(v) for v in row.values()))
        out.print(table)


@app.command()
def tail(
    table: Annotated[str, typer.Argument(help="A table, e.g. trades.")],
    sym: Annotated[list[str] | None, typer.Option(help="Only this symbol; may be given several times.")] = None,
    since: Annotated[
        str | None, typer.Option(help='Also what was before: "start", "09:30", "2026-11-20 09:30".')
    ] = None,
    limit: Annotated[int | None, typer.Option("-n", help="Stop after so many rows.")] = None,
    config: Config = None,
) -> None:
    """Print rows of a table as they come."""
    settings, _ = _plant(config)
    left = limit
    with subscriber_of(settings, (table,), tuple(sym) if sym else None, since) as subscriber:
        for batch in subscriber:
            for row in batch.rows()[:left]:
                print(line_of(row), flush=True)
            if left is not None and (left := left - min(left, len(batch))) == 0:
                return


@app.command()
def keys(folder: Annotated[Path, typer.Argument(help="Where to write them.")]) -> None:
    """Make CURVE keys, so that a plant may use addresses beyond this machine."""
    make_keys(folder)
    out.print(f'wrote keys to {folder}; set keys = "{folder}" and host in [plant] of plant.toml.', highlight=False)
    out.print(f"A reader elsewhere needs server.key and a client pair whose public half is in {folder}/clients.")


def main() -> None:
    """Run the command; an error of the plant is one line on stderr and exit code 1."""
    try:
        app()
    except PlantError as error:
        err.print(f"plant: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _plant(config: str | None) -> tuple[Settings, Supervision]:
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    return settings, supervision_of(settings, config)


def _running(place: Supervision) -> bool:
    try:
        place.call("supervisor.getPID")
    except Unavailable:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_well(settings: Settings, place: Supervision) -> list[Health]:
    deadline = time.monotonic() + READY_S
    while True:
        healths, _ = health_of(settings, place)
        known = {h.process for h in healths}
        wanted = {f"feed-{f.label}" for f in settings.feeds}
        if (wanted <= known and all(h.state == WELL for h in healths)) or time.monotonic() > deadline:
            return healths
        time.sleep(0.3)


def _print_health(healths: list[Health]) -> None:
    table = RichTable(box=None, pad_edge=False)
    for heading in ("process", "state", "pid", "up for", "rows", "rows/s", "memory", "seq", ""):
        right = heading in ("pid", "up for", "rows", "rows/s", "memory", "seq")
        table.add_column(heading, justify="right" if right else "left", no_wrap=heading != "")
    for h in healths:
        colour = "green" if h.state == WELL else "yellow" if h.state in ("starting", "late") else "red"
        table.add_row(
            h.process,
            f"[{colour}]{h.state}[/]",
            _text(h.pid),
            _duration(h.uptime_s),
            _count(h.rows),
            _text(h.rate),
            "" if h.memory is None else f"{h.memory / 2**20:.0f} MiB",
            _count(h.seq),
            h.detail,
        )
    out.print(table)
    readers = {name: lag for h in healths for name, lag in h.readers.items()}
    if readers:
        behind = ", ".join(f"{name} {lag:,}" if lag else name for name, lag in sorted(readers.items()))
        out.print(f"subscribers, and how many batches they are behind: {behind}", markup=False, highlight=False)


def _log_tail(place: Supervision, process: str, lines: int = 8) -> str:
    path = place.run / f"{process}.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.is_file() else f"(no {path})"


def _address_hint(settings: Settings) -> str:
    return "" if settings.rdb.port == 5006 else f'"{settings.address(settings.rdb.port)}"'


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{s:02d}s" if minutes else f"{s}s"
