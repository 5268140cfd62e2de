"""The processor is killed again and again while trades, bars, late trades and corrections come.

In the end bars, bar_closes, indicators, signals and annotations are those of one that was never killed, which has the
same rows of the feeds; and none was published twice.
"""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from candle_plant import plain
from chance import SEED, times
from processor_plant import KEYS, MINUTE, ProcessorPlant, objects_of
from running import RunningPlant, all_stopped

from plant.rows.batch import Batch
from processor.outcome import WITHDRAWN

START = 1_795_788_000_000_000_000 // (5 * MINUTE) * 5 * MINUTE
SECOND = 10**9
TOML = """
[bars]
update_s = 0.05

[annotations]
on = ["prev_day", "pivots", "zigzag", "supply", "demand", "flags"]
intervals = ["5m"]
zigzag = 0.005
flag_pole_atr = 0.5

[[indicators]]
name = "ema_9"
kind = "ema"
period = 9

[[signals]]
name = "above_9"
side = "buy"
when = "close crosses above ema_9"
"""
PROCESSOR = 'intervals = ["1m", "5m"]\ngrace_s = 1e6\ncheckpoint_s = 0.3'
"""A bar is closed by a later one alone: what is known of it then does not depend on the clock."""

SERVED = ("bar_closes", "indicators", "signals")
GIVEN = (*KEYS, "annotations")
INPUT = ("trades", "trade_corrections", "bars")
FIVE = 5 * MINUTE
PACE_S = 0.01


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(tmp_path / "plant", toml=TOML, timer_s=0.1, processor=PROCESSOR)
        plants.append(made)
        made.start("tickerplant", "rdb", "hdb", "processor")
        yield made


