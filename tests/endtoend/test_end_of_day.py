"""Days that end while rows come in and processes are killed: every row once, in history or in the rdb.

The one that kills does it five times in `make test`, in `make soak` as often as it says (support/chance.py).
"""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from chance import SEED, times
from faults import FaultyPlant
from numbered_feed import BASE, trades
from small_disk import SmallDisk, mounted

from plant.history.catalogue import Catalogue, File
from plant.history.layout import history_folder
from plant.history.partition_file import check_bytes
from plant.runtime.settings import load

QUICK = "part_s = 0.2\npart_rows = 3000\n"
VICTIMS = ("hdb", "rdb", "tickerplant")

Start = Callable[..., FaultyPlant]


@pytest.fixture
def start(start: Start) -> Start:
    """Return a function that starts a plant with an hdb that writes small parts, and without a processor."""

    def with_hdb(*processes: str, hdb: str = QUICK, **options: Any) -> FaultyPlant:
        return start(*(processes or ("tickerplant", "rdb", "hdb")), hdb=hdb, **options)

    return with_hdb


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def run_plant(plant: FaultyPlant, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `plant`."""
    command = [sys.executable, "-c", "from plant.command.app import main; main()", *arguments]
    return subprocess.run(command, env=plant.environment, capture_output=True, text=True, timeout=60, check=False)


def end_day(plant: FaultyPlant, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `plant end-of-day`."""
    return run_plant(plant, "end-of-day", *arguments)


def assert_verified(plant: FaultyPlant) -> None:
    """Wait until all processes are back, and hold journal, history and rdb to be the same, as `plant verify` tells."""
    plant.until(plant.position, "the tickerplant is not back")
    for db in (plant.ask("hdb"), plant.ask("rdb")):
        plant.until(lambda db=db: db.status()["caught_up"], lambda db=db: f"{db.address} does not catch up")
    found = run_plant(plant, "verify")
    assert (found.returncode, "not compared" in found.stdout) == (0, False), found.stdout + found.stderr


def catalogue_of(plant: FaultyPlant) -> Catalogue:
    return Catalogue.load(history_folder(plant.settings.plant.data))


def rows_of(plant: FaultyPlant, file: File) -> list[tuple[Any, ...]]:
    """Return sym, time, price or close, and seq of the rows of a file."""
    folder = history_folder(plant.settings.plant.data)
    check_bytes(folder, file)
    return _rows(pq.read_table(folder / file.path), file.table)


def _rows(frame: Any, table: str) -> list[tuple[Any, ...]]:
    value = "price" if table == "trades" else "close"
    times = frame.column("time").cast("int64").to_pylist()
    others = [frame.column(name).to_pylist() for name in ("sym", value, "seq")]
    return list(zip(times, *others, strict=True))


def assert_every_row_once(plant: FaultyPlant) -> Catalogue:
    """Compare the journal with history up to `through` and the rdb behind it, of trades and bars."""
    db = plant.ask(timeout_s=30.0)
    plant.until(lambda: db.status()["caught_up"], "the rdb does not catch up")
    plant.kill("hdb", signal.SIGSTOP)  # so that no file is replaced while it is read
    try:
        for table, value in (("trades", "price"), ("bars", "close")):
            catalogue, found, seq = _found(plant, db, table, value)
            journaled = []
            for batch in plant.journal(table):
                columns = [batch.columns[name].tolist() for name in ("time", "sym", value)]
                journaled += [(*row, batch.seq) for row in zip(*columns, strict=True) if batch.seq <= seq]
            if table == "bars":  # one interval: the key is sym and time
                journaled, found = _newest(journaled), _newest(found)
            same = Counter(found) == Counter(journaled)
            assert same, f"{table}: {len(found):,} rows, the journal has {len(journaled):,}"
    finally:
        plant.kill("hdb", signal.SIGCONT)
    return catalogue


def _found(plant: FaultyPlant, db: Any, table: str, value: str) -> tuple[Catalogue, list[tuple[Any, ...]], int]:
    """Return the rows up to a seq: of a catalogue's files, and of the rdb, which has all beyond it."""
    catalogue, seq = catalogue_of(plant), db.status()["seq"]
    held = _rows(db.select(table, frames="arrow", columns=["time", "sym", value, "seq"]), table)
    stored = [r for f in (*catalogue.days_of(table), *catalogue.parts_of(table)) for r in rows_of(plant, f)]
    assert db.status()["released"] <= catalogue.through, "the rdb has let go of rows that are not in history"
    seq = max(seq, catalogue.through)
    return catalogue, stored + [r for r in held if catalogue.through < r[3] <= seq], seq


def _newest(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list({r[:2]: r for r in sorted(rows, key=lambda r: r[3])}.values())


def test_a_day_that_ends_is_in_history_and_no_longer_in_the_rdb(start: Start) -> None:
    plant = start()
    db, hdb, feed = plant.ask(), plant.ask("hdb"), plant.publisher("feed")
    now = time.time_ns()
    feed.publish("trades", {**trades("feed", 1, 1000), "time": [now] * 1000})
    feed.publish("trades", trades("feed", 1001, 10))
    feed.flush()
    plant.until(lambda: db.count("trades") == 1010, "the rdb has not all rows")
    done = end_day(plant)
    assert done.returncode == 0, done.stderr
    assert f"{today()} is closed" in done.stdout
    plant.until(lambda: db.count("trades") == 0, "the rdb keeps a closed day")
    catalogue = catalogue_of(plant)
    assert [(f.first_day, f.rows) for f in catalogue.days_of("trades")] == [("2026-01-01", 10), (today(), 1000)]
    assert plant.position()["confirmed"] == catalogue.closed == hdb.status()["closed"] == db.status()["released"]
    plant.until(lambda: db.count("days") == 1, "the rdb was not told")
    row = db.select("days").iloc[0]
    assert (row["state"], row["last_seq"], row["day"], row["sym"]) == ("closed", catalogue.closed, today(), "hdb")

    plant.restart("rdb")
    plant.until(lambda: db.status()["caught_up"], "the rdb does not catch up")
    assert (db.count("trades"), db.status()["released"]) == (0, catalogue.closed)
    feed.publish("trades", {**trades("feed", 1011, 5), "time": [now] * 5})
    feed.flush()
    plant.until(lambda: db.count("trades") == 5, "the rdb has not the late rows")
    assert "--again writes what came since" in end_day(plant).stdout
    assert end_day(plant, "--again").returncode == 0
    assert [(f.first_day, f.rows) for f in catalogue_of(plant).days_of("trades")] == [
        ("2026-01-01", 10),
        (today(), 1005),
    ]
    assert_every_row_once(plant)


def test_a_day_that_ended_while_nobody_watched_is_ended_at_the_start(start: Start) -> None:
    plant = start("tickerplant")
    feed = plant.publisher("feed")
    feed.publish("trades", trades("feed", 1, 10))
    feed.flush()
    plant.start("hdb")
    hdb = plant.ask("hdb")
    plant.until(lambda: hdb.status()["through"] > 0, "nothing is written")
    plant.kill("hdb")
    catalogue = catalogue_of(plant)
    catalogue.changed(ended_day="2026-11-01").save(history_folder(plant.settings.plant.data))
    plant.start("hdb")
    plant.until(lambda: hdb.status()["closed_day"] > "2026-11-01", lambda: str(hdb.status()))
    closed = hdb.status()["closed"]
    plant.restart("hdb")
    plant.until(lambda: hdb.status()["caught_up"], "the hdb does not catch up")
    assert hdb.status()["closed"] == closed
    ends = [b for b in plant.journal("days") if b.columns["state"].tolist() == ["end"]]
    assert len(ends) == 1


def test_a_day_that_lies_behind_is_refused_until_it_is_ended_again(start: Start) -> None:
    plant = start()
    hdb, feed = plant.ask("hdb"), plant.publisher("feed")
    feed.publish("trades", trades("feed", 1, 10))
    feed.flush()
    behind = end_day(plant, "2026-01-01")
    assert (behind.returncode, "2026-01-01 lies behind" in behind.stderr) == (1, True), behind.stdout + behind.stderr
    plant.until(lambda: hdb.status()["ended_day"], "nothing is written")
    assert f"{hdb.status()['ended_day']} has ended here; --again" in end_day(plant, "2026-01-01").stderr
    assert plant.ask().count("days") == 0, "a day that was refused was ended nevertheless"
    assert "2026-01-01 is closed" in end_day(plant, "2026-01-01", "--again").stdout
    assert "was closed before" in end_day(plant, "2026-01-01").stdout
    assert "2026-01-02 lies behind" in end_day(plant, "2026-01-02").stderr
    assert [(f.first_day, f.rows) for f in catalogue_of(plant).days_of("trades")] == [("2026-01-01", 10)]
    assert_every_row_once(plant)


@times("kills", 50, timeout_s=900)
def test_killed_again_and_again_while_days_end_it_keeps_every_row_once(start: Start, kills: int) -> None:
    plant = start(segment_mb=1)
    plant.feed("one,two", 2000)  # every row is compared again after every kill
    ends = plant.publisher("ends")

    def pick(chance: random.Random) -> tuple[str, ...]:
        now = {"time": time.time_ns(), "sym": "x", "day": today(), "state": "end", "detail": "again"}
        ends.publish("days", now)
        time.sleep(chance.uniform(0.0, 0.5))  # so that a kill meets any step of the close
        return tuple(chance.sample(VICTIMS, chance.choice((1, 1, 2))))

    for i in range(kills):
        plant.strike(*pick(plant.chance))
        if plant.chance.random() < 0.5:  # meets those that have just begun again
            plant.strike(*pick(plant.chance))
        assert_verified(plant)
        if i % 5 == 4:
            plant.reach(1000)
            assert_every_row_once(plant)
    plant.finish_feeds()
    done = end_day(plant, "--again")
    assert done.returncode == 0, done.stderr + plant.log("hdb")[-2000:]
    catalogue = assert_every_row_once(plant)
    assert_verified(plant)
    states = [s for b in plant.journal("days") for s in b.columns["state"].tolist()]
    assert "failed" not in states
    assert plant.ask("hdb").status()["state"] == "ok"
    told = [
        n
        for b in plant.journal("days")
        for s, n in zip(b.columns["state"].tolist(), b.columns["last_seq"].tolist(), strict=True)
        if s == "closed"
    ]
    assert len(told) == len(set(told))
    assert told[-1] == catalogue.closed
    rows = sum(f.rows for f in catalogue.days_of("trades"))
    print(
        f"\nkilled {kills} times, {plant.faults} processes, plant verify clean after each: "
        f"{len(told)} closes, {rows:,} trades in history, seed {SEED}"
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Return a disk with room for the files of a history."""
    with mounted(tmp_path / "disk", files=2000) as disk:
        yield disk


def test_a_disk_that_fills_while_a_day_closes_is_reported_and_nothing_is_lost(
    small_disk: SmallDisk, start: Start
) -> None:
    plant = start("tickerplant", "rdb")
    (plant.settings.plant.data / "history").symlink_to(small_disk.folder, target_is_directory=True)
    plant.start("hdb")
    feed, hdb, db = plant.publisher("feed"), plant.ask("hdb"), plant.ask()
    for first in range(1, 100_001, 5000):
        feed.publish("trades", trades("feed", first, 5000))
    seq = feed.flush()
    plant.until(lambda: hdb.status()["through"] >= seq, lambda: str(hdb.status()))
    small_disk.fill()
    done = end_day(plant)
    assert done.returncode != 0, done.stdout
    feed.publish("trades", trades("feed", 100_001, 10))
    feed.flush()
    plant.until(lambda: "No space left" in hdb.status()["state"], lambda: str(hdb.status()))
    plant.until(lambda: db.count("trades") == 100_010, "capture stopped")
    small_disk.free()
    plant.until(
        lambda: hdb.status()["closed_day"] == today() or end_day(plant).returncode == 0, lambda: str(hdb.status())
    )
    plant.until(lambda: hdb.status()["state"] == "ok", lambda: str(hdb.status()))
    assert_every_row_once(plant)


def test_a_damaged_part_is_reported_and_the_rdb_keeps_the_day(start: Start) -> None:
    plant = start()
    feed, hdb, db = plant.publisher("feed"), plant.ask("hdb"), plant.ask()
    feed.publish("trades", trades("feed", 1, 1000))
    seq = feed.flush()
    plant.until(lambda: hdb.status()["through"] >= seq, "nothing is written")
    (file,) = catalogue_of(plant).parts_of("trades")
    path = history_folder(plant.settings.plant.data) / file.path
    good = path.read_bytes()
    damaged = bytearray(good)
    damaged[500] ^= 1
    path.write_bytes(damaged)
    done = end_day(plant)
    assert (done.returncode, "damaged" in done.stderr) == (1, True), done.stdout + done.stderr
    plant.until(lambda: db.count("days") == 2, "the failure was not told")
    assert db.select("days").iloc[1]["state"] == "failed"
    assert db.count("trades") == 1000
    assert path.read_bytes() == damaged
    path.write_bytes(good)
    assert end_day(plant).returncode == 0
    plant.until(lambda: db.count("trades") == 0, "the rdb keeps a closed day")
    assert_every_row_once(plant)


def test_an_hdb_that_is_asked_to_stop_while_it_closes_ends_within_its_time(start: Start) -> None:
    plant = start(hdb="part_s = 0.2\n")
    feed, hdb = plant.publisher("feed"), plant.ask("hdb")
    for first in range(1, 200_001, 5000):
        feed.publish("trades", {**trades("feed", first, 5000), "time": [BASE + first] * 5000})
    feed.publish("days", {"time": time.time_ns(), "sym": "x", "day": today(), "state": "end"})
    feed.flush()
    plant.kill("hdb", signal.SIGTERM)
    plant.processes["hdb"].wait(10)
    plant.start("hdb")
    plant.until(lambda: hdb.status()["closed_day"] == today(), lambda: str(hdb.status()))
    assert_every_row_once(plant)


def test_an_rdb_with_a_limit_lets_go_of_what_the_hdb_has(start: Start) -> None:
    plant = start(rdb="keep_gb = 0.005\n")
    feed, hdb, db = plant.publisher("feed"), plant.ask("hdb"), plant.ask()
    for first in range(1, 200_001, 5000):
        feed.publish("trades", trades("feed", first, 5000))
        time.sleep(0.05)
    seq = feed.flush()
    plant.until(lambda: hdb.status()["through"] >= seq, "nothing is written")
    plant.until(lambda: db.count("trades") < 190_000, lambda: str(db.count("trades")))
    assert 0 < db.status()["released"] <= hdb.status()["through"]
    assert_every_row_once(plant)


def test_rows_that_the_journal_lost_in_a_power_cut_are_taken_out_of_history_and_kept_beside(start: Start) -> None:
    plant = start("tickerplant", "hdb")
    feed, hdb = plant.publisher("feed"), plant.ask("hdb")
    for first in range(1, 100, 10):
        feed.publish("trades", trades("feed", first, 10))
        seq = feed.flush()
        plant.until(lambda s=seq: hdb.status()["through"] >= s, "nothing is written")
    for name in ("hdb", "tickerplant"):
        plant.kill(name)
        plant.processes.pop(name).close()
    feed.close(0)
    segment = plant.last_segment()
    os.truncate(segment, segment.stat().st_size * 2 // 3)  # what was not on disk
    plant.start("tickerplant", "rdb")
    other = plant.publisher("other")
    for first in range(1, 200, 10):  # other rows under the same numbers
        other.publish("trades", trades("other", first, 10))
        other.flush()
    plant.start("hdb")
    plant.until(lambda: hdb.status()["caught_up"], "the hdb does not catch up")
    assert list((history_folder(plant.settings.plant.data) / "lost").rglob("*.parquet"))
    assert_every_row_once(plant)
    assert end_day(plant).returncode == 0
    assert_every_row_once(plant)


def test_rows_journaled_before_columns_were_added_are_served_today_and_have_null_in_history(start: Start) -> None:
    news = '[[tables]]\nname = "news"\ncolumns = [["time", "time"], ["sym", "symbol"], ["headline", "text"]]\n'
    plant = start("tickerplant", toml=news)
    row = {"time": BASE, "sym": "AAPL", "headline": "old"}
    feed = plant.publisher("feed")
    feed.publish("news", row)
    feed.flush()
    feed.close()
    plant.kill("tickerplant", signal.SIGTERM)
    plant.processes.pop("tickerplant").wait(10)
    plant.config.write_text(
        plant.config.read_text().replace(
            '["headline", "text"]', '["headline", "text"], ["score", "float"], ["words", "int"], ["desk", "symbol"]'
        )
    )
    plant.settings = load(plant.config)
    plant.start("tickerplant", "hdb", "rdb")
    added = ["headline", "score", "words", "desk"]
    new = {"headline": "new", "score": 0.5, "words": 7, "desk": "equity"}
    again = plant.publisher("again")
    again.publish("news", {**row, **new, "time": BASE + 1})
    again.flush()
    today_s = [{"headline": "old", "score": None, "words": 0, "desk": ""}, new]
    db = plant.ask(frames="arrow")
    plant.until(lambda: db.count("news") == 2, lambda: f"{db.select('news')}\n{plant.log('rdb')}")
    assert db.select("news", columns=added).to_pylist() == today_s
    assert [b.rows()[0]["headline"] for b in some_of(plant.subscriber("news"), 2)] == ["old", "new"]
    assert not db.count("gaps"), db.select("gaps").to_pylist()
    assert_verified(plant)
    assert end_day(plant).returncode == 0
    assert_verified(plant)
    (file,) = catalogue_of(plant).days_of("news")
    frame = pq.read_table(history_folder(plant.settings.plant.data) / file.path)
    assert frame.select(added).to_pylist() == [{"headline": "old", "score": None, "words": None, "desk": None}, new]


def test_a_table_added_while_only_the_tickerplant_restarts_is_in_history(start: Start) -> None:
    plant = start()
    for name in ("rdb", "hdb"):
        plant.until(lambda n=name: plant.ask(n).status()["caught_up"], lambda n=name: plant.log(n))
    news = '[[tables]]\nname = "news"\ncolumns = [["time", "time"], ["sym", "symbol"], ["headline", "text"]]\n'
    plant.config.write_text(plant.config.read_text() + news)
    plant.settings = load(plant.config)
    plant.restart("tickerplant")
    ended = {name: plant.processes.pop(name) for name in ("rdb", "hdb")}
    feed = plant.publisher("feed")
    feed.publish("news", {"time": BASE, "sym": "AAPL", "headline": "first"})
    feed.flush()
    for name, process in ended.items():
        process.wait(20)
        assert "other declarations than this process knows: news" in plant.log(name).splitlines()[-1]
    plant.start("rdb", "hdb")
    db = plant.ask()
    plant.until(lambda: "news" in db.tables()["table"].to_list() and db.count("news") == 1, lambda: plant.log("rdb"))
    assert end_day(plant).returncode == 0
    assert_verified(plant)
    assert [f.rows for f in catalogue_of(plant).days_of("news")] == [1]


def some_of(batches: Iterable[Any], count: int) -> list[Any]:
    """Return the first batches of a subscriber."""
    return list(itertools.islice(batches, count))
