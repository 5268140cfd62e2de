"""A table watched on a real plant: its present rows, then what comes; no row missing between them, and none twice."""

import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import polars as pl
import pytest
from running import RunningPlant

from plant.client.connection import Connection
from plant.errors import QueryError, UnknownColumn, UnknownTable
from plant.stream.publisher import Publisher

TIME = 1_795_176_000_000_000_000

_names = count()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlant]:
    plant = RunningPlant(tmp_path_factory.mktemp("watched") / "plant")
    plant.start("tickerplant", "rdb")
    yield plant
    assert not plant.stop()


@pytest.fixture
def db(live: RunningPlant) -> Connection:
    return live.ask()


@pytest.fixture
def sym(live: RunningPlant) -> str:
    """A symbol of this test's own."""
    return f"S{next(_names)}"


@pytest.fixture
def feed(live: RunningPlant) -> Iterator[Publisher]:
    with live.publisher(f"feed-{next(_names)}") as made:
        yield made


@pytest.fixture
def put(feed: Publisher, db: Connection, eventually: Callable[..., Any]) -> Callable[..., None]:
    """Return a function that publishes trades with these prices and waits until the rdb has them."""

    def publish(sym: str, *prices: float) -> None:
        feed.publish("trades", [{"time": TIME + int(p), "sym": sym, "price": p, "size": 1.0} for p in prices])
        seq = feed.flush()
        eventually(lambda: db.status()["seq"] >= seq)

    return publish


def prices_until(frames: Iterator[Any], last: float) -> list[float]:
    """Return the prices of the frames that come until one of them is `last`."""
    found: list[float] = []
    while last not in found:
        found += next(frames)["price"].tolist()
    return found


def test_the_present_rows_come_first_and_then_the_new_ones_each_once(db: Connection, sym: str, put: Any) -> None:
    put(sym, 1, 2, 3)
    with db.watch("trades", sym) as frames:
        assert next(frames)["price"].tolist() == [1, 2, 3]
        put(sym, 4)
        put("other", 99)
        put(sym, 5, 6)
        assert prices_until(frames, 6) == [4, 5, 6]


def test_the_first_frame_of_an_empty_table_is_empty(db: Connection, sym: str, put: Any) -> None:
    with db.watch("trades", sym) as frames:
        first = next(frames)
        assert (len(first), list(first)) == (0, list(db.trades.columns))
        put(sym, 7)
        assert prices_until(frames, 7) == [7]


def test_rows_that_come_between_the_two_frames_are_neither_lost_nor_doubled(
    db: Connection, sym: str, feed: Publisher
) -> None:
    total = 3000
    stop = threading.Event()

    def publish() -> None:
        for n in range(1, total + 1):
            feed.publish("trades", {"time": TIME + n, "sym": sym, "price": float(n), "size": 1.0})
        stop.set()

    thread = threading.Thread(target=publish)
    thread.start()
    found = []
    while not stop.is_set() or not found:  # joins at several moments of the flow
        with db.watch("trades", sym, columns="price") as frames:
            found.append(prices_until(frames, float(total)) if stop.is_set() else next(frames)["price"].tolist())
    with db.watch("trades", sym, columns="price") as frames:
        thread.join()
        found.append(prices_until(frames, float(total)))
    for one in found:
        assert one == [float(n) for n in range(1, len(one) + 1)]
    assert len(found[-1]) == total


def test_rows_come_with_what_was_asked_for(db: Connection, sym: str, put: Any) -> None:
    put(sym, 1)
    with db.watch("trades", [sym], columns=["price", "seq", "received"], where=("price", "!=", 2), last=0) as frames:
        assert len(next(frames)) == 0
        put(sym, 2)
        put(sym, 3)
        frame = next(frames)
    assert list(frame) == ["price", "seq", "received"]
    assert frame["price"].tolist() == [3]
    held = db.select("trades", sym, where=("price", "==", 3), columns=["price", "seq", "received"])
    assert held.to_dict("list") == frame.to_dict("list")


def test_conditions_hold_for_present_and_new_rows(db: Connection, sym: str, put: Any) -> None:
    put(sym, 1, 20)
    where = [("price", ">", 10), ("source", "!=", "nobody"), ("time", ">", TIME)]
    with db.watch("trades", sym, where=where) as frames:
        assert next(frames)["price"].tolist() == [20]
        put(sym, 3, 30)
        assert next(frames)["price"].tolist() == [30]


def test_frames_may_be_gathered_and_conflated(db: Connection, sym: str, put: Any) -> None:
    with db.watch("trades", sym, interval_s=0.5, conflate=True) as frames:
        next(frames)
        for price in (1, 2, 3):
            put(sym, price)
        assert prices_until(frames, 3)[-1] == 3
    with db.watch("trades", sym, interval_s=1.0, last=0) as frames:
        next(frames)
        put(sym, 4)
        put(sym, 5)
        assert next(frames)["price"].tolist() == [4, 5]


def test_revisions_come_each_and_the_first_frame_holds_the_newest(
    db: Connection, sym: str, feed: Publisher, eventually: Callable[..., Any]
) -> None:
    def bar(close: float) -> None:
        prices = {"open": close, "high": close, "low": close, "close": close, "volume": 1.0}
        feed.publish("bars", {"time": TIME, "sym": sym, "interval": "1m", **prices})
        seq = feed.flush()
        eventually(lambda: db.status()["seq"] >= seq)

    bar(1.0)
    bar(2.0)
    with db.bars.watch(sym) as frames:
        assert next(frames)["close"].tolist() == [2.0]
        bar(3.0)
        bar(4.0)
        found = next(frames)["close"].tolist()
        while found[-1] != 4.0:
            found += next(frames)["close"].tolist()
        assert found == [3.0, 4.0]


def test_every_kind_of_frame_can_be_watched(db: Connection, sym: str, put: Any) -> None:
    put(sym, 1)
    with db.watch("trades", sym, frames="polars") as frames:
        first = next(frames)
        put(sym, 2)
        second = next(frames)
    assert isinstance(first, pl.DataFrame)
    assert first.schema.names() == second.schema.names()
    assert pl.concat([first, second.cast(first.schema)])["price"].to_list() == [1, 2]


def test_leaving_the_loop_and_closing_end_it(db: Connection, sym: str, put: Any) -> None:
    put(sym, 1)
    for frame in db.watch("trades", sym):
        assert len(frame) == 1
        break
    watch = db.watch("trades", sym)
    next(watch)
    threading.Timer(0.2, watch.close).start()
    assert list(watch) == []
    assert repr(watch) == "<Watch trades closed>"


def test_wrong_names_are_told_at_once(db: Connection) -> None:
    with pytest.raises(UnknownTable, match="did you mean 'trades'"):
        db.watch("trade")
    with pytest.raises(UnknownColumn, match="did you mean 'price'"):
        db.watch("trades", columns=["prices"])
    with pytest.raises(QueryError, match="is a number"):
        db.watch("trades", where={"price": "high"})
    with pytest.raises(QueryError, match="frames must be"):
        db.watch("trades", frames="excel")