class Feeds:
    """Sends trades of A and B and bars of C, and, of minutes whose bars are closed, late trades and corrections."""

    def __init__(self, plant: RunningPlant, seed: int) -> None:
        self._venue, self._feed = plant.publisher("venue"), plant.publisher("feed")
        self._closes = plant.subscriber("bar_closes")
        self._chance = np.random.default_rng(seed)
        self._closed: dict[str, int] = {}  # the end of the last closed bar of five minutes
        self._sent: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self._prices = {"A": 100.0, "B": 10.0, "C": 50.0}
        self._count = 0
        self.sent = 0
        self._stop = threading.Event()
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def finish(self) -> None:
        """Send no more, and return once all of it is in the journal."""
        self._stop.set()
        self._thread.join()
        if self.error is not None:
            raise self.error
        for publisher in (self._venue, self._feed):
            publisher.flush()

    def _run(self) -> None:
        try:
            while not self._stop.wait(PACE_S):
                for batch in self._closes.poll(0.0):
                    self._note(batch)
                self._send()
        except Exception as error:
            self.error = error

    def _note(self, batch: Batch) -> None:
        for sym, interval, start in zip(
            *(batch.columns[name].tolist() for name in ("sym", "interval", "market_time")), strict=True
        ):
            if interval == "5m":
                self._closed[sym] = max(self._closed.get(sym, 0), start + FIVE)

    def _send(self) -> None:
        now = START + self.sent * 6 * SECOND
        self.sent += 1
        self._venue.publish("trades", [self._trade(now + i * SECOND // 2) for i in range(10)])
        if self.sent % 10 == 0:
            minute = now // MINUTE * MINUTE
            revised = [minute - MINUTE] if self._chance.random() < 0.3 else []
            self._feed.publish("bars", [self._bar(time) for time in [*revised, minute]])
        sym = str(self._chance.choice(["A", "B"]))
        if self._closed.get(sym) and self._chance.random() < 0.15:
            self._late(sym)

    def _late(self, sym: str) -> None:
        """Send a late trade, or correct one, of a bar that is closed; no minute loses all of its trades."""
        back = int(self._chance.integers(1, 200 if self._chance.random() < 0.1 else 8)) * MINUTE
        time = max(self._closed[sym] - back, START)
        sent = self._sent.get((sym, time // MINUTE), [])
        if self._chance.random() < 0.4 or len(sent) < 3:
            self._venue.publish("trades", [self._trade(time, sym)])
            return
        row = sent[int(self._chance.integers(0, len(sent)))]
        cancelled = len(sent) > 2 and self._chance.random() < 0.4
        if cancelled:
            sent.remove(row)
        changed = {"action": "cancel" if cancelled else "correct", "price": row["price"] * 1.01, "size": 2.0}
        self._venue.publish("trade_corrections", [{**row, **changed}])

    def _trade(self, time: int, sym: str = "") -> dict[str, Any]:
        sym = sym or str(self._chance.choice(["A", "B"]))
        self._count += 1
        self._prices[sym] *= float(np.exp(self._chance.normal(0, 0.002)))
        row = {"time": time, "sym": sym, "price": round(self._prices[sym], 4), "size": float(self._chance.integers(9))}
        row["trade_id"] = str(self._count)
        self._sent.setdefault((sym, time // MINUTE), []).append(row)
        return row

    def _bar(self, time: int) -> dict[str, Any]:
        prices = self._prices["C"] * np.exp(self._chance.normal(0, 0.01, 2))
        self._prices["C"] = close = float(prices[1])
        first = float(prices[0])
        named = {"open": first, "high": max(first, close), "low": min(first, close), "close": close}
        return {"time": time, "sym": "C", "interval": "1m", "volume": 5.0, **named}


@times("kills", 100, timeout_s=2400)
def test_a_processor_killed_under_load_gives_what_one_never_killed_gives_and_nothing_twice(
    plant: RunningPlant, kills: int, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    print(f"seed {SEED}")
    chance, feeds, restored = random.Random(SEED), Feeds(plant, SEED), 0

    def checkpoints() -> int:
        return plant.log("processor").count("checkpoint bytes=")

    for number in range(kills):
        if number == 1 or chance.random() < 0.2:  # on a slow machine others do not live until they have written one
            before = checkpoints()
            eventually(lambda before=before: checkpoints() > before, 300.0, lambda: plant.log("processor")[-2000:])
        elif chance.random() < 0.8:
            plant.wait_ready("processor")
            time.sleep(chance.uniform(0.0, 1.5))
        else:
            time.sleep(chance.uniform(0.0, 1.0))  # on its way up
        plant.kill("processor")
        plant.processes["processor"] = plant.spawn("processor")
    plant.wait_ready("processor")
    feeds.finish()
    restored = plant.log("processor").count("going on from the checkpoint")
    batches = plant.journal(*INPUT)
    wanted = never_killed(plant, batches, tmp_path / "never")

    def found() -> dict[str, Any]:
        return in_force(plant.journal(*GIVEN))

    eventually(lambda: not differences(found(), wanted), 60.0, lambda: differences(found(), wanted)[:5])
    assert_nothing_twice(plant.journal(*KEYS))
    told = len(wanted["signals"])
    assert "zigzag" in {id_.split("/")[0] for id_ in wanted["annotations"]}
    print(f"{kills} kills, {restored} times from a checkpoint, {feeds.sent * 10:,} trades, {told} signals")
    print(f"{len(wanted['annotations'])} annotations")
    assert restored >= kills // 3
    assert told or kills <= 5, "a market without a signal shows little"
    assert_serves_all(plant, eventually)
    assert_a_restart_gives_out_nothing(plant, eventually, "going on from the checkpoint", signal.SIGTERM)
    assert_a_restart_gives_out_nothing(plant, eventually, "is damaged", signal.SIGKILL)


def assert_serves_all(plant: RunningPlant, eventually: Callable[..., Any]) -> None:
    """The processor has what the rdb has, also of what came before its checkpoint."""
    db, processor = plant.ask(), plant.ask("processor")
    eventually(lambda: processor.status()["caught_up"], 30.0, processor.status)
    for table in SERVED:
        one, other = (each.select(table, columns=["seq", "seq_row"], frames="arrow") for each in (db, processor))
        assert one.sort_by([("seq", "ascending"), ("seq_row", "ascending")]).equals(
            other.sort_by([("seq", "ascending"), ("seq_row", "ascending")])
        ), f"{table}: rdb {one.num_rows} rows, processor {other.num_rows}"


def assert_a_restart_gives_out_nothing(
    plant: RunningPlant, eventually: Callable[..., Any], says: str, how: signal.Signals
) -> None:
    """A processor that ends so, and says so when it starts again, publishes nothing of what it published before."""
    before, told = in_force(plant.journal(*GIVEN)), plant.log("processor").count(says)
    rows = sum(map(len, plant.journal(*GIVEN)))
    plant.kill("processor", how)
    plant.processes["processor"].wait()
    if says == "is damaged":
        (plant.folder / "data/processor/checkpoint.npz").write_bytes(b"PK torn")
    plant.start("processor")
    processor = plant.ask("processor")
    eventually(lambda: processor.status()["state"] == "ok", 30.0, processor.status)
    assert plant.log("processor").count(says) > told
    eventually(lambda: processor.status()["caught_up"], 30.0)
    assert_serves_all(plant, eventually)
    assert sum(map(len, plant.journal(*GIVEN))) == rows, differences(in_force(plant.journal(*GIVEN)), before)


def never_killed(plant: RunningPlant, batches: list[Batch], folder: Path) -> dict[str, Any]:
    """Return what a processor gives that has the feeds' rows in the same order, and is never killed."""
    settings = plant.settings
    own = ProcessorPlant(
        folder,
        settings.declarations,
        settings.rules,
        settings.processor.intervals,
        settings.calendars,
        settings.processor.grace_s,
        detector_terms=settings.annotations.terms(settings.processor.intervals),
        update_s=settings.bars.update_s,
    )
    own.work(0)
    sent = [batch for batch in batches if not is_built(batch)]
    newest = 0
    for i, batch in enumerate(sent):
        begins = int(batch.columns["time"].min())
        if begins < newest - MINUTE or batch.table == "trade_corrections" or i % 10 == 0:
            own.work(batch.received)  # so that what it corrects is closed
        newest = max(newest, int(batch.columns["time"].max()))
        own.send(batch.table, batch.columns, batch.received)
    own.work(sent[-1].received + SECOND)
    own.work(sent[-1].received + 10 * SECOND)
    return in_force(own.journal)


def is_built(batch: Batch) -> bool:
    return batch.table == "bars" and batch.columns["source"].tolist()[0].startswith("built:")


def rows_of(batch: Batch) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    """Return the key and the values of each row, less when and by what a bar was closed."""
    names = KEYS[batch.table]
    left = {"time", "bar_seq", "by_clock"} if batch.table == "bar_closes" else set()
    others = [name for name in sorted(batch.columns) if name not in {*names, *left}]
    keys, values = (zip(*(batch.columns[n].tolist() for n in some), strict=True) for some in (names, others))
    return list(zip(keys, values, strict=True))


def in_force(batches: list[Batch]) -> dict[str, Any]:
    """Return the newest revision of each row; signals that were withdrawn are none."""
    found: dict[str, Any] = {table: {} for table in KEYS}
    for batch in batches:
        if batch.table in KEYS:
            found[batch.table].update(rows_of(batch))
    found["signals"] = {key: row for key, row in found["signals"].items() if WITHDRAWN not in row}
    told = [row for batch in batches if batch.table == "annotations" for row in plain(batch.columns)]
    objects = objects_of([{name: row[name] for name in sorted(row)} for row in told])
    return found | {"annotations": {id_: tuple(row.values()) for id_, row in objects.items()}}


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[Any]:
    """Return which rows differ by more than 1e-9, or are on one side only."""
    wrong: list[Any] = []
    for table, rows in wanted.items():
        missing = sorted(rows.keys() ^ found[table].keys())
        wrong += [(table, key, found[table].get(key), rows.get(key)) for key in missing]
        wrong += [
            (table, key, found[table][key], row)
            for key, row in rows.items()
            if key in found[table] and not same(found[table][key], row)
        ]
    return wrong


def same(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(
        a == b or (isinstance(a, float) and ((a != a and b != b) or abs(a - b) <= 1e-9 * max(abs(a), abs(b), 1.0)))
        for a, b in zip(one, other, strict=True)
    )


def assert_nothing_twice(batches: list[Batch]) -> None:
    """No row was published as the plant had it, and no bar closed twice."""
    revisions: dict[Any, list[Any]] = {}
    for batch in batches:
        if not (batch.table == "bars" and "feed" in batch.columns["source"].tolist()):
            for key, row in rows_of(batch):
                revisions.setdefault((batch.table, key), []).append(repr(row))
    for key, rows in revisions.items():
        assert all(a != b for a, b in pairwise(rows)), f"twice: {key}: {rows}"
        assert key[0] != "bar_closes" or len(rows) == 1, f"closed twice: {key}: {rows}"
