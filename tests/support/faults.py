"""A plant under load that is killed, stopped and cut, and the verdict on what it kept.

The load is rows numbered per source (numbered_feed). The verdict reads the whole journal through a fresh subscriber,
and the rdb, and compares both with what the feeds know was acknowledged: the same rows, in the same order, each once.
"""

import contextlib
import itertools
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forked import Forked, Forker
from numbered_feed import BAR_EVERY, price_of
from running import RunningPlant

from plant.errors import Unavailable
from plant.rows.batch import Batch

Numbers = dict[str, np.ndarray]


class FaultyPlant(RunningPlant):
    """A plant whose processes are forked, with feeds, that keeps count of what was done to it."""

    wait_s = 60.0

    def __init__(self, folder: Path, forker: Forker, seed: int, toml: str = "", **keys: Any) -> None:
        super().__init__(folder, toml, **keys)
        self.chance = random.Random(seed)
        self.seed = seed
        self.faults = 0
        self.mortal: set[str] = set()  # processes that may end by themselves
        self.sources: set[str] = set()
        self._forker = forker
        self._started = time.monotonic()
        self._feed_arguments: dict[str, list[str]] = {}
        self.environments: dict[str, dict[str, str]] = {}

    def spawn(self, name: str) -> Forked:
        """Return a new process: of the plant, or a feed that `feed` has declared."""
        log = self.folder / f"{name.split()[-1]}.log"
        log.touch()
        environment = {**self.environment, **self.environments.get(name, {})}
        if name in self._feed_arguments:
            return self._forker.start("numbered_feed", self._feed_arguments[name], environment, log)
        return self._forker.start(f"{name}.__main__", [], environment, log)

    def feed(self, sources: str, rows_per_s: float, rows: int = 0, **environment: str) -> str:
        """Start a feed of some sources ("one,two"), `rows` of each if given; return its process's name."""
        name = f"feed {sources}"
        while name in self.processes:  # a second one under the same name
            name = f"feed {name.split()[-1]}-"
        self.sources |= set(sources.split(","))
        most = [str(rows)] if rows else []
        self._feed_arguments[name] = [str(self.folder), sources, str(rows_per_s), str(self.seed), *most]
        self.environments[name] = environment
        self.start(name)
        return name

    def strike(self, *names: str) -> None:
        """SIGKILL processes at once and start them again, not waiting until they are ready."""
        self.assert_alive()
        for name in names:
            self.processes[name].kill()
        for name in names:
            self.processes[name].wait(10)
            self.processes[name].close()
            self.processes[name] = self.spawn(name)
        self.faults += len(names)

    def assert_alive(self) -> None:
        """Fail if a process has ended that nobody killed."""
        for name in self.processes.keys() - self.mortal:
            assert self.processes[name].poll() is None, f"{name} ended by itself: {self.log(name)[-3000:]}"

    def storm(self, pick: Callable[[random.Random], tuple[str, ...]], strikes: int, every_s: float = 0.2) -> None:
        """Strike what `pick` chooses, `strikes` times, at random moments `every_s` apart on average."""
        for _ in range(strikes):
            time.sleep(every_s * self.chance.uniform(0.2, 1.8))
            self.strike(*pick(self.chance))

    def feeds(self) -> list[str]:
        """Return the names of the feeds' processes."""
        return [name for name in self.processes if name.startswith("feed ")]

    def finish_feeds(self) -> None:
        """Ask the feeds to stop; they end once all they published is acknowledged."""
        for name in self.feeds():
            self.wait_ready(name)
            self.processes[name].terminate()
        self.wait_feeds()

    def wait_feeds(self) -> None:
        """Wait until the feeds have published all they were to."""
        for name in self.feeds():
            self.processes[name].wait(self.wait_s)
            process = self.processes.pop(name)
            process.close()
            assert "Traceback" not in self.log(name), self.log(name)[-3000:]

    def acknowledged(self, source: str) -> list[int]:
        """Return the acknowledgements a source noted, in the order they came; one publisher of it after the other."""
        files = sorted(self.folder.glob(f"{source}.*.acknowledged"))
        return [int(line) for file in files for line in file.read_text().splitlines()]

    @property
    def state(self) -> str:
        """What the tickerplant says of its journal."""
        return str(self.position()["state"])

    def reached(self) -> int:
        """Return how many rows are acknowledged, of all sources."""
        return sum(max(self.acknowledged(source), default=0) for source in self.sources)

    def reach(self, more: int) -> int:
        """Wait until so many more rows are acknowledged; return how many are now."""
        wanted = self.reached() + more
        self.until(lambda: self.reached() >= wanted, lambda: f"{self.reached():,} of {wanted:,} rows acknowledged")
        return self.reached()

    def reach_no_more(self, seconds: float) -> None:
        """Wait until so many seconds have passed without another row acknowledged.

        What was acknowledged before may still be on its way, and a full disk has room in the last page of a file.
        """
        last = (self.reached(), time.monotonic())

        def still() -> bool:
            nonlocal last
            if (now := self.reached()) != last[0]:
                last = (now, time.monotonic())
            return time.monotonic() - last[1] >= seconds

        self.until(still, lambda: f"rows are still acknowledged, {self.reached():,} now")

    def until_ready_or_ended(self, name: str) -> None:
        """Wait until a new process is ready, or has given up."""
        process = self.processes[name]
        self.until(
            lambda: f"pid={process.pid}" in self.log(name) or process.poll() is not None,
            f"{name} is neither up nor down",
        )

    def revive(self, name: str) -> None:
        """Start a process again if it has ended, as supervisord does, and wait until it is ready."""
        if self.processes[name].poll() is not None:
            self.processes[name].close()
            self.processes[name] = self.spawn(name)
        self.wait_ready(name)

    def last_segment(self) -> Path:
        """Return the file the journal ends in."""
        return max((self.settings.plant.data / "journal").glob("*.journal"))

    def until_rdb_agrees_or_ended(self) -> None:
        """Wait until the rdb has caught up with a tickerplant that restarted, or has given up."""
        db, process, seq = self.ask(timeout_s=0.2), self.processes["rdb"], self.position()["seq"]
        self.until(lambda: process.poll() is not None or db.status()["seq"] >= seq, "the rdb neither agrees nor ends")

    def stop(self) -> list[int]:
        """Stop everything, feeds first and at once; return the pids of processes that had to be killed."""
        for name in self.feeds():
            self.processes.pop(name).kill()
        return super().stop()

    def memory(self, name: str) -> int:
        """Return the resident memory of a process, bytes."""
        pages = Path(f"/proc/{self.processes[name].pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def verdict(self, title: str, lost: bool = False) -> None:
        """Finish the feeds and compare what was acknowledged, the journal and the rdb; print the figures.

        lost   acknowledged rows may be missing, since the test took them from the journal's tail
        """
        for name in self.processes:
            self.wait_ready(name)
        self.finish_feeds()
        self.mortal = set()
        batches = self.journal("trades", "bars")
        if not lost:
            _assert_numbered(batches)
        journaled = {name: np.concatenate(parts) for name, parts in _columns(batches).items()}
        acknowledged = 0
        for source in sorted(self.sources):
            known = self.acknowledged(source)
            numbers = journaled["number"][journaled["source"] == source].astype(np.int64)
            acknowledged += max(known, default=0)
            published = self.folder / f"{source}.published"
            if lost:
                assert (np.diff(numbers) > 0).all(), f"{source}: rows doubled or out of order in the journal"
                continue
            assert known == sorted(known), f"{source}: an acknowledgement was taken back: {_steps_back(known)}"
            _assert_counted(numbers, len(numbers), f"journal, {source}")
            assert len(numbers) >= max(known, default=0), f"{source}: {max(known)} acknowledged, {len(numbers)} kept"
            if published.exists():
                assert len(numbers) == int(published.read_text()), f"{source}: not all that was published was kept"
        if "rdb" in self.processes:
            self._assert_rdb_holds(journaled, batches[-1].seq if batches else 0)
        if "processor" in self.processes:
            self._assert_indicators_of(journaled)
        print(
            f"\n{title}: seed {self.seed}, {self.faults} faults, {len(journaled['number']):,} rows, "
            f"{acknowledged:,} acknowledged, {time.monotonic() - self._started:.1f} s"
        )

    def _assert_rdb_holds(self, journaled: Numbers, seq: int) -> None:
        db = self.ask(timeout_s=30.0)
        self.until(lambda: db.status()["caught_up"] and db.status()["seq"] >= seq, lambda: str(db.status()))
        trades = journaled["table"] == "trades"
        held = db.select("trades", columns=["source", "size", "trade_id", "price", "seq"], frames="numpy")
        for ours, theirs in (("seq", "seq"), ("number", "size"), ("source", "source"), ("price", "price")):
            _assert_same(journaled[ours][trades], held[theirs], f"trades.{theirs} of journal and rdb")
        _assert_same(_trade_ids(journaled, trades), held["trade_id"], "trades.trade_id of journal and rdb")
        held = db.select("bars", columns=["sym", "volume", "close", "seq"], frames="numpy")
        bars = np.flatnonzero(~trades)
        bars = bars[np.lexsort((journaled["seq"][bars], journaled["source"][bars]))]
        order = np.lexsort((held["seq"], held["sym"]))
        for ours, theirs in (("seq", "seq"), ("number", "volume"), ("price", "close")):
            _assert_same(journaled[ours][bars], held[theirs][order], f"bars.{theirs} of journal and rdb")

    def _assert_indicators_of(self, journaled: Numbers) -> None:
        """Every bar has its indicators; journal, rdb and processor have the same, and each signal once."""
        bars = int((journaled["table"] == "bars").sum())
        db, processor = self.ask(timeout_s=30.0), self.ask("processor", timeout_s=30.0)
        enough = self.settings.processor.min_bars
        counts = [int(((journaled["source"] == s) & (journaled["table"] == "bars")).sum()) for s in self.sources]
        bars = sum(n for n in counts if n >= enough)
        self.until(
            lambda: processor.count("indicators") == bars and db.count("indicators") == bars,
            lambda: f"{bars} bars, rdb {db.count('indicators')}, processor {processor.count('indicators')} indicators",
        )
        seq = self.journal("indicators", "signals")[-1].seq if bars else 0
        for each in (db, processor):
            self.until(lambda c=each: c.status()["seq"] >= seq, "not at the journal's end")
        for table in ("indicators", "signals"):
            one, two = (c.select(table, frames="arrow") for c in (db, processor))
            assert one.equals(two), f"{table}: rdb {one.num_rows} rows, processor {two.num_rows}, or other values"
        signals = [
            key
            for batch in self.journal("signals")
            for key in zip(*(_listed(batch.columns[n]) for n in ("sym", "interval", "time", "signal")), strict=True)
        ]
        assert len(signals) == len(set(signals)), "a signal was published twice"

    def until(self, condition: Callable[[], Any], what: Callable[[], str] | str) -> None:
        """Wait for a condition; what cannot be asked yet counts as not so."""
        deadline = time.monotonic() + self.wait_s
        while True:
            with contextlib.suppress(Unavailable):
                if condition():
                    return
            self.assert_alive()
            if time.monotonic() > deadline:
                pytest.fail(f"not within {self.wait_s:g} s: {what() if callable(what) else what}")
            time.sleep(0.02)


def _assert_numbered(batches: list[Batch]) -> None:
    """Seqs rise over all tables; table seqs are 1, 2, 3, ... in each table."""
    assert (np.diff([b.seq for b in batches]) > 0).all(), "seqs do not rise"
    for table in {b.table for b in batches}:
        numbers = np.array([b.table_seq for b in batches if b.table == table])
        _assert_counted(numbers, len(numbers), f"table_seq of {table}")


def _assert_counted(numbers: np.ndarray, count: int, what: str) -> None:
    wrong = np.flatnonzero(numbers != np.arange(1, count + 1))
    assert not len(wrong), f"{what}: at {wrong[0]} of {count} stands {numbers[wrong[0] : wrong[0] + 5]}"


def _assert_same(one: np.ndarray, two: np.ndarray, what: str) -> None:
    assert len(one) == len(two), f"{what}: {len(one):,} and {len(two):,} rows"
    wrong = np.flatnonzero(one != two)
    assert not len(wrong), f"{what}: at {wrong[0]} of {len(one):,}: {one[wrong[0]]} and {two[wrong[0]]}"


def _columns(batches: list[Batch]) -> dict[str, list[np.ndarray]]:
    """Return, of each batch, the rows' table, source, number, price and seq; checks values against the number."""
    found: dict[str, list[np.ndarray]] = {n: [np.array([])] for n in ("table", "source", "number", "price", "seq")}
    for batch in batches:
        trades = batch.table == "trades"
        number = batch.columns["size" if trades else "volume"]
        sources = np.array(batch.columns["source"].tolist(), dtype=object)
        assert ((number % BAR_EVERY == 0) == (not trades)).all(), "a row is in the wrong table"
        _assert_same(price_of(number), batch.columns["price" if trades else "close"], f"{batch.table}, seq {batch.seq}")
        if trades:
            ids = [f"{s}:{int(n)}" for s, n in zip(sources, number.tolist(), strict=True)]
            assert batch.columns["trade_id"].tolist() == ids, f"trade_id, seq {batch.seq}"
        for name, values in zip(
            found, (np.full(len(batch), batch.table, object), sources, number,
                    batch.columns["price" if trades else "close"], np.full(len(batch), batch.seq)), strict=True
        ):  # fmt: skip
            found[name].append(values)
    return found


def _trade_ids(rows: Numbers, which: np.ndarray) -> np.ndarray:
    pairs = zip(rows["source"][which], rows["number"][which].tolist(), strict=True)
    return np.array([f"{s}:{int(n)}" for s, n in pairs], dtype=object)


def _steps_back(numbers: list[int]) -> list[tuple[int, int]]:
    return [(a, b) for a, b in itertools.pairwise(numbers) if b < a]


def _listed(column: Any) -> list[Any]:
    return list(column.tolist())
