"""How a process of the plant lives: settings, startup, main loop, shutdown; signals, timers, logs, heartbeats.

    class Rdb(Process): ...
    if __name__ == "__main__":
        run(Rdb)

`startup` opens sockets and returns what the ready line shows; `step` does what is due and returns within a
fraction of a second; `shutdown` closes. A signal handler only sets a flag; a second signal ends the process at once.
"""

import argparse
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import psutil
import structlog

from plant.errors import PlantError, SettingsError
from plant.runtime.settings import Settings, load
from plant.runtime.started import keep_started
from plant.runtime.supervision import supervision_of
from plant.transport import sockets

STEP_S = 0.2
"""Longest a step may wait for its sockets, so that signals and timers are seen."""

GC_THRESHOLDS = (50_000, 20, 20)
"""Python's collector looks at its youngest objects after so many. A chunk of the journal makes more than the default
700 objects, none of them garbage; looking at them again and again cost an eighth of a replay's time."""

EXIT_SETTINGS = 78
"""Exit code for settings that cannot be used (EX_CONFIG of sysexits.h)."""

log = structlog.get_logger()


class Closable(Protocol):
    """What can be closed."""

    def close(self) -> None: ...


Closes = TypeVar("Closes", bound=Closable)


class Process:
    """A process of the plant; subclasses fill in startup, step and shutdown."""

    name = "process"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened = contextlib.ExitStack()

    def startup(self) -> dict[str, Any]:
        """Open what the process needs; return what its ready line shows, e.g. {"listen": address}."""
        return {}

    def step(self) -> None:
        """Wait at most STEP_S for something to do, and do it."""
        raise RuntimeError(f"{type(self).__name__} has no step")

    def shutdown(self) -> None:
        """Close what was opened; nothing that was accepted may be lost."""
        self._opened.close()

    def opened(self, thing: Closes) -> Closes:
        """Have `shutdown` close a thing, the last one opened first; return it."""
        self._opened.callback(thing.close)
        return thing

    @property
    def finished(self) -> bool:
        """Whether the process has done all there is to do."""
        return False


class Timer:
    """Fire every `interval_s` seconds, not more often if it is looked at late."""

    def __init__(self, interval_s: float, first_s: float | None = None) -> None:
        self.interval_s = interval_s
        self._due = time.monotonic() + (interval_s if first_s is None else first_s)

    def due(self) -> bool:
        """Return True once per interval."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._due += self.interval_s
        if self._due <= now:
            self._due = now + self.interval_s
        return True


class Vitals:
    """What a heartbeat row says of this process: rows handled, their rate, memory; its state, and what it is doing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.seq_seen = 0
        self.state = "starting"
        self.doing = ""
        self._process = psutil.Process()
        self._last = (time.monotonic(), 0)

    def row(self) -> dict[str, Any]:
        """Return the next row of the table `heartbeats`."""
        now, (then, before) = time.monotonic(), self._last
        self._last = (now, self.rows)
        rate = (self.rows - before) / (now - then) if now > then else 0.0
        return {
            "time": time.time_ns(),
            "sym": self.name,
            "pid": os.getpid(),
            "seq_seen": self.seq_seen,
            "rows": self.rows,
            "rate": round(rate, 1),
            "memory": self._process.memory_info().rss,
            "state": f"{self.state}; {self.doing}" if self.doing else self.state,
        }


def run(make: Callable[[Settings], Process], *, name: str | None = None) -> None:
    """Run a process to its end: parse --config, load settings, start, loop, shut down, exit.

    Exit codes: 0 asked to stop or finished, 78 unusable settings, 1 anything else; the cause is the last line.
    """
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--config", help="path of plant.toml (default: PLANT_CONFIG, else ./plant.toml)")
    arguments = parser.parse_args()
    process: Process | None = None
    begun = False
    stop = StopFlag()
    try:
        settings = load(arguments.config)
        sockets.use_keys(settings.plant.keys)
        configure_logs(settings.plant.log_level)
        keep_started(settings, supervision_of(settings, arguments.config).run)
        process = make(settings)
        shown = process.startup()
        begun = True
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        print(
            f"{process.name} ready",
            *(f"{key}={value}" for key, value in shown.items()),
            f"pid={os.getpid()}",
            flush=True,
        )
        while not stop and not process.finished:
            process.step()
    except (PlantError, OSError) as error:
        if isinstance(error, OSError) and begun:
            raise
        who, kind = process.name if process else name or "plant", type(error).__name__
        print(
            f"{who}: {kind}: {error if isinstance(error, PlantError) else unusable(error)}", file=sys.stderr, flush=True
        )
        sys.exit(EXIT_SETTINGS if isinstance(error, SettingsError) else 1)
    finally:
        if process is not None:
            process.shutdown()
        gc.unfreeze()  # else what is left at the interpreter's end are leaks to DuckDB, which tells of them at length
    log.info("stopped", process=process.name, reason=stop.reason or "finished")


def unusable(error: OSError) -> str:
    """Return why a file or a folder could not be used, as a sentence; with what to do, if it is a matter of rights."""
    named = f"cannot use {error.filename}: " if error.filename else ""
    rights = "; the user of this process needs the right to read and to write there"
    return f"{named}{error.strerror or error}{rights if isinstance(error, PermissionError) else ''}"


class StopFlag:
    """True once SIGTERM or SIGINT has come; a second one ends the process at once."""

    def __init__(self) -> None:
        self.reason = ""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def __bool__(self) -> bool:
        return bool(self.reason)

    def _handle(self, number: int, _frame: Any) -> None:
        self.reason = signal.Signals(number).name
        signal.signal(number, signal.SIG_DFL)


def configure_logs(level: str) -> None:
    """Write logs to stderr, one line an event: time, level, event, key=value."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
        ],
    )
