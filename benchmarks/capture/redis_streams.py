"""Redis Streams: XADD in pipelines, XREAD in blocks, an append-only file that is fsynced each second."""

import importlib.util
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.capture.roles import RoleFailed, Stage
from benchmarks.capture.tickplant import free_ports
from benchmarks.capture.work import Feed, Sink
from benchmarks.machine import server_path

STREAM = b"rows"
FIELD = b"m"


@dataclass(frozen=True)
class Redis:
    """redis-server and redis-py with hiredis, over TCP."""

    name: str = "Redis Streams"
    durability: str = (
        "appendonly yes, appendfsync everysec (a power cut loses a second or two), no snapshots, no rewrite of the "
        "file; acknowledged before the fsync; XADD does not deduplicate what is sent again"
    )
    speed: float = 0.6
    acknowledges: bool = True

    def missing(self) -> str | None:
        """Return whether server or client is not installed."""
        if server_path("redis-server") is None:
            return "redis-server is not installed"
        if not (importlib.util.find_spec("redis") and importlib.util.find_spec("hiredis")):
            return 'redis-py or hiredis is not installed (pip install "tickplant[bench]")'
        return None

    @contextmanager
    def serve(self, folder: Path) -> Iterator[str]:
        """Run a server of its own; the address is a URL."""
        port = free_ports(1)[0]
        options = {
            "port": port,
            "bind": "127.0.0.1",
            "dir": folder,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "auto-aof-rewrite-percentage": 0,  # a rewrite in the middle of a run would take one of the CPUs
            "save": "",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        with (folder / "redis.log").open("w") as log:
            server = subprocess.Popen([str(server_path("redis-server")), *words], stdout=log, stderr=log)
        try:
            _wait_for(server, port, folder / "redis.log")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
            server.wait()

    def publish(self, address: str, feed: Feed, stage: Stage) -> None:
        """Add 100 one-row messages or 10 batches a round trip; when paced, each at once."""
        import redis

        size = 1 if feed.work.rate else 100 if feed.work.rows == 1 else 10
        encode = feed.encode
        with redis.Redis.from_url(address) as client:
            client.ping()
            stage.ready()
            items = iter(feed)
            while part := list(islice(items, size)):
                if size == 1:
                    client.xadd(STREAM, {FIELD: encode(part[0])})
                    continue
                pipeline = client.pipeline(transaction=False)
                for item in part:
                    pipeline.xadd(STREAM, {FIELD: encode(item)})
                pipeline.execute()
            stage.stop()

    def receive(self, address: str, sink: Sink, stage: Stage) -> None:
        """Read up to 1,000 one-row messages or 100 batches at a time."""
        import redis

        count = 1000 if sink.work.rows == 1 else 100
        with redis.Redis.from_url(address) as client:
            client.ping()
            stage.ready()
            last: Any = b"0"
            while not sink.full:
                if entries := _entries(client.xread({STREAM: last}, count=count, block=1000)):
                    last = entries[-1][0]
                    sink.take([fields[FIELD] for _, fields in entries])
            stage.stop()


def _entries(answer: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the entries of the one stream asked for; RESP2 answers with a list of pairs, RESP3 with a map."""
    if not answer:
        return []
    if isinstance(answer, dict):
        found = next(iter(answer.values()))
        return found[0] if found and isinstance(found[0], list) else found
    entries: list[tuple[bytes, dict[bytes, bytes]]] = answer[0][1]
    return entries


def _wait_for(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import redis

    deadline = time.monotonic() + 20
    with redis.Redis(port=port) as client:
        while True:
            try:
                client.ping()
                return
            except redis.ConnectionError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RoleFailed(f"redis-server does not answer: {log.read_text()[-1000:]}") from None
                time.sleep(0.02)
