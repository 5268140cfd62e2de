"""The hdb: history on disk, written during the day, closed at its end, and queried.

import hdb
db = hdb.connect()
"""

from typing import Any


def connect(address: str | None = None, **options: Any) -> Any:
    """Return a connection to the hdb at `address` ("127.0.0.1:5007"; default: as in plant.toml).

    options: port=5007 (of plant.toml's host), frames="pandas"|"arrow"|"polars"|"numpy", timeout_s=10.0,
    warn_unknown=True (of symbols that no row has), config="plant.toml". Raises Unavailable if it does not answer.
    """
    from plant.client.connect import connect_to

    return connect_to("hdb", address, **options)


async def connect_async(address: str | None = None, **options: Any) -> Any:
    """Return a connection to the hdb whose questions are awaited; the terms are those of `connect`."""
    from plant.client.aio import connect_async_to

    return await connect_async_to("hdb", address, **options)
