"""Sockets: this machine only, real addresses, and errors that say what an address looks like."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import zmq

from plant.errors import SettingsError
from plant.transport import sockets
from plant.wire.messages import BEAT_TOPIC, topic_of

IDLE_SUBSCRIBER = """
import sys, time, zmq
from plant.transport import sockets
socket = sockets.connect(sockets.context(), zmq.SUB, sys.argv[1], RCVHWM=10)
socket.subscribe(b"")
sys.stdin.readline()
time.sleep(3)  # longer than a heartbeat of ZeroMQ takes to fall due
"""


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    made = zmq.Context()
    yield made
    made.destroy(0)


OPEN = ["tcp://0.0.0.0:5006", "tcp://*:5006", "tcp://8.8.8.8:5006", "tcp://[::]:5006", "tcp://eth0:5006"]
OPEN += ["tcp://127.0.0.1@8.8.8.8:5006", "tcp://127.0.0.1.example.com:5006", "tcp://localhost.evil.org:5006"]
WRONG = ["", "nonsense", "tcp://", "tcp://:5006", "ipc:///tmp/plant", "127.0.0.1:5006", "tcp://[::1:5006"]
WRONG += ["tcp://127.0.0.1", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:-1", "tcp://127.0.0.1:http"]
WRONG += ["tcp://127.0.0.1:0;8.8.8.8:5006", "tcp://127.0.0.1\0:5006", "nothing://127.0.0.1:5006"]


@pytest.mark.parametrize("address", OPEN)
def test_an_address_that_is_not_loopback_is_refused(context: zmq.Context[Any], address: str) -> None:
    for act in (sockets.bind, sockets.connect):
        with pytest.raises(SettingsError, match="is not a loopback address; without CURVE keys"):
            act(context, zmq.DEALER, address)


@pytest.mark.parametrize("address", WRONG)
def test_what_is_no_address_is_refused(context: zmq.Context[Any], address: str) -> None:
    for act in (sockets.bind, sockets.connect):
        with pytest.raises(SettingsError, match="127"):
            act(context, zmq.DEALER, address)


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:5006", "ipc:///tmp/plant", ""])
def test_an_address_without_its_scheme_is_told_how_one_looks(context: zmq.Context[Any], address: str) -> None:
    with pytest.raises(SettingsError, match=r"it does not begin with tcp://\); one looks like tcp://127.0.0.1:5006"):
        sockets.connect(context, zmq.DEALER, address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
@pytest.mark.parametrize("port", ["0", "*"])
def test_port_0_means_pick_one_and_the_real_address_is_told(context: zmq.Context[Any], host: str, port: str) -> None:
    server, address = sockets.bind(context, zmq.ROUTER, f"tcp://{host}:{port}")
    other, other_address = sockets.bind(context, zmq.ROUTER, f"tcp://{host}:{port}")
    assert address != other_address
    assert int(address.rpartition(":")[2]) > 0

    client = sockets.connect(context, zmq.DEALER, address)
    client.send(b"hello")
    assert server.poll(5000)
    assert server.recv_multipart()[1] == b"hello"
    for socket in (server, other, client):
        socket.close(0)


def test_a_port_in_use_is_told_with_the_remedy(context: zmq.Context[Any]) -> None:
    server, address = sockets.bind(context, zmq.ROUTER, "tcp://127.0.0.1:*")
    with pytest.raises(SettingsError, match=r"cannot bind tcp.*already in use.*is another plant running\?"):
        sockets.bind(context, zmq.ROUTER, address)
    server.close(0)


def test_options_are_set_and_nothing_lingers(context: zmq.Context[Any]) -> None:
    socket = sockets.connect(context, zmq.DEALER, "tcp://127.0.0.1:1", SNDHWM=7)
    assert (socket.getsockopt(zmq.SNDHWM), socket.getsockopt(zmq.LINGER)) == (7, 0)
    assert socket.getsockopt(zmq.HEARTBEAT_IVL) > 0
    socket.close(0)
    stream = sockets.connect(context, zmq.SUB, "tcp://127.0.0.1:1")
    assert (stream.getsockopt(zmq.HEARTBEAT_IVL), stream.getsockopt(zmq.TCP_KEEPALIVE)) == (0, 1)
    stream.close(0)


def send_for_ever(server: zmq.Socket[Any]) -> None:
    while True:
        server.send(bytes(100_000))


def test_a_subscriber_that_reads_nothing_outlives_its_publisher(context: zmq.Context[Any]) -> None:
    options = {"SNDHWM": 10, "XPUB_NODROP": 1, "SNDTIMEO": 1000}
    server, address = sockets.bind(context, zmq.XPUB, "tcp://127.0.0.1:*", **options)
    with subprocess.Popen([sys.executable, "-c", IDLE_SUBSCRIBER, address], stdin=subprocess.PIPE) as subscriber:
        assert server.poll(10_000)
        assert server.recv() == b"\1"
        with pytest.raises(zmq.Again):
            send_for_ever(server)  # until nothing goes through any more: the subscriber's queue is full
        server.close(0)
        subscriber.communicate(b"gone\n", timeout=30)
    assert subscriber.returncode == 0


def test_no_topic_is_the_beginning_of_another() -> None:
    assert topic_of("bars") == b"bars\0"
    assert not topic_of("bars_daily").startswith(topic_of("bars"))
    assert not topic_of("beat").startswith(BEAT_TOPIC)
