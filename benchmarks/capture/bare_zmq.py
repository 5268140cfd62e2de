"""Bare pyzmq over the same two hops, without journal, numbers or acknowledgements: what sockets can do at most."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq

from benchmarks.capture.roles import READY_S, Role, Stage
from benchmarks.capture.tickplant import free_ports
from benchmarks.capture.work import Feed, Sink

PROBE = b""
"""An empty message says that a subscription is in force; rows never are."""


@dataclass(frozen=True)
class BareZmq:
    """PUSH -> a forwarder process (PULL, PUB) -> SUB, all high-water marks 0: queues without end."""

    name: str = "bare pyzmq, no journal"
    durability: str = "none: no journal, no sequence numbers, no acknowledgement, rows waiting in memory without limit"
    speed: float = 2.0
    acknowledges: bool = False

    def missing(self) -> str | None:
        """Nothing is needed."""
        return None

    @contextmanager
    def serve(self, folder: Path) -> Iterator[str]:
        """Run the forwarder; the address is both of its ports."""
        ports = free_ports(2)
        address = " ".join(f"tcp://127.0.0.1:{port}" for port in ports)
        forwarder = Role(_forward, address)
        try:
            forwarder.hear("ready", READY_S)
            forwarder.go()
            yield address
        finally:
            forwarder.__exit__(SystemExit)  # a proxy never returns

    def publish(self, address: str, feed: Feed, stage: Stage) -> None:
        """Send every item."""
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            _unlimited(socket).connect(address.split()[0])
            encode, send = feed.encode, socket.send
            stage.ready()
            for item in feed:
                send(encode(item))
            stage.stop()

    def receive(self, address: str, sink: Sink, stage: Stage) -> None:
        """Take up to 1,000 messages at a time."""
        entry, exit_ = address.split()
        with zmq.Context() as context, context.socket(zmq.SUB) as socket, context.socket(zmq.PUSH) as prober:
            _unlimited(socket).connect(exit_)
            socket.subscribe(b"")
            prober.connect(entry)
            prober.send(PROBE)
            while not socket.poll(20):
                prober.send(PROBE)
            stage.ready()
            while not sink.full:
                socket.poll(1000)
                sink.take(_waiting(socket))
            stage.stop()


def _waiting(socket: "zmq.Socket[bytes]") -> list[bytes]:
    found: list[bytes] = []
    try:
        for _ in range(1000):
            if message := socket.recv(zmq.NOBLOCK):
                found.append(message)
    except zmq.Again:
        pass  # all that waited is taken
    return found


def _forward(address: str, stage: Stage) -> None:
    entry, exit_ = address.split()
    with zmq.Context() as context, context.socket(zmq.PULL) as front, context.socket(zmq.PUB) as back:
        _unlimited(front).bind(entry)
        _unlimited(back).bind(exit_)
        stage.ready()
        zmq.proxy(front, back)


def _unlimited(socket: "zmq.Socket[bytes]") -> "zmq.Socket[bytes]":
    socket.set_hwm(0)
    return socket
