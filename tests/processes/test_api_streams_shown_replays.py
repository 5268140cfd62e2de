"""What is read of the journal is encoded in the thread that reads it: the event loop goes on meanwhile."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from plain_rows import MINUTE, SCHEMA, bar, batch_of

from api.streams.shown.bars import Bar, never
from api.streams.shown.channels import wanted_of
from api.streams.shown.replays import Read, Replays
from plant.rows.batch import Batch

THREADS: set[str] = set()


def bars(seq: int, sym: str, minute: int, close: float) -> Batch:
    return batch_of("bars", [bar(minute * MINUTE, sym, close=close)], seq)


def closes(seq: int, *every: tuple[str, int]) -> Batch:
    told = [{"time": (at + 1) * MINUTE, "sym": sym, "interval": "1m", "market_time": at * MINUTE} for sym, at in every]
    return batch_of("bar_closes", told, seq)


def ended(shown: pa.Table) -> np.ndarray:
    """Return that no bar is over by the clock, and note who asks: bars are marked on their way to JSON."""
    THREADS.add(threading.current_thread().name.partition("_")[0])
    return never(shown)


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replays]:
    THREADS.clear()
    made = Replays("tcp://127.0.0.1:9", SCHEMA, ended)
    yield made
    made.close()


def read(replays: Replays, batches: list[Batch], known: list[Batch], after: int = 0) -> tuple[Read, list[list[Bar]]]:
    """Return what is told of some batches, and which bars were looked up; `known` are those that the rdb has."""
    asked: list[list[Bar]] = []

    async def lookup(missing: list[Bar]) -> list[pa.Table]:
        assert threading.current_thread() is threading.main_thread()
        asked.append(missing)
        return [batch.arrow() for batch in known]

    replays._batches = lambda wanted, after, epoch: (batches, batches[-1].seq)  # type: ignore[method-assign]
    wanted = wanted_of({"channel": "bars"}, SCHEMA)
    return asyncio.run(asyncio.wait_for(replays.read(wanted, after, 1, {}, lookup), 30)), asked


def rows(found: Read) -> list[tuple[Any, ...]]:
    told = [json.loads(row) for piece in found.pieces for row in piece.rows]
    return [(row["sym"], row["close"], row["closed"]) for row in told]


def test_rows_are_encoded_beside_the_event_loop(replays: Replays) -> None:
    found, asked = read(replays, [bars(1, "A", 0, 1.0), closes(2, ("A", 0)), bars(3, "A", 1, 2.0)], [], after=1)
    assert rows(found) == [("A", 1.0, True), ("A", 2.0, False)]
    assert (found.reached, found.records, asked) == (3, 2, [])
    assert {"replays"} == THREADS


def test_bars_that_were_closed_and_are_not_known_are_looked_up_once(replays: Replays) -> None:
    batches = [closes(2, ("A", 0), ("B", 0)), closes(3, ("A", 1)), bars(4, "A", 2, 3.0)]
    found, asked = read(replays, batches, [bars(1, "A", 0, 1.0)])
    assert asked == [[Bar("A", "1m", 0), Bar("B", "1m", 0)], [Bar("A", "1m", MINUTE)]]
    assert rows(found) == [("A", 1.0, True), ("A", 3.0, False)]
    assert {"replays"} == THREADS
