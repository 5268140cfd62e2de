"""The client for asyncio: the questions of plant.client.connection, awaited.

    async with await plant.connect_async() as db:
        bars, trades = await asyncio.gather(db.last("bars"), db.last("trades"))

Each question waits in a thread of the connection's own, with a socket of its own, so none waits for another and the
event loop for none. Cancelling the task cancels the question in the process that works on it.
"""

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakSet

from plant.client.connect import connect, connect_to
from plant.client.connection import Connection
from plant.client.watch import Watch
from plant.transport.request import GIVE_UP

AT_ONCE = 32
"""Questions of one connection under way; more wait."""

_Answer = TypeVar("_Answer")


def _awaited(method: Callable[..., Any]) -> Any:
    """Return the method of Connection as a coroutine function with the same name and docstring."""

    @functools.wraps(method)
    async def ask(self: "AsyncConnection", *args: Any, **terms: Any) -> Any:
        own = getattr(self._connection, method.__name__)  # a connection of another kind may answer otherwise
        return await self._run(functools.partial(own, *args, **terms))

    return ask


class AsyncConnection:
    """A connection whose questions are awaited; made by `connect_async`. The terms are those of Connection.

    >>> import asyncio
    >>> async def prices():
    ...     async with await rdb.connect_async() as db:
    ...         last, count = await asyncio.gather(db.last("trades"), db.count("trades"))
    ...         return last["price"].tolist(), count
    >>> asyncio.run(prices())
    ([190.75, 410.25], 8)
    """

    def __init__(self, connection: Connection) -> None:
        self.address = connection.address
        self._connection = connection
        self._threads = ThreadPoolExecutor(AT_ONCE, "question")
        self._watches: WeakSet[AsyncWatch] = WeakSet()

    answer_to = _awaited(Connection.answer_to)
    tables = _awaited(Connection.tables)
    select = _awaited(Connection.select)
    last = _awaited(Connection.last)
    count = _awaited(Connection.count)
    resample = _awaited(Connection.resample)
    asof = _awaited(Connection.asof)
    window = _awaited(Connection.window)
    sql = _awaited(Connection.sql)
    symbols = _awaited(Connection.symbols)
    status = _awaited(Connection.status)

    def watch(self, table: str, *args: Any, **terms: Any) -> "AsyncWatch":
        """Return Connection.watch as an asynchronous iterator.

        >>> async def newest():
        ...     async with await rdb.connect_async() as db:
        ...         async for frame in db.watch("trades", last=1):
        ...             return frame["price"].tolist()
        >>> asyncio.run(newest())
        [190.75]
        """
        watch = AsyncWatch(self._threads, functools.partial(self._connection.watch, table, *args, **terms))
        self._watches.add(watch)
        return watch

    async def close(self) -> None:
        """Disconnect; questions under way end with Cancelled.

        >>> async def count():
        ...     db = await plant.connect_async()
        ...     try:
        ...         return await db.count("trades")
        ...     finally:
        ...         await db.close()
        >>> asyncio.run(count())
        8
        """
        for watch in self._watches:
            watch.close()
        self._connection.close()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

    async def __aenter__(self) -> "AsyncConnection":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncConnection {self.address}>"

    async def _run(self, call: Callable[[], _Answer]) -> _Answer:
        give_up = threading.Event()

        def work() -> _Answer:
            token = GIVE_UP.set(give_up)
            try:
                return call()
            finally:
                GIVE_UP.reset(token)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except asyncio.CancelledError:
            give_up.set()
            raise


class AsyncWatch:
    """Frames of a table as they come: `async for frame in db.watch("bars")`.

    A frame that came after its awaiting was cancelled (`asyncio.wait_for`) is the next one's.
    """

    def __init__(self, threads: ThreadPoolExecutor, make: Callable[[], Watch]) -> None:
        self._threads = threads
        self._make = make
        self._watch: Watch | None = None
        self._coming: asyncio.Future[Any] | None = None
        self._closed = False

    def __aiter__(self) -> "AsyncWatch":
        return self

    async def __anext__(self) -> Any:
        """Return the next frame, however long it takes."""
        if self._closed:
            raise StopAsyncIteration
        if self._coming is None:
            self._coming = asyncio.get_running_loop().run_in_executor(self._threads, self._next)
        coming = self._coming
        try:
            found = await asyncio.shield(coming)
        except asyncio.CancelledError:
            if not coming.cancelled():
                raise
            raise StopAsyncIteration from None  # the connection was closed before a thread took it up
        finally:
            if coming.done():
                self._coming = None
        if found is None:
            raise StopAsyncIteration
        return found

    def close(self) -> None:
        """Disconnect; the iteration ends."""
        self._closed = True
        if self._watch is not None:
            self._watch.close()

    async def __aenter__(self) -> "AsyncWatch":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def _next(self) -> Any:
        if self._watch is None:
            self._watch = self._make()
            if self._closed:
                self._watch.close()
        return next(self._watch, None)


async def connect_async(address: str | None = None, **options: Any) -> AsyncConnection:
    """Return a connection to the plant of plant.toml whose questions are awaited; the terms are those of connect.

    >>> async def count():
    ...     async with await plant.connect_async() as db:
    ...         return await db.count("trades", "AAPL")
    >>> asyncio.run(count())
    4
    """
    return AsyncConnection(await asyncio.to_thread(functools.partial(connect, address, **options)))


async def connect_async_to(who: str, address: str | None = None, **options: Any) -> AsyncConnection:
    """Return the same for a process of the plant: "rdb", "processor", "hdb".

    >>> async def count():
    ...     async with await plant.client.aio.connect_async_to("rdb") as db:
    ...         return await db.count("trades", "AAPL")
    >>> asyncio.run(count())
    4
    """
    return AsyncConnection(await asyncio.to_thread(functools.partial(connect_to, who, address, **options)))
