"""The processor: candles, indicators and signals, served and published.

import processor
db = processor.connect()
"""

from typing import Any


def connect(address: str | None = None, **options: Any) -> Any:
    """Return a connection to the processor at `address` ("127.0.0.1:5011"; default: as in plant.toml).

    It is a processor.connection.ProcessorConnection, which also has `catalogue()` and `calculate(...)`.

    options: port=5011 (of plant.toml's host), frames="pandas"|"arrow"|"polars"|"numpy", timeout_s=10.0,
    warn_unknown=True (of symbols that no row has), config="plant.toml". Raises Unavailable if it does not answer.
    """
    from plant.client.connect import connect_to
    from processor.connection import ProcessorConnection

    return connect_to("processor", address, kind=ProcessorConnection, **options)


async def connect_async(address: str | None = None, **options: Any) -> Any:
    """Return a connection to the processor whose questions are awaited; terms as in `connect`."""
    from plant.client.aio import connect_async_to

    return await connect_async_to("processor", address, **options)
