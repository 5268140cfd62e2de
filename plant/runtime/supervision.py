"""supervisord's part of a plant: its configuration, where it listens, and what it says of the processes.

A supervisord.conf beside plant.toml is used as it is. A plant without one gets the same text, written into its data
folder. The feeds are not in it: the program `feeds` keeps one program for each [[feeds]] of plant.toml in
`<run>/feeds.conf`, which the configuration includes.

supervisord divides some of its values at blanks: no path stands in a command or in [include] but quoted, or relative to
the file itself. A path that it cannot be told at all (it expands a %, some values once, some twice) is refused.
"""

import configparser
import contextlib
import errno
import hashlib
import http.client
import os
import shlex
import sys
import tempfile
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from plant.errors import PlantError, SettingsError, Unavailable
from plant.runtime.settings import Settings, file_of

PROCESSES = ("tickerplant", "rdb", "processor", "hdb", "feeds", "dashboard", "trading", "api")
"""The programs of every plant; those of the feeds come on top, `feed-<name>` each."""

_SOCKET_PATH_LIMIT = 100
"""A Unix socket's path may have 107 bytes; supervisord adds a suffix while it binds."""

_TEMPLATE = """\
; The plant's processes, kept running: supervisord -c supervisord.conf, then supervisorctl -c supervisord.conf status.
; Python is that of .venv beside this file if there is one, else the one on the PATH. Settings are in plant.toml.
; Programs of your own: put them into {run}/my-*.conf.

[supervisord]
directory={here}
pidfile={run}/supervisord.pid
logfile={run}/supervisord.log
logfile_maxbytes=10MB
childlogdir={run}
{more}
[unix_http_server]
file={socket}
chmod=0700

[supervisorctl]
serverurl=unix://{socket}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[include]
files={included}feeds.conf {included}my-*.conf
{programs}"""

_PROGRAM = """
[program:{name}]
directory={here}
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


_UNSPEAKABLE = ("%", '"', "\n", "[", "]", "*", "?", " ;", " #")
"""What a path in supervisord's configuration cannot hold, however it is quoted."""


@dataclass(frozen=True)
class Supervision:
    """Where a plant's supervisord has its files: its configuration, the folder of logs and feeds, its socket."""

    configuration: Path
    run: Path
    socket: Path

    @property
    def running(self) -> bool:
        """Whether supervisord answers there."""
        try:
            self.call("supervisor.getPID")
        except Unavailable:
            return False
        return True

    def log_tail(self, process: str, lines: int) -> list[str]:
        """Return the last lines of a process's log that are not blank; none if it has no log."""
        path = self.run / f"{process}.log"
        found = path.read_text(errors="replace").splitlines() if path.is_file() else []
        return [line for line in found if line.strip()][-lines:]

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
    beside = _beside(file_of(config))
    run = settings.plant.data / "run"
    return beside or Supervision(run / "supervisord.conf", run, _socket_in(run))


def running_supervision(config: str | None = None) -> Supervision | None:
    """Return where the supervisord that runs for this plant.toml has its files, whatever stands in it by now.

    None: no such supervisord runs. Raises SettingsError for a supervisord.conf beside it that names no socket.
    """
    file = file_of(config)
    beside = _beside(file)
    if beside is not None:
        return beside if beside.running else None
    for process in psutil.process_iter(["cmdline", "uids"]):
        words = process.info["cmdline"] or []
        if process.info["uids"] and process.info["uids"].real == os.getuid() and "-c" in words[:-1]:
            found = Path(words[words.index("-c") + 1])
            if found.name == "supervisord.conf" and _parsed(found).get("plant", "file", fallback="") == str(file):
                place = Supervision(found, found.parent, _socket_in(found.parent))
                if place.running:
                    return place
    return None


def write_configuration(place: Supervision, config: str | None = None) -> None:
    """Write supervisord.conf into the data folder, unless the plant has one of its own beside plant.toml.

    Raises SettingsError for a path that supervisord cannot be told, or where we may not write.
    """
    file = file_of(config)
    for path in (place.run, file):
        if bad := [part for part in _UNSPEAKABLE if part in str(path)]:
            raise SettingsError(
                f"supervisord cannot be told of {path}: a path may not have {bad[0]!r}; rename the folder"
            )
    try:
        place.run.mkdir(parents=True, exist_ok=True)
        if place.configuration.parent == place.run:
            place.configuration.write_text(_configuration_of(place, file))
        if not os.access(place.run, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place.run))
    except OSError as error:
        raise SettingsError(
            f"cannot write {error.filename}: {error.strerror}; the plant's logs belong into {place.run}: give yourself "
            f"the right to write there, or name another folder as [plant] data in {file}"
        ) from None


def configuration(
    here: str = "%(here)s",
    run: str = "%(here)s/run",
    socket: str = "%(here)s/run/supervisor.sock",
    included: str = "run/",
    python: str = "",
    more: str = "",
) -> str:
    """Return the text of supervisord.conf; the defaults give the one at the root of the repository.

    `included` is where the feeds' programs are, seen from the file; `python` a command, "" for that of .venv or the
    PATH; `more` are lines for the end of the section [supervisord].
    """
    programs = ""
    for priority, name in enumerate(PROCESSES, 1):
        feeds = shlex.quote(f"{run}/feeds.conf") if python else "run/feeds.conf"
        module = f"-m feedhandler.roster {feeds}" if name == "feeds" else f"-m {name}"
        command = f"{python} {module}" if python else f"sh -c 'PATH=\"$PWD/.venv/bin:$PATH\" exec python {module}'"
        programs += program(name, command, run, priority * 10, here)
    return _TEMPLATE.format(here=here, run=run, socket=socket, included=included, more=more, programs=programs)


def program(name: str, command: str, run: str, priority: int, here: str, more: str = "") -> str:
    """Return one [program:x] section, its working folder being `here`, with `more` lines at its end."""
    stop_s = 10 if name in ("dashboard", "api") else 20
    return _PROGRAM.format(name=name, command=command, run=run, priority=priority, here=here, stop_s=stop_s, more=more)


def _configuration_of(place: Supervision, file: Path) -> str:
    more = f'environment=PLANT_CONFIG="{file}"\n' if file.is_file() else ""
    more += f"\n[plant]\nfile={file}\n"  # ours: by it the supervisord that runs for a plant.toml is found
    return configuration(str(file.parent), str(place.run), str(place.socket), "", shlex.quote(sys.executable), more)


def _beside(file: Path) -> Supervision | None:
    """Return where the supervisord of a supervisord.conf beside plant.toml has its files; None: there is none."""
    beside = file.parent / "supervisord.conf"
    if file.name != "plant.toml" or not beside.is_file():
        return None
    url = _parsed(beside).get("supervisorctl", "serverurl", fallback="").replace("%(here)s", str(beside.parent))
    if not url:
        raise SettingsError(f"{beside}: no serverurl in [supervisorctl]; it names the socket `plant` asks")
    return Supervision(beside, beside.parent / "run", Path(url.removeprefix("unix://")))


def _parsed(configuration: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";", " #"), strict=False)
    with contextlib.suppress(OSError, configparser.Error):  # it is not there any more, or no configuration
        parser.read(configuration)
    return parser


def _socket_in(run: Path) -> Path:
    path = run / "supervisor.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"tickplant-{os.getuid()}-{name}.sock"
