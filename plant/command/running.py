"""The commands `plant up | down | status`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as RichTable

from plant.command.made_up import beside_real
from plant.command.starting import Start
from plant.command.terminal import Config, err, out, plant_of
from plant.control.health import WELL, Health, health_of
from plant.errors import PlantError, SettingsError, Unavailable
from plant.runtime.settings import Settings
from plant.runtime.supervision import Supervision, running_supervision, write_configuration

app = typer.Typer()

READY_S = 90.0
"""Longest `plant up -d` waits for every process to be up."""

EXIT_UNWELL = 3

EXIT_NO_SUPERVISORD = 4
"""Exit codes of `plant status`, those of supervisorctl."""


@app.command()
def up(
    detach: Annotated[bool, typer.Option("-d", "--detach", help="In the background; returns when all is up.")] = False,
    config: Config = None,
) -> None:
    """Start the plant under supervisord."""
    settings, place = plant_of(config)
    other = running_supervision(config)
    if other is not None and other.run.resolve() != place.run.resolve():
        raise SettingsError(
            f"this plant runs already, with its logs in {other.run}, but {settings.file} now says {place.run}; "
            "`plant down` first, then `plant up`"
        )
    if not settings.file.is_file():
        feeds = ", ".join(f.label for f in settings.feeds) or "none"
        tell(
            f"no plant.toml in {settings.file.parent}: the plant runs on defaults; feeds: {feeds}; "
            f"data: {settings.plant.data}"
        )
    write_configuration(place, config)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path}
    if settings.file.is_file():
        environment["PLANT_CONFIG"] = str(settings.file)
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(place.configuration)]
    if not detach:
        raise typer.Exit(_stay(command, environment, settings, place))
    if place.running:
        tell(f"supervisord runs already ({place.socket}); starting what is stopped")
        place.call("supervisor.startAllProcesses", False)
    elif (code := subprocess.run(command, env=environment, check=False).returncode) != 0:
        raise PlantError(f"supervisord ended with {code}; see {place.run}/supervisord.log")
    healths = _watched(settings, place, lambda start: start.failed)
    _print_health(healths)
    if any(h.state != WELL for h in healths):
        raise typer.Exit(EXIT_UNWELL)
    tell(
        f"\nDashboard   {settings.dashboard_url}"
        f"\nPython      import rdb; db = rdb.connect({_address_hint(settings)}); db"
        "\nStop        plant down"
    )


@app.command()
def down(config: Config = None) -> None:
    """Stop the plant and its supervisord; what was accepted is in the journal. plant.toml need not be usable."""
    place = running_supervision(config)
    if place is None:
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
    wrong, settings = "", None
    try:
        settings, place = plant_of(config)
        place = running_supervision(config) or place
    except SettingsError as error:
        wrong, found = str(error), running_supervision(config)
        if found is None:
            err.print(f"the plant is not running, and cannot be started: {wrong}", style="red", markup=False)
            raise typer.Exit(EXIT_NO_SUPERVISORD) from None
        place = found
    healths, running = health_of(settings, place)
    if as_json:
        print(json.dumps([h.as_dict() for h in healths], indent=1))
    else:
        _print_health(healths)
        if running and settings is not None and (mixed := beside_real(settings)):
            tell(mixed)
    if not running:
        err.print(f"no supervisord at {place.socket}; start the plant with `plant up`", markup=False)
        raise typer.Exit(EXIT_NO_SUPERVISORD)
    if wrong:
        err.print(f"the plant runs as it was started; it cannot be started again: {wrong}", style="red", markup=False)
    if wrong or any(h.state != WELL for h in healths):
        raise typer.Exit(EXIT_UNWELL)


def tell(text: str) -> None:
    """Print a line as it stands."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def _stay(command: list[str], environment: dict[str, str], settings: Settings, place: Supervision) -> int:
    """Run supervisord in the foreground, and tell how the plant starts; return its exit code."""
    child = subprocess.Popen([*command, "--nodaemon"], env=environment)
    signal.signal(signal.SIGINT, lambda *_: None)  # a terminal sends it to supervisord as well
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    _watched(settings, place, lambda start: child.poll() is not None)
    return child.wait()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _watched(settings: Settings, place: Supervision, given_up: Callable[[Start], bool]) -> list[Health]:
    """Return how the processes are once all have settled, or it is given up; tell at once which has failed, and why."""
    start = Start((f.label for f in settings.feeds), since=time.time())
    deadline = time.monotonic() + READY_S
    with err.status("starting") as shown:
        while True:
            healths, _ = health_of(settings, place)
            for health in start.look(healths):
                tail = "\n".join(place.log_tail(health.process, 8)) or health.detail
                err.print(f"{health.process} does not start. The end of its log:\n{tail}\n", style="red", markup=False)
            if start.settled or given_up(start) or time.monotonic() > deadline:
                return healths
            shown.update(f"waiting for {', '.join(start.waiting)}")
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
    changed = {change: [h.process for h in healths if change in h.changed] for h in healths for change in h.changed}
    for change, processes in changed.items():
        tell(f"changed in plant.toml since {', '.join(processes)} started, and waiting for the next start: {change}")
    readers = {name: lag for h in healths for name, lag in h.readers.items()}
    if readers:
        behind = ", ".join(f"{name} {lag:,}" if lag else name for name, lag in sorted(readers.items()))
        out.print(f"subscribers, and how many batches they are behind: {behind}", markup=False, highlight=False)


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
