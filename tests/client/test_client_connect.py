"""Where a connection goes: an address with or without tcp://, a port alone, else what plant.toml says."""

import subprocess
import sys
from pathlib import Path

import pytest
from plain_rows import NOON, tables_of, trade

from plant.client.connect import _address
from plant.errors import QueryError
from plant.runtime.settings import load
from plant.serving.server import QueryServer


def test_an_address_may_leave_out_the_protocol_and_a_port_stands_for_the_host_of_plant_toml(tmp_path: Path) -> None:
    (tmp_path / "plant.toml").write_text("")
    settings = load(tmp_path / "plant.toml")
    assert _address(settings, None, None, 5006) == "tcp://127.0.0.1:5006"
    assert _address(settings, None, 6006, 5006) == "tcp://127.0.0.1:6006"
    assert _address(settings, "there:6006", None, 5006) == "tcp://there:6006"
    assert _address(settings, "ipc:///tmp/x", None, 5006) == "ipc:///tmp/x"
    with pytest.raises(QueryError, match="an address or a port, not both"):
        _address(settings, "there:6006", 6006, 5006)


HEAVY = ("pandas", "pyarrow", "duckdb", "polars", "structlog", "rich", "typer", "zmq.auth", "asyncio")
"""What takes long to import, and a connection does not need."""

CONNECT = f"""
import sys
import rdb
db = rdb.connect(sys.argv[1])
print(*(name for name in {HEAVY} if name in sys.modules))
print(db.trades.tail(1)["price"].tolist())
"""


def test_who_connects_waits_for_no_module_that_only_questions_and_other_commands_need(tmp_path: Path) -> None:
    server = QueryServer("tcp://127.0.0.1:*", tables_of(trades=[[trade(NOON, price=5.0)]]), lambda: {"name": "rdb"})
    try:
        done = subprocess.run(
            [sys.executable, "-c", CONNECT, server.address], cwd=tmp_path, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    finally:
        server.close()
    assert done.stdout.splitlines() == ["", "[5.0]"], done.stderr
