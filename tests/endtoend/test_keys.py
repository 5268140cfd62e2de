"""A plant with CURVE keys: open to the network for those who have keys, and to nobody else."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import RunningPlant

from plant.client.connection import Connection
from plant.errors import SettingsError, Unavailable
from plant.transport import sockets
from plant.transport.keys import make_keys
from plant.transport.request import Requester


@pytest.fixture(autouse=True)
def _no_keys_afterwards() -> Iterator[None]:
    yield
    sockets.use_keys("")


def test_a_plant_with_keys_serves_beyond_loopback_and_only_those_who_have_them(
    start_plant: Callable[..., RunningPlant], eventually: Any, tmp_path: Path
) -> None:
    make_keys(tmp_path / "keys")
    toml = f'host = "0.0.0.0"\nkeys = "{tmp_path}/keys"\n'
    plant = start_plant("tickerplant", "rdb", toml=toml)
    sockets.use_keys(tmp_path / "keys")
    feed = plant.publisher("feed")
    feed.publish("trades", {"time": 10**18, "sym": "AAPL", "price": 1.0, "size": 1.0})
    feed.flush()
    eventually(lambda: plant.ask().count("trades") == 1)
    address = plant.settings.address(plant.settings.rdb.port)

    sockets.use_keys("")
    with pytest.raises(SettingsError, match="not a loopback address"):
        Connection("rdb", address).count("trades")
    local = Requester(address.replace("0.0.0.0", "127.0.0.1"), "rdb", 0.5)
    with pytest.raises(Unavailable):
        local.ask(ask="status")

    make_keys(tmp_path / "stranger")
    shutil.copy(tmp_path / "keys" / "server.key", tmp_path / "stranger" / "server.key")
    sockets.use_keys(tmp_path / "stranger")
    with pytest.raises(Unavailable):
        Connection("rdb", address, timeout_s=0.5).count("trades")


def test_secret_keys_are_for_their_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    make_keys(tmp_path)
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("*_secret"))
    with pytest.raises(SettingsError, match="holds keys already"):
        make_keys(tmp_path)


def test_a_folder_without_keys_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="plant keys"):
        sockets.use_keys(tmp_path)
