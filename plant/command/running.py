"""The commands `plant up | down | status`."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as RichTable

from plant.command.health import WELL, Health, health_of
from plant.command.terminal import Config, err, out, plant_of
from plant.errors import PlantError, Unavailable
from plant.runtime.sections import MISCONFIGURED
from plant.runtime.settings import Settings
from plant.runtime.supervision import Supervision, write_configuration

READY_S = 90.0
"""Longest `plant up -d` waits for every process to be up."""

EXIT_UNWELL = 3

EXIT_NO_SUPERVISORD = 4
"""Exit codes of `plant status`, those of supervisorctl."""


def up(
    detach: Annotated[bool, typer.Option("-d", "--detach", help="In the background; returns when all is up.")] = False,
    config: Config = None,
) -> None:
    """Start the plant under supervisord."""
    settings, place = plant_of(config)
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
    healths = _wait_until_settled(settings, place)
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


def down(config: Config = None) -> None:
    """Stop the plant and its supervisord; what was accepted is in the journal."""
    _, place = plant_of(config)
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


def status(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False, config: Config = None) -> None:
    """Show how each process is. Exit code 0: all well, 3: something is not, 4: no supervisord."""
    settings, place = plant_of(config)
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


def _wait_until_settled(settings: Settings, place: Supervision) -> list[Health]:
    deadline = time.monotonic() + READY_S
    while True:
        healths, _ = health_of(settings, place)
        known = {h.process for h in healths}
        wanted = {f"feed-{f.label}" for f in settings.feeds}
        settled = wanted <= known and all(h.state in (WELL, MISCONFIGURED) for h in healths)
        if settled or time.monotonic() > deadline:
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
