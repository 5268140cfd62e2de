"""The same questions through a socket, until a DataFrame is there: each system in a process of its own.

Ours is a QueryServer and its client. The others answer on a socket of the same kind (ZeroMQ, loopback) with the same
bytes (an Arrow IPC stream), from one loop that does nothing else.
"""

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from typing import Any

import zmq

from benchmarks.query.market import Market
from benchmarks.query.systems import SYSTEMS, Ours
from plant.client.connection import Connection
from plant.query.frames import as_frame
from plant.query.streams import from_ipc, to_ipc
from plant.serving.server import QueryServer

QUESTIONS = {
    "last": "last row of each symbol",
    "one_last_100": "one symbol, its last 100 rows",
    "one_day": "one symbol, all day",
}

READY_S = 600.0

HIDDEN = """\
Client and server share the CPUs named above. The DataFrame is pandas', as our users get it; that of the others is made
in the same way."""


@contextmanager
def served(name: str, market: Market) -> Iterator[Callable[[str], Any]]:
    """Run a system's server; give what asks it one of QUESTIONS and returns a DataFrame."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(name, market, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(READY_S):
            raise RuntimeError(f"{name} was not ready within {READY_S:g} s")
        address = ours.recv()
        with _client(name, address, market) as ask:
            yield ask
    finally:
        ours.close()
        process.join(10)
        process.kill()


@contextmanager
def _client(name: str, address: str, market: Market) -> Iterator[Callable[[str], Any]]:
    if name == Ours.name:
        with Connection("bench", address, timeout_s=60.0) as db:
            asks: dict[str, Callable[[], Any]] = {
                "last": lambda: db.last("trades"),
                "one_last_100": lambda: db.select("trades", market.one, last=100),
                "one_day": lambda: db.select("trades", market.one),
            }
            yield lambda question: asks[question]()
        return
    with zmq.Context() as zmq_context, zmq_context.socket(zmq.REQ) as socket:
        socket.connect(address)

        def ask(question: str) -> Any:
            socket.send_string(question)
            return as_frame(from_ipc(socket.recv(copy=False).buffer), "pandas")

        yield ask


def _serve(name: str, market: Market, pipe: Pipe) -> None:
    system = SYSTEMS[name](market)
    del market.__dict__["trades"], market.__dict__["quotes"]
    if isinstance(system, Ours):
        server = QueryServer("tcp://127.0.0.1:*", system.tables, dict)
        pipe.send(server.address)
        _until_closed(pipe)
        server.close()
        return
    with zmq.Context() as context, context.socket(zmq.REP) as socket:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        pipe.send(f"tcp://127.0.0.1:{port}")
        done = threading.Event()
        threading.Thread(target=lambda: (_until_closed(pipe), done.set()), daemon=True).start()
        while not done.is_set():
            if socket.poll(100):
                answer = getattr(system, socket.recv_string())()
                socket.send(to_ipc(system.as_arrow(answer)), copy=False)


def _until_closed(pipe: Pipe) -> None:
    try:
        pipe.recv()
    except EOFError:
        return


def durations_s(ask: Callable[[], Any], seconds: float, least: int) -> list[float]:
    """Return how long each of many calls took, after one that does not count."""
    ask()
    found: list[float] = []
    end = time.perf_counter() + seconds
    while len(found) < least or time.perf_counter() < end:
        begun = time.perf_counter()
        ask()
        found.append(time.perf_counter() - begun)
    return found
