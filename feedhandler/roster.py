"""Keep one supervised process for each [[feeds]] of plant.toml: `python -m feedhandler.roster run/feeds.conf`.

And the processes that not every plant has: the monitor, which sends alerts, while there are [[alerts]]; the mirror with
[mirror] servers; the archive with an [archive] warehouse.

supervisord's configuration cannot loop over another file. So this small program, itself supervised, writes a program
section per feed into a file that supervisord.conf includes, and tells supervisord to take up what changed: at start,
and whenever plant.toml changes, or a module beside it that is a feed, so that a feed added to it runs a moment later.
A change of `symbols` alone is for the feed's own process.
"""

import hashlib
import os
import shlex
import sys
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from feedhandler.kinds import module_file
from plant.errors import PlantError, SettingsError
from plant.runtime.lifecycle import Process, log, run
from plant.runtime.sections import FeedSection
from plant.runtime.settings import Settings, file_of, load
from plant.runtime.supervision import program

ALSO: dict[str, tuple[Callable[[Settings], bool], tuple[str, ...]]] = {
    "monitor": (lambda settings: bool(settings.alerts), ("alerts", "monitor", "feeds")),
    "mirror": (lambda settings: bool(settings.mirror.servers), ("mirror",)),
    "archive": (lambda settings: bool(settings.archive.warehouse), ("archive",)),
}
"""Processes by name: when the plant has them, and the sections that they read when they start."""

LOOK_S = 1.0
"""Seconds between looks at plant.toml."""


class Roster(Process):
    """Writes the feeds' programs and has supervisord start, restart or stop what changed."""

    name = "feeds"

    def __init__(self, settings: Settings, path: Path) -> None:
        super().__init__(settings)
        self._path = path
        self._seen: float | None = None
        self._programs = ""

    def startup(self) -> dict[str, Any]:
        """Connect to the supervisord that started us."""
        url = os.environ.get("SUPERVISOR_SERVER_URL")
        if not url:
            raise SettingsError(
                "feedhandler.roster runs under supervisord; run one feed with python -m feedhandler NAME"
            )
        self._supervisor = xmlrpc.client.ServerProxy("http://localhost", SupervisorTransport(serverurl=url))
        return {"feeds": ",".join(f.label for f in self.settings.feeds)}

    def step(self) -> None:
        """Take up a change of plant.toml, or of a module of a feed."""
        file = file_of()
        changed = file.stat().st_mtime if file.is_file() else 0.0
        if changed != self._seen:
            self._seen = changed
            try:
                self.settings = load()
            except PlantError as error:  # half-written or wrong: the feeds go on as they are
                log.error("plant.toml not taken", reason=str(error))
        programs = self.programs(file.parent)
        if programs != self._programs:
            self._programs = programs
            self._apply()
        time.sleep(LOOK_S)

    def programs(self, folder: Path) -> str:
        """Return the programs of the plant whose plant.toml is in `folder`, as sections of supervisord's."""
        run_folder = str(self._path.parent)
        feeds = "".join(_program(f, folder, run_folder) for f in self.settings.feeds)
        return feeds + "".join(_also(name, self.settings, folder, run_folder) for name in _wanted(self.settings))

    def _apply(self) -> None:
        self._path.write_text(self._programs)
        groups: Any = self._supervisor.supervisor
        ((added, changed, removed),) = groups.reloadConfig()
        gone, new = (_ours(names) for names in ([*removed, *changed], [*added, *changed]))
        for name in gone:
            groups.stopProcessGroup(name)
            groups.removeProcessGroup(name)
        for name in new:
            groups.addProcessGroup(name)
        kept = {group["group"] for group in groups.getAllProcessInfo()}
        wanted = [f"feed-{f.label}" for f in self.settings.feeds] + _wanted(self.settings)
        if missing := [name for name in wanted if name not in kept]:
            raise SettingsError(
                f"supervisord does not read {self._path}, so that these cannot start: {', '.join(missing)}; "
                "its configuration must name that file in [include]"
            )
        log.info("feeds", stopped=gone, started=new)


def _ours(names: list[str]) -> list[str]:
    """Return the groups that are ours: what else changed in supervisord.conf is for its owner to take up."""
    return [name for name in names if name.startswith("feed-") or name in ALSO]


def _program(feed: FeedSection, folder: Path, run_folder: str) -> str:
    """Return the feed's program; it names a hash of its settings and module, so that a change restarts the feed.

    But for `symbols`: the process takes that up itself, or ends and is started again.
    """
    module = module_file(feed.kind, folder)
    source = module.read_bytes() if module else b""
    version = hashlib.sha256(feed.model_dump_json(exclude={"symbols"}).encode() + source).hexdigest()[:12]
    return program(
        f"feed-{feed.label}",
        shlex.join([sys.executable, "-m", "feedhandler", feed.label]),
        run_folder,
        50,
        str(folder),
        f'environment=FEED_SETTINGS="{version}"\n',
    )


def _wanted(settings: Settings) -> list[str]:
    """Return which of ALSO this plant has."""
    return [name for name, (has, _) in ALSO.items() if has(settings)]


def _also(name: str, settings: Settings, folder: Path, run_folder: str) -> str:
    """Return the program of one of ALSO; it names a hash of what it reads, so that a change starts it again."""
    read = settings.model_dump_json(include=set(ALSO[name][1]))
    version = hashlib.sha256(read.encode()).hexdigest()[:12]
    command = shlex.join([sys.executable, "-m", name])
    return program(name, command, run_folder, 70, str(folder), f'environment={name.upper()}_SETTINGS="{version}"\n')


def main() -> None:
    """Run the roster."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m feedhandler.roster run/feeds.conf")
    path = Path(sys.argv.pop()).absolute()
    run(lambda settings: Roster(settings, path), name="feeds")


if __name__ == "__main__":
    main()
