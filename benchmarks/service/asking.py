"""Requests over HTTP/1.1 as fast as some connections make them: a client that costs little itself."""

import asyncio
import time
from typing import NamedTuple

import numpy as np


class Asked(NamedTuple):
    """What requests cost: how many a second, and how long one takes (s, percentiles)."""

    per_s: float
    p50: float
    p99: float
    size: int


async def asked(port: int, request: bytes, count: int, connections: int, expected: bytes = b"200") -> Asked:
    """Send a request `count` times over some connections, each waiting for its answer; return what that cost.

    Raises RuntimeError with the answer if its status is another than expected.
    """
    taken: list[float] = []
    size = 0

    async def one(times: int) -> None:
        nonlocal size
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(times):
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            taken.append(time.perf_counter() - began)
            size = len(body)
            if head.split(b" ", 2)[1] != expected:
                raise RuntimeError(f"{head.decode()}{body[:500].decode()}")
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(max(count // connections, 1)) for _ in range(connections)))
    took = time.perf_counter() - began
    p50, p99 = np.percentile(taken, [50, 99]).tolist()
    return Asked(len(taken) / took, p50, p99, size)


def get(path: str) -> bytes:
    """Return a GET of a path."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    """Return a POST of JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    raise RuntimeError(f"an answer without Content-Length: {head.decode()}")
