"""tickplant: a kdb-style tick plant in Python."""

from typing import TYPE_CHECKING, Any

from plant import errors
from plant.errors import PlantError

if TYPE_CHECKING:
    from plant.client.aio import AsyncConnection, connect_async
    from plant.client.connect import connect, publisher, subscribe
    from plant.client.connection import Connection
    from plant.rows.batch import Batch

__all__ = [
    "AsyncConnection",
    "Batch",
    "Connection",
    "PlantError",
    "connect",
    "connect_async",
    "errors",
    "publisher",
    "subscribe",
]

_HOMES = {
    "AsyncConnection": "client.aio",
    "Batch": "rows.batch",
    "Connection": "client.connection",
    "connect": "client.connect",
    "connect_async": "client.aio",
    "publisher": "client.connect",
    "subscribe": "client.connect",
}


def __getattr__(name: str) -> Any:
    """Load the client on first use: `import plant.rows.schema` alone need not pay for Arrow."""
    if name not in _HOMES:
        raise AttributeError(f"module 'plant' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"plant.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
