"""The client under asyncio: no question waits for another, and a cancelled task cancels its question."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from plain_rows import NOON, tables_of, trade
from running import RunningPlant

import hdb
import plant
import processor
import rdb
from plant.client.aio import AsyncConnection
from plant.client.connection import Connection
from plant.errors import QueryLimit, Unavailable, UnknownTable
from plant.serving.server import QueryServer

ENDLESS = "select count(*) from range(100000000000000) where range % 3 = 5"


@pytest.fixture
def server() -> Iterator[QueryServer]:
    made = QueryServer("tcp://127.0.0.1:*", tables_of(trades=[[trade(NOON)]]), lambda: {"pid": 1})
    yield made
    made.close()


def asynchronous(server: QueryServer, **options: Any) -> AsyncConnection:
    return AsyncConnection(Connection("rdb", server.address, **options))


def test_a_connection_goes_where_connect_does(server: QueryServer) -> None:
    where = server.address.removeprefix("tcp://")

    async def count(**options: Any) -> int:
        async with await rdb.connect_async(**options) as db:
            return await db.count("trades")

    for options in ({"address": where}, {"port": int(where.rpartition(":")[2])}):
        assert asyncio.run(count(**options)) == 1


def test_many_questions_are_awaited_at_once(server: QueryServer) -> None:
    async def ask() -> list[Any]:
        async with asynchronous(server) as db:
            return await asyncio.gather(*(db.sql(f"select {n} n") for n in range(50)), db.count("trades"))

    *frames, count = asyncio.run(ask())
    assert [frame["n"][0] for frame in frames] == list(range(50))
    assert count == 1


def test_a_slow_question_holds_up_no_other_and_errors_are_raised(server: QueryServer) -> None:
    async def ask() -> None:
        async with asynchronous(server) as db:
            slow = asyncio.create_task(db.sql(ENDLESS, timeout_s=2))
            started = time.monotonic()
            assert await db.count("trades") == 1
            assert time.monotonic() - started < 1.5
            with pytest.raises(UnknownTable, match="did you mean 'trades'"):
                await db.select("trade")
            with pytest.raises(QueryLimit):
                await slow

    asyncio.run(ask())


def test_cancelling_a_task_stops_its_question_at_the_server(
    server: QueryServer, eventually: Callable[..., Any]
) -> None:
    async def ask() -> None:
        async with asynchronous(server, timeout_s=60) as db:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(db.sql(ENDLESS), 0.3)
            assert await db.count("trades") == 1

    started = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - started < 10
    eventually(lambda: not server._waiting.under_way)


def test_closing_leaves_no_thread(server: QueryServer) -> None:
    async def ask() -> None:
        async with asynchronous(server) as db:
            assert repr(db) == f"<AsyncConnection {server.address}>"
            await asyncio.gather(*(db.count("trades") for _ in range(5)))

    asyncio.run(ask())
    assert not [t for t in threading.enumerate() if t.name.startswith("question")]


@pytest.mark.parametrize("process", [rdb, processor, hdb])
def test_nobody_there_is_unavailable(process: Any) -> None:
    async def connect() -> None:
        await process.connect_async("tcp://127.0.0.1:1", timeout_s=0.2)

    with pytest.raises(Unavailable):
        asyncio.run(connect())


def test_a_watch_is_an_asynchronous_iterator_and_loses_no_frame_to_a_timeout(
    market: RunningPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_CONFIG", str(market.config))

    async def watch() -> list[Any]:
        found = []
        async with (
            await plant.connect_async(frames="numpy", warn_unknown=False) as db,
            db.watch("signals", "WATCHED") as frames,
        ):
            assert (await anext(frames))["price"].tolist() == []
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(frames), 0.3)
            with market.publisher("watched") as feed:
                row = {"time": NOON, "sym": "WATCHED", "interval": "1m", "signal": "mine", "price": 5.0}
                feed.publish("signals", row)
                feed.flush()
            async for frame in frames:
                found += frame["price"].tolist()
                break
            coming = asyncio.create_task(anext(frames))
            await asyncio.sleep(0)
        with pytest.raises(StopAsyncIteration):
            await coming
        return found

    assert asyncio.run(watch()) == [5.0]
