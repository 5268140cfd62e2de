"""A fork: connection, subscriber and publisher begin anew in the child; pickled, a connection is one again."""

import multiprocessing
import os
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from running import RunningPlant, all_stopped

import plant
from plant.errors import SourceTaken, Unavailable

fork = multiprocessing.get_context("fork")
ROW = {"time": "2026-11-20 14:30", "sym": "A", "price": 1.0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    with all_stopped() as plants:
        made = RunningPlant(tmp_path_factory.mktemp("fork") / "plant")
        plants.append(made)
        made.start("tickerplant", "rdb")
        yield made


def in_child(work: Callable[[], Any]) -> Any:
    """Return what `work` returns in a forked child; fail if it takes more than 10 s."""
    here, there = fork.Pipe()

    def child() -> None:
        try:
            there.send(work())
        except BaseException as error:
            there.send(error)
        os._exit(0)

    process = fork.Process(target=child, daemon=True)
    process.start()
    try:
        assert here.poll(10.0), "the child hangs"
        return here.recv()
    finally:
        process.kill()
        process.join()


def test_a_connection_answers_in_parent_and_child(running: RunningPlant, eventually: Callable[..., Any]) -> None:
    feed = running.publisher("fork-a")
    feed.publish("trades", ROW)
    feed.flush()
    db = running.ask()
    eventually(lambda: db.count("trades", "A") == 1)
    assert in_child(lambda: db.count("trades", "A")) == 1
    assert db.count("trades", "A") == 1
    assert in_child(lambda: pickle.loads(pickle.dumps(db)).count("trades", "A")) == 1
    whole = plant.connect(config=str(running.config))
    assert in_child(lambda: whole.count("trades", "A")) == 1
    assert pickle.loads(pickle.dumps(whole)).count("trades", "A") == 1


def test_a_connection_whose_server_is_gone_says_so_in_the_child_within_its_timeout() -> None:
    db = plant.Connection("rdb", "tcp://127.0.0.1:9", timeout_s=0.5)
    with pytest.raises(Unavailable):
        db.count("trades")

    def asked() -> str:
        begun = time.monotonic()
        try:
            db.count("trades")
        except Unavailable:
            return "Unavailable" if time.monotonic() - begun < 5 else "late"
        return "answered"

    assert in_child(asked) == "Unavailable"


def test_a_publisher_is_its_parents_and_says_so_in_the_child(running: RunningPlant) -> None:
    with running.publisher("fork-p") as feed:
        feed.publish("trades", ROW)
        feed.flush()
        for use in (lambda: feed.publish("trades", ROW), lambda: feed.flush(), lambda: feed.wait_connected()):
            error = in_child(use)
            assert isinstance(error, SourceTaken), error
            assert "forked from" in str(error)
        feed.publish("trades", ROW)
        assert feed.flush() > 0


def test_a_subscriber_goes_on_in_the_child_and_in_the_parent(running: RunningPlant) -> None:
    feed = running.publisher("fork-s")
    feed.publish("quotes", {"time": ROW["time"], "sym": "S", "bid": 1.0, "ask": 2.0})
    feed.flush()
    subscriber = running.subscriber("quotes")

    def syms(count: int) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            found += [sym for batch in subscriber.poll(0.1) for sym in batch.columns["sym"].tolist()]
        return found

    assert syms(1) == ["S"]
    feed.publish("quotes", {"time": ROW["time"], "sym": "T", "bid": 1.0, "ask": 2.0})
    feed.flush()
    assert in_child(lambda: syms(1)) == ["T"]
    assert syms(1) == ["T"]
