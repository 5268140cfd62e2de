"""What does a publish() cost with what people really hold: a dict with a datetime, a DataFrame, Arrow, Polars?"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.capture.handed import FORMS, Form, rows_of
from benchmarks.capture.jetstream import PENDING, Nats
from benchmarks.capture.jetstream import STREAM as SUBJECT
from benchmarks.capture.redis_streams import FIELD, STREAM, Redis
from benchmarks.capture.tickplant import running_plant
from benchmarks.effort import Effort
from benchmarks.machine import Grid, Spread, number, ratio
from plant.client.connect import publisher

HIDDEN = """\
What these numbers hide:
- Ours: a tickerplant (fdatasync each 100 ms, its default) and an rdb that takes every row, with the publisher three
  processes on the CPUs named above. A call of ours returns when the row is in the outbox, and waits when 32 MB are not
  acknowledged; "rows/s" is until the last acknowledgement.
- The others are handed the same and pack it as one would: dicts by msgpack with its own time stamps, frames and tables
  by Arrow IPC. Redis: pipelines of 100 dicts or 10 frames, so most calls only fill the pipeline. JetStream: up to 4,000
  unacknowledged. Nobody reads from them here: what they hold are bytes that somebody still has to unpack, check and
  append; our rdb has columns and answers questions.
- p99 of single rows is that of the call that makes a record, or waits for a turn; the mean is what a feed gets.
- One publisher and one table: no processor, no dashboard beside them."""

COLUMNS = (
    "form",
    "rows",
    "system",
    "messages",
    "us a publish, mean",
    "median",
    "p99",
    "rows/s acknowledged",
    "vs ours",
)


class Taken(NamedTuple):
    """Seconds of each call, and from the first to the last acknowledgement."""

    calls: np.ndarray
    whole_s: float


def intake(effort: Effort) -> bool:
    """Print what a publish costs and how many rows a second are acknowledged, for each form and system."""
    good = True
    grid = Grid("Intake: trades with all columns, as they are handed over", COLUMNS)
    systems: dict[str, tuple[str | None, Callable[[Form, list[Any]], Taken]]] = {
        "tickplant": (None, _ours),
        "Redis Streams": (Redis().missing(), _redis),
        "NATS JetStream": (Nats().missing(), _jetstream),
    }
    for form in FORMS[1:9:3] if effort.quick else FORMS:
        ours = None
        for name, (missing, publish) in systems.items():
            if missing:
                grid.add(form.name, form.rows, name, 0, missing)
                continue
            full = {1: 200_000, 100: 10_000, 1000: 3_000}[form.rows] // (1 if name == "tickplant" else 4)
            items = form.items(effort.size(full, 50))
            print(f"intake: {form.name}, {form.rows} rows, {name}", file=sys.stderr)
            runs = []
            for _ in effort.times(3):
                try:
                    runs.append(publish(form, items))
                except Exception as error:
                    good = False
                    print(f"{name}, {form.name}: {error!r}", file=sys.stderr)
            if not runs:
                grid.add(form.name, form.rows, name, len(items), "failed")
                continue
            calls = np.concatenate([run.calls for run in runs]) * 1e6
            rate = Spread.of(len(items) * form.rows / run.whole_s for run in runs)
            ours = ours or rate.median
            each = [number(float(v)) for v in (calls.mean(), np.median(calls), np.percentile(calls, 99))]
            grid.add(form.name, form.rows, name, len(items), *each, str(rate), ratio(rate.median, ours))
    print(grid)
    print(f"\n{HIDDEN}", flush=True)
    return good


def _timed(publish: Callable[[Any], object], items: list[Any], finish: Callable[[], object]) -> Taken:
    clock = time.perf_counter_ns
    stamps = np.empty(len(items) + 1, dtype=np.int64)
    stamps[0] = clock()
    for place, item in enumerate(items, 1):
        publish(item)
        stamps[place] = clock()
    finish()
    return Taken(np.diff(stamps) / 1e9, (clock() - int(stamps[0])) / 1e9)


def _ours(form: Form, items: list[Any]) -> Taken:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running_plant(Path(folder) / "plant", "tickerplant", "rdb") as plant,
    ):
        with publisher("bench", config=plant.config) as source:
            source.wait_connected()
            source.publish("trades", items[0])  # what is made once in a publisher's life
            source.flush()
            taken = _timed(lambda item: source.publish("trades", item), items, lambda: source.flush(60.0))
        expected, deadline = (len(items) + 1) * form.rows, time.monotonic() + 60
        while (found := plant.ask("rdb").trades.count()) != expected:
            if time.monotonic() > deadline:
                raise ValueError(f"expected {expected:,} rows, found {found:,}")
            time.sleep(0.05)
    return taken


def _redis(form: Form, items: list[Any]) -> Taken:
    import redis

    size = 100 if form.rows == 1 else 10
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Redis().serve(Path(folder)) as address,
        redis.Redis.from_url(address) as client,
    ):
        client.ping()
        pipeline = client.pipeline(transaction=False)
        waiting = 0

        def publish(item: Any) -> None:
            nonlocal waiting
            pipeline.xadd(STREAM, {FIELD: form.pack(item)})
            waiting += 1
            if waiting == size:
                pipeline.execute()
                waiting = 0

        taken = _timed(publish, items, pipeline.execute)
        found, last = client.xlen(STREAM), client.xrevrange(STREAM, count=1)[0][1][FIELD]
    if found != len(items) or rows_of(form, last) != form.rows:
        raise ValueError(f"expected {len(items):,} messages of {form.rows} rows, found {found:,}")
    return taken


def _jetstream(form: Form, items: list[Any]) -> Taken:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Nats().serve(Path(folder)) as address:
        return asyncio.run(_streamed(address, form, items))


async def _streamed(address: str, form: Form, items: list[Any]) -> Taken:
    import nats

    client = await nats.connect(address)
    stream = client.jetstream(publish_async_max_pending=PENDING)
    clock = time.perf_counter_ns
    stamps = np.empty(len(items) + 1, dtype=np.int64)
    stamps[0] = clock()
    for place, item in enumerate(items, 1):
        await stream.publish_async(SUBJECT, form.pack(item))
        stamps[place] = clock()
    await stream.publish_async_completed()
    taken = Taken(np.diff(stamps) / 1e9, (clock() - int(stamps[0])) / 1e9)
    found = (await stream.stream_info(SUBJECT)).state.messages
    await client.close()
    if found != len(items):
        raise ValueError(f"expected {len(items):,} messages, found {found:,}")
    return taken
