"""Packages as pip leaves them in a folder, with an entry point; for a path that holds the folder they are installed."""

from pathlib import Path


def install(folder: Path, package: str, group: str, name: str, value: str) -> None:
    """Have a package in `folder` that names `value` as `name` in a group of entry points."""
    info = folder / f"{package}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {value}\n")
