"""tickplant: a kdb-style tick plant in Python."""

from typing import TYPE_CHECKING, Any

from plant import errors
from plant.errors import PlantError

if TYPE_CHECKING:
    from plant.aio import AsyncConnection, connect_async
    from plant.client import Connection, connect, publisher, subscribe
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
    "AsyncConnection": "aio",
    "Batch": "rows.batch",
    "Connection": "client",
    "connect": "client",
    "connect_async": "aio",
    "publisher": "client",
    "subscribe": "client",
}


def __getattr__(name: str) -> Any:
    """Load the client on first use: `import plant.rows.schema` alone need not pay for Arrow."""
    if name not in _HOMES:
        raise AttributeError(f"module 'plant' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"plant.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
