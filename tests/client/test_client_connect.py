"""Where a connection goes: an address with or without tcp://, a port alone, else what plant.toml says."""

from pathlib import Path

import pytest

from plant.client.connect import _address
from plant.errors import QueryError
from plant.runtime.settings import load


def test_an_address_may_leave_out_the_protocol_and_a_port_stands_for_the_host_of_plant_toml(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text("")
    settings = load(tmp_path / "plant.toml")
    assert _address(settings, None, None, 5006) == "tcp://127.0.0.1:5006"
    assert _address(settings, None, 6006, 5006) == "tcp://127.0.0.1:6006"
    assert _address(settings, "there:6006", None, 5006) == "tcp://there:6006"
    assert _address(settings, "ipc:///tmp/x", None, 5006) == "ipc:///tmp/x"
    with pytest.raises(QueryError, match="an address or a port, not both"):
        _address(settings, "there:6006", 6006, 5006)
