"""supervisord's part of a plant: its configuration, where it listens, and what it says of the processes.

A supervisord.conf beside plant.toml is used as it is. A plant without one gets the same text, written into its data
folder. The feeds are not in it: the program `feeds` keeps one program for each [[feeds]] of plant.toml in
`<run>/feeds.conf`, which the configuration includes.
"""

import configparser
import hashlib
import http.client
import os
import sys
import tempfile
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from plant.errors import PlantError, SettingsError, Unavailable
from plant.runtime.settings import Settings, file_of

PROCESSES = ("tickerplant", "rdb", "processor", "hdb", "feeds", "dashboard")
"""The programs of every plant; those of the feeds come on top, `feed-<name>` each."""

_SOCKET_PATH_LIMIT = 100
"""A Unix socket's path may have 107 bytes; supervisord adds a suffix while it binds."""

_TEMPLATE = """\
; The plant's processes, kept running: supervisord -c supervisord.conf, then supervisorctl -c supervisord.conf status.
; Python is that of .venv beside this file if there is one, else the one on the PATH. Settings are in plant.toml.
; Programs of your own: put them into {run}/my-*.conf.

[supervisord]
directory={here}
{environment}pidfile={run}/supervisord.pid
logfile={run}/supervisord.log
logfile_maxbytes=10MB
childlogdir={run}

[unix_http_server]
file={socket}
chmod=0700

[supervisorctl]
serverurl=unix://{socket}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={run}/feeds.conf {run}/my-*.conf
{programs}"""

_PROGRAM = """
[program:{name}]
command={command}
autorestart=true
startsecs=2
startretries=30
stopwaitsecs={stop_s}
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile={run}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
priority={priority}
{more}"""


@dataclass(frozen=True)
class Supervision:
    """Where a plant's supervisord has its files: its configuration, the folder of logs and feeds, its socket."""

    configuration: Path
    run: Path
    socket: Path

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of supervisord's XML-RPC interface. Raises Unavailable if it does not run."""
        transport = SupervisorTransport(serverurl=f"unix://{self.socket}")
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport) as proxy:
                return getattr(proxy, method)(*arguments)
        except (OSError, http.client.HTTPException):
            raise Unavailable(f"no supervisord at {self.socket}; start the plant with `plant up`") from None
        except xmlrpc.client.Fault as fault:
            raise PlantError(f"supervisord: {method} {' '.join(map(str, arguments))}: {fault.faultString}") from None

    def processes(self) -> list[dict[str, Any]]:
        """Return what supervisord says of each process: name, statename, pid, start, ... Raises Unavailable."""
        found: list[dict[str, Any]] = self.call("supervisor.getAllProcessInfo")
        return found


def supervision_of(settings: Settings, config: str | None = None) -> Supervision:
    """Return where the supervisord of this plant has its files; nothing is written. Raises SettingsError."""
    file = file_of(config)
    beside = file.parent / "supervisord.conf"
    if file.name == "plant.toml" and beside.is_file():
        parser = configparser.RawConfigParser(inline_comment_prefixes=(";", " #"), strict=False)
        parser.read(beside)
        try:
            url = parser["supervisorctl"]["serverurl"].replace("%(here)s", str(beside.parent))
        except KeyError:
            raise SettingsError(
                f"{beside}: no serverurl in [supervisorctl]; it names the socket `plant` asks"
            ) from None
        return Supervision(beside, beside.parent / "run", Path(url.removeprefix("unix://")))
    run = settings.plant.data / "run"
    return Supervision(run / "supervisord.conf", run, _socket_in(run))


def write_configuration(place: Supervision, config: str | None = None) -> None:
    """Write supervisord.conf into the data folder, unless the plant has one of its own beside plant.toml."""
    place.run.mkdir(parents=True, exist_ok=True)
    if place.configuration.parent == place.run:
        file = file_of(config)
        environment = f'environment=PLANT_CONFIG="{file}"\n' if file.is_file() else ""
        bin_folder = str(Path(sys.executable).parent)
        text = configuration(str(file.parent), str(place.run), str(place.socket), bin_folder, environment)
        place.configuration.write_text(text)


def configuration(
    here: str = "%(here)s",
    run: str = "%(here)s/run",
    socket: str = "%(here)s/run/supervisor.sock",
    bin_folder: str = "%(here)s/.venv/bin",
    environment: str = "",
) -> str:
    """Return the text of supervisord.conf; the defaults give the one at the root of the repository.

    `environment` is a line for the section [supervisord], or empty.
    """
    programs = ""
    for priority, name in enumerate(PROCESSES, 1):
        command = f"python -m feedhandler.roster {run}/feeds.conf" if name == "feeds" else f"python -m {name}"
        programs += program(name, f"sh -c 'PATH=\"{bin_folder}:$PATH\" exec {command}'", run, priority * 10)
    return _TEMPLATE.format(here=here, run=run, socket=socket, environment=environment, programs=programs)


def program(name: str, command: str, run: str, priority: int, more: str = "") -> str:
    """Return one [program:x] section, with `more` lines at its end."""
    stop_s = 10 if name == "dashboard" else 20
    return _PROGRAM.format(name=name, command=command, run=run, priority=priority, stop_s=stop_s, more=more)


def _socket_in(run: Path) -> Path:
    path = run / "supervisor.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tickplant-{os.getuid()}-{name}.sock"
