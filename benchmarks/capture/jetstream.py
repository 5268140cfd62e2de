"""NATS JetStream: a stream on disk, asynchronous publishing, and an ordered push consumer or a pull consumer."""

import asyncio
import importlib.util
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.capture.roles import RoleFailed, Stage
from benchmarks.capture.tickplant import free_ports
from benchmarks.capture.work import Feed, Sink
from benchmarks.machine import server_path

STREAM = "rows"
PENDING = 4000
"""Unacknowledged messages under way at once (nats-py's own default)."""


@dataclass(frozen=True)
class Nats:
    """nats-server and nats-py; `consumer` is "push" (ordered) or "pull" (fetches of 1,000 messages)."""

    consumer: str = "push"
    durability: str = (
        "stored in a file before the acknowledgement, fsync by sync_interval, whose documented default is 2 minutes: "
        "a power cut loses up to that; no message ids, so no deduplication"
    )
    speed: float = 0.25
    acknowledges: bool = True

    @property
    def name(self) -> str:
        """What its line is called."""
        return f"NATS JetStream ({self.consumer})"

    def missing(self) -> str | None:
        """Return whether server or client is not installed."""
        if server_path("nats-server") is None:
            return "nats-server is not installed"
        if not importlib.util.find_spec("nats"):
            return 'nats-py is not installed (pip install "tickplant[bench]")'
        return None

    @contextmanager
    def serve(self, folder: Path) -> Iterator[str]:
        """Run a server of its own; the address is a URL."""
        port = free_ports(1)[0]
        config = folder / "nats.conf"
        config.write_text(f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{folder}" }}\n')
        with (folder / "nats.log").open("w") as log:
            server = subprocess.Popen([str(server_path("nats-server")), "-c", str(config)], stdout=log, stderr=log)
        try:
            _wait_for(server, folder / "nats.log")
            asyncio.run(_add_stream(f"nats://127.0.0.1:{port}"))
            yield f"nats://127.0.0.1:{port}"
        finally:
            server.kill()
            server.wait()

    def publish(self, address: str, feed: Feed, stage: Stage) -> None:
        """Publish with up to 4,000 messages unacknowledged, then wait for the acknowledgements."""
        asyncio.run(_publish(address, feed, stage))

    def receive(self, address: str, sink: Sink, stage: Stage) -> None:
        """Consume into the sink."""
        asyncio.run((_pushed if self.consumer == "push" else _pulled)(address, sink, stage))


async def _add_stream(address: str) -> None:
    import nats
    from nats.js.api import StorageType, StreamConfig

    client = await nats.connect(address)
    await client.jetstream().add_stream(StreamConfig(name=STREAM, subjects=[STREAM], storage=StorageType.FILE))
    await client.close()


async def _publish(address: str, feed: Feed, stage: Stage) -> None:
    import nats

    client = await nats.connect(address)
    stream = client.jetstream(publish_async_max_pending=PENDING)
    failed: list[BaseException] = []

    def acknowledged(future: "asyncio.Future[Any]") -> None:
        if error := future.exception():
            failed.append(error)

    encode = feed.encode
    await asyncio.to_thread(stage.ready)
    for index, item in enumerate(feed.items):
        if feed.work.rate:
            await asyncio.sleep(feed.pause_s(index))
            item["time"] = time.time_ns()
        (await stream.publish_async(STREAM, encode(item))).add_done_callback(acknowledged)
    await stream.publish_async_completed()
    stage.stop()
    await client.close()
    if failed:
        raise failed[0]


async def _pushed(address: str, sink: Sink, stage: Stage) -> None:
    import nats

    client = await nats.connect(address)
    waiting: list[bytes] = []
    came = asyncio.Event()

    async def keep(message: Any) -> None:
        waiting.append(message.data)
        came.set()

    await client.jetstream().subscribe(STREAM, cb=keep, ordered_consumer=True)
    await asyncio.to_thread(stage.ready)
    while not sink.full:
        await came.wait()
        came.clear()
        taken = waiting[:]
        waiting.clear()
        sink.take(taken)
    stage.stop()
    await client.close()


async def _pulled(address: str, sink: Sink, stage: Stage) -> None:
    import nats
    from nats.js.api import AckPolicy, ConsumerConfig

    client = await nats.connect(address)
    config = ConsumerConfig(ack_policy=AckPolicy.NONE)
    consumer = await client.jetstream().pull_subscribe(STREAM, config=config)
    await asyncio.to_thread(stage.ready)
    while not sink.full:
        wanted = min(1000, sink.work.messages - len(sink.table) // sink.work.rows)
        try:
            sink.take([message.data for message in await consumer.fetch(wanted, timeout=0.5)])
        except nats.errors.TimeoutError:
            continue
    stage.stop()
    await client.close()


def _wait_for(server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while "Server is ready" not in log.read_text():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RoleFailed(f"nats-server does not start: {log.read_text()[-1000:]}")
        time.sleep(0.02)
