"""Answers leave in order, at the pace of their readers; what nobody reads is bounded in bytes, and harms no other."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import zmq
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from plant.serving import delivery
from plant.serving.delivery import Delivery, Message

law = settings(max_examples=examples(200), deadline=None, derandomize=True, database=None)

MEGABYTE = bytes(10**6)


class Network:
    """ZeroMQ as Delivery sees it: messages handed over stay "on the way" until their reader takes them."""

    def __init__(self) -> None:
        self.way: dict[bytes, list[tuple[Message, SimpleNamespace]]] = {}
        self.gone: set[bytes] = set()
        self.full: set[bytes] = set()

    def send(self, message: Message) -> Any:
        peer = message[0]
        if peer in self.gone:
            raise zmq.ZMQError(zmq.EHOSTUNREACH)
        if peer in self.full:
            raise zmq.Again
        tracker = SimpleNamespace(done=False)
        self.way.setdefault(peer, []).append((message, tracker))
        return tracker

    def read(self, peer: bytes, count: int = 10**9) -> list[bytes]:
        """Return the bodies that a client reads now."""
        taken, self.way[peer] = self.way.get(peer, [])[:count], self.way.get(peer, [])[count:]
        for _, tracker in taken:
            tracker.done = True
        return [message[-1] for message, _ in taken]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def out(network: Network) -> Delivery:
    return Delivery(network.send, 100 * 10**6)


def answer(peer: bytes, number: bytes, *bodies: bytes) -> list[Message]:
    return [[peer, number, b"more" if n + 1 < len(bodies) else b"ok", body] for n, body in enumerate(bodies)]


def read_all(out: Delivery, network: Network, peer: bytes) -> list[bytes]:
    found: list[bytes] = []
    out.flush()
    while some := network.read(peer):
        found += some
        out.flush()
    return found


def test_an_answer_that_is_read_leaves_nothing_behind(out: Delivery, network: Network) -> None:
    assert out.put(answer(b"a", b"1", b"small")) == []
    assert network.read(b"a") == [b"small"]
    assert out.flush() is None
    assert out.unread(b"a") == 0


def test_only_a_window_is_on_the_way_and_the_rest_follows_as_it_is_read(out: Delivery, network: Network) -> None:
    bodies = [bytes([n]) * 10**6 for n in range(30)]
    out.put(answer(b"a", b"1", *bodies))
    assert 8 <= len(network.way[b"a"]) <= 10
    assert out.unread(b"a") > 30 * 10**6
    assert read_all(out, network, b"a") == bodies


def test_a_client_that_reads_nothing_holds_up_no_other(out: Delivery, network: Network) -> None:
    out.put(answer(b"deaf", b"1", *[MEGABYTE] * 50))
    for n in range(20):
        out.put(answer(b"b", b"%d" % n, b"%d" % n))
        assert network.read(b"b") == [b"%d" % n]
    assert out.unread(b"deaf") > 50 * 10**6


def test_what_zeromq_does_not_take_now_is_sent_later(out: Delivery, network: Network) -> None:
    network.full.add(b"a")
    out.put(answer(b"a", b"1", b"x") + answer(b"a", b"2", b"y"))
    assert out.flush() is not None
    network.full.clear()
    out.flush()
    assert network.read(b"a") == [b"x", b"y"]


def test_a_client_that_is_gone_is_forgotten(out: Delivery, network: Network) -> None:
    out.put(answer(b"a", b"1", *[MEGABYTE] * 50))
    network.gone.add(b"a")
    network.read(b"a")
    assert out.flush() is None
    assert out.waiting_bytes == 0
    assert out.gone == [b"a"]


def test_the_rest_of_one_answer_can_be_dropped_and_another_goes_on(out: Delivery, network: Network) -> None:
    out.put(answer(b"a", b"1", *[MEGABYTE] * 20))
    out.put(answer(b"a", b"2", b"other"))
    assert out.drop(b"a", b"1")
    assert b"other" in read_all(out, network, b"a")
    assert out.drop(b"nobody", b"1") == []


def test_a_delimiter_before_the_request_id_is_passed_over(out: Delivery, network: Network) -> None:
    network.full.add(b"a")
    out.put([[b"a", b"", b"1", b"ok", b"x"], [b"a", b"", b"2", b"ok", b"y"]])
    assert [m[-1] for m in out.drop(b"a", b"2")] == [b"y"]


def test_beyond_the_bound_the_client_that_left_the_most_loses_its_answers(out: Delivery, network: Network) -> None:
    assert out.put(answer(b"much", b"1", *[MEGABYTE] * 70)) == []
    assert out.put(answer(b"less", b"2", *[MEGABYTE] * 40)) == []
    lost = out.put(answer(b"more", b"3", *[MEGABYTE] * 30))
    assert {m[0] for m in lost} == {b"much"}
    assert out.waiting_bytes < 100 * 10**6
    assert len(read_all(out, network, b"less")) == 40


def test_it_looks_often_while_somebody_reads_and_seldom_while_nobody_does(
    out: Delivery, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(delivery.time, "monotonic", lambda: now[0])
    out.put(answer(b"a", b"1", *[MEGABYTE] * 50))
    assert out.flush() == delivery.LOOK_S
    now[0] += 1
    assert out.flush() == delivery.IDLE_LOOK_S
    network.read(b"a", 1)
    assert out.flush() == delivery.LOOK_S


@law
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from([b"a", b"b"]), st.integers(1, 12)),
            st.tuples(st.just("read"), st.sampled_from([b"a", b"b"]), st.integers(1, 5)),
            st.tuples(st.just("flush"), st.just(b""), st.just(0)),
        ),
        max_size=40,
    )
)
def test_every_message_arrives_once_and_in_order_whatever_the_pace(steps: list[tuple[str, bytes, int]]) -> None:
    network = Network()
    out = Delivery(network.send, 10**9, window_bytes=1000)
    sent: dict[bytes, list[bytes]] = {b"a": [], b"b": []}
    found: dict[bytes, list[bytes]] = {b"a": [], b"b": []}
    actions: dict[str, Callable[[bytes, int], Any]] = {
        "read": lambda peer, count: found[peer].extend(network.read(peer, count)),
        "flush": lambda peer, count: out.flush(),
    }
    for number, (verb, peer, count) in enumerate(steps):
        if verb == "put":
            bodies = [b"%d.%d" % (number, n) + bytes(250) for n in range(count)]
            sent[peer] += bodies
            out.put(answer(peer, b"%d" % number, *bodies))
        else:
            actions[verb](peer, count)
        assert all(sum(len(m[-1]) for m, _ in way) < 1300 for way in network.way.values())
    for peer in found:
        found[peer] += read_all(out, network, peer)
    assert found == sent
    out.flush()
    assert out.flush() is None
