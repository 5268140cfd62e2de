"""What a benchmark prints around its numbers: the machine, the versions, and tables of medians with their ranges."""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil

PACKAGES = ("pyzmq", "msgpack", "numpy", "pyarrow", "pandas", "polars", "duckdb", "redis", "hiredis", "nats-py")


class Spread(NamedTuple):
    """The median of repeated measurements and their range."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of at least one value."""
        found = list(values)
        return cls(median(found), min(found), max(found))

    def __str__(self) -> str:
        return f"{number(self.median)}  ({number(self.least)}..{number(self.most)})"


class Grid:
    """A table that is printed as aligned text: the first column to the left, the others to the right."""

    def __init__(self, title: str, headings: Sequence[str]) -> None:
        self.title = title
        self._lines: list[Sequence[str]] = [headings]

    def add(self, *cells: object) -> None:
        """Add a line; numbers are shown with thousands separated, missing cells at the end are blank."""
        shown = [c if isinstance(c, str) else number(c) if isinstance(c, int | float) else str(c) for c in cells]
        self._lines.append([*shown, *[""] * (len(self._lines[0]) - len(shown))])

    def __str__(self) -> str:
        widths = [max(len(line[i]) for line in self._lines) for i in range(len(self._lines[0]))]
        rule = ["-" * width for width in widths]
        text = [
            "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
            for line in (self._lines[0], rule, *self._lines[1:])
        ]
        return "\n".join([f"\n{self.title}", *(line.rstrip() for line in text)])


def number(value: float) -> str:
    """Return a number as it is read: whole from 100 on, else with three digits.

    >>> number(1234567.8), number(12.345), number(0.5)
    ('1,234,568', '12.3', '0.500')
    """
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def ratio(value: float, ours: float | None) -> str:
    """Return how many times `ours` a value is, "" if ours is not known."""
    return f"{value / ours:.2f}x" if ours else ""


def describe() -> str:
    """Return the machine, its system, the disk that journals are written to, and the versions that are measured."""
    folder = Path(tempfile.gettempdir())
    lines = [
        f"machine   {_processor()}, {os.cpu_count()} CPUs, {psutil.virtual_memory().total / 2**30:.0f} GiB",
        f"system    {platform.system()} {platform.release()}, {platform.python_implementation()} "
        f"{platform.python_version()}; load {os.getloadavg()[0]:.2f} at the start",
        f"journals  {folder} ({_file_system(folder)}; TMPDIR names another folder)",
        "packages  " + ", ".join(f"{name} {_installed(name)}" for name in PACKAGES),
        f"servers   redis-server {_answer('redis-server')}; nats-server {_answer('nats-server')}",
    ]
    return "\n".join(lines)


def server_path(name: str) -> str | None:
    """Return where a server's program is, None if it is not installed; Debian keeps some in /usr/sbin."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux: the platform module says what it can
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    mounts = {p.mountpoint: p.fstype for p in psutil.disk_partitions(all=True)}
    for place in (folder.resolve(), *folder.resolve().parents):
        if str(place) in mounts:
            return f"{mounts[str(place)]} on {place}"
    return "unknown file system"


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _answer(server: str) -> str:
    path = server_path(server)
    if path is None:
        return "not installed"
    said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=False)
    words = (said.stdout or said.stderr).split()
    return next((w.removeprefix("v=").lstrip("v") for w in words if w.lstrip("v=")[:1].isdigit()), "unknown version")
