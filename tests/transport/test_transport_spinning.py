"""A poller that looks again and again before it sleeps: when it does, and that it finds what a plain one finds."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from plant.transport.spinning import Poller

Pair = tuple["zmq.Socket[bytes]", "zmq.Socket[bytes]"]
SPIN_US = 100_000.0


@pytest.fixture
def pair() -> Iterator[Pair]:
    with zmq.Context() as context, context.socket(zmq.PAIR) as one, context.socket(zmq.PAIR) as other:
        one.bind("inproc://pair")
        other.connect("inproc://pair")
        yield one, other


def _cpu_s(poller: Poller, timeout_ms: int) -> float:
    """Return the CPU time of a wait in vain."""
    before = time.thread_time()
    assert poller.poll(timeout_ms) == {}
    return time.thread_time() - before


@pytest.mark.parametrize("spin_us", [0.0, SPIN_US])
def test_it_tells_who_has_something(pair: Pair, spin_us: float) -> None:
    one, other = pair
    poller = Poller((one, other), spin_us)
    for _ in range(3):
        assert poller.poll(0) == {}
        other.send(b"a")
        assert poller.poll(1000) == {one: zmq.POLLIN}
        one.send(b"b")
        assert poller.poll(1000) == {one: zmq.POLLIN, other: zmq.POLLIN}
        assert (one.recv(), other.recv()) == (b"a", b"b")


def test_it_looks_again_only_while_what_comes_comes_closely(pair: Pair) -> None:
    one, other = pair
    poller = Poller((one,), SPIN_US)
    assert _cpu_s(poller, 150) < 0.01, "nothing has come yet: it sleeps"
    other.send(b"")
    assert poller.poll(1000)
    one.recv()
    assert _cpu_s(poller, 150) > 0.01, "what came last came at once: it looks for the whole of its time"
    assert _cpu_s(poller, 150) < 0.01, "it looked in vain: it sleeps again"


def test_it_looks_no_longer_than_it_may_wait(pair: Pair) -> None:
    one, other = pair
    poller = Poller((one,), 10e6)
    other.send(b"")
    assert poller.poll(1000)
    one.recv()
    begun = time.monotonic()
    assert poller.poll(20) == {}
    assert time.monotonic() - begun < 1.0


def test_what_comes_while_it_looks_or_sleeps_is_found(pair: Pair) -> None:
    one, other = pair
    poller = Poller((one,), SPIN_US)
    for pause_s in (0.0, 0.005, 0.06, 0.005):
        sending: Any = threading.Timer(pause_s, other.send, (b"",))
        sending.start()
        assert poller.poll(5000) == {one: zmq.POLLIN}
        one.recv()
        sending.join()
